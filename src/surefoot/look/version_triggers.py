"""Triggers and rules on the version table: they may change the rows as they are written."""

from collections.abc import Iterable
from typing import Any

import msgspec
import psycopg

from surefoot.diagnosis.names import identifier
from surefoot.errors.steps import to_type
from surefoot.postgres.look import looking_within
from surefoot.sql import query


class VersionTrigger(msgspec.Struct, frozen=True):
    """A trigger or rule that is enabled; `quoted` is its name in SQL, `executes` its function."""

    kind: str
    name: str
    quoted: str
    deferrable: bool
    executes: str | None


def version_triggers(
    connection: psycopg.Connection[Any], schema: str | None, table: str
) -> tuple[VersionTrigger, ...]:
    """Return those on the version table, as the connection's transaction sees them."""
    if schema is None:
        return ()
    with looking_within(connection) as look:
        asked = {"schema": schema, "table": table}
        rows = look.cursor.execute(query("version_triggers"), asked).fetchall()
    return tuple(msgspec.convert(row, VersionTrigger) for row in rows)


def trigger_lines(found: Iterable[VersionTrigger], schema: str | None, table: str) -> list[str]:
    """Describe each of them in a line."""
    on = identifier(schema or "", table)
    return [
        f"{one.kind} {one.quoted} on {on}{f' executes {one.executes}' if one.executes else ''}"
        for one in found
    ]


def trigger_next(
    found: Iterable[VersionTrigger],
    schema: str | None,
    table: str,
    then: str = "then start again",
    *,
    command: str = "",
) -> str:
    """Say how they are disabled, and the command to run after that, if any."""
    on = identifier(schema or "", table)
    return to_type(
        "see what it does with the rows that are written, and correct it; or disable it, as the "
        "table's owner",
        *(f"alter table {on} disable {one.kind} {one.quoted};" for one in found),
        *([command] if command else []),
        then=then,
    )


LIKELY = "the version table has a trigger or a rule, which is the likely reason"
