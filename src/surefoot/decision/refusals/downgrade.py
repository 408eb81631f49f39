"""Why revisions aren't undone: a finding for each case, for people. Pure."""

import shlex
from collections.abc import Iterable

from surefoot.catalogue.differences import difference_lines, revision_text
from surefoot.decision.downgrade_assessment import DowngradeAssessment, Lost, Unverified
from surefoot.decision.facts import Facts
from surefoot.decision.half_way import rows_below
from surefoot.decision.refusals import REFUSALS
from surefoot.decision.refusals.interrupted import reversal_recording
from surefoot.decision.version_rows import others_rows
from surefoot.downgrades.downgrade_sql import fact_part
from surefoot.downgrades.path import takes_away
from surefoot.downgrades.recipe import DowngradeRecipe
from surefoot.downgrades.rows_stay import StayingRows
from surefoot.errors import Finding
from surefoot.errors.steps import to_type
from surefoot.errors.wording import count
from surefoot.model.states import State

_SHOWN = 8


def not_from_here(facts: Facts, state: State) -> Finding:
    """The state doesn't allow undoing revisions."""
    if state is State.EMPTY:
        return Finding("nothing-to-compare", "The database is empty: there is nothing to undo.")
    if state is State.IDENTIFIED:
        stand = facts.standing.chosen if facts.standing else None
        assert stand is not None
        return Finding(
            "unversioned-database",
            "No revision is recorded, so there is none to go back from.",
            (f"the structure is that of {revision_text(stand)}",),
            next=to_type("record it", "surefoot adopt", then="then run surefoot down again"),
        )
    return REFUSALS[state](facts) if state in REFUSALS else REFUSALS[State.CONTRADICTED](facts)


def left_behind(reversals: Iterable[DowngradeRecipe]) -> tuple[str, ...]:
    """Describe what would be left behind."""
    return tuple(
        f"{one.id} leaves {change.kind} {change.name} behind"
        + ("" if change.after != (None,) else ", gone")
        for one in reversals
        for change in one.left
    )


def unknown_rows(facts: Facts, assessment: DowngradeAssessment) -> Finding:
    """The database is at a revision that is unknown here."""
    if others_rows(facts):
        return REFUSALS[State.UNKNOWN_REVISION](facts)
    return Finding(
        "no-way-back",
        f"The database is at {', '.join(assessment.unknown)}, which is unknown here.",
        (
            "this code doesn't have its file, and surefoot's journal has no downgrade for it",
            "the journal has the downgrades of revisions that surefoot up ran with a catalogue "
            "that had tested them",
        ),
        next="run surefoot down with the newer image, which has its files",
    )


def another_first(facts: Facts, begun: list[str]) -> Finding:
    """The downgrade of another revision was cut off, and must be finished first."""
    below = rows_below(facts.database, facts.code.history)
    return Finding(
        "interrupted-revision",
        f"Undoing {', '.join(begun)} was interrupted, and is not part of this plan.",
        ("a part of it may be done; this plan would leave it as it is",),
        next=to_type("finish that one first", command_to(below, ())),
    )


def in_autocommit(assessment: DowngradeAssessment) -> Finding:
    """What fails half-way could not be rolled back."""
    return Finding(
        "no-way-back",
        "The application's env.py commits each statement, so surefoot can't undo a revision as a "
        "whole.",
        ("its connection is in autocommit mode; a downgrade that fails would stay incomplete",),
        next=_or_restore(
            "have env.py leave transactions to Alembic (no isolation_level AUTOCOMMIT), then start "
            "again",
            assessment.backup,
        ),
    )


def _or_restore(text: str, backup: str | None) -> str:
    """Return the text, and the way by the backup if there is one."""
    if backup is None:
        return text
    return to_type(
        f"{text}. Or restore the backup from before these revisions (rows written since are then "
        "only in the database that is set aside)",
        f"surefoot restore {shlex.quote(backup)}",
    )


_TAKES_AWAY = "its downgrade removes or changes objects that were there before it"
_WHY = {
    "none": "it has no working downgrade",
    "broken": "its downgrade fails",
    "untried": "its downgrade could not be tested",
    "unknown": "it was not tested",
    "needs-code": "it needs its file, which this image doesn't have",
    "leaves": "it needs its file, which this image doesn't have",
}


