"""Decide whether to adopt, when a person asks for it. Pure."""

import msgspec

from surefoot.catalogue.differences import difference_lines, revision_text
from surefoot.catalogue.match import Difference, Identification, Match
from surefoot.decision.commands import naming
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
from surefoot.decision.half_way import rows_below
from surefoot.decision.plan import Adopt, Plan
from surefoot.decision.refusals import REFUSALS
from surefoot.decision.refusals.promise import put_below
from surefoot.decision.refusals.structure import nothing_to_hold_against
from surefoot.decision.refusals.version_rows import (
    ahead_of_code,
    ahead_remarks,
    corrupted,
    views_on_column,
)
from surefoot.decision.repair import decide_repair, trust_operator
from surefoot.decision.version_rows import faults, judge, others_rows, width_of
from surefoot.errors import Finding
from surefoot.errors.steps import to_type
from surefoot.errors.wording import MOST, listed
from surefoot.interrupted.repair_sql import RepairMode
from surefoot.model.states import State

_SHOWN, _WIDTH = 20, 80


class AdoptOptions(msgspec.Struct, frozen=True):
    """A person's request to adopt or repair.

    It holds the version rows of the revisions (none: the identified ones), whether a difference is
    accepted, and whether the version table is repaired whatever it says. `base`: the state before
    the first revision was named. `how`: finish or undo a revision that was left half-way. `named`:
    the ids that were typed, also those that the rows imply.
    """

    rows: tuple[str, ...] = ()
    accept_difference: bool = False
    repair: bool = False
    base: bool = False
    how: RepairMode | None = None
    named: tuple[str, ...] = ()


# Adopting assumes that the version table is right or empty; in these states it is wrong.
_TO_REPAIR = frozenset(
    (
        State.UNKNOWN_REVISION,
        State.VERSION_TABLE_CORRUPTED,
        State.VERSION_TABLE_ELSEWHERE,
        State.VERSION_ROWS_OVERLAP,
    )
)
_IN_ORDER = frozenset((State.AT_HEAD, State.BEHIND))


def decide_adoption(
    facts: Facts, options: AdoptOptions, not_undone: tuple[Difference, ...] = ()
) -> Decision:
    """Decide what to record, or why not.

    `not_undone`: how the structure differs from the one below a downgrade that was left half-way,
    if that revision isn't the code's, whose catalogue doesn't know what it makes.
    """
    return without_required_catalogue(facts) or _decided(facts, options, not_undone)


