"""Write the version table's rows, in the transaction that the caller opened."""

from collections.abc import Iterable
from typing import Any

import psycopg
from psycopg import sql

from surefoot.decision.facts import VersionTableName
from surefoot.decision.version_rows import needs_type
from surefoot.errors import SurefootError
from surefoot.errors.wording import listed
from surefoot.look.version_triggers import trigger_lines, trigger_next, version_triggers
from surefoot.postgres.look import looking_within
from surefoot.sql import VERSION_ROWS, query

LOCK_TIMEOUT = "10s"

# How CREATE TABLE fails if the table, or its type, was created meanwhile: 23505 if both sessions
# wrote the same row of the system catalogues.
CREATED_MEANWHILE = ("42P07", "42710", "23505")


def write_version_rows(
    connection: psycopg.Connection[Any],
    name: VersionTableName,
    schema: str | None,
    rows: Iterable[str],
) -> None:
    """Make `rows` the version table's only ones. `schema` is where it is; None: create it.

    The table is exactly the one that Alembic would create. Raises SurefootError `plan-outdated` if
    another session has created it meanwhile; `repair-failed` if the rows aren't there afterwards: a
    trigger or a rule may have changed them.
    """
    rows = tuple(rows)
    place = schema or name.schema
    if place is None:
        row = connection.execute("select pg_catalog.current_schema()").fetchone()
        place = str(row[0]) if row and row[0] else "public"
    if schema is None:
        _create(connection, place, name.name)
    table = sql.Identifier(place, name.name)
    connection.execute(sql.SQL("delete from {}").format(table))
    for revision in rows:
        # a literal, not a parameter: with parameters, a % in the table's name would be one
        connection.execute(
            sql.SQL("insert into {} (version_num) values ({})").format(table, sql.Literal(revision))
        )
    _require_written(connection, place, name.name, rows)


def _create(connection: psycopg.Connection[Any], schema: str, name: str) -> None:
    statement = sql.SQL(
        "create table {} (version_num varchar(32) not null,"
        " constraint {} primary key (version_num))"
    ).format(sql.Identifier(schema, name), sql.Identifier(f"{name}_pkc"))
    try:
        connection.execute(
            "select pg_catalog.set_config('lock_timeout', %s, true)", (LOCK_TIMEOUT,)
        )
        connection.execute(statement)
    except psycopg.Error as error:
        if error.sqlstate in CREATED_MEANWHILE:
            raise created_meanwhile(name) from error
        raise


def created_meanwhile(table: str) -> SurefootError:
    """Return that the version table is there, and was not when the plan was made."""
    return SurefootError(
        "plan-outdated",
        f"Another program created the version table, {table}, while surefoot was at work.",
        next="another program migrates this database; start again when it is done",
    )


def _require_written(
    connection: psycopg.Connection[Any], schema: str, table: str, rows: tuple[str, ...]
) -> None:
    """Read the rows back, in the same transaction. Raises SurefootError `repair-failed`."""
    triggers = version_triggers(connection, schema, table)
    if any(one.deferrable for one in triggers):
        connection.execute("set constraints all immediate")  # they would run at the commit
    statement = sql.SQL(VERSION_ROWS).format(sql.Identifier(schema, table))
    with looking_within(connection) as look:
        found = [row["id"] for row in look.cursor.execute(statement)]
    if sorted(map(str, found)) == sorted(rows):
        return
    raise SurefootError(
        "repair-failed",
        "The version rows that surefoot wrote are not the rows that are there.",
        seen=[
            f"written: {listed(rows) or 'no row'}",
            f"there afterwards: {listed([str(row) for row in found]) or 'no row'}",
            *trigger_lines(triggers, schema, table),
        ],
        next=trigger_next(triggers, schema, table, "then run the same command again")
        if triggers
        else "find out what changes the rows as they are written (an event trigger, a policy, the "
        "column's type), correct it, and run the same command again",
    )


def mend_version_table(
    connection: psycopg.Connection[Any], name: VersionTableName, schema: str, width: int
) -> str:
    """Empty the version table and give it Alembic's form, its column `width` characters wide.

    Grants and comments stay. Returns the column's former type.
    """
    table = sql.Identifier(schema, name.name)
    was, has_key = _column(connection, name.name, schema)
    connection.execute(sql.SQL("delete from {}").format(table))
    if needs_type(was, width):
        connection.execute(
            sql.SQL(
                "alter table {} alter column version_num drop default,"
                " alter column version_num type varchar({}) using version_num::text"
            ).format(table, sql.Literal(width))
        )
    if not has_key:
        key = sql.Identifier(f"{name.name}_pkc")
        connection.execute(
            sql.SQL("alter table {} add constraint {} primary key (version_num)").format(table, key)
        )
    return was


def _column(connection: psycopg.Connection[Any], table: str, schema: str) -> tuple[str, bool]:
    """Return the version column's type, and whether the table has a primary key."""
    with looking_within(connection) as look:
        asked = {"table": table, "schema": schema}
        row = look.cursor.execute(query("version_column"), asked).fetchone()
    assert row is not None, "its rows have just been read"
    return row["type"], row["has_key"]
