"""Structures, data, faults, cases, and the plan that they make. Values only."""

import random
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal, cast, get_args

import msgspec

from surefoot.catalogue.catalogue import Catalogue
from surefoot.certify.proxy import Side, Statement, Stop
from surefoot.compatibility.releases import UNRELEASED, Release, releases
from surefoot.errors import NOT_REACHED, SurefootError
from surefoot.errors.steps import to_type
from surefoot.model.history import one_revision

Level = Literal["none", "generated", "fixtures", "boundary"]
Does = Literal["kill", "cut", "lock"]
Kind = Literal[
    "upgrade",
    "again",
    "stepwise",
    "customised",
    "replicas",
    "unversioned",
    "newer-structure",
    "damaged-rows",
    "seeds",
    "older-image",
    "locked",
    "down",
    "restore",
    "kill",
    "cut",
]

# What each kind of case does, for people.
KINDS: dict[Kind, str] = {
    "upgrade": "one run of surefoot up, to head",
    "again": "another run finds nothing to do",
    "stepwise": "one revision per run, compared with a single run",
    "customised": "with objects that a user added",
    "replicas": "several surefoot up at once",
    "unversioned": "the version table is gone, as after an init script",
    "newer-structure": "the structure of head, the version rows of the release",
    "damaged-rows": "version rows that no revision has",
    "seeds": "the seed scripts run once more, as after a change",
    "older-image": "the older image on the newer database",
    "locked": "from a statement on, beside a transaction that has written to every table",
    "down": "down to the release, and up again",
    "restore": "a backup, an upgrade, the backup restored, an upgrade",
    "kill": "SIGKILL at a statement, then another start",
    "cut": "the connections are cut at a statement, then another start",
}

EMPTY = "empty"
FIXTURES = "certify"  # the directory of the project's fixtures, and of its failed cases
_MOST = 6  # structures of a history that names no release
_REPLICAS = 3
_DAMAGES = ("garbage", "overlap")
_CUSTOMISATIONS = 2  # seeds for each structure
_ENDS: tuple[Does, ...] = ("kill", "cut")  # what ends a run


class Structure(msgspec.Struct, frozen=True):
    """A structure that a release has left, and the path by which a database reached it.

    `release` is a release's name, or a revision's id in a history that names none. `way` is the
    catalogue's: base, init, or an origin's; "empty" for a database that is to be installed. `rows`
    are the version rows.
    """

    release: str
    way: str
    rows: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """What cases call it."""
        if self.way == EMPTY:
            return EMPTY
        return f"{self.release}@{self.way.replace(' ', '-')}"


class Subject(msgspec.Struct, frozen=True):
    """A structure with data of one level, from which runs begin."""

    structure: Structure
    level: Level = "none"

    @property
    def name(self) -> str:
        """What cases call it."""
        return f"{self.structure.name}/{self.level}"


class Fault(msgspec.Struct, frozen=True):
    """A disturbance of a run at one statement; `text` is that statement's beginning."""

    does: Does
    at: Stop
    text: str = ""


class Case(msgspec.Struct, frozen=True):
    """One trial. Its name is enough to repeat it.

    `exhaustive`: every member of its class is in the plan.
    """

    subject: Subject
    kind: Kind
    detail: str = ""
    fault: Fault | None = None
    exhaustive: bool = True

    @property
    def name(self) -> str:
        """STRUCTURE/DATA/KIND, and the detail that distinguishes similar cases."""
        return "/".join(filter(None, (self.subject.name, self.kind, self.detail)))


class Plan(msgspec.Struct, frozen=True):
    """The cases for a seed: all of `cases`, then `sampled` in order, while there is time."""

    seed: int
    cases: tuple[Case, ...]
    sampled: tuple[Case, ...] = ()