def no_way_back(
    facts: Facts, assessment: DowngradeAssessment, no_way: tuple[DowngradeRecipe, ...]
) -> Finding:
    """These revisions can't be undone."""
    far: list[str] = []
    for one in assessment.reversals:
        if one in no_way:
            break
        far.append(one.id)
    lines = [
        f"{one.id}{f' ({one.message})' if one.message else ''}: "
        + (_TAKES_AWAY if takes_away(one) else _WHY.get(one.verdict, ""))
        + (f" ({one.why})" if one.why and one.verdict not in ("needs-code", "leaves") else "")
        for one in no_way
    ]
    next = "nothing was undone; "
    if far:
        last = next_below(assessment, far)
        next = to_type(f"{next}to go back as far as possible", f"surefoot down --to {last}")
    elif all(one.possible and one.id not in assessment.own for one in no_way):
        next += "run surefoot down with the newer image, which has the files"
    elif all(one.verdict == "unknown" and one.id in assessment.own for one in no_way):
        next += "surefoot catalog build, where the application is developed, tests the downgrades"
    else:
        next = _or_restore(
            f"{next}run the newer image again; where the application is developed, write a "
            "downgrade() that works and build the catalogue, or correct it with a new revision",
            assessment.backup,
        )
    return Finding(
        "no-way-back",
        f"{'A revision' if len(no_way) == 1 else f'{len(no_way)} revisions'} can't be undone.",
        (
            *lines[:_SHOWN],
            *([f"and {len(lines) - _SHOWN} more"] if len(lines) > _SHOWN else []),
            _how_far(len(assessment.reversals), len(far)),
        ),
        next=next,
    )


def _how_far(number: int, possible: int) -> str:
    if not possible:
        return f"none of the {count(number, 'revision')} can be undone"
    return f"only the newest {possible} of {count(number, 'revision')} can be undone"


def next_below(assessment: DowngradeAssessment, far: list[str]) -> str:
    """Return the options that go back as far as possible."""
    below = [r.id for r in assessment.reversals if r.id not in far]
    parents = {name for r in assessment.reversals if r.id in below for name in (*r.parents,)}
    tips = [id for id in below if id not in parents] or list(assessment.rows)
    return " --to ".join(map(shlex.quote, tips))


def differs(facts: Facts, assessment: DowngradeAssessment) -> Finding:
    """The structure isn't the one that the revisions to undo left."""
    return Finding(
        "structure-contradicts-revision",
        "The structure is not as the revisions that would be undone left it.",
        (*difference_lines(assessment.differences, _SHOWN, 80),),
        next="correct the differences, then start again; surefoot drift compares the database with "
        "its current revision",
    )


def cut_off_somewhere(facts: Facts) -> Finding:
    """A downgrade was cut off, at an unknown place."""
    names, done = ", ".join(facts.database.reversing), facts.database.reversed_so_far
    return Finding(
        "interrupted-revision",
        f"Undoing {names} was interrupted, and surefoot can't tell how far it came.",
        (
            "it ran by its downgrade(), which committed in the middle"
            if done is None
            else f"{done} of its statements are certainly done",
        ),
        next=reversal_recording(facts),
    )


def command_to(rows: tuple[str, ...], options: tuple[str, ...]) -> str:
    """Return the command that goes back to these version rows, with what a person allows."""
    return " ".join(
        ("surefoot down --to", " --to ".join(map(shlex.quote, rows)) or "base", *options)
    )


def would_be_lost(
    dear: tuple[Lost, ...], command: str, stay: Iterable[StayingRows] = ()
) -> Finding:
    """This loss of data was not accepted; `command` accepts it. `stay`: rows that stay changed."""
    message, accept = "Undoing these revisions would lose data.", "accept the loss of this data"
    if not dear:
        message = "Undoing these revisions and applying them again would change rows twice."
        accept = "go back and leave these rows as they are"
    return Finding(
        "data-would-be-lost",
        message,
        tuple(one.text for one in (*dear, *stay)),
        next=to_type(f"take a backup (surefoot backup); then, to {accept}", command),
    )


def journal_unverified(
    doubtful: Iterable[Unverified], assessment: DowngradeAssessment, command: str
) -> Finding:
    """The journal has SQL that comparing structures can't verify, and this was not allowed.

    `command` allows it.
    """
    doubtful = tuple(doubtful)
    verified = "run surefoot down with the newer image, which has the revisions' files"
    if assessment.own.issuperset(one.revision for one in doubtful):
        verified = (
            "this image has the revisions' files, and lacks a catalogue that has tested their "
            "downgrades: surefoot catalog build, where the application is developed, makes it"
        )
    lines = [f"{one.revision}: {' '.join(one.sql.split())}  ({one.why})" for one in doubtful]
    return Finding(
        "journal-unverified",
        "Undoing these revisions would run SQL from surefoot's journal that nobody has verified.",
        (
            *lines,
            "comparing structures doesn't show everything that this SQL does, and every role that "
            "can write the journal can change it",
        ),
        next=to_type(
            f"{verified}. Or read each statement, and if all of them are right",
            command,
            then=revoking(assessment.writers),
        ),
    )


def revoking(writers: tuple[str, ...]) -> str:
    """Return how to restrict the journal to roles that are trusted with the database."""
    if not writers:
        return ""
    roles = ", ".join(map(fact_part, writers))
    return to_type(
        "To keep others from writing the journal",
        f"revoke insert, update, delete, truncate, trigger on surefoot.journal from {roles};",
    )