def _decided(facts: Facts, options: AdoptOptions, not_undone: tuple[Difference, ...]) -> Decision:
    state, standing = classify(facts), facts.standing
    if state is State.EMPTY:
        # a revision that was undone by hand may have been complete
        return (
            NothingToDo(state) if options.repair and options.base else Refused(state, (_empty(),))
        )
    if facts.database.half_way and not _settles(facts, options):
        return Refused(State.INTERRUPTED, (REFUSALS[State.INTERRUPTED](facts),))
    if options.how is not None:
        return decide_repair(facts, options.how)
    if state is State.INTERRUPTED:
        if _not_named(facts, options):
            return Refused(state, (REFUSALS[state](facts),))
        base = options.base and not facts.database.reversing
        if options.repair and (standing is None or base):
            return trust_operator(facts, options.rows, base=options.base)
    if standing is None:
        return _without_catalogue(facts, options, state)
    judged = judge(facts)
    newer = any(one.certain and one.judgement == "newer" for one in judged)
    undone = _is_undone(facts, options)
    if undone and not_undone:
        stand = Match(options.rows, "", 0, not_undone)
        return Refused(state, (_different(facts, stand),))
    if newer and not undone:
        # it has run here, and the newer image would run it again
        if state is State.AHEAD_COMPATIBLE and not options.rows:
            return NothingToDo(state, ahead_remarks(facts))
        return Refused(state, (ahead_of_code(facts),))
    if others_rows(facts):  # whatever a person names: the row is another application's
        return Refused(state, (REFUSALS[state](facts),))
    half_way = facts.database.half_way
    unnamed = not (options.rows or half_way or (options.base and _has_base(standing)))
    if unnamed:
        if state is State.AHEAD_COMPATIBLE:
            return NothingToDo(state, ahead_remarks(facts))
        if options.repair and state in _IN_ORDER:
            return NothingToDo(state)
        if any(one.judgement == "newer" for one in judged):
            return Refused(state, (REFUSALS[state](facts),))
        if state is State.AHEAD or (state in _TO_REPAIR and not options.repair):
            return Refused(state, (REFUSALS[state](facts),))
    stand, by = standing.asked, "person"
    if unnamed:
        recorded = standing.recorded
        if state in _IN_ORDER and recorded is not None and not recorded.differences:
            return NothingToDo(state)
        if standing.sure is None:
            refused = state if state in REFUSALS else State.CONTRADICTED
            return Refused(state, (REFUSALS[refused](facts),))
        stand, by = standing.sure, standing.by or "structure"
    if stand is None:
        return Refused(state, (_unreachable(options),))
    rows, mend = facts.database.rows, faults(facts.database) != ()
    if any(one.judgement == "cut-short" for one in judged):
        mend = True  # its column may have truncated the row
    if mend and views_on_column(facts):
        return Refused(state, (corrupted(facts),))
    own = _own_to_accept(facts)
    said = bool(rows) and stand.rows == rows and not half_way  # an empty table says nothing
    if said and not (stand.differences or mend or own or put_below(facts)):
        return NothingToDo(state)
    if stand.differences and standing.foreign:
        return Refused(state, (REFUSALS[State.FOREIGN](facts),))
    if (stand.differences or own) and not options.accept_difference:
        return Refused(state, (_different(facts, stand),))
    obstacles = in_the_way(facts)
    if obstacles:
        return Refused(state, obstacles)
    if stand.differences or own:
        by = "person"
    accepted = (*standing.accepted, *own)
    step = Adopt(stand, by, rows, standing.own_objects, accepted, width_of(facts) if mend else 0)
    remarks = (
        *_settled(facts, stand),
        *_against_the_journal(facts, stand),
        *_never_seen(facts, stand),
    )
    return Ready(state, Plan((step,), facts.fingerprint, remarks))


def _has_base(standing: Identification) -> bool:
    """Whether the structure may be the one that the first revision begins with."""
    return any(not stand.rows for stand in (*standing.exact, *standing.nearest))


def _settles(facts: Facts, options: AdoptOptions) -> bool:
    """Whether a person says what became of the revisions that were left half-way.

    Nothing else may be recorded over them. If another image's revision, or a downgrade, is among
    them, only `surefoot repair` says so, with the version rows as they are or as they would be.
    """
    database, history = facts.database, facts.code.history
    named = bool(options.rows) or (options.repair and options.base)
    if not database.reversing and history.revisions.keys() >= set(database.interrupted):
        return named or options.how is not None
    settled = (set(database.rows), set(rows_below(database, history)))
    return named and options.repair and set(options.rows) in settled


def _is_undone(facts: Facts, options: AdoptOptions) -> bool:
    """Whether a person says that a downgrade that was left half-way is finished."""
    database = facts.database
    if not database.reversing:
        return False
    return set(options.rows) == set(rows_below(database, facts.code.history))


def _settled(facts: Facts, stand: Match) -> tuple[str, ...]:
    """Say what a person's word makes of downgrades, and of other images' revisions."""
    applied, known = facts.code.history.applied(stand.rows), facts.code.history.revisions
    return tuple(
        f"{one.id} was left half-way; on your word, it then counts as "
        f"{'applied' if one.id in applied else 'undone'}"
        for one in facts.database.half_way
        if one.direction == "down" or one.id not in known
    )


def _without_catalogue(facts: Facts, options: AdoptOptions, state: State) -> Decision:
    """Decide where there is no structure to compare: without a catalogue, surefoot trusts a row."""
    if state in REFUSALS:
        return Refused(state, (REFUSALS[state](facts),))
    recorded = not options.base and options.rows in ((), facts.database.rows)
    if state in _IN_ORDER and recorded:
        return NothingToDo(state)
    return Refused(state, (nothing_to_hold_against(facts),))


