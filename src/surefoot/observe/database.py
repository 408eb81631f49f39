"""One read-only look at the database, in one snapshot."""

from typing import Any, TypeVar

import msgspec
import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from surefoot.errors import SurefootError
from surefoot.observation import (
    Elsewhere,
    Journaled,
    Observation,
    ServerInfo,
    VersionTableName,
)
from surefoot.observe.connect import kept_connection
from surefoot.sql import query
from surefoot.structure.standing import Difference

OLDEST_SERVER = 130000


def observe_database(
    connection: psycopg.Connection[Any], version_table: VersionTableName
) -> Observation:
    """Look at the database that `connection` (in autocommit) leads to.

    Raises SurefootError `server-too-old`, `version-table-unreadable`, `look-failed`, or
    `server-unreachable` where the connection is lost.
    """
    names = {"table": version_table.name, "schema": version_table.schema}
    with (
        kept_connection(),
        connection.transaction(),
        connection.cursor(row_factory=dict_row) as cursor,
    ):
        cursor.execute("set transaction isolation level repeatable read, read only")
        cursor.execute("set local statement_timeout = 0")
        # rows that a policy hides are an error, not an empty version table
        cursor.execute("set local row_security = off")
        seen = cursor.execute(query("probe"), names).fetchone()
        assert seen is not None
        server = ServerInfo(
            version=seen["server_version"],
            version_text=seen["server_version_text"],
            database=seen["database"],
            role=seen["role"],
            started=seen["server_started"],
            default_schema=seen["default_schema"],
        )
        require_supported(server)
        rows = _version_rows(cursor, version_table.name, seen["version_schema"])
        objects: dict[str, Any] = {"objects": 0, "examples": [], "version_tables": {}}
        if not rows:
            objects = cursor.execute(query("objects"), names).fetchone() or objects
            objects["version_tables"].pop(seen["version_schema"], None)
        found = Observation(
            server=server,
            version_table=version_table,
            version_schema=seen["version_schema"],
            rows=rows,
            version_column=seen["version_column"],
            comment=seen["comment"],
            objects=objects["objects"],
            examples=tuple(objects["examples"]),
            elsewhere=tuple(
                Elsewhere(
                    schema,
                    _version_rows(cursor, version_table.name, schema) if readable else None,
                )
                for schema, readable in sorted(objects["version_tables"].items())
            ),
            journal=seen["journal"],
            journal_schema=seen["journal_schema"],
            journal_down=seen["journal_down"] or not seen["journal"],
            journal_readable=bool(seen["journal_readable"]),
            journal_writable=seen["journal_writable"],
            read_only=seen["read_only"],
            standby=seen["standby"],
        )
        if not (found.journal and found.journal_readable):
            return found
        return _with_journal(cursor, found)


class _Seed(msgspec.Struct):
    name: str
    hash: str | None


class _Mark(msgspec.Struct):
    step: str
    env: str | None
    name: str
    hash: str | None
    direction: str
    evidence: str | None


class _Ran(msgspec.Struct):
    id: str
    parents: str
    release: str | None
    floor: str | None


class _Last(msgspec.Struct):
    name: str
    day: str


class _Evidence(msgspec.Struct):
    evidence: str


T = TypeVar("T")


