"""What `status`, `plan` and `up` answer: the objects of --json, as values.

Each key of these objects is written down here, and nowhere else in the code: `report/json.py` makes
the JSON of these values, and `surefoot.api` gives them to applications. The pages
docs/reference/json-*.md say what each key means. They are dataclasses, because a start with nothing
to do gives one, and loads no msgspec.
"""

from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Why a run was refused or failed."""

    code: str  # the condition: `surefoot explain CODE`
    message: str  # what happened
    seen: tuple[str, ...]  # what was seen, a line each
    database: str  # what state the database is in now
    next: str  # what to do; a line that begins with four spaces is to be copied as it is
    exit_code: int  # what the process returns for this finding


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Which database it was, without a password."""

    address: str  # database, host and port
    source: str  # where the address came from


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """A schema in which others have something."""

    schema: str
    objects: int  # how many there are
    histories: tuple[str, ...]  # the tables in which other migrators remember what they have run


@dataclass(frozen=True, slots=True, kw_only=True)
class Database(Address):
    """Which database it was, what the server says of it, and its version rows."""

    name: str
    role: str
    server_version: str
    current: tuple[str | None, ...]  # the version table's rows
    heads: tuple[str, ...]  # of the code's history
    beside: tuple[Beside, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A name that isn't as a revision has it."""

    what: Literal["missing", "changed", "unexpected"]
    kind: str
    name: str
    expected: tuple[str | None, ...]  # the definitions that it may have; None: it may be missing
    found: str | None  # the definition that it has; None: it isn't there


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A structure compared with that of revisions."""

    revisions: tuple[str, ...]  # the version rows that stand for it
    matching: int  # facts that are as they should be
    differences: tuple[Difference, ...]
    cannot_tell: tuple[str, ...]  # names whose text is no evidence


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """An earlier run whose look still counts."""

    checked: bool  # with a catalogue; else only the version rows were read
    run: str  # as in the journal
    at: str  # in UTC
    differences: int  # the harmless ones
    not_quick: str | None  # why each start looks thoroughly all the same


@dataclass(frozen=True, slots=True, kw_only=True)
class Issue:
    """A name that keeps head's promise, or doesn't."""

    kind: str
    name: str
    expected: str | None
    found: str | None
    why: str
    revision: str | None  # the one that makes it


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """Whether a structure keeps what head promises."""

    broken: tuple[Issue, ...]  # `up` refuses
    harmless: tuple[Issue, ...]
    sql: tuple[str, ...]  # what puts back the broken ones, as far as the catalogue can say


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """An evidence probe that was asked."""

    revision: str
    answer: bool | None  # it has run, it hasn't, or no answer
    error: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Name:
    """A name that an interrupted revision changes."""

    kind: str
    name: str
    place: str  # "there", "missing", "invalid" or "otherwise"


@dataclass(frozen=True, slots=True, kw_only=True)
class Interruption:
    """What is there of a revision that an earlier run left half-way."""

    revision: str
    names: tuple[Name, ...]
    beside: tuple[Difference, ...]  # those that aren't its own


@dataclass(frozen=True, slots=True, kw_only=True)
class Structure:
    """What the catalogue says of the structure.

    Where an earlier run's look still counts, only `verified` is set; without a usable catalogue,
    only `catalogue`, `file` and `why`.
    """

    verified: Verified | None = None
    catalogue: str | None = None  # "usable", "missing", "stale", "unreadable" or "unusable"
    file: str | None = None  # the catalogue's
    why: tuple[str, ...] = ()  # the catalogue isn't used
    facts: int | None = None  # how many were seen
    recorded: Match | None = None  # by the version rows
    exact: tuple[Match, ...] = ()
    nearest: tuple[Match, ...] = ()
    chosen: tuple[str, ...] | None = None  # the version rows that evidence or policy leaves
    by: str | None = None  # what decided for them
    foreign: bool = False  # next to nothing of the application is there
    own: tuple[str, ...] = ()  # the user's own objects
    accepted: tuple[Difference, ...] = ()
    vetoed: tuple[str, ...] = ()
    promise: Promise | None = None
    interruption: Interruption | None = None
    probes: tuple[Probe, ...] = ()


class Step:
    """One step of a plan: one of the classes below, told apart by `step` in JSON."""

    __slots__ = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Install(Step):
    """Run the init scripts, and record the revision that they stand for."""

    step: Literal["install"] = "install"
    scripts: tuple[str, ...]
    revision: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Adopt(Step):
    """Record the revisions that the structure shows."""

    step: Literal["adopt"] = "adopt"
    revisions: tuple[str, ...]
    by: str  # what decided for them
    matching: int
    replaces: tuple[str | None, ...]  # the version rows that were there before
    accepted: tuple[Difference, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Record(Step):
    """Record a revision that was left half-way and is all there."""

    step: Literal["record"] = "record"
    revision: str
    by: str
    matching: int
    replaces: tuple[str | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Undone(Step):
    """Note that nothing is left of a revision that was left half-way."""

    step: Literal["undone"] = "undone"
    revision: str
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DropIndexes(Step):
    """Drop the indexes that an interrupted revision left, before it is run again."""

    step: Literal["drop-indexes"] = "drop-indexes"
    revision: str
    indexes: tuple[str, ...]
    sql: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mend(Step):
    """Finish or undo what a revision has left half-way."""

    step: Literal["mend"] = "mend"
    revision: str
    how: str  # "finish" or "undo"
    outside_before: tuple[str, ...]
    within: tuple[str, ...]  # one transaction
    outside_after: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """A revision that will be run."""

    id: str
    message: str  # the first line of its docstring
    release: str | None  # the application's release that ends with it


@dataclass(frozen=True, slots=True, kw_only=True)
class Upgrade(Step):
    """Run these revisions, in this order."""

    step: Literal["upgrade"] = "upgrade"
    revisions: tuple[Revision, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Seed(Step):
    """Run a seed script."""

    step: Literal["seed"] = "seed"
    script: str
    changed: bool  # it has run before, with other content


# The steps, by what `step` says.
STEPS: dict[str, type[Step]] = {
    "install": Install,
    "adopt": Adopt,
    "record": Record,
    "undone": Undone,
    "drop-indexes": DropIndexes,
    "mend": Mend,
    "upgrade": Upgrade,
    "seed": Seed,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """What a pending revision destroys."""

    kind: str  # "table", "column", "values" or "rows"
    name: str
    detail: str
    revision: str
    rows: int | None  # that have a value there; None: nobody has counted
    estimated: bool  # `rows` is PostgreSQL's estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class OneWay:
    """A pending revision that can't be taken back."""

    revision: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What there is, and what `up` would do about it."""

    exit_code: int  # what the command returns
    database: Database
    structure: Structure | None  # None where the database is empty
    state: str  # one of those in docs/states.md
    plan: tuple[Step, ...]  # in order; empty where there is nothing to do, or `up` would refuse
    losses: tuple[Loss, ...]
    one_way: tuple[OneWay, ...]
    remarks: tuple[str, ...]
    findings: tuple[Finding, ...]  # why `up` would refuse


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A setting whose value isn't the default."""

    key: str
    value: Any
    source: str  # the name of the file, or of the variable


@dataclass(frozen=True, slots=True, kw_only=True)
class Status(Plan):
    """The same, and which release of surefoot looked, with which files and settings."""

    surefoot: str  # its release
    configuration: str | None  # the file's path
    catalogue_file: str  # its path, whether it is there or not
    settings: tuple[Setting, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """One thing that was done and committed."""

    step: str  # "install", "stamp", "adopt", "revision", "seed" …
    name: str  # the script's path, or the revision's id
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a run of `up` ended."""

    exit_code: int
    database: Address
    state: str | None  # the one seen last; None where a step failed
    current: tuple[str, ...] | None  # the version rows now; None where the server wasn't reached
    done: tuple[Done, ...] = ()  # in order; empty where there was nothing to do
    remarks: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()  # why it stopped, if it did
    backup: str | None = None  # taken before the first step
    seconds: float = 0.0  # that the steps took
