"""Where a structure stands in a history, as values: `identify` makes them, `decide` reads them."""

from collections.abc import Callable, Iterable, Mapping
from typing import Literal

import msgspec

from surefoot.catalogue.catalogue import Removed
from surefoot.schema.fact import Definition, Key, SchemaFact, relation_kind, table
from surefoot.schema.kinds import Kind

FAR = 8  # times as many differences: no chance, and no customisation, makes so many


class Difference(msgspec.Struct, frozen=True, order=True):
    """One name that differs from the revision's.

    `expected` are the definitions that it may have there ((None,): it must be absent); `found` is
    the one that it has.
    """

    kind: Kind
    name: str
    expected: tuple[Definition, ...]
    found: Definition

    @property
    def what(self) -> Literal["missing", "changed", "unexpected"]:
        """What is wrong: it is missing, changed, or unexpected."""
        if self.found is None:
            return "missing"
        return "unexpected" if self.expected == (None,) else "changed"


class Match(msgspec.Struct, frozen=True):
    """A comparison of a structure with one set of applied revisions.

    `rows` are their version rows (none: before the first revision); `way` is the catalogue's path
    that fits best. `matching` facts match; `doubtful` names are printed in a way that can't be
    compared.
    """

    rows: tuple[str, ...]
    way: str
    matching: int
    differences: tuple[Difference, ...] = ()
    doubtful: tuple[str, ...] = ()

    @property
    def missing(self) -> tuple[Difference, ...]:
        """The names that should exist and don't, or differ."""
        return tuple(d for d in self.differences if d.what != "unexpected")

    def is_nearer_than(self, other: "Match") -> bool:
        """Whether less differs than from another revision."""
        return len(self.differences) < len(other.differences)

    @property
    def is_close(self) -> bool:
        """Whether very little differs, compared with what matches."""
        return len(self.differences) * FAR <= self.matching


class Probe(msgspec.Struct, frozen=True):
    """A revision's evidence probe and its answer; `answer` is None if it gave none."""

    revision: str
    answer: bool | None
    error: str = ""


Named = tuple[str, str]  # an object's kind and name, also of kinds that no facts describe


class Unseen(msgspec.Struct, frozen=True):
    """An existing object of which no fact tells, mostly because it belongs to another one.

    `kind` is what SQL calls it. `how`: it is a "partition" of the table `of` (or an index or a
    sequence of one), or a member of the "extension" `of`. Otherwise `how` names its kind.
    """

    kind: str
    how: str
    of: str

    @property
    def whose(self) -> str:
        """What it belongs to, in words."""
        partition = "a partition" if self.kind.endswith("table") else "part of a partition"
        return f"{partition} of {self.of}" if self.how == "partition" else f"in extension {self.of}"

    def parted(self, name: str) -> str:
        """Return the statement that makes this table or view an object of its own."""
        if self.how == "partition":
            return f"alter table {self.of} detach partition {name}"
        return f"alter extension {self.of} drop {self.kind} {name}"


AskUnseen = Callable[[Iterable[Named]], Mapping[Named, Unseen]]
"""Which of these exist, though there is no fact of them."""


def nothing_unseen(names: Iterable[Named]) -> dict[Named, Unseen]:
    """Return that none of them does: where nobody can be asked."""
    return {}


class ByHand(msgspec.Struct, frozen=True, order=True):
    """An object that has to be made first, and whose SQL the catalogue doesn't have.

    `needed` is the fact that needs it, if it is of a kind that no facts describe: its revision's
    file shows it.
    """

    kind: str
    name: str
    needed: Key


class Restoration(msgspec.Struct, frozen=True):
    """The SQL that gives a structure what head promises: `statements`, in order.

    `by_hand` are the objects whose SQL the catalogue doesn't have: they come first. `notes` say
    what the statements don't do; each is a sentence.
    """

    statements: tuple[str, ...] = ()
    by_hand: tuple[ByHand, ...] = ()
    notes: tuple[str, ...] = ()


class Taken(msgspec.Struct, frozen=True, order=True):
    """An existing name, and the first revision that makes an object of that name."""

    kind: Kind
    name: str
    by: str


class Issue(msgspec.Struct, frozen=True):
    """A name that differs from what the code expects; `why` says what that means for the code.

    `expected` is the definition that the code knows, `found` the existing one; None: absent. `by`
    is the revision that makes it, if that was asked.
    """

    kind: Kind
    name: str
    expected: str | None
    found: str | None
    why: str
    by: str = ""


class Verdict(msgspec.Struct, frozen=True):
    """Whether the code can run: it can't if anything `breaks` it.

    `remarks` are harmless, and are reported.
    """

    breaks: tuple[Issue, ...] = ()
    remarks: tuple[Issue, ...] = ()

    @property
    def compatible(self) -> bool:
        """Whether the code can run on the structure."""
        return not self.breaks


class Promise(msgspec.Struct, frozen=True):
    """Whether a structure keeps what the code's head promises.

    `broken`: what it lacks, so the application must not start. `harmless`: differences that stop
    nothing. `absent`: none of the application's tables exists. `unrun` are the revisions of which
    nothing exists, each with a later revision of which something does ("": none). `back` is the SQL
    that corrects what is broken; `doubtful` are the revisions that make or may fill it, that may
    change rows, and of which nothing shows that they completed here. `left`, if all tables are
    gone, is the SQL that drops what else the application's revisions have left.
    """

    broken: tuple[Issue, ...] = ()
    harmless: tuple[Issue, ...] = ()
    absent: bool = False
    unrun: tuple[tuple[str, str], ...] = ()
    back: Restoration = Restoration()
    doubtful: tuple[str, ...] = ()
    left: tuple[str, ...] = ()


