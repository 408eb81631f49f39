"""Event triggers of the database, where the function of one has raised a step's error."""

import re
from typing import Any

import msgspec
import psycopg

from surefoot.errors import Finding
from surefoot.errors.steps import to_type
from surefoot.postgres.look import looking
from surefoot.sql import query

_OWN = re.compile(
    r"\s*(?:create schema if not exists surefoot\s*$|[^;]*\bsurefoot\.journal\b)", re.I
)


class EventTrigger(msgspec.Struct, frozen=True):
    """An event trigger that is enabled; `quoted` and `executes` are names in SQL.

    `always`: it was enabled with ENABLE ALWAYS.
    """

    quoted: str
    owner: str
    executes: str
    always: bool


def event_triggers(connection: psycopg.Connection[Any], context: str) -> tuple[EventTrigger, ...]:
    """Return those whose function occurs in the error's context. Raises as every look does."""
    if not context:
        return ()
    with looking(connection) as look:
        rows = look.cursor.execute(query("event_triggers"), {"context": context}).fetchall()
    return tuple(msgspec.convert(row, EventTrigger) for row in rows)


def with_event_triggers(
    finding: Finding, found: tuple[EventTrigger, ...], statement: str
) -> Finding:
    """Name the event triggers in whose function the step failed."""
    own = (
        ("the statement is one of surefoot's own, for its journal",)
        if _OWN.match(statement)
        else ()
    )
    seen = [
        f"event trigger {one.quoted}, which belongs to {one.owner}, executes {one.executes}"
        for one in found
    ]
    return msgspec.structs.replace(
        finding,
        code="event-trigger-in-the-way",
        seen=(*finding.seen, *own, *seen),
        next=to_type(
            "have its function let this statement pass; or disable it for the time of the "
            "migration, as its owner or a superuser",
            *(f"alter event trigger {one.quoted} disable;" for one in found),
            then=to_type(
                "then start again, and enable it after that",
                *(
                    f"alter event trigger {one.quoted} enable{' always' if one.always else ''};"
                    for one in found
                ),
            ),
        ),
    )
