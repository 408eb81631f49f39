"""The invariants: values in, violations out."""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence

import msgspec

from surefoot.certify.running import Output
from surefoot.certify.seen import JournalRow, Seen
from surefoot.sql import ids_of, named_in

STANDS = ("revision", "stamp", "adopt")
MARKS = ("begun", "interrupted")
# The exit codes that may occur: never 1, which is a bug, nor 2.
_ANSWERS = (None, 0, 3, 4, 5, 6, 7)


class Violation(msgspec.Struct, frozen=True):
    """Which invariant was violated, and what was seen instead."""

    invariant: str
    told: str


class Undisturbed(msgspec.Struct, frozen=True):
    """The result of a run without a fault on the same database.

    `places`: the structure of every revision, with its version rows; empty if they weren't read.
    """

    start: Seen
    end: Seen
    places: frozenset[tuple[str, frozenset[str]]] = frozenset()


# What a finding may say about commits.
_THERE = re.compile(r"^(\S+) was committed all the same|Committed before it, and there: (.*?)\. ")
_HALF_WAY = re.compile(r"^(.*?) committed by itself half-way")
_COUNTED = re.compile(r"\d+ steps")


def expected_rows(journal: Iterable[JournalRow]) -> frozenset[str]:
    """Return the version rows by the journal: applied revisions without an applied child."""
    applied, parents = set[str](), set[str]()
    for row in journal:
        if row.step in STANDS:
            applied |= set(named_in(row.step, row.name))
            parents |= set(ids_of(row.parents))
    return frozenset(applied - parents)


# --- what surefoot itself reported


def no_bug(outputs: Iterable[Output]) -> list[str]:
    """No traceback, and no other exit codes than those that may occur."""
    return [
        f"{output.command}: exit {output.code}: {output.err[-2000:]}"
        for output in outputs
        if "Traceback (most recent call last)" in output.err or output.code not in _ANSWERS
    ]


def no_password(outputs: Iterable[Output], password: str) -> list[str]:
    """The password is in no output."""
    return [output.command for output in outputs if password in output.out + output.err]


def claim_is_true(
    output: Output, before: Seen, seen: Seen, known: Undisturbed, midway: Collection[str]
) -> list[str]:
    """The report of a run that outlived the fault is true.

    Exit code 0 is head. Work that was "rolled back" has left nothing, unless the report says that
    the next start continues. Work that was "committed" is there.

    `midway` are the revisions that commit before their end.
    """
    if output.code == 0:
        same = seen.structure == known.end.structure and seen.versions == known.end.versions
        return [] if same else ["exit 0, and not at head"]
    violations: list[str] = []
    told = any("by itself" in str(finding.get("next")) for finding in output.findings)
    strange = bool(known.places) and (seen.structure, seen.versions) not in known.places
    if output.code == 5 and not told and strange:
        violations.append(f"exit 5, and a part stayed: {output.findings}")
    journaled = {row.name for row in seen.journal if row.step in ("install", "seed", *STANDS)}
    for finding in output.findings:
        database = finding["database"]
        nothing = "No step was committed" in database or "was not changed" in database
        unchanged = before.structure == seen.structure and before.versions == seen.versions
        if nothing and not unchanged:
            violations.append(f"it says: {database}")
        for claim, true in ((_THERE, journaled), (_HALF_WAY, set(midway) - journaled)):
            if found := claim.search(database):
                names = re.split(r", (?:the last )?", next(filter(None, found.groups())))
                if not {name for name in names if not _COUNTED.fullmatch(name)} <= true:
                    violations.append(f"it says: {database}")
    current = output.json.get("current")
    if current is not None and frozenset(current) != seen.versions:
        violations.append(f"it says {current}, the version rows are {sorted(seen.versions)}")
    return violations


# --- after the next start


def head_in_one_start(output: Output) -> list[str]:
    """Another start leads to head; only exit code 7 may be tried again."""
    return [] if output.code == 0 else [told(output)]


def application_raised(output: Output) -> bool:
    """Whether a revision failed by an exception of the application's code, not of the server's."""
    return any(
        finding["code"] == "revision-failed"
        and not any("(SQLSTATE " in line for line in finding["seen"])
        for finding in output.findings
    )


_UNFILLED = re.compile(r'column "(.+)" of relation "(.+)" contains null values \(SQLSTATE 23502\)')
_SET = re.compile(r"\bset\s+not\s+null\b", re.IGNORECASE)


def unfilled(output: Output) -> tuple[str, str] | None:
    """Return the table and the column that SET NOT NULL found empty; None if it is another end."""
    for finding in output.findings:
        seen = "\n".join(finding["seen"])
        if _SET.search(seen) and (found := _UNFILLED.search(seen)):
            return found[2], found[1]
    return None


def told(output: Output) -> str:
    """Return the exit code and the findings of a run, the shortest summary first."""
    said = f"{output.command}: exit {output.code}"
    if not output.findings:
        return f"{said}: {output.err[-1500:]}"
    lines: list[str] = []
    for finding in output.findings:
        lines += [f"{finding['code']}: {finding['message']}", *finding["seen"]]
        lines += [finding["database"], finding["next"]]
    return f"{said}: " + "\n".join(lines)


def structure_as_undisturbed(seen: Seen, known: Undisturbed) -> list[str]:
    """The structure and version rows are those of a run without a fault, and indexes are valid."""
    violations = difference(seen.structure, known.end.structure)
    if seen.versions != known.end.versions:
        violations.append(f"version rows {sorted(seen.versions)}")
    violations += [f"invalid: {index}" for index in seen.invalid]
    return violations


def difference(ours: str, theirs: str) -> list[str]:
    """Describe how a structure differs from the expected one; empty if it doesn't."""
    if ours == theirs:
        return []
    here, there = ours.splitlines(), theirs.splitlines()
    lines = [f"- {line}" for line in there if line not in here]
    lines += [f"+ {line}" for line in here if line not in there]
    return ["\n".join(lines[:20]) or "the same lines in another order"]


def contents_as_undisturbed(seen: Seen, known: Undisturbed) -> list[str]:
    """Return the tables and columns whose rows differ, except for clocks and sequences."""
    differing = set(seen.contents) ^ set(known.end.contents)
    return sorted({name for name, _ in differing})


def journal_complete(seen: Seen, known: Undisturbed) -> list[str]:
    """Each revision has exactly one row, nothing is left begun, the last row is a run's end."""
    stands, expected = (
        Counter(
            name
            for row in one.journal
            if row.step in STANDS
            for name in named_in(row.step, row.name)
        )
        for one in (seen, known.end)
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
    return violations


def _left_begun(journal: Sequence[JournalRow]) -> list[str]:
    """Return the marks whose end no later row records."""
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
