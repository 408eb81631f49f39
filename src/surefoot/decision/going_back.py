"""The decision to go back: to which revisions, over which, and whether that may be begun. Pure."""

import re
from collections.abc import Iterable

import msgspec

from surefoot.decision.decide import (
    Decision,
    Intent,
    NothingToDo,
    Ready,
    Refused,
    classify,
    in_the_way,
    preflight_findings,
)
from surefoot.decision.refusals import REFUSALS
from surefoot.errors import Finding, SurefootError
from surefoot.history import History, one_revision
from surefoot.observation import Facts
from surefoot.plan import Downgrade, Plan
from surefoot.states import State
from surefoot.structure.differences import difference_lines
from surefoot.structure.reversal import Loss, Reversal
from surefoot.structure.standing import Difference
from surefoot.structure.way_back import Undo, blocked

_STEPS = re.compile(r"-(\d+)")
_SHOWN = 8


class Retreat(msgspec.Struct, frozen=True):
    """The way back from where a database stands, as it was seen.

    `rows` are the version rows at its end, `reversals` what is taken back, the last one first;
    `own` are the revisions that the code has files of. `undo` is the same with what each is taken
    back by, None where one was cut off and it can't be told how far it came. `differences`: what
    isn't as these revisions have left it. `unknown`: version rows that nobody knows.
    """

    rows: tuple[str, ...] = ()
    reversals: tuple[Reversal, ...] = ()
    own: frozenset[str] = frozenset()
    undo: tuple[Undo, ...] | None = ()
    differences: tuple[Difference, ...] = ()
    unknown: tuple[str, ...] = ()


class Lost(msgspec.Struct, frozen=True):
    """Something that would be lost, and of how many rows (None: nobody can count that)."""

    loss: Loss
    rows: int | None = None

    @property
    def text(self) -> str:
        """A line for people."""
        loss = self.loss
        number = "rows that can't be counted" if self.rows is None else _rows(self.rows)
        hint = f" ({loss.detail})" if loss.detail else ""
        match loss.kind:
            case "table":
                return f"drops table {loss.name}, which has {number}{hint}"
            case "column":
                return f"drops column {loss.name}, which has a value in {number}{hint}"
            case "sequence":
                return f"drops sequence {loss.name}, and where it stands"
            case "values":
                has = "" if self.rows is None else f", which has a value in {number}"
                return f"converts {loss.name}{has}: {loss.detail}"
            case "rows":
                what = loss.detail if loss.name and loss.detail else "may change rows"
                return f"{what}: {loss.short or 'its own code decides'}"


def _rows(number: int) -> str:
    return "1 row" if number == 1 else f"{number:,} rows"


def aim(
    history: History, rows: tuple[str, ...], words: tuple[str, ...], heads: tuple[str, ...]
) -> frozenset[str]:
    """What shall be applied at the end: of these words, each a revision, a release, `head` (the
    code's own `heads`), `base` or `-N`. Raises SurefootError `revision-not-found`, `goal-unclear`.
    """
    applied = history.applied(rows)
    if len(words) == 1 and (steps := _STEPS.fullmatch(words[0])):
        return _so_many_less(history, applied, int(steps[1]))
    if words == ("base",) and "base" not in history.revisions:
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
            f"{', '.join(words)} is not below where the database stands.",
            seen=[
                f"the database is at {', '.join(rows) or 'base'}",
                f"not applied here: {', '.join(ahead[:_SHOWN])}",
            ],
            next="surefoot up goes forward; surefoot down --to names a revision that has run here",
        )
    beside = [row for row in rows if row not in goal and not (history.applied((row,)) & named)]
    if beside:
        raise SurefootError(
            "goal-unclear",
            f"{', '.join(words)} says nothing of another branch of the history.",
            seen=[f"{row} is on a branch of its own" for row in beside],
            next="name a revision on each branch: --to REV --to REV; the one where a branch "
            "stands leaves it as it is",
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
    facts: Facts, retreat: Retreat, lost: tuple[Lost, ...], *, accept: bool
) -> Decision:
    """Whether the way back is gone. `lost` is what would be lost with what is there now."""
    state, database = classify(facts), facts.database
    cut_off = bool(database.reversing)
    if state not in _MAY_GO and not (cut_off and state is State.CONTRADICTED):
        return Refused(state, (_refusal(facts, state),))
    if retreat.unknown:
        return Refused(state, (_unknown(facts, retreat),))
    if not retreat.reversals:
        return NothingToDo(state)
    no_way = blocked(retreat.reversals, retreat.own)
    if no_way:
        return Refused(state, (_no_way(facts, retreat, no_way),))
    if retreat.differences:
        return Refused(state, (_differs(facts, retreat),))
    if retreat.undo is None:
        return Refused(state, (_cut_off(facts),))
    obstacles = in_the_way(facts) + preflight_findings(facts, Intent.ACT)
    if obstacles:
        return Refused(state, obstacles)
    dear = tuple(one for one in lost if one.rows != 0)
    if dear and not accept:
        return Refused(state, (would_be_lost(dear),))
    step = Downgrade(
        retreat.undo,
        retreat.rows,
        tuple(row for row in database.rows if row),
        () if accept else tuple(one.loss for one in lost if one.rows == 0),
    )
    remarks = facts.preflight.remarks if facts.preflight else ()
    told = (*(one.text for one in dear), *_left(retreat.reversals), *remarks)
    return Ready(state, Plan((step,), facts.fingerprint, told))


