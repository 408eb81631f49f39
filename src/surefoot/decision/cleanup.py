"""Decide whether to drop the remains of revisions that are no longer applied. Pure."""

import msgspec

from surefoot.decision.decide import (
    Decision,
    NothingToDo,
    Ready,
    Refused,
    classify,
    in_the_way,
    without_required_catalogue,
)
from surefoot.decision.facts import Facts
from surefoot.decision.ownership import histories_among
from surefoot.decision.plan import Clear, Plan
from surefoot.decision.refusals import REFUSALS
from surefoot.decision.refusals.downgrade import revoking
from surefoot.decision.refusals.structure import catalogue_lines, make_catalogue
from surefoot.downgrades.leftovers import Leftover
from surefoot.errors import Finding
from surefoot.errors.steps import to_type
from surefoot.model.states import State
from surefoot.schema.fact import relation_kind


class Remains(msgspec.Struct, frozen=True):
    """The remains, in the order in which they are dropped. `known`: there is a usable catalogue.

    `writers` are roles that can write the journal but aren't otherwise trusted with the database.
    """

    left: tuple[Leftover, ...] = ()
    known: bool = True
    writers: tuple[str, ...] = ()


_NEWER = frozenset((State.AHEAD, State.AHEAD_COMPATIBLE, State.UNKNOWN_REVISION))


def decide_cleanup(facts: Facts, remains: Remains, *, trust_journal: bool = False) -> Decision:
    """Decide what to drop, or why not.

    `trust_journal`: rely on the journal even if other roles can write it.
    """
    return without_required_catalogue(facts) or _decided(
        facts, remains, trust_journal=trust_journal
    )


def _decided(facts: Facts, remains: Remains, *, trust_journal: bool) -> Decision:
    state = classify(facts)
    if state in _NEWER:
        return Refused(state, (_newer(facts),))
    if state not in (State.AT_HEAD, State.BEHIND) and not _only_left(facts, state, remains):
        if state in REFUSALS:
            return Refused(state, (REFUSALS[state](facts),))
        return Refused(state, (_no_row(),))
    if facts.database.half_way:  # what is there of it is in use, not left over
        return Refused(State.INTERRUPTED, (REFUSALS[State.INTERRUPTED](facts),))
    if not remains.known:
        return Refused(state, (_no_catalogue(facts),))
    stays = tuple(
        f"stays: {_called(one)} of revision {one.revision}: {one.kept}"
        for one in remains.left
        if one.kept
    )
    going = tuple(one for one in remains.left if not one.kept)
    if not going:
        return NothingToDo(state, stays)
    obstacles = in_the_way(facts)
    if obstacles:
        return Refused(state, obstacles)
    if remains.writers and not trust_journal:
        return Refused(state, (_journal_unverified(going, remains.writers),))
    statements = tuple(text for one in going for text in one.statements)
    step = Clear(tuple(one.key for one in going), statements)
    made = tuple(
        f"{_called(one)} was made by revision {one.revision}" for one in going if one.statements
    )
    return Ready(state, Plan((step,), facts.fingerprint, (*made, *stays)))


def _only_left(facts: Facts, state: State, remains: Remains) -> bool:
    """Whether the structure differs from that of the version rows only by what undone revisions
    have left.

    A revision that isn't applied by the rows, and was not undone, may be applied all the same. And
    if another application keeps its history here, the objects may be that one's.
    """
    standing = facts.standing
    recorded = standing.recorded if standing else None
    if state is not State.CONTRADICTED or recorded is None:
        return False
    if standing is not None and histories_among(standing.own):
        return False
    ran = {one.id for one in facts.database.journaled}
    left = {one.key for one in remains.left if one.expected and one.revision not in ran}
    return all((one.kind, one.name) in left for one in recorded.differences)


def _called(one: Leftover) -> str:
    kind = relation_kind(one.definition) if one.kind == "relation" else one.kind
    return f"{kind} {one.name}"


def _newer(facts: Facts) -> Finding:
    rows = ", ".join(str(row) for row in facts.database.rows)
    return Finding(
        "database-ahead-of-code",
        f"The database is at {rows}: the objects of a newer release are in use, not left over.",
        ("the version table names a revision that this code doesn't have",),
        next=to_type(
            "undo the newer revisions, and drop the objects that remain",
            "surefoot down --to head",
            "surefoot cleanup",
        ),
    )


def _journal_unverified(going: tuple[Leftover, ...], writers: tuple[str, ...]) -> Finding:
    return Finding(
        "journal-unverified",
        "Only surefoot's journal says that revisions created these objects, and other roles can "
        "write it.",
        (
            *(f"{_called(one)}: made by revision {one.revision}" for one in going),
            f"may write surefoot.journal: {', '.join(writers)}",
        ),
        next=to_type(
            "read the list; if all of it can be dropped",
            "surefoot cleanup --trust-journal",
            then=revoking(writers),
        ),
    )


def _no_row() -> Finding:
    return Finding(
        "nothing-to-compare",
        "There is no version row, so surefoot can't tell which objects are left over.",
        next=to_type("record the database's revision", "surefoot up"),
    )


def _no_catalogue(facts: Facts) -> Finding:
    return Finding(
        "nothing-to-compare",
        "Without a catalogue, surefoot can't tell which objects the applied revisions need.",
        tuple(catalogue_lines(facts.catalogue)),
        next=make_catalogue(facts.catalogue),
    )
