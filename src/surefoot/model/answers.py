"""The answers of `status`, `plan` and `up`: the objects of --json, as values.

This module defines the keys of these objects: `report/json.py` turns the values into JSON, and
`surefoot.api` returns them to applications. The pages docs/reference/json-*.md describe each key.
These are dataclasses because a start with nothing to do returns one, and must not load msgspec.
"""

from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Why a run was refused or failed."""

    code: str  # the condition: `surefoot explain CODE`
    message: str  # what happened
    seen: tuple[str, ...]  # what was seen, line by line
    database: str  # what state the database is in now
    next: str  # what to do; copy lines that begin with four spaces as they are
    exit_code: int  # what the process returns for this finding


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """The database that was used, without a password."""

    address: str  # database, host and port
    source: str  # where the address came from


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """A schema that contains objects of others."""

    schema: str
    objects: int  # their number
    histories: tuple[str, ...]  # the version tables of other migration tools


@dataclass(frozen=True, slots=True, kw_only=True)
class Database(Address):
    """The database that was used, what its server reports, and its version rows."""

    name: str
    role: str
    server_version: str
    current: tuple[str | None, ...]  # the version table's rows
    heads: tuple[str, ...]  # of the code's history
    beside: tuple[Beside, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A name whose definition differs from the revision's."""

    what: Literal["missing", "changed", "unexpected"]
    kind: str
    name: str
    expected: tuple[str | None, ...]  # the definitions that it may have; None: it may be missing
    found: str | None  # the definition that it has; None: it is missing


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A comparison of a structure with the structure of revisions."""

    revisions: tuple[str, ...]  # the version rows of that structure
    matching: int  # number of facts that match
    differences: tuple[Difference, ...]
    cannot_tell: tuple[str, ...]  # names whose text proves nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """An earlier run whose look is still valid."""

    checked: bool  # with a catalogue; otherwise only the version rows were read
    run: str  # as in the journal
    at: str  # in UTC
    differences: int  # the harmless ones
    not_quick: str | None  # why each start takes the thorough look anyway


@dataclass(frozen=True, slots=True, kw_only=True)
class Issue:
    """A name, and whether it keeps head's promise."""

    kind: str
    name: str
    expected: str | None
    found: str | None
    why: str
    revision: str | None  # the revision that makes it


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """Whether a structure keeps head's promise."""

    broken: tuple[Issue, ...]  # `up` refuses
    harmless: tuple[Issue, ...]
    sql: tuple[str, ...]  # restores the broken names, as far as the catalogue knows


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """An evidence probe and its answer."""

    revision: str
    answer: bool | None  # True: it has run; False: it hasn't; None: no answer
    error: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Name:
    """A name that an interrupted revision changes."""

    kind: str
    name: str
    place: str  # "there", "missing", "invalid" or "otherwise"


@dataclass(frozen=True, slots=True, kw_only=True)
class Interruption:
    """The parts of a revision that an earlier run left half-way."""

    revision: str
    names: tuple[Name, ...]
    beside: tuple[Difference, ...]  # differences outside the revision


@dataclass(frozen=True, slots=True, kw_only=True)
class Structure:
    """The structure, compared with the catalogue.

    If an earlier run's look is still valid, only `verified` is set; without a usable catalogue,
    only `catalogue`, `file` and `why`.
    """

    verified: Verified | None = None
    catalogue: str | None = None  # "usable", "missing", "stale", "unreadable" or "unusable"
    file: str | None = None  # the catalogue's
    why: tuple[str, ...] = ()  # why the catalogue isn't used
    facts: int | None = None  # number of facts seen
    recorded: Match | None = None  # comparison with the version rows' revisions
    exact: tuple[Match, ...] = ()
    nearest: tuple[Match, ...] = ()
    chosen: tuple[str, ...] | None = None  # the version rows that evidence or policy selects
    by: str | None = None  # what selected them
    foreign: bool = False  # almost nothing of the application is there
    own: tuple[str, ...] = ()  # the user's own objects
    accepted: tuple[Difference, ...] = ()
    vetoed: tuple[str, ...] = ()
    promise: Promise | None = None
    interruption: Interruption | None = None
    probes: tuple[Probe, ...] = ()


class Step:
    """One step of a plan: one of the classes below. In JSON, `step` names the class."""

    __slots__ = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Install(Step):
    """Run the init scripts, and record the revisions that they stand for.

    `revision` is the only one; None if there are several, or if they aren't known yet.
    """

    step: Literal["install"] = "install"
    scripts: tuple[str, ...]
    revision: str | None
    revisions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Adopt(Step):
    """Record the revisions that the structure shows."""

    step: Literal["adopt"] = "adopt"
    revisions: tuple[str, ...]
    by: str  # what selected them
    matching: int
    replaces: tuple[str | None, ...]  # the version rows before
    accepted: tuple[Difference, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Record(Step):
    """Record a revision that was left half-way and is complete."""

    step: Literal["record"] = "record"
    revision: str
    below: tuple[str, ...]
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
    """Finish or undo a revision that was left half-way."""

    step: Literal["mend"] = "mend"
    revision: str
    how: str  # "finish" or "undo"
    outside_before: tuple[str, ...]
    within: tuple[str, ...]  # those in one transaction
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
    changed: bool  # it has run before, with different content


# the step classes, by their value of `step`
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
    """Data that a pending revision destroys."""

    kind: str  # "table", "column", "values" or "rows"
    name: str
    detail: str
    revision: str
    rows: int | None  # that have a value there; None: not counted
    estimated: bool  # `rows` is PostgreSQL's estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class OneWay:
    """A pending revision that can't be undone."""

    revision: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The state of the database, and what `up` would do."""

    exit_code: int  # what the command returns
    database: Database
    structure: Structure | None  # None if the database is empty
    state: str  # one of those in docs/reference/states.md
    plan: tuple[Step, ...]  # in order; empty if there is nothing to do or `up` would refuse
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
    """Like Plan, with the version of surefoot and the files and settings that it used."""

    surefoot: str  # its version
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
    state: str | None  # the last one seen; None if a step failed
    current: tuple[str, ...] | None  # the version rows now; None if the server wasn't reached
    done: tuple[Done, ...] = ()  # in order; empty if there was nothing to do
    remarks: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()  # why it stopped, if it did
    backup: str | None = None  # taken before the first step
    seconds: float = 0.0  # duration of the steps
