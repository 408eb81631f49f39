"""What must hold, whatever happened: values in, violations out."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from tests.chaos.history import BACKFILL, INDEX, MIDWAY
from tests.chaos.seen import JournalRow, Seen

_STANDS = ("revision", "stamp", "adopt")
_MARKS = ("begun", "interrupted")


class Violation(msgspec.Struct, frozen=True):
    """Which invariant, and what was seen instead."""

    invariant: str
    told: str


class Output(msgspec.Struct, frozen=True):
    """What one run of surefoot returned and printed; code None: it was killed."""

    command: str
    code: int | None
    out: str
    err: str
    seconds: float = 0.0

    @property
    def json(self) -> dict[str, Any]:
        return msgspec.json.decode(self.out) if self.out.strip() else {}

    @property
    def findings(self) -> list[dict[str, Any]]:
        return self.json.get("findings", [])


class Undisturbed(msgspec.Struct, frozen=True):
    """What a run without a fault makes of the same database.

    `places`: every structure that a revision has, with the version rows that stand for it, as
    Alembic alone makes them one by one.
    """

    start: Seen
    end: Seen
    places: frozenset[tuple[str, frozenset[str]]]


# What a finding may say of what was committed.
_THERE = re.compile(r"^(\S+) was committed all the same|Committed before it, and there: (.*?)\. ")
_HALF_WAY = re.compile(r"^(.*?) committed by itself half-way")
_COUNTED = re.compile(r"\d+ steps")


# --- behind the fault, once the sessions of that run are gone


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
        marks = [row.name for row in seen.journal if row.step in _MARKS]
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
        if row.step in _MARKS and not set(row.name.split()) <= set(MIDWAY)
    ]
    return violations


def expected_rows(journal: Iterable[JournalRow]) -> frozenset[str]:
    """The version rows by the journal: what was applied and is nobody's parent."""
    applied, parents = set[str](), set[str]()
    for row in journal:
        if row.step in _STANDS:
            applied |= set(row.name.split())
            parents |= set(row.parents.split())
    return frozenset(applied - parents)


def effects_at_most_once(seen: Seen) -> list[str]:
    """Nothing has had its effect twice."""
    return [f"{what}: {count} times" for what, count in seen.effects if count > 1] + [
        f"the backfill counted a row {n} times" for n in seen.counted if n > 1
    ]


def users_own_kept(seen: Seen, known: Undisturbed) -> list[str]:
    """The user's rows and objects are as they were."""
    return [] if seen.users == known.start.users else ["the user's own rows or objects differ"]


# --- what surefoot itself said


def no_bug(outputs: Iterable[Output]) -> list[str]:
    """No traceback, no exit code but those that are for what happened."""
    return [
        f"{output.command}: exit {output.code}: {output.err[-2000:]}"
        for output in outputs
        if "Traceback (most recent call last)" in output.err
        or output.code not in (None, 0, 3, 4, 5, 6, 7)
    ]


def no_password(outputs: Iterable[Output], password: str) -> list[str]:
    """The password is in no output."""
    return [output.command for output in outputs if password in output.out + output.err]


def claim_is_true(output: Output, before: Seen, seen: Seen, known: Undisturbed) -> list[str]:
    """A run that outlived the fault tells the truth: 0 is head; what it calls rolled back has left
    nothing, but where it says that the next start goes on by itself (`head_in_one_start` sees
    that); what it calls committed is there.
    """
    if output.code == 0:
        same = seen.structure == known.end.structure and seen.versions == known.end.versions
        return [] if same else ["exit 0, and not at head"]
    violations: list[str] = []
    told = any("by itself" in str(finding.get("next")) for finding in output.findings)
    if output.code == 5 and not told and (seen.structure, seen.versions) not in known.places:
        violations.append(f"exit 5, and a part stayed: {output.findings}")
    journaled = {row.name for row in seen.journal if row.step in ("install", "seed", *_STANDS)}
    for finding in output.findings:
        database = finding["database"]
        nothing = "No step was committed" in database or "was not changed" in database
        unchanged = before.structure == seen.structure and before.versions == seen.versions
        if nothing and not unchanged:
            violations.append(f"it says: {database}")
        for claim, true in ((_THERE, journaled), (_HALF_WAY, set(MIDWAY) - journaled)):
            if found := claim.search(database):
                names = re.split(r", (?:the last )?", next(filter(None, found.groups())))
                if not {name for name in names if not _COUNTED.fullmatch(name)} <= true:
                    violations.append(f"it says: {database}")
    current = output.json.get("current")
    if current is not None and frozenset(current) != seen.versions:
        violations.append(f"it says {current}, the version rows are {sorted(seen.versions)}")
    return violations


# --- behind the next start


def head_in_one_start(output: Output) -> list[str]:
    """Starting again leads to head; only a `busy` (7) may be tried again."""
    if output.code == 0:
        return []
    return [f"{output.command}: exit {output.code}: {output.findings or output.err[-1500:]}"]


def structure_as_undisturbed(seen: Seen, known: Undisturbed) -> list[str]:
    """The same structure as without a fault, the same version rows, every index valid."""
    violations: list[str] = []
    if seen.structure != known.end.structure:
        ours, theirs = seen.structure.splitlines(), known.end.structure.splitlines()
        lines = [f"- {line}" for line in theirs if line not in ours]
        lines += [f"+ {line}" for line in ours if line not in theirs]
        violations.append("\n".join(lines[:20]) or "another order")
    if seen.versions != known.end.versions:
        violations.append(f"version rows {sorted(seen.versions)}")
    violations += [f"invalid: {index}" for index in seen.invalid]
    return violations


def contents_as_undisturbed(seen: Seen, known: Undisturbed) -> list[str]:
    """The same rows in every table, but for clocks and what sequences give."""
    differing = set(seen.contents) ^ set(known.end.contents)
    return sorted({table for table, _ in differing})


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
    """Each revision has exactly one row, nothing is left begun, the last row is a run's end."""
    stands = Counter(
        name for row in seen.journal if row.step in _STANDS for name in row.name.split()
    )
    expected = Counter(
        name for row in known.end.journal if row.step in _STANDS for name in row.name.split()
    )
    violations = [
        f"{name}: {stands[name]} rows"
        for name in {*stands, *expected}
        if stands[name] != expected[name]
    ]
    violations += [f"left begun: {name}" for name in _left_begun(seen.journal)]
    last = seen.journal[-1].step if seen.journal else "none"
    if last not in ("reached", "unchecked"):
        violations.append(f"the last row is {last}")
    if expected_rows(seen.journal) != seen.versions:
        violations.append("the version rows aren't the journal's")
    return violations


def _left_begun(journal: Sequence[JournalRow]) -> list[str]:
    """The marks that no later row says the end of: which was gone on with has one."""
    return [
        mark.name
        for number, mark in enumerate(journal, 1)
        if mark.step == "begun"
        and not any(row.step == "revision" and row.name == mark.name for row in journal[number:])
    ]


def nothing_left_running(seen: Seen) -> list[str]:
    """No session, no advisory lock, no process, no statement of an earlier run."""
    locks = [f"{seen.advisory} advisory locks"] if seen.advisory else []
    return [*seen.sessions, *seen.processes, *locks]


def nothing_to_do_then(output: Output) -> list[str]:
    """One more start has nothing to do."""
    if output.code == 0 and output.json.get("done") == []:
        return []
    return [f"exit {output.code}: {output.out or output.err[-1500:]}"]


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
