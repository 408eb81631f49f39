"""The problems as a maintainer needs them: revision, effect, smallest case, repair. Pure."""

import hashlib
import re
from collections.abc import Iterable, Mapping

import msgspec

from surefoot import __version__
from surefoot.catalogue.catalogue import Catalogue
from surefoot.catalogue.write import dumps
from surefoot.certify.plan import Kind
from surefoot.certify.result import Result
from surefoot.schema.names import split_name

# How to mend it, by what was violated. What isn't here is most likely a fault of surefoot's own.
_ADVICE: Mapping[str, str] = {
    "release_can_be_made": "The release's own structure or data can't be made any more. If a "
    "released revision was edited, restore the released file; if the fixtures fail, correct "
    "them.",
    "head_in_one_start": "Make the revision pass on this database: correct old rows before it "
    "adds a constraint, and make a revision that commits midway safe to run again (surefoot "
    "explain guards).",
    "contents_as_undisturbed": "The result depends on how the upgrade went. Give the statement a "
    "condition that skips rows that are done, and set surefoot_resumable = True only where that "
    "holds.",
    "structure_as_undisturbed": "What the revision makes depends on how the upgrade went. IF NOT "
    "EXISTS accepts whatever is there, even an invalid index: drop it first, or leave the "
    "condition out.",
    "every_index_is_valid": "An index was left invalid: CREATE INDEX CONCURRENTLY failed, and IF "
    "NOT EXISTS accepted what it left. Drop the index before creating it.",
    "sequences_are_ahead": "Rows were inserted with explicit numbers. Move the sequence past "
    "them: select setval(…, max(id)).",
    "users_own_kept": "A statement drops what a user has added: DROP … CASCADE, or a table that "
    "is dropped and created again. Change the table in place.",
    "nothing_to_do_then": "A seed script isn't repeatable, or something changes the database at "
    "every start. Write INSERT … ON CONFLICT DO NOTHING.",
    "seeds_are_repeatable": "A seed script that runs again changes rows. Write INSERT … ON "
    "CONFLICT DO NOTHING, with the key that makes a row the same.",
    "seeds_run_again": "A seed script fails where its rows are there already. Write INSERT … ON "
    "CONFLICT DO NOTHING.",
    "one_by_one": "The revision relies on what an earlier one left in memory or in the same "
    "transaction; users who install each release run it alone.",
    "what_starts_works": "The older image is allowed to start and breaks. Give the new column a "
    "default, or declare in the revision which release it needs: surefoot_floor.",
    "others_are_not_held_up": "While a statement waits for a lock, every session that needs the "
    "table waits for it. surefoot limits that wait in a revision's own transaction only. Move "
    "the statement there, or let the revision SET lock_timeout before it.",
    "the_application_works": "The application doesn't work on the upgraded database: read the "
    "output of its smoke command.",
    "goes_back": "The downgrade fails. Correct downgrade(), and run surefoot catalog build.",
    "up_again_is_the_same": "Down and up again makes another structure. downgrade() must undo all "
    "that upgrade() does, and no more.",
    "fault_was_seen": "The fault never came, so nothing was proved: run the case again by itself.",
}
_OURS = "This is most likely a fault of surefoot's own, not of the history: please report the case."

_LEVELS = ("none", "fixtures", "generated", "boundary")


class Problem(msgspec.Struct, frozen=True):
    """One problem, which several cases may show.

    `revisions` are its revisions, if known. `told` is what a user would have seen, `case` the
    smallest of `cases` that show it.
    """

    invariant: str
    kind: Kind
    told: str
    case: str
    cases: int
    revisions: tuple[str, ...]
    advice: str
    fault: str = ""


def problems(catalogue: Catalogue, results: Iterable[Result]) -> tuple[Problem, ...]:
    """Group the failures by violated invariant, revision and kind of case."""
    groups: dict[tuple[str, Kind, tuple[str, ...]], list[tuple[Result, str]]] = {}
    for result in results:
        if result.outcome == "doubtful":
            continue
        seen: set[tuple[str, Kind, tuple[str, ...]]] = set()
        for violation in result.violations:
            revisions = _about(catalogue, violation.told)
            key = (violation.invariant, result.case.kind, revisions)
            if key not in seen:
                groups.setdefault(key, []).append((result, violation.told))
                seen.add(key)
    return tuple(
        _problem(*key, several) for key, several in sorted(groups.items(), key=lambda g: -len(g[1]))
    )


def _problem(
    invariant: str, kind: Kind, revisions: tuple[str, ...], several: list[tuple[Result, str]]
) -> Problem:
    result, told = min(several, key=lambda one: _size(one[0]))
    advice = _ADVICE.get(invariant, _OURS)
    return Problem(
        invariant, kind, told, result.case.name, len(several), revisions, advice, result.fault
    )


def _size(result: Result) -> tuple[int, int, str]:
    """Sort by less data, then by the earlier statement."""
    case = result.case
    number = case.fault.at.number if case.fault else 0
    return _LEVELS.index(case.subject.level), number, case.name


def _about(catalogue: Catalogue, told: str) -> tuple[str, ...]:
    """Return the revisions that a text names, those of its first line first.

    If there are none: the last revision that touches a table that the text names.
    """
    for text in (told.partition("\n")[0], told):
        ids = catalogue.history.revisions
        named = tuple(id for id in ids if re.search(rf"\b{re.escape(id)}\b", text))
        if named:
            return named[:3]
    words = {*re.findall(r"[\w.]+", told)}
    touching: list[str] = []
    for way in catalogue.ways:
        for id, changes in way.changes.items():
            tables = {".".join(split_name(change.name)[:2]) for change in changes}
            if any(word.startswith(table) for table in tables for word in words if "." in table):
                touching.append(id)
    return tuple(dict.fromkeys(touching))[-1:]


def digest(catalogue: Catalogue | None) -> str:
    """Return a SHA-256 over catalogue, revisions and surefoot's version."""
    parts = [__version__]
    if catalogue is not None:
        parts += [f"{id} {one.sha256}" for id, one in sorted(catalogue.history.revisions.items())]
        parts.append(dumps(catalogue))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