def _not_named(facts: Facts, options: AdoptOptions) -> bool:
    """Whether a revision would be recorded that the version rows don't have and nobody has named.

    Where one is half-way, the structure of a later one doesn't show that an earlier one has run:
    that may have been rolled back.
    """
    history = facts.code.history
    ran = history.applied(row for row in facts.database.rows if row in history.revisions)
    return not history.applied(options.rows) <= ran.union(options.named)


def _never_seen(facts: Facts, stand: Match) -> tuple[str, ...]:
    """Name the revisions that would count as run, although nothing shows that they have."""
    history, database, standing = facts.code.history, facts.database, facts.standing
    if standing is None or not database.rows or history.unknown(database.rows):
        return ()
    ran = history.applied(row for row in database.rows if row)
    ran |= {one.id for one in database.journaled}
    shown = [history.applied(one.rows) for one in standing.exact]
    new = history.applied(stand.rows) - ran
    unseen = [
        id for id in history.in_order() or () if id in new and any(id not in s for s in shown)
    ]
    if not unseen:
        return ()
    return (
        f"neither the version table, the journal nor the structure shows that {listed(unseen)} "
        "has run; once recorded, it never will",
    )


def _own_to_accept(facts: Facts) -> tuple[Difference, ...]:
    """Find user objects that certainly break the code's writes, and so are refused."""
    standing = facts.standing
    if standing is None or standing.promise is None:
        return ()
    known = {(d.kind, d.name) for d in (standing.recorded.differences if standing.recorded else ())}
    return tuple(
        Difference(b.kind, b.name, (None,), b.found)
        for b in standing.promise.broken
        if (b.kind, b.name) not in known
    )


def _against_the_journal(facts: Facts, stand: Match) -> tuple[str, ...]:
    """Find revisions that would run a second time, as far as the journal knows."""
    history = facts.code.history
    applied = history.applied(row for row in stand.rows if row in history.revisions)
    again = [r.id for r in facts.database.journaled if r.id not in applied]
    lines: list[str] = []
    if again:
        ran = ", ".join(again)
        lines.append(f"surefoot's journal says that {ran} has run here; it would run again")
    unknown = [one for one in judge(facts) if one.judgement in ("unknown", "newer")]
    lines += [
        f"{one.row} is unknown here: if a newer release wrote it, that release would run it again; "
        "if another application did, its row is lost"
        for one in unknown[:MOST]
    ]
    if len(unknown) > MOST:
        lines.append(f"and {len(unknown) - MOST:,} more are unknown here")
    return tuple(lines)


def _empty() -> Finding:
    return Finding(
        "nothing-to-compare",
        "The database is empty: there is nothing to adopt.",
        next=to_type("to install the application", "surefoot up"),
    )


def _unreachable(options: AdoptOptions) -> Finding:
    return Finding(
        "unidentified-structure",
        f"The catalogue doesn't know the structure at {', '.join(options.rows) or 'base'}.",
        ("it begins with the init scripts",),
        next=to_type("list the revisions, and name one of them", "surefoot catalog show"),
    )


def _different(facts: Facts, stand: Match) -> Finding:
    number = len(stand.differences)
    exact = [revision_text(s) for s in (facts.standing.exact if facts.standing else ())]
    return Finding(
        "unidentified-structure",
        f"The structure is not that of {revision_text(stand)}.",
        (
            f"{stand.matching:,} facts match it, {number:,} "
            f"{'differs' if number == 1 else 'differ'}:",
            *difference_lines(stand.differences, _SHOWN, _WIDTH),
            *([f"it is exactly that of {', or of '.join(exact)}"] if exact else []),
        ),
        next=to_type(
            "correct the differences, then run the same command again; or, to accept them",
            *naming("adopt", (stand,), "--accept-difference"),
            then="surefoot up then accepts the differences",
        ),
    )
