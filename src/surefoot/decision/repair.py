"""Decide how to finish or undo a half-applied revision, when a person asks."""

import shlex

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
from surefoot.interrupted.interruption import InterruptedRevision
from surefoot.interrupted.repair_sql import RepairMode, RepairSql, remedy
from surefoot.model.states import State

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
        return Refused(state, (_refused(found, done, how),))
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


def _refused(found: InterruptedRevision, done: RepairSql, how: RepairMode) -> Finding:
    more = len(done.refused) - _SHOWN
    before = shlex.join(found.rows) or "base"
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
        next=f"{other}\nOr {by_hand}. {recording(shlex.quote(found.revision), before)}"
        if other
        else f"{by_hand}. {recording(shlex.quote(found.revision), before)}",
    )


def trust_operator(facts: Facts, rows: tuple[str, ...], *, base: bool) -> Decision:
    """Record that the revision is finished or undone, as a person says.

    The person names the version rows with it, or those without it (`base`: there were none). Only
    the indexes that its file makes can be checked: none may be invalid.
    """
    state, found = State.INTERRUPTED, facts.interruption
    if found is None or found.invalid:
        return Refused(state, (interrupted(facts),))
    step: Record | Undone
    if rows == found.after:
        step = record(facts, found, by="person")
    elif (rows or base) and rows == found.rows:
        step = Undone(found.revision, facts.database.rows, "person")
    else:
        return Refused(state, (interrupted(facts),))
    obstacles = in_the_way(facts)
    if obstacles:
        return Refused(state, obstacles)
    remark = "there is no catalogue to compare the structure with: surefoot relies on your word"
    return Ready(state, Plan((step,), facts.fingerprint, (remark,)))
