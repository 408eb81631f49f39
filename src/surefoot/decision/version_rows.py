"""Judge the version table's rows: newer, removed, truncated, invalid, or unknown."""

import re
from collections import Counter
from collections.abc import Mapping
from typing import Literal

import msgspec

from surefoot.catalogue.match import FAR, Identification, Match, StructureLook
from surefoot.decision.facts import DatabaseState, Facts, Journaled
from surefoot.model.history import History
from surefoot.schema.fact import SchemaFact

Judgement = Literal["newer", "removed", "cut-short", "garbage", "unknown"]

# What Alembic accepts as an id. The form proves no more: people name revisions by hand.
_AN_ID = re.compile(r"[^\s'\"\\;,@]+")
_TEXT = re.compile(r"character varying(\(\d+\))?|text|citext|name")
LEAST_WIDTH = 32  # of Alembic's own column
_WIDE = re.compile(r"text|citext|character varying(?:\((\d+)\))?")
_SHORTEST = 4  # characters of a prefix that is worth checking


class Judged(msgspec.Struct, frozen=True):
    """A version row that no revision file defines, its judgement, and the reason.

    `meant` are the code's revisions that it may have been; `certain`: the journal says so, not only
    the operator. `known` is the code's revision with the same structure as a removed one, by the
    catalogue.
    """

    row: str | None
    judgement: Judgement
    why: str
    meant: tuple[str, ...] = ()
    certain: bool = False
    known: str = ""


def judge(facts: Facts) -> tuple[Judged, ...]:
    """Judge every version row that the code doesn't have."""
    known = facts.code.history.revisions
    rows = dict.fromkeys(facts.database.rows)
    return tuple(_judged(row, facts) for row in rows if row not in known)


def others_rows(facts: Facts) -> tuple[str, ...]:
    """Return the version rows that another application may have written to the same table.

    There are tables that none of this code's revisions makes. And the rows are next to this code's
    own; or almost nothing of this code's is there; or the journal says that they ran here, and
    traces them back to no revision of this code.
    """
    standing, rows = facts.standing, facts.database.rows
    if standing is None or not strangers(standing):
        return ()
    ran = {one.id for one in facts.database.journaled}
    beside = standing.foreign or any(row in facts.code.history.revisions for row in rows)
    return tuple(
        one.row
        for one in judge(facts)
        if one.judgement == "unknown" and one.row is not None and (beside or one.row in ran)
    )


def strangers(standing: Identification) -> tuple[SchemaFact, ...]:
    """Return the tables that no revision of this code makes."""
    found = (*standing.own, *standing.beside)
    return tuple(fact for fact in found if fact.kind == "relation")


def rather_recorded(facts: Facts) -> tuple[Match, ...]:
    """Return the revisions of which one should probably be recorded instead; none if none is
    evident.

    The structure contradicts the version rows and is nearer to these: by far, or surefoot's journal
    says that more than the recorded revisions ran here. What it says ran is part of each, and the
    one that it knows comes first.
    """
    standing, history = facts.standing, facts.code.history
    if standing is None or standing.exact or not standing.nearest:
        return ()
    first, recorded = standing.nearest[0], standing.recorded
    least = [one for one in standing.nearest if len(one.differences) == len(first.differences)]
    if standing.remade:
        return tuple(least)
    if recorded is None or not first.is_nearer_than(recorded):
        return ()
    ran = {one.id for one in facts.database.journaled}
    far = len(first.differences) * FAR <= len(recorded.differences)
    if not far and ran <= history.applied(recorded.rows):
        return ()
    known = history.applied(id for id in ran if id in history.revisions)
    found = [one for one in least if ran <= history.applied(one.rows)]
    return tuple(sorted(found, key=lambda one: history.applied(one.rows) != known))


def faults(database: DatabaseState) -> tuple[str, ...]:
    """Find faults of the table itself: its column's type, duplicate rows."""
    found: list[str] = []
    column = database.version_column
    if column is not None and _TEXT.fullmatch(column) is None:
        found.append(f"its column version_num is {column}; Alembic makes it character varying(32)")
    twice = [(row, number) for row, number in Counter(database.rows).items() if number > 1]
    found += [
        f"{'NULL' if row is None else row} is there {_times(number)}" for row, number in twice
    ]
    return tuple(found)