def _refusal(facts: Facts, state: State) -> Finding:
    if state is State.EMPTY:
        return Finding("nothing-to-compare", "The database is empty: there is nothing to go back.")
    return REFUSALS[state](facts) if state in REFUSALS else REFUSALS[State.CONTRADICTED](facts)


def _left(reversals: Iterable[Reversal]) -> tuple[str, ...]:
    """What stays behind, for people."""
    return tuple(
        f"{one.id} leaves {change.kind} {change.name} behind"
        + ("" if change.after != (None,) else ", gone")
        for one in reversals
        for change in one.left
    )


def _unknown(facts: Facts, retreat: Retreat) -> Finding:
    return Finding(
        "no-way-back",
        f"The database is at {', '.join(retreat.unknown)}, of which nothing is known here.",
        (
            "this code has no file of it, and surefoot's journal doesn't tell how it is taken back",
            "the journal tells of revisions that surefoot up has run with a catalogue, by which "
            "their way back was proved",
        ),
        next="run surefoot down with the newer image, which has its files",
    )


_WHY = {
    "none": "there is no way back",
    "broken": "its downgrade fails",
    "untried": "its downgrade could not be tried",
    "unknown": "nobody has tried",
    "needs-code": "it needs its file, which this image doesn't have",
    "leaves": "it needs its file, which this image doesn't have",
}


def _no_way(facts: Facts, retreat: Retreat, no_way: tuple[Reversal, ...]) -> Finding:
    far: list[str] = []
    for one in retreat.reversals:
        if one in no_way:
            break
        far.append(one.id)
    lines = [
        f"{one.id}{f' ({one.message})' if one.message else ''}: {_WHY.get(one.verdict, '')}"
        + (f" ({one.why})" if one.why and one.verdict not in ("needs-code", "leaves") else "")
        for one in no_way
    ]
    next = "nothing was undone; "
    if far:
        last = next_below(retreat, far)
        next += f"as far as it goes: surefoot down --to {last}"
    elif all(one.possible for one in no_way):
        next += "run surefoot down with the newer image, which has the files"
    elif all(one.verdict == "unknown" and one.id in retreat.own for one in no_way):
        next += "surefoot catalog build tries the downgrades, where the application is developed"
    else:
        next += "restore the backup that was made before the upgrade"
    return Finding(
        "no-way-back",
        f"{'A revision' if len(no_way) == 1 else f'{len(no_way)} revisions'} on the way can't be "
        "taken back.",
        (
            *lines[:_SHOWN],
            *([f"and {len(lines) - _SHOWN} more"] if len(lines) > _SHOWN else []),
            f"of {len(retreat.reversals)} on the way, the last {len(far)} could be taken back",
        ),
        next=next,
    )


def next_below(retreat: Retreat, far: list[str]) -> str:
    """The options that lead as far as it goes: what is the last one there, behind those undone."""
    below = [r.id for r in retreat.reversals if r.id not in far]
    parents = {name for r in retreat.reversals if r.id in below for name in (*r.parents,)}
    tips = [id for id in below if id not in parents] or list(retreat.rows)
    return " --to ".join(tips)


def _differs(facts: Facts, retreat: Retreat) -> Finding:
    return Finding(
        "structure-contradicts-revision",
        "The structure isn't as the revisions have left it that would be taken back.",
        (*difference_lines(retreat.differences, _SHOWN, 80),),
        next="put right what differs, then start again; surefoot drift compares with the revision "
        "that the database is at",
    )


def _cut_off(facts: Facts) -> Finding:
    names = ", ".join(facts.database.reversing)
    return Finding(
        "interrupted-revision",
        f"The way back over {names} was cut off, and nobody can tell how far it came.",
        (f"{facts.database.reversed_so_far} of its statements are certainly done",),
        next="finish it by hand, to the structure below it, then surefoot adopt REVISION with the "
        "revision below it",
    )


def would_be_lost(dear: Iterable[Lost]) -> Finding:
    """Nobody has given leave to lose that."""
    return Finding(
        "data-would-be-lost",
        "Going back would lose data.",
        tuple(one.text for one in dear),
        next="make a backup; then, if that may be lost: --accept-data-loss",
    )
