"""Decide how to finish or undo a half-applied revision, when a person asks."""

from surefoot.decision.decide import Decision, NothingToDo, Ready, Refused, classify, in_the_way
from surefoot.decision.facts import Facts
from surefoot.decision.plan import Plan, Record, Repair, Step, Undone
from surefoot.decision.recovery import record
from surefoot.decision.refusals import REFUSALS
from surefoot.decision.refusals.interrupted import (
    commands,
    interrupted,
    interruption_lines,
    recording,
)
from surefoot.errors import Finding
from surefoot.interrupted.interruption import InterruptedRevision, not_run
from surefoot.interrupted.repair_sql import RepairMode, RepairSql, remedy
from surefoot.model.states import State
from surefoot.schema.kinds import COMMON

_SHOWN = 12


def decide_repair(facts: Facts, how: RepairMode) -> Decision:
    """Return the statements that finish or undo the revision, and the step that records it."""
    state = classify(facts)
    if state is not State.INTERRUPTED:
        refusal = REFUSALS.get(state)
        return NothingToDo(state) if refusal is None else Refused(state, (refusal(facts),))
    found = facts.interruption
    if found is None or not found.known:
        return Refused(state, (interrupted(facts),))
    done = remedy(found, how)
    if done.refused:
        return Refused(state, (_refused(facts, found, done, how),))
    obstacles = in_the_way(facts)
    if obstacles:
        return Refused(state, obstacles)
    steps: list[Step] = []
    if done.statements:
        steps.append(Repair(found.revision, how, done.first, done.within, done.then))
    settled: Record | Undone = record(facts, found, by="finish")
    if how == "undo":
        settled = Undone(found.revision, facts.database.rows, "undo")
    return Ready(state, Plan((*steps, settled), facts.fingerprint, done.remarks))


def _refused(facts: Facts, found: InterruptedRevision, done: RepairSql, how: RepairMode) -> Finding:
    more = len(done.refused) - _SHOWN
    other = commands(found)
    by_hand = "correct these by hand, including the rows that those lines change"
    return Finding(
        "interrupted-revision",
        f"The structure doesn't show enough to {how} revision {found.revision}.",
        (
            *interruption_lines(found),
            *done.refused[:_SHOWN],
            *([f"and {more} more"] if more > 0 else []),
        ),
        next=f"{other}\nOr {by_hand}. {recording(facts)}"
        if other
        else f"{by_hand}. {recording(facts)}",
    )


def trust_operator(facts: Facts, rows: tuple[str, ...], *, base: bool) -> Decision:
    """Record that what is half-way is finished or undone, as a person says.

    The person names the version rows with it, or those without it (`base`: there were none).
    Without a catalogue, only the indexes that its file makes can be checked: none may be invalid.
    """
    state, found = State.INTERRUPTED, facts.interruption
    steps: tuple[Record | Undone, ...] = ()
    if found is None or not (found.invalid or _is_there(found)):
        if (rows or base) and set(rows) == set(facts.database.rows):
            before = facts.database.rows
            steps = tuple(Undone(id, before, "person") for id in facts.database.interrupted)
        elif rows:
            steps = _finished(facts, rows)
    if not steps:
        return Refused(state, (interrupted(facts),))
    obstacles = in_the_way(facts)
    if obstacles:
        return Refused(state, obstacles)
    remark = "there is no catalogue to compare the structure with: surefoot relies on your word"
    known = found is not None and found.known
    return Ready(state, Plan(steps, facts.fingerprint, () if known else (remark,)))


def _is_there(found: InterruptedRevision) -> bool:
    """Whether anything of it still exists, as far as a catalogue shows; an extension may stay."""
    return any(named.place != "missing" and named.kind not in COMMON for named in found.names)


def _finished(facts: Facts, rows: tuple[str, ...]) -> tuple[Record, ...]:
    """Return the step that records what is half-way, with what it needs, if these rows say that."""
    database, history = facts.database, facts.code.history
    half_way = database.interrupted
    before = tuple(row for row in database.rows if row is not None)
    if history.unknown((*before, *half_way)):
        return ()
    if history.applied(rows) != history.applied((*before, *half_way)):
        return ()
    *below, last = (*not_run(history, half_way, before), *half_way)
    revisions = history.revisions
    along = tuple(revisions[id] for id in below)
    return (Record(revisions[last], rows, database.rows, 0, 0, "person", along),)