def needs_type(column: str, width: int) -> bool:
    """Whether a column of this type must get another one to hold ids of this width."""
    wide = _WIDE.fullmatch(column)
    return wide is None or bool(wide[1] and int(wide[1]) < width)


def width_of(facts: Facts) -> int:
    """Return the width that the version column needs: Alembic's 32, or the longest id's."""
    return max(LEAST_WIDTH, *map(len, facts.code.history.revisions))


def _times(number: int) -> str:
    return "twice" if number == 2 else f"{number} times"


def _judged(row: str | None, facts: Facts) -> Judged:
    history, database = facts.code.history, facts.database
    if row is None or not row.strip():
        return Judged(row, "garbage", "it names no revision")
    written = [id for id in history.revisions if id.lower() == row.strip().lower()]
    if written:
        return Judged(row, "garbage", f"it is {written[0]}, spelled differently", tuple(written))
    if not row.isprintable():  # on a terminal it would look like another id
        return Judged(row, "garbage", "it contains invisible characters, so it is not an id")
    journaled = {revision.id: revision for revision in database.journaled}
    proof = row in journaled and not database.journal_writers
    if proof and (found := _by_journal(row, journaled, database.places, history)):
        return found
    if facts.catalogue is not None and row in facts.catalogue.removed:
        return _removed(row, facts.catalogue)
    longer = tuple(id for id in history.revisions if id.startswith(row))
    if longer and len(row) >= _SHORTEST:
        named = longer[0] if len(longer) == 1 else f"one of {', '.join(longer[:4])}"
        return Judged(row, "cut-short", f"it is the beginning of {named}", longer)
    if _AN_ID.fullmatch(row) is None:
        return Judged(row, "garbage", "it can't be a revision's id")
    if row == facts.code.accept_newer:
        return Judged(row, "newer", "accept_newer says so, and surefoot's journal doesn't")
    if row in journaled and not proof:
        who = ", ".join(database.journal_writers)
        return Judged(
            row,
            "unknown",
            f"surefoot's journal has it, and {who} may write there: that is no proof",
        )
    if row in journaled:
        why = "surefoot's journal has it, and traces it back to no revision of this code"
        return Judged(row, "unknown", why)
    return Judged(row, "unknown", "nothing here says which revision it was")


def _removed(row: str, catalogue: StructureLook) -> Judged:
    """Judge an id that the catalogue has and the code doesn't."""
    removed = catalogue.removed[row]
    if removed.same:
        why = f"{catalogue.file} says that {removed.same} replaced it, with the same structure"
    elif removed.before:
        why = f"{catalogue.file} says that it is older than {', '.join(removed.before)}"
    else:
        why = f"{catalogue.file} still has it, but the code doesn't"
    return Judged(row, "removed", why, known=removed.same)


def _by_journal(
    row: str,
    journaled: dict[str, Journaled],
    places: Mapping[str, tuple[str, ...]],
    history: History,
) -> Judged | None:
    """Judge a row whose revision has run here, by the journal.

    A row is newer if the journal traces it back to the code's heads. None if the journal doesn't
    say what it descends from: then it belongs to another history.
    """
    below: set[str] = set()
    seen: set[str] = set()
    todo = [row]
    while todo:
        id = todo.pop()
        if id in history.revisions:
            below.add(id)
        elif id not in seen:
            needed = journaled[id].below if id in journaled else ()
            needed = needed or places.get(id, ())
            if not needed:
                return None
            todo += needed
        seen.add(id)
    release = journaled[row].release
    ran = "surefoot's journal says that it has run here"
    if release:
        ran += f", as the last of {release}"
    if below <= set(history.heads):
        return Judged(row, "newer", ran, certain=True)
    root = ", ".join(sorted(below))
    return Judged(row, "removed", f"{ran}, after {root}, where the code continues differently")
