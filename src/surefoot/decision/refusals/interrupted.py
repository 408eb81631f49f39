"""Why a half-applied revision is refused, and which parts of it exist, for people."""

import shlex
from collections.abc import Iterable

from surefoot.catalogue.differences import difference_lines
from surefoot.decision.facts import Facts
from surefoot.decision.half_way import rows_below
from surefoot.decision.recovery import drop_index, obstacles
from surefoot.decision.refusals.structure import catalogue_lines
from surefoot.decision.refusals.version_rows import holds, stands
from surefoot.errors import Finding
from surefoot.errors.steps import to_type
from surefoot.interrupted.interruption import InterruptedRevision, ObjectStatus, not_run
from surefoot.interrupted.repair_sql import HOWS, remedy

_SHOWN, _WIDTH = 8, 80
_NAMED = 6  # revisions in one command

_PLACES: tuple[tuple[ObjectStatus, str], ...] = (
    ("there", "there"),
    ("missing", "not done"),
    ("invalid", "invalid"),
    ("otherwise", "otherwise"),
)


def interrupted(facts: Facts) -> Finding:
    """A revision or a downgrade committed in the middle, and completing it takes a person."""
    revisions = facts.database.interrupted
    if not revisions:
        return _reversal_interrupted(facts)
    one = len(revisions) == 1
    found = facts.interruption
    seen = [
        f"surefoot's journal says so: {'it' if one else 'they'} committed in the middle, and did "
        "not complete",
        holds(facts),
        *stands(facts),
    ]
    if found is not None:
        seen += interruption_lines(found)
        seen += difference_lines(found.beside, _SHOWN, _WIDTH)
    elif facts.standing is not None and facts.standing.recorded is not None:
        seen += difference_lines(facts.standing.recorded.differences, _SHOWN, _WIDTH)
    seen += [f"surefoot does not continue by itself: {why}" for why in obstacles(facts)]
    return Finding(
        "interrupted-revision",
        f"Revision{'' if one else 's'} {', '.join(revisions)} {'was' if one else 'were'} only "
        "partly applied by an earlier run.",
        tuple(seen),
        next=ways_on(facts),
    )


def ways_on(facts: Facts) -> str:
    """Return how a person finishes or undoes it, and records that."""
    database, history = facts.database, facts.code.history
    if history.unknown(database.rows):  # no command of this code's can name them
        elsewhere = history.unknown((*database.rows, *database.interrupted))
        return f"start the release that has {', '.join(elsewhere)}: it can finish or undo this"
    found = facts.interruption
    if elsewhere := history.unknown(database.interrupted):
        return _by_another_image(elsewhere, _recording_undone(facts))
    shown = commands(found) if found is not None and found.known else ""
    if shown:
        return f"{shown}\nOr do it by hand. {recording(facts)}"
    drops = [f"{drop_index(fact.name)};" for fact in found.invalid] if found else []
    first = to_type("drop the invalid index", *drops) + "\n" if drops else ""
    return (
        f"{first}compare the structure and the data with the revision's file; finish or undo the "
        f"revision by hand. {recording(facts)}"
    )


def recording(facts: Facts) -> str:
    """Return how to record that a person has finished or undone what is half-way.

    It is finished only with everything that it needs, so each of these is named, too.
    """
    database, history = facts.database, facts.code.history
    before, undone = _recording_undone(facts), "If it is undone, record that"
    below = not_run(history, database.interrupted, database.rows)
    finished = shlex.join(("surefoot", "repair", *below, *database.interrupted))
    if not below:
        undone = to_type("If it is undone", before)
        return to_type("If it is then finished, record that", finished, then=undone)
    if len(below) > _NAMED:
        return to_type(f"{undone} (what it needs must run first)", before)
    first = f"If it is finished, and {', '.join(below)} before it, record that"
    return to_type(undone, before, then=to_type(first, finished))


def _recording_undone(facts: Facts) -> str:
    return shlex.join(("surefoot", "repair", *(map(str, facts.database.rows or ("base",)))))


def _by_another_image(unknown: Iterable[str], undone: str) -> str:
    """Return the next step about revisions whose files this code doesn't have."""
    return to_type(
        f"with the image that has {', '.join(unknown)}, finish or undo it: this says how",
        "surefoot up",
        then=to_type(
            "If no image has it any more, undo by hand what it did, then record that",
            undone,
        ),
    )


def _reversal_interrupted(facts: Facts) -> Finding:
    """A downgrade committed in the middle: its rest is to be done, or a person decides."""
    database = facts.database
    recorded = facts.standing.recorded if facts.standing else None
    over = ", ".join(database.reversing)
    below = rows_below(database, facts.code.history)
    next = reversal_recording(facts)
    if database.reversed_so_far is not None:
        finish = " --to ".join(map(shlex.quote, below)) or "base"
        next = to_type(
            "finish undoing it", f"surefoot down --to {finish}", then="then run surefoot up"
        )
    return Finding(
        "interrupted-revision",
        f"Undoing {over} was interrupted, and a part of it may be done.",
        (
            "surefoot's journal says so: it committed in the middle, and did not complete",
            holds(facts),
            *difference_lines(recorded.differences if recorded else (), _SHOWN, _WIDTH),
            *catalogue_lines(facts.catalogue),
        ),
        next=next,
    )


def reversal_recording(facts: Facts) -> str:
    """Return how a person finishes or reverses a downgrade that was left half-way, and records
    that.
    """
    database, history = facts.database, facts.code.history
    below = shlex.join(rows_below(database, history)) or "base"
    rows = shlex.join(str(row) for row in database.rows)
    over = ", ".join(database.reversing)
    unknown = [row for row in database.rows if row not in history.revisions]
    image = f", with the image that has {over}" if unknown else ""
    return to_type(
        f"compare the structure and the data with what undoing {over} does; finish or reverse it "
        f"by hand. If {over} is then undone, record that",
        f"surefoot repair {below}",
        then=to_type(f"If all of it is there again, record that{image}", f"surefoot repair {rows}"),
    )


def commands(found: InterruptedRevision) -> str:
    """Return what surefoot can do about it if a person asks; "" if nothing."""
    does = {"finish": "to create the missing part", "undo": "to drop the existing part"}
    able = [how for how in HOWS if not remedy(found, how).refused]
    ways = [
        to_type(f"{'or ' if number else ''}{does[how]}", f"surefoot repair --{how}")
        for number, how in enumerate(able)
    ]
    if not ways:
        return ""
    return "\n".join([*ways, f"{'each' if len(ways) > 1 else 'it'} shows its SQL, and asks first."])


def interruption_lines(found: InterruptedRevision) -> list[str]:
    """List which of the revision's names exist, and which don't."""
    lines: list[str] = []
    for place, said in _PLACES:
        names = [f"{named.kind} {named.name}" for named in found.placed(place)]
        if names:
            more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
            lines.append(f"of {found.revision}, {said}: {', '.join(names[:_SHOWN])}{more}")
    if found.known and not found.names:
        lines.append(
            f"of {found.revision}, the structure tells nothing: the revision doesn't change it"
        )
    lines += [f"invalid: {fact.kind} {fact.name}" for fact in found.invalid]
    return lines
