"""Decide whether to go back: to which revisions, through which, and whether it may begin. Pure."""

import re

from surefoot.decision.decide import (
    Decision,
    Intent,
    NothingToDo,
    Ready,
    Refused,
    classify,
    in_the_way,
    preflight_findings,
    without_required_catalogue,
)
from surefoot.decision.downgrade_assessment import DowngradeAssessment, Lost
from surefoot.decision.facts import Facts
from surefoot.decision.plan import Downgrade, Plan
from surefoot.decision.refusals import REFUSALS
from surefoot.decision.refusals.downgrade import (
    another_first,
    command_to,
    cut_off_somewhere,
    differs,
    in_autocommit,
    journal_unverified,
    left_behind,
    no_way_back,
    not_from_here,
    unknown_rows,
    would_be_lost,
)
from surefoot.downgrades.path import blocked
from surefoot.downgrades.rows_stay import rows_that_stay
from surefoot.errors import SurefootError
from surefoot.model.history import History, one_revision
from surefoot.model.states import State

_STEPS = re.compile(r"-(\d+)")
_SHOWN = 8


def aim(
    history: History, rows: tuple[str, ...], words: tuple[str, ...], heads: tuple[str, ...]
) -> frozenset[str]:
    """Return what must be applied at the end, from what a person typed.

    Each word is a revision, a release, `head` (the code's own `heads`), `base` or `-N`. Raises
    SurefootError `revision-not-found`, `goal-unclear`.
    """
    applied = history.applied(rows)
    if len(words) == 1 and (steps := _STEPS.fullmatch(words[0])):
        return _so_many_less(history, applied, int(steps[1]))
    if history.is_base(words):
        return frozenset()
    named: set[str] = set()
    for word in words:
        if word in ("head", "heads") and word not in history.revisions:
            named.update(heads)
        else:
            named.add(one_revision(history, word))
    goal = history.applied(named)
    ahead = sorted(goal - applied)
    if ahead:
        raise SurefootError(
            "goal-unclear",
            f"{', '.join(words)} is not below the database's current revision.",
            seen=[
                f"the database is at {', '.join(rows) or 'base'}",
                f"not applied here: {', '.join(ahead[:_SHOWN])}",
            ],
            next="surefoot up applies pending revisions; surefoot down --to takes a revision that "
            "has run here",
        )
    beside = [row for row in rows if row not in goal and not (history.applied((row,)) & named)]
    if beside:
        raise SurefootError(
            "goal-unclear",
            f"{', '.join(words)} does not name a revision on another branch of the history.",
            seen=[f"{row} is on a branch of its own" for row in beside],
            next="name a revision on each branch: --to REV --to REV; to leave a branch as it is, "
            "name its current revision",
        )
    return goal


def _so_many_less(history: History, applied: frozenset[str], number: int) -> frozenset[str]:
    left = set(applied)
    for done in range(number):
        tips = history.rows(left)
        if len(tips) != 1:
            raise SurefootError(
                "goal-unclear",
                f"-{number} is not one revision: there are {'several' if tips else 'none'} left "
                f"after {done}.",
                seen=[f"{tip}  {history.revisions[tip].message}" for tip in tips],
                next="name the revision: surefoot down --to REVISION",
            )
        left.discard(tips[0])
    return frozenset(left)


_MAY_GO = frozenset(
    (
        *(State.AT_HEAD, State.BEHIND),
        *(State.AHEAD, State.AHEAD_COMPATIBLE, State.UNKNOWN_REVISION),
    )
)


def decide_going_back(
    facts: Facts,
    assessment: DowngradeAssessment,
    lost: tuple[Lost, ...],
    *,
    accept: bool,
    trust_journal: bool = False,
) -> Decision:
    """Decide whether the revisions may be undone. `lost` is what would be lost of the current data.

    `accept`: data may be lost. `trust_journal`: SQL from the journal may be executed that comparing
    structures can't verify.
    """
    return without_required_catalogue(facts) or _decided(
        facts, assessment, lost, accept=accept, trust_journal=trust_journal
    )


def _decided(
    facts: Facts,
    assessment: DowngradeAssessment,
    lost: tuple[Lost, ...],
    *,
    accept: bool,
    trust_journal: bool,
) -> Decision:
    state, database = classify(facts), facts.database
    cut_off = state is State.INTERRUPTED and bool(database.reversing)
    if state not in _MAY_GO and not cut_off:
        return Refused(state, (not_from_here(facts, state),))
    if database.interrupted:  # a newer release's, too: what is below it stays until that is settled
        return Refused(State.INTERRUPTED, (REFUSALS[State.INTERRUPTED](facts),))
    if assessment.unknown:
        return Refused(state, (unknown_rows(facts, assessment),))
    begun = [id for id in database.reversing if all(r.id != id for r in assessment.reversals)]
    if begun:
        return Refused(state, (another_first(facts, begun),))
    if not assessment.reversals:
        return NothingToDo(state)
    if assessment.autocommit:
        return Refused(state, (in_autocommit(assessment),))
    if assessment.undo is None:
        return Refused(state, (cut_off_somewhere(facts),))
    no_way = blocked(assessment.reversals, assessment.own)
    if no_way:
        return Refused(state, (no_way_back(facts, assessment, no_way),))
    if assessment.differences:
        return Refused(state, (differs(facts, assessment),))
    obstacles = in_the_way(facts) + preflight_findings(facts, Intent.ACT)
    if obstacles:
        return Refused(state, obstacles)
    dear = tuple(one for one in lost if one.rows != 0)
    stay = rows_that_stay(assessment.reversals)
    costs = bool(dear) or any(one.twice for one in stay)
    doubtful = () if trust_journal else assessment.unverified
    if doubtful or (costs and not accept):
        options = (*(("--accept-data-loss",) if costs else ()), "--trust-journal")
        command = command_to(
            assessment.rows, options if doubtful or trust_journal else options[:-1]
        )
        return Refused(
            state,
            (
                *((journal_unverified(doubtful, assessment, command),) if doubtful else ()),
                *((would_be_lost(dear, command, stay),) if costs and not accept else ()),
            ),
        )
    step = Downgrade(
        assessment.undo,
        assessment.rows,
        tuple(row for row in database.rows if row),
        () if accept else tuple(one.loss for one in lost if one.rows == 0),
        assessment.staying,
    )
    remarks = facts.preflight.remarks if facts.preflight else ()
    told = (*(one.text for one in (*dear, *stay)), *left_behind(assessment.reversals), *remarks)
    return Ready(state, Plan((step,), facts.fingerprint, told))
