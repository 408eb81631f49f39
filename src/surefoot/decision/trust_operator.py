"""What became of a revision that was left half-way, on a person's word: without a catalogue."""

from surefoot.decision.decide import Decision, Ready, Refused, in_the_way
from surefoot.decision.facts import Facts
from surefoot.decision.plan import Plan, Record, Undone
from surefoot.decision.recovery import record
from surefoot.decision.refusals.interrupted import interrupted
from surefoot.model.states import State


def trust_operator(facts: Facts, rows: tuple[str, ...], *, base: bool) -> Decision:
    """Record that it is finished, or that it is undone: whichever a person has named, by the
    version rows with it, or by those without it (`base`: there were none).

    There is nothing to hold the word against but the indexes that its file makes: none may be
    invalid.
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
    remark = "there is no catalogue to hold the structure against: your word is what counts"
    return Ready(state, Plan((step,), facts.fingerprint, (remark,)))
