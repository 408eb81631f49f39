"""After a duplicate key: find the sequences whose next number a row already has."""

import contextlib
from collections.abc import Iterable, Sequence
from typing import Any

import psycopg
from psycopg import sql

from surefoot.diagnosis.cause import Drawn, Numbers
from surefoot.look.counting import DROPPED
from surefoot.postgres.look import looking
from surefoot.sql import query

_AT_ONCE = 50  # sequences in one statement


def sequences(connection: psycopg.Connection[Any], schema: str, table: str) -> tuple[Numbers, ...]:
    """Return the sequences of this table's columns, and all others that are behind their rows.

    The others only if an index knows the largest number. What takes more than ten seconds, or waits
    for a lock, is left out. Raises SurefootError `server-unreachable`, `look-failed`.
    """
    with looking(connection) as look:
        cursor = look.cursor
        cursor.execute("set local lock_timeout = '2s'")
        cursor.execute("set local statement_timeout = '10s'")
        rows = cursor.execute(
            query("sequence_columns"),
            {"schema": schema, "table": table, "trusted": look.trusted},
        ).fetchall()
        groups: dict[int, list[dict[str, Any]]] = {}
        for row in rows:
            groups.setdefault(row["sequence"], []).append(row)
        found: list[Numbers] = []
        asked = [group for group in groups.values() if any(row["asked"] for row in group)]
        others = [group for group in groups.values() if group not in asked]
        chunks = [asked, *(others[n : n + _AT_ONCE] for n in range(0, len(others), _AT_ONCE))]
        for chunk in chunks:
            read = None
            too_long = psycopg.errors.LockNotAvailable, psycopg.errors.QueryCanceled
            with contextlib.suppress(*too_long, *DROPPED), connection.transaction():
                read = _read(cursor, chunk)
            if read is None:  # it would take too long, or others hold a lock or drop something
                break
            found += [one for one in read if one.behind or chunk is asked]
    return tuple(found)


def _read(
    cursor: psycopg.Cursor[dict[str, Any]], groups: Sequence[list[dict[str, Any]]]
) -> list[Numbers]:
    if not groups:
        return []
    parts = [_reading(number, group) for number, group in enumerate(groups)]
    rows = cursor.execute(sql.SQL(" union all ").join(parts)).fetchall()
    return [_numbers(groups[int(row["number"])], row) for row in rows]


def _reading(number: int, group: Iterable[dict[str, Any]]) -> sql.Composed:
    """Return one sequence's state, and the furthest numbers in its columns."""
    columns = list(group)
    furthest = sql.SQL("min" if columns[0]["increment"] < 0 else "max")
    reached = [
        sql.SQL("(select pg_catalog.{}({})::pg_catalog.numeric from {})").format(
            furthest, sql.Identifier(one["column"]), sql.Identifier(one["schema"], one["table"])
        )
        for one in columns
    ]
    return sql.SQL(
        "select {} as number, last_value, is_called, array[{}] as reached from {}"
    ).format(
        sql.Literal(number),
        sql.SQL(", ").join(reached),
        sql.Identifier(columns[0]["sequence_schema"], columns[0]["sequence_name"]),
    )


def _numbers(group: list[dict[str, Any]], row: dict[str, Any]) -> Numbers:
    first = group[0]
    columns = tuple(
        Drawn(
            one["schema"],
            one["table"],
            one["column"],
            None if at is None else int(at),
            one["asked"],
        )
        for one, at in zip(group, row["reached"], strict=True)
    )
    return Numbers(
        first["sequence_schema"],
        first["sequence_name"],
        columns,
        row["last_value"],
        row["is_called"],
        first["increment"],
    )
