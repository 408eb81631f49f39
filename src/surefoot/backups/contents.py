"""The contents of one snapshot of a database, which a sidecar records and a restore must match."""

from collections.abc import Generator, Iterable
from contextlib import contextmanager
from typing import Any

import msgspec
import psycopg
from psycopg import sql

from surefoot.backups.comparison import digested
from surefoot.backups.sidecar import Contents, Sizes, TableRows
from surefoot.decision.facts import VersionTableName
from surefoot.errors import SurefootError
from surefoot.errors.steps import to_type
from surefoot.look.database import observe_version_rows
from surefoot.look.structure import structure_within
from surefoot.postgres.connect import translate_db_errors
from surefoot.postgres.look import looking_within
from surefoot.schema.names import quote_name
from surefoot.sql import query


class Needs(msgspec.Struct, frozen=True):
    """What a server must have before the dump can be restored there, and the sizes of things."""

    roles: tuple[str, ...]
    extensions: tuple[str, ...]
    sizes: Sizes
    largest: tuple[TableRows, ...]  # not counted yet
    server: str | None  # the system identifier


@contextmanager
def snapshot(connection: psycopg.Connection[Any]) -> Generator[str, None, None]:
    """Hold one snapshot for the block; yields the name with which pg_dump gets the same.

    The connection must lead to the server itself: behind a pooler, other clients would inherit
    pg_dump's settings. Raises SurefootError `pooler-in-the-way`, and what `translate_db_errors`
    does.
    """
    require_direct(connection)
    with translate_db_errors(), connection.transaction():
        connection.execute("set transaction isolation level repeatable read, read only")
        connection.execute("set local statement_timeout = 0")
        connection.execute("set local idle_in_transaction_session_timeout = 0")
        if connection.info.server_version >= 170000:
            connection.execute("set local transaction_timeout = 0")
        # as in pg_dump, rows that a policy hides are an error
        connection.execute("set local row_security = off")
        row = connection.execute("select pg_catalog.pg_export_snapshot()").fetchone()
        assert row is not None
        yield row[0]


def require_direct(connection: psycopg.Connection[Any]) -> None:
    """Raise SurefootError `pooler-in-the-way` if the session may be another one each time."""
    with translate_db_errors():
        row = connection.execute("select pg_catalog.pg_backend_pid()").fetchone()
    if row is not None and row[0] == connection.info.backend_pid:
        return
    raise SurefootError(
        "pooler-in-the-way",
        "Backup and restore don't work through a pooler.",
        seen=[
            f"{connection.info.host}:{connection.info.port} reports process ids of its own",
            "pg_dump and pg_restore change settings of their session, which another client would "
            "then get",
        ],
        next="set SUREFOOT_DATABASE_URL to the server's own address; the application's "
        "DATABASE_URL may lead through the pooler",
    )


def require_every_row(connection: psycopg.Connection[Any]) -> None:
    """Require that no policy hides rows from the role in this snapshot.

    pg_dump would fail at the first such table. Raises SurefootError `backup-failed`, psycopg.Error.
    """
    with looking_within(connection) as look:
        rows = look.cursor.execute(query("hidden_rows")).fetchall()
    if not rows:
        return
    role = connection.info.user
    seen = [
        f"the policies of {quote_name(row['schema'], row['table'])} apply to the role {role}: "
        + ("it says force row level security" if row["owned"] else "the role doesn't own it")
        for row in rows[:8]
    ]
    raise SurefootError(
        "backup-failed",
        "Row-level security hides rows from the role, so the backup would lack them.",
        seen=[*seen, *([f"and {len(rows) - 8} more tables"] if len(rows) > 8 else [])],
        next=to_type(
            "let the role see every row, as a superuser",
            f"alter role {quote_name(role)} bypassrls;",
            then="then start again",
        ),
    )


def observe_needs(connection: psycopg.Connection[Any]) -> Needs:
    """Return what the database in its snapshot needs elsewhere. Raises psycopg.Error."""
    with looking_within(connection) as look:
        tables = look.cursor.execute(query("largest_tables"), {"trusted": look.trusted}).fetchall()
        needs = look.cursor.execute(query("backup_needs")).fetchone()
        assert needs is not None
    return Needs(
        tuple(needs["roles"]),
        tuple(needs["extensions"]),
        Sizes(needs["all_tables"], needs["database_size"]),
        tuple(TableRows(t["schema"], t["table"], None) for t in tables),
        system_identifier(connection),
    )


def system_identifier(connection: psycopg.Connection[Any]) -> str | None:
    """Return the server's system identifier; None if the role may not read it.

    A copy of the server's files has the same one, and pg_upgrade makes a new one.
    """
    try:
        with connection.transaction():
            row = connection.execute(query("system_identifier")).fetchone()
    except (psycopg.errors.InsufficientPrivilege, psycopg.errors.UndefinedFunction):
        return None
    return None if row is None else row[0]


def resolved(
    connection: psycopg.Connection[Any], version_table: VersionTableName
) -> VersionTableName:
    """Return the version table with the schema in which the search path finds it.

    A database may set that path itself, and a new database doesn't have its settings yet.
    """
    schema, _ = observe_version_rows(connection, version_table)
    return VersionTableName(version_table.name, schema or version_table.schema)


def observe_contents(
    connection: psycopg.Connection[Any],
    version_table: VersionTableName,
    tables: Iterable[TableRows],
) -> Contents:
    """Return what the connection's transaction sees, with the rows of these tables counted.

    Raises SurefootError `version-table-unreadable`, or psycopg.Error.
    """
    _, rows = observe_version_rows(connection, version_table)
    facts = structure_within(connection, version_table)
    whole, parts = digested(facts)
    counted = tuple(_counted(connection, one) for one in tables)
    return Contents(rows, len(facts), whole, parts, counted)


def _counted(connection: psycopg.Connection[Any], one: TableRows) -> TableRows:
    counting = sql.SQL("select pg_catalog.count(*) from {}").format(
        sql.Identifier(one.schema, one.table)
    )
    try:
        with connection.transaction():
            row = connection.execute(counting).fetchone()
    except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
        return msgspec.structs.replace(one, rows=None)
    return msgspec.structs.replace(one, rows=row[0] if row else None)