class Identification(msgspec.Struct, frozen=True):
    """What the catalogue says about a structure."""

    facts: int
    """How many facts were seen."""
    own: tuple[SchemaFact, ...] = ()
    """Facts whose names no revision knows, in the application's schemas: the user's own objects."""
    exact: tuple[Match, ...] = ()
    """All sets of revisions whose structure this is."""
    nearest: tuple[Match, ...] = ()
    """The next best sets if none is exact, the best first."""
    nearer: Match | None = None
    """What the structure is nearer to than to `recorded`; accepted differences count, too."""
    remade: tuple[Taken, ...] = ()
    """Existing objects that a pending revision would make again, if no path in the catalogue leads
    to the version rows, and the structure is nearly that of a later revision.
    """
    chosen: Match | None = None
    """The one of `exact` that the evidence or the policy selects."""
    by: str = ""
    """What selected it: "structure", "evidence", "earliest" or "latest"."""
    recorded: Match | None = None
    """The structure compared with the version rows, if there are any and the code knows them."""
    asked: Match | None = None
    """The same for the rows that a person has named."""
    foreign: bool = False
    """Almost nothing of the application exists."""
    complete: bool = True
    """Every set of revisions was compared."""
    probes: tuple[Probe, ...] = ()
    """The answers of the evidence probes that were asked."""
    accepted: tuple[Difference, ...] = ()
    """Accepted differences that still exist. They stop nothing."""
    vetoed: tuple[str, ...] = ()
    """Revisions that have run by the journal, and that are in none of `exact`."""
    again: tuple[str, ...] = ()
    """Revisions above one of `exact` that have run here by the journal, and may change rows: if
    they ran again, they would change them twice.
    """
    early: tuple[Difference, ...] = ()
    """Differences of `recorded` that exist before the pending revision that makes them."""
    begun: bool = False
    """The first such revision may have run."""
    ahead: Verdict | None = None
    """Whether the code could run on this structure. Asked if a version row isn't known."""
    promise: Promise | None = None
    """Whether the structure keeps what head promises. Asked if the version rows are head's."""
    back: Restoration = Restoration()
    """The SQL that restores all that `recorded` misses, if nothing else is wrong below head."""
    beside: tuple[SchemaFact, ...] = ()
    """Names that no revision knows, in schemas that no revision touches."""
    others: tuple[Taken, ...] = ()
    """What another application's revision has made here, by the journal, and no revision that this
    one has applied. `by` is that other revision, in words.
    """
    taken: tuple[Taken, ...] = ()
    """The existing names that some revision makes.

    Set only if the rows don't say where the structure stands.
    """

    @property
    def made_by_others(self) -> dict[Key, str]:
        """Return `others` by their kinds and names."""
        return {(one.kind, one.name): one.by for one in self.others}

    @property
    def sure(self) -> Match | None:
        """Where the structure certainly stands: the recorded rows, if nothing differs, or the
        identified ones.
        """
        recorded = self.recorded
        return recorded if recorded is not None and not recorded.differences else self.chosen

    @property
    def contradicted(self) -> bool:
        """Whether the structure isn't what the version rows say."""
        return self.recorded is not None and bool(self.recorded.differences)

    @property
    def merely_early(self) -> bool:
        """Whether it is contradicted only by what is in the way of pending revisions."""
        if not self.contradicted or self.recorded is None or self.exact or not self.complete:
            return False
        return set(self.recorded.differences) == set(self.early)

    @property
    def nearer_elsewhere(self) -> bool:
        """Whether another revision's structure is nearer than that of the recorded one."""
        return self.recorded is not None and self.nearer_than(self.recorded)

    def nearer_than(self, recorded: Match) -> bool:
        """Whether one of `nearest` is nearer than this one."""
        return any(stand.is_nearer_than(recorded) for stand in self.nearest)

    @property
    def keeps_promise(self) -> bool:
        """Whether the structure is head's, except for harmless differences.

        If it is exactly another revision's structure, or nearer to one, head was stamped: a
        recorded revision has not run, even if only an index is missing.
        """
        if self.promise is None or self.promise.broken:
            return False
        return not self.contradicted or not (self.exact or self.nearer_elsewhere)

    @property
    def own_objects(self) -> tuple[str, ...]:
        """The user's objects, each once: of a user's table, only the table."""
        tables = {fact.name for fact in self.own if fact.kind in ("relation", "view")}
        return tuple(
            f"{_kind(fact)} {fact.name}"
            for fact in self.own
            if fact.kind == "relation" or table(fact) not in tables
        )


def _kind(fact: SchemaFact) -> str:
    return relation_kind(fact.definition) if fact.kind == "relation" else fact.kind


class StructureLook(msgspec.Struct, frozen=True):
    """Whether there is a usable catalogue; if not, `why`, line by line.

    `file` is where it is, or would be. `removed` are the revisions that it knows and the code
    doesn't have, with their place.
    """

    condition: Literal["usable", "missing", "stale", "unreadable", "unusable"]
    file: str
    why: tuple[str, ...] = ()
    removed: dict[str, Removed] = {}