def structures(catalogue: Catalogue, wanted: Sequence[str] = ()) -> tuple[Structure, ...]:
    """Return where an upgrade may begin.

    These are the empty database, each release on each path that leads there, and each origin.
    `wanted` are releases or revisions; none: all. Raises SurefootError `revision-not-found`.
    """
    heads = frozenset(catalogue.history.revisions)
    chosen = [_named(catalogue, word) for word in wanted] or _all(catalogue)
    found: list[Structure] = [] if wanted else [Structure(EMPTY, EMPTY)]
    for release in chosen:
        rows = catalogue.history.rows(release.applied)
        found += [
            Structure(release.name, way.name, rows)
            for way in catalogue.ways
            if way.name in ("base", "init")
            and way.leads_to(release.applied)
            and release.applied != heads
        ]
    if not wanted:
        found += [
            Structure(origin.rows[0], origin.way, origin.rows) for origin in catalogue.origins
        ]
    if not found:
        raise _no_way(wanted)
    return tuple(dict.fromkeys(found))


def structure_at(catalogue: Catalogue, word: str) -> Structure:
    """Return the structure at a release, a revision or head, by the first path that leads there.

    Raises SurefootError `revision-not-found`.
    """
    if word in ("head", "heads"):
        everything = frozenset(catalogue.history.revisions)
        release = Release("head", everything, catalogue.history.heads)
    else:
        release = _named(catalogue, word)
    way = catalogue.way_to(release.applied)
    if way is None:
        raise _no_way((word,))
    return Structure(release.name, way.name, catalogue.history.rows(release.applied))


def _no_way(words: Sequence[str]) -> SurefootError:
    return SurefootError(
        "revision-not-found",
        f"No path of the catalogue leads to {', '.join(words)} and on from there.",
        database=NOT_REACHED,
        next=to_type("list the revisions, and name one of them", "surefoot catalog show"),
    )


def levels(root: Path, structure: Structure) -> tuple[Level, ...]:
    """Return the levels of data with which a structure is tried."""
    if structure.way == EMPTY:
        return ("none",)
    return ("none", "fixtures") if fixtures(root, structure) else ("none", "generated", "boundary")


def fixtures(root: Path, structure: Structure) -> Path | None:
    """Return the file with the project's own rows for this release; None if there is none."""
    name = f"{structure.release}.sql"
    if structure.way == EMPTY or name != Path(name).name:  # a release may be called anything
        return None
    file = root / FIXTURES / name
    return file if file.is_file() else None


def _named(catalogue: Catalogue, word: str) -> Release:
    for release in releases(catalogue):
        if word == release.name:
            return release
    id = one_revision(catalogue.history, word)
    return Release(id, catalogue.history.applied((id,)), (id,))


