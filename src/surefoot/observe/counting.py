"""Count the rows of what is going to be dropped, so that it is said."""

from collections.abc import Iterable
from typing import Any

import psycopg
from psycopg import sql

from surefoot.observe.connect import kept_connection
from surefoot.preflight.names import parts
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
            found = parts(name)
            what = sql.Identifier(found[2]) if kind == "column" else sql.SQL("*")
            counting = sql.SQL("select pg_catalog.count({}) from {}").format(
                what, sql.Identifier(*found[:2])
            )
            number = count_all(connection, counting)
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


def count_all(connection: psycopg.Connection[Any], counting: sql.Composed) -> int | None:
    """What the statement counts, also of rows that row security hides from the role; None where
    it may not see those.
    """
    try:
        with connection.transaction():
            connection.execute("set local row_security = off")
            row = connection.execute(counting).fetchone()
    except psycopg.errors.InsufficientPrivilege:
        return None
    return row[0] if row else 0
