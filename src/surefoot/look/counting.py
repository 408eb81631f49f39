"""Count the rows of what will be dropped, to report them."""

from collections.abc import Iterable
from typing import Any

import psycopg
from psycopg import sql

from surefoot.postgres.look import Look, looking
from surefoot.schema.fact import Key
from surefoot.schema.names import split_name
from surefoot.sql import query

# What was there in the snapshot can be gone when the statement is parsed.
DROPPED = (
    psycopg.errors.UndefinedTable,
    psycopg.errors.UndefinedColumn,
    psycopg.errors.InvalidSchemaName,
)


def row_lines(
    connection: psycopg.Connection[Any], dropped: Iterable[Key], role: str | None = None
) -> tuple[str, ...]:
    """Describe what goes with each of these tables and columns, a line each. Read-only.

    `role` is the role that env.py sets, whose tables are trusted as well.

    Raises SurefootError `look-failed`, `server-unreachable`.
    """
    lines: list[str] = []
    with looking(connection) as look:
        for kind, name in dropped:
            schema, table, *column = split_name(name)
            what = sql.Identifier(*column) if kind == "column" else sql.SQL("*")
            number = count_rows(look, role, schema, table, what)
            if number is None:
                rows = "rows that can't be counted"
            else:
                rows = "1 row" if number == 1 else f"{number:,} rows"
            lines.append(
                f"drops column {name}, which has a value in {rows}"
                if kind == "column"
                else f"drops {name}, which has {rows}"
            )
    return tuple(lines)


def count_rows(
    look: Look, role: str | None, schema: str, table: str, what: sql.Composable
) -> int | None:
    """Count a table's rows in which `what` is not null, including rows that policies hide.

    None if the role can't read them all, or if counting would run others' code: for a view, a
    foreign table, a table whose owner isn't trusted, or one from which such a table inherits. Also
    if another session has dropped it meanwhile: a replica that migrates, for example.
    `role` is the role that env.py sets, whose tables are trusted as well.
    """
    asked = {"schema": schema, "table": table, "role": role, "trusted": look.trusted}
    seen = look.cursor.execute(query("countable"), asked).fetchone()
    if not seen or not seen["countable"]:
        return None
    connection = look.cursor.connection
    try:
        with connection.transaction():
            row = connection.execute(counting_statement(schema, table, what)).fetchone()
    except (psycopg.errors.InsufficientPrivilege, *DROPPED):
        return None
    return row[0] if row else 0


def counting_statement(schema: str, table: str, what: sql.Composable) -> sql.Composed:
    """Return the statement that counts a table's rows in which `what` is not null."""
    named = sql.Identifier(schema, table)
    return sql.SQL("select pg_catalog.count({}) from {}").format(what, named)