def _all(catalogue: Catalogue) -> list[Release]:
    """Return the releases that the revisions name; without names, evenly spaced revisions."""
    named = [one for one in releases(catalogue) if one.name != UNRELEASED]
    if named:
        return named
    ids = tuple(catalogue.history.revisions)
    step = max(1, len(ids) // _MOST)
    return [Release(id, catalogue.history.applied((id,)), (id,)) for id in ids[:-1:step]]


def plan(
    subjects: Iterable[Subject],
    statements: Mapping[str, Sequence[Statement]],
    seed: int,
    *,
    seeds: bool = False,
) -> Plan:
    """Return the cases of these subjects.

    `statements` are those of an undisturbed run of each subject, by its name: a subject without any
    can't be upgraded, and has only the case `upgrade`. `seeds`: the project has seed scripts.
    """
    rng = random.Random(seed)
    cases: list[Case] = []
    sampled: list[Case] = []
    subjects = tuple(subjects)
    # the last one counts that comes to head: what boundary values show is no more than a doubt
    richest = {
        one.structure: one
        for one in subjects
        if one.level != "boundary" and statements.get(one.name) is not None
    }
    for subject in subjects:
        cases.append(Case(subject, "upgrade"))
        log = statements.get(subject.name)
        if log is None or subject.level == "boundary":
            continue
        cases.append(Case(subject, "again"))
        if richest.get(subject.structure) is subject:
            cases += _of(subject, rng)
            cases += [Case(subject, "seeds")] if seeds else []
            cases += faults(subject, log)
            cases += locks(subject, log)
        sampled += samples(subject, log, rng)
    rng.shuffle(sampled)
    return Plan(seed, tuple(cases), tuple(sampled))


def _of(subject: Subject, rng: random.Random) -> list[Case]:
    """Return the cases of a structure without a fault."""
    seeds = [str(rng.randrange(10**6)) for _ in range(_CUSTOMISATIONS)]
    found = [Case(subject, "replicas", str(_REPLICAS))]
    if subject.structure.way == EMPTY:
        return found
    found += [Case(subject, "stepwise")]
    found += [Case(subject, "customised", one, exhaustive=False) for one in seeds]
    found += [Case(subject, "unversioned"), Case(subject, "newer-structure")]
    found += [Case(subject, "damaged-rows", how) for how in _DAMAGES]
    found += [Case(subject, "older-image"), Case(subject, "restore")]
    found += [Case(subject, "down")]
    return [*found, *(Case(subject, "down", one, exhaustive=False) for one in seeds)]


_COMMENT = re.compile(r"--[^\n]*\n|/\*.*?\*/", re.DOTALL)
_BEGIN = re.compile(r"(?:begin|start\s+transaction)\b", re.IGNORECASE)
_END = re.compile(r"(?:commit|end|rollback(?!\s+to\b)|abort)\b", re.IGNORECASE)
_COMMIT = re.compile(r"(?:commit|end)\b", re.IGNORECASE)
_LIMIT = re.compile(r"(?:re)?set\b.*\block_timeout\b", re.IGNORECASE)
_READ_ONLY = re.compile(r"set (?:local )?transaction\b.*\bread only", re.IGNORECASE)
_WRITES = re.compile(
    r"\b(?:insert|update|delete|create|alter|drop|comment|truncate|copy|merge|grant|revoke|reindex"
    r"|refresh|vacuum|cluster|do|call|setval|nextval)\b",
    re.IGNORECASE,
)


def _words(one: Statement) -> str:
    """Return the statement without comments."""
    return " ".join(_COMMENT.sub(" ", one.text).split())


def _writes(one: Statement, words: str) -> bool:
    """Whether the statement may write.

    A statement of the application may write if any word says so; surefoot's own contain such words
    also when they only read.
    """
    if one.own and words[:6].lower() in ("select", "values"):
        return "nextval" in words or "setval" in words
    return _WRITES.search(words) is not None


_Writing = Literal["within", "commit", "end", "outside"]


def _writing(log: Sequence[Statement]) -> Iterator[tuple[Statement, _Writing]]:
    """Return the statements that write, and the ends of transactions.

    A COMMIT counts as writing if its transaction has written.
    """
    open_, wrote, reading = set[int](), set[int](), set[int]()
    for one in log:
        words = _words(one)
        if _BEGIN.match(words):
            open_.add(one.link)
        elif _END.match(words):
            yield one, "commit" if one.link in wrote and _COMMIT.match(words) else "end"
            for links in (open_, wrote, reading):
                links.discard(one.link)
        elif _READ_ONLY.match(words):
            reading.add(one.link)
        elif one.link in open_ - reading:
            if _writes(one, words):
                wrote.add(one.link)
                yield one, "within"
        elif _WRITES.match(words):
            yield one, "outside"


def boundaries(log: Sequence[Statement]) -> tuple[tuple[Statement, tuple[Side, ...]], ...]:
    """Return the statements that change the database permanently, with the sides that differ.

    A COMMIT of a transaction that has written: before the server receives it, and before the client
    receives the answer. A statement that writes outside a transaction: while the server executes
    it, and afterwards. All other moments within a transaction are equivalent: it is rolled back.
    """
    sides: dict[_Writing, tuple[Side, ...]] = {
        "commit": ("before", "after"),
        "outside": ("while", "after"),
    }
    return tuple((one, sides[what]) for one, what in _writing(log) if what in sides)


def waits(log: Sequence[Statement]) -> tuple[Statement, ...]:
    """Return the application's statements from which on another session's lock has another effect.

    Each that writes outside a transaction; the first that writes in a transaction, where surefoot
    limits the wait; and the first after the application has changed that limit.
    """
    found: list[Statement] = []
    limited = set[int]()  # links whose transaction has been entered
    changes = [(one.number, one.link) for one in log if _LIMIT.match(_words(one))]
    for one, what in _writing(log):
        if what in ("commit", "end"):
            limited.discard(one.link)
            continue
        if one.own:
            continue
        before = found[-1].number if found else 0
        changed = any(link == one.link and before < at < one.number for at, link in changes)
        if what == "outside" or changed or one.link not in limited:
            found.append(one)
        if what == "within":
            limited.add(one.link)
    return tuple(found)


def faults(subject: Subject, log: Sequence[Statement]) -> list[Case]:
    """Return every boundary, killed and cut; first those outside a transaction."""
    return [
        _faulty(subject, does, one, side)
        for one, sides in sorted(boundaries(log), key=lambda found: "while" not in found[1])
        for side in sides
        for does in _ENDS
    ]


def locks(subject: Subject, log: Sequence[Statement]) -> list[Case]:
    """Return every way in which the run may wait for a lock of another session."""
    if subject.structure.way == EMPTY:
        return []
    return [
        Case(subject, "locked", str(one.number), _fault("lock", one, "before"))
        for one in waits(log)
    ]


def samples(subject: Subject, log: Sequence[Statement], rng: random.Random) -> list[Case]:
    """Return every other statement once, with a random side and fault."""
    known = {one.number for one, _ in boundaries(log)}
    sides: tuple[Side, ...] = get_args(Side)
    return [
        _faulty(subject, rng.choice(_ENDS), one, rng.choice(sides), exhaustive=False)
        for one in log
        if one.number not in known
    ]


def _faulty(
    subject: Subject, does: Does, one: Statement, side: Side, *, exhaustive: bool = True
) -> Case:
    kind: Kind = "kill" if does == "kill" else "cut"
    return Case(subject, kind, f"{one.number}-{side}", _fault(does, one, side), exhaustive)


def _fault(does: Does, one: Statement, side: Side) -> Fault:
    return Fault(does, Stop(one.number, side), _words(one)[:80])


_NAME = re.compile(rf"(.+/(?:{'|'.join(get_args(Level))}))/({'|'.join(KINDS)})(?:/(.+))?")

# The details that there are; other kinds have none. A name may come from somebody else's file, and
# its detail decides how many processes are started.
_DETAILS: dict[str, str] = {
    "customised": "[0-9]{1,9}",
    "replicas": "[2-9]|1[0-9]|20",
    "damaged-rows": "|".join(_DAMAGES),
    "locked": "[0-9]{1,9}",
    "down": "(?:[0-9]{1,9})?",
    **dict.fromkeys(_ENDS, "[0-9]{1,9}-(?:before|while|after)"),
}


def parts_of(name: str) -> tuple[str, Kind, str] | None:
    """Split a case's name into the subject's name, the kind and the detail.

    None if no history can have a case of this name.
    """
    found = _NAME.fullmatch(name)
    if found is None or not re.fullmatch(_DETAILS.get(found[2], ""), found[3] or ""):
        return None
    return found[1], cast("Kind", found[2]), found[3] or ""


def case_of(name: str, subjects: Iterable[Subject]) -> Case | None:
    """Return the case of this name (`Case.name`); None if there is none."""
    parts = parts_of(name)
    subject = parts and next((one for one in subjects if one.name == parts[0]), None)
    if parts is None or subject is None:
        return None
    _, kind, detail = parts
    if kind == "locked":
        return Case(subject, kind, detail, Fault("lock", Stop(int(detail), "before")))
    if kind not in _ENDS:
        return Case(subject, kind, detail)
    number, _, side = detail.partition("-")
    at = Stop(int(number), cast("Side", side))
    return Case(subject, kind, detail, Fault("kill" if kind == "kill" else "cut", at))