def _with_journal(cursor: psycopg.Cursor[dict[str, Any]], found: Observation) -> Observation:
    """What the journal adds to an observation."""

    def rows_of(name: str, type: type[T]) -> list[T]:
        rows = cursor.execute(query(name), {"history": found.history}).fetchall()
        try:
            return msgspec.convert(rows, list[type])
        except msgspec.ValidationError as error:
            raise SurefootError(
                "look-failed",
                "The journal holds a row that surefoot didn't write.",
                seen=[f"{error} (of sql/{name}.sql)"],
                next="surefoot.journal was changed by hand: put right what is NULL or of another "
                "type; or drop the table, and lose the memory of what has run",
            ) from error

    (mark,) = rows_of("last_mark", _Mark) or (None,)
    (evidence,) = rows_of("accepted", _Evidence) or (None,)
    (last,) = (rows_of("last_revision", _Last) if not found.rows else ()) or (None,)
    seeds = {seed.name: seed.hash for seed in rows_of("seeds", _Seed)}
    begun = mark if mark is not None and mark.step == "begun" else None
    half_way = begun if begun is not None and begun.direction == "up" else None
    reversing = begun if begun is not None and begun.direction == "down" else None
    rows = {str(row) for row in found.rows}
    reached = mark is not None and mark.step == "reached" and set(mark.name.split()) == rows
    return msgspec.structs.replace(
        found,
        # where everything was dropped, nothing that is remembered is there
        seeds=seeds if found.rows or found.objects else {},
        env=mark.env if mark and reached else None,
        mark=mark.step if mark else None,
        interrupted=tuple(half_way.name.split()) if half_way is not None else (),
        interrupted_sha256=half_way.hash if half_way is not None else None,
        reversing=tuple(reversing.name.split()) if reversing is not None else (),
        reversed_so_far=_number(reversing.evidence) if reversing is not None else 0,
        journaled=tuple(
            Journaled(ran.id, tuple(ran.parents.split()), ran.release, ran.floor)
            for ran in rows_of("journaled", _Ran)
        ),
        accepted=_accepted(evidence.evidence) if evidence else (),
        last_journaled=f"{last.name}, of {last.day}" if last else None,
    )


def _number(text: str | None) -> int:
    return int(text) if text is not None and text.isdecimal() else 0


class _Adoption(msgspec.Struct):
    """What is read of an adoption's evidence."""

    accepted: tuple[Difference, ...] = ()


def _accepted(evidence: str) -> tuple[Difference, ...]:
    try:
        return msgspec.json.decode(evidence, type=_Adoption).accepted
    except msgspec.DecodeError as error:
        raise SurefootError(
            "look-failed",
            "The journal's last adoption can't be read.",
            seen=[str(error)],
            next="surefoot.journal was written by hand, or by another version of surefoot: see its "
            "last row with step = 'adopt'",
        ) from error


def observe_version_rows(
    connection: psycopg.Connection[Any], name: VersionTableName
) -> tuple[str | None, tuple[str | None, ...]]:
    """The version table's schema (None: there is no table) and its rows, in whatever transaction
    `connection` is in. Raises as `observe_database` does.
    """
    with connection.cursor(row_factory=dict_row) as cursor:
        names = {"table": name.name, "schema": name.schema}
        seen = cursor.execute(query("probe"), names).fetchone()
        assert seen is not None
        schema = seen["version_schema"]
        return schema, _version_rows(cursor, name.name, schema)


def _version_rows(
    cursor: psycopg.Cursor[dict[str, Any]], table: str, schema: str | None
) -> tuple[str | None, ...]:
    if schema is None:
        return ()
    statement = sql.SQL("select version_num::text as id from {} order by 1").format(
        sql.Identifier(schema, table)
    )
    try:
        return tuple(row["id"] for row in cursor.execute(statement))
    except psycopg.errors.InsufficientPrivilege as error:
        raise SurefootError(
            "version-table-unreadable",
            f"This role may not read the version table {schema}.{table}.",
            seen=[str(error.diag.message_primary)],
            next=f"grant usage on schema {schema}, and select on {schema}.{table}, to this role; "
            "or connect as the role that owns it",
        ) from error
    except psycopg.errors.UndefinedColumn as error:
        raise SurefootError(
            "version-table-unreadable",
            f"The table {schema}.{table} is not Alembic's version table.",
            seen=[str(error.diag.message_primary)],
            next="correct the address, if this is another application's database; or set "
            "version_table in surefoot.toml, if the application's has another name",
        ) from error


def require_supported(server: ServerInfo) -> None:
    """Raises SurefootError `server-too-old`."""
    if server.version < OLDEST_SERVER:
        raise SurefootError(
            "server-too-old",
            f"PostgreSQL {server.version_text} is older than surefoot supports.",
            seen=[f"database {server.database}, server version {server.version}"],
            next="use PostgreSQL 13 or newer",
        )
