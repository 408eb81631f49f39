"""Read from the journal which revisions were left half-way."""

from collections.abc import Iterable
from typing import Literal

import msgspec

from surefoot.decision.facts import HalfWay
from surefoot.sql import ids_of


class StepRow(msgspec.Struct):
    """A row of `half_way.sql`."""

    step: str
    name: str
    parents: str
    hash: str | None
    pid: int | None
    direction: Literal["up", "down"]
    evidence: str | None


def left_half_way(rows: Iterable[StepRow]) -> tuple[HalfWay, ...]:
    """Return the revisions whose row `begun` no later row settles, in the journal's order.

    A row settles what it names. A revision that runs shows that those below it are applied; the
    first of a history, an installation and an adoption say where the database stands, whatever
    was there before.
    """
    found: dict[str, HalfWay] = {}
    for row in rows:
        if row.step == "begun":
            for id in _begun_by(row):
                found.pop(id, None)
                found[id] = HalfWay(id, row.direction, row.hash, _number(row.evidence))
        elif row.step in ("stamp", "adopt") or (row.step == "revision" and not row.parents):
            found.clear()
        else:
            found.pop(row.name, None)
            for id in ids_of(row.parents) if row.step == "revision" else ():
                if id in found and found[id].direction == "up":
                    del found[id]
    return tuple(found.values())


def _begun_by(row: StepRow) -> tuple[str, ...]:
    """The revisions that a row `begun` names: one if its own session wrote it (begin_revision.sql);
    otherwise all that failed outside their transaction.
    """
    return (row.name,) if row.pid is not None else ids_of(row.name)


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isdecimal() else None
