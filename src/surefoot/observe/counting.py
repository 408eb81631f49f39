"""Count the rows of what is going to be dropped, so that it is said."""

from collections.abc import Iterable
from typing import Any

import psycopg
from psycopg import sql

from surefoot.observe.connect import kept_connection
from surefoot.preflight.names import parts
from surefoot.sql import query
from surefoot.structure.facts import Key


def row_lines(connection: psycopg.Connection[Any], dropped: Iterable[Key]) -> tuple[str, ...]:
    """What goes with each of these tables and columns, a line each. Read-only.

    Raises SurefootError `look-failed`, `server-unreachable`.
    """
    lines: list[str] = []
    with kept_connection(), connection.transaction():
        connection.execute("set transaction read only")
        connection.execute("set local statement_timeout = 0")
        for kind, name in dropped:
            schema, table, *column = parts(name)
            what = sql.Identifier(*column) if kind == "column" else sql.SQL("*")
            number = count_rows(connection, schema, table, what)
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
    connection: psycopg.Connection[Any], schema: str, table: str, what: sql.Composable
) -> int | None:
    """The number of a table's rows in which `what` is not null, rows that policies hide included.

    None where the role may not read them all, and where counting would run somebody's code: of a
    view, a foreign table, or a table that one of these inherits from.
    """
    names = {"schema": schema, "table": table}
    try:
        with connection.transaction():
            ((countable,),) = connection.execute(query("countable"), names).fetchall()
            if not countable:
                return None
            connection.execute("set local row_security = off")
            row = connection.execute(counting_statement(schema, table, what)).fetchone()
    except psycopg.errors.InsufficientPrivilege:
        return None
    return row[0] if row else 0


def counting_statement(schema: str, table: str, what: sql.Composable) -> sql.Composed:
    """The statement that counts the rows of a table in which `what` is not null."""
    named = sql.Identifier(schema, table)
    return sql.SQL("select pg_catalog.count({}) from {}").format(what, named)
