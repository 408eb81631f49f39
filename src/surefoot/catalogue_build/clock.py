"""Replace a replay's times with a fixed one, so that every dump is the same."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import msgspec
import psycopg
from psycopg import sql

from surefoot.postgres.look import looking_within
from surefoot.sql import query

Span = tuple[Any, Any]  # from, to

# A column may round to seconds, and two machines' clocks are never exactly equal.
_SLACK = timedelta(seconds=2)


class Settled(msgspec.Struct, frozen=True):
    """Which columns held times of the replay: those that were set, and those that were left.

    Each is schema.table.column with the number of rows, or with the reason why it was left.
    """

    columns: tuple[str, ...] = ()
    left: tuple[str, ...] = ()


def now(connection: psycopg.Connection[Any]) -> tuple[datetime, datetime]:
    """Return the time by this machine's clock and by the server's, the earlier one first."""
    row = connection.execute("select pg_catalog.clock_timestamp()").fetchone()
    assert row is not None
    ours, theirs = datetime.now(UTC), row[0]
    return min(ours, theirs), max(ours, theirs)


def settle(connection: psycopg.Connection[Any], since: datetime, to: datetime) -> Settled:
    """Set every date and time between `since` and now to `to`, in all tables.

    No trigger fires and no foreign key is checked. A column that can't be set is left as it is: if
    the role can't switch triggers off, all of them are.
    """
    spans = _spans(connection, since - _SLACK, now(connection)[1] + _SLACK)
    values = {"timestamptz": to, "timestamp": _naive(to), "date": _naive(to).date()}
    found: list[str] = []
    left: list[str] = []
    with looking_within(connection) as look:
        columns = [tuple(row.values()) for row in look.cursor.execute(query("clock_columns"))]
    for schema, relation, column, kind, partitioned in columns:
        name = f"{schema}.{relation}.{column}"
        table: sql.Composable = sql.Identifier(schema, relation)
        if not partitioned:  # tables that inherit from it are processed separately
            table = sql.SQL("only {}").format(table)
        its = sql.Identifier(column)
        held = _held(its, spans[kind])
        count = sql.SQL("select pg_catalog.count(*) from {} where {}").format(table, held)
        update = sql.SQL("update {} set {} = {} where {}").format(
            table, its, sql.Literal(values[kind]), held
        )
        try:
            row = connection.execute(count).fetchone()
            rows = int(row[0]) if row else 0
            if not rows:
                continue
            with connection.transaction():
                connection.execute("set local session_replication_role = replica")
                connection.execute(update)
        except psycopg.Error as error:
            left.append(f"{name} ({str(error).strip().splitlines()[0]})")
        else:
            found.append(f"{name} ({rows} {'row' if rows == 1 else 'rows'})")
    return Settled(tuple(found), tuple(left))


def _held(column: sql.Identifier, spans: list[Span]) -> sql.Composed:
    """Return the condition that the column is within one of the spans."""
    between = [
        sql.SQL("{} between {} and {}").format(column, sql.Literal(begin), sql.Literal(end))
        for begin, end in spans
    ]
    return sql.SQL("({})").format(sql.SQL(" or ").join(between))


def _spans(
    connection: psycopg.Connection[Any], begin: datetime, end: datetime
) -> dict[str, list[Span]]:
    """Return the time between two moments, as each type has it.

    Without a time zone it may have been written in UTC, in the server's local time, or in this
    machine's.
    """
    row = connection.execute(
        "select (%(b)s::timestamptz)::timestamp, (%(e)s::timestamptz)::timestamp",
        {"b": begin, "e": end},
    ).fetchone()
    assert row is not None
    walls: list[tuple[datetime, datetime]] = [
        (_naive(begin), _naive(end)),
        (row[0], row[1]),
        (begin.astimezone().replace(tzinfo=None), end.astimezone().replace(tzinfo=None)),
    ]
    walls = list(dict.fromkeys(walls))
    days: list[tuple[date, date]] = [(b.date(), e.date()) for b, e in walls]
    return {"timestamptz": [(begin, end)], "timestamp": [*walls], "date": list(dict.fromkeys(days))}


def _naive(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None)
