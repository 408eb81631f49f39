"""What must hold of the example, whatever happened: what the product's harness asks of every
application, and what only this history can tell.
"""

from surefoot.certify import invariants
from surefoot.certify.invariants import (
    MARKS,
    Violation,
    contents_as_undisturbed,
    expected_rows,
    head_in_one_start,
    no_bug,
    no_password,
    nothing_left_running,
    nothing_to_do_then,
    structure_as_undisturbed,
)
from surefoot.certify.running import Output
from tests.chaos.history import BACKFILL, INDEX, MIDWAY
from tests.chaos.seen import Seen

__all__ = [
    "Output",
    "Undisturbed",
    "Violation",
    "claim_is_true",
    "contents_as_undisturbed",
    "effects_at_most_once",
    "effects_once",
    "head_in_one_start",
    "journal_complete",
    "named",
    "no_bug",
    "no_password",
    "nothing_left_running",
    "nothing_to_do_then",
    "rows_agree_with_journal",
    "structure_as_undisturbed",
    "structure_of_a_revision",
    "users_own_kept",
]


class Undisturbed(invariants.Undisturbed, frozen=True):
    """What a run without a fault makes of the example's database, as Alembic alone makes the
    structures one by one.
    """

    start: Seen
    end: Seen
    places: frozenset[tuple[str, frozenset[str]]] = frozenset()


def structure_of_a_revision(seen: Seen, status: Output, known: Undisturbed) -> list[str]:
    """The structure is one revision's own, to the letter (but for the index that was being made
    CONCURRENTLY), and the version rows are that revision's; or else `status` says that a revision
    was interrupted, names it, and it is one that commits midway.
    """
    state = status.json.get("state")
    stands = ", ".join(sorted(seen.versions)) or "no version row"
    if seen.structure not in {structure for structure, _ in known.places}:
        return [f"at {stands}, with no revision's structure; status says {state}"]
    if set(seen.invalid) - {INDEX}:
        return [f"invalid: {seen.invalid}"]
    if state == "interrupted-revision":
        marks = [row.name for row in seen.journal if row.step in MARKS]
        told = [mark for mark in marks if mark in MIDWAY and mark in status.out]
        return [] if told else [f"interrupted, says status: {status.out}"]
    if seen.invalid or (seen.structure, seen.versions) not in known.places:
        return [f"at {stands}, with another structure; status says {state}"]
    if state not in ("at-head", "behind", "identified", "empty"):
        return [f"at {stands}, with its structure; status says {state}: {status.out}"]
    return []


def rows_agree_with_journal(seen: Seen) -> list[str]:
    """The version rows are the ends of what the journal says was applied; a mark that was left is
    that of a revision that commits midway.
    """
    violations: list[str] = []
    if expected_rows(seen.journal) != seen.versions:
        told = ", ".join(f"{row.step} {row.name}" for row in seen.journal)
        violations.append(f"version rows {sorted(seen.versions)}, journal: {told or 'empty'}")
    violations += [
        f"left: {row.step} {row.name}"
        for row in seen.journal
        if row.step in MARKS and not set(row.name.split()) <= set(MIDWAY)
    ]
    return violations


def effects_at_most_once(seen: Seen) -> list[str]:
    """Nothing has had its effect twice."""
    return [f"{what}: {count} times" for what, count in seen.effects if count > 1] + [
        f"the backfill counted a row {n} times" for n in seen.counted if n > 1
    ]


def users_own_kept(seen: Seen, known: Undisturbed) -> list[str]:
    """The user's rows and objects are as they were."""
    return [] if seen.users == known.start.users else ["the user's own rows or objects differ"]


def claim_is_true(output: Output, before: Seen, seen: Seen, known: Undisturbed) -> list[str]:
    """A run that outlived the fault tells the truth."""
    return invariants.claim_is_true(output, before, seen, known, MIDWAY)


def effects_once(seen: Seen, known: Undisturbed) -> list[str]:
    """Every script and revision has had its effect once, and so has each row of the backfill."""
    violations: list[str] = []
    effects = dict(seen.effects)
    for what, count in known.end.effects:
        times = effects.pop(what, 0)
        if times != count:
            violations.append(f"{what}: {times} times")
    violations += [f"{what}: unknown" for what in effects]
    if seen.counted != (1,):
        violations.append(f"{BACKFILL} counted rows {seen.counted} times")
    return violations


def journal_complete(seen: Seen, known: Undisturbed) -> list[str]:
    """Each revision has exactly one row, nothing is left begun, and the version rows agree."""
    violations = invariants.journal_complete(seen, known)
    if expected_rows(seen.journal) != seen.versions:
        violations.append("the version rows aren't the journal's")
    return violations


# Every name that a violation may have; docs/evidence/reliability-method.md says what each means.
NAMES = (
    *("structure_of_a_revision", "rows_agree_with_journal", "effects_at_most_once"),
    *("users_own_kept", "sessions_end", "claim_is_true", "no_bug", "no_password"),
    *("head_in_one_start", "named_command", "structure_as_undisturbed", "contents_as_undisturbed"),
    *("effects_once", "journal_complete", "nothing_left_running", "nothing_to_do_then"),
    *("done_by_one", "harness"),
)


def named(**found: list[str]) -> list[Violation]:
    """Violations, by the name of the invariant."""
    assert set(found) <= set(NAMES)
    return [Violation(name, told) for name, all_told in found.items() for told in all_told]
