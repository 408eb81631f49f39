"""Where a structure stands in a history, as values: made by `identify`, read by `decide`."""

from typing import Literal

import msgspec

from surefoot.catalogue.catalogue import Removed
from surefoot.schema.fact import Definition, Key, SchemaFact, relation_kind, table


class Difference(msgspec.Struct, frozen=True, order=True):
    """One name that is not as a revision has it.

    `expected` are the definitions that it may have there ((None,): it may not be there at all);
    `found` is what it has.
    """

    kind: str
    name: str
    expected: tuple[Definition, ...]
    found: Definition

    @property
    def what(self) -> Literal["missing", "changed", "unexpected"]:
        """What is wrong: it isn't there, it's otherwise, or it should not be there."""
        if self.found is None:
            return "missing"
        return "unexpected" if self.expected == (None,) else "changed"


class Match(msgspec.Struct, frozen=True):
    """A structure held against one set of applied revisions.

    `rows` are the version rows that stand for them (none: before the first revision); `way` is the
    catalogue's way that fits best. `matching` facts are as they should be; `doubtful` names are
    printed so that it can't be told whether they are.
    """

    rows: tuple[str, ...]
    way: str
    matching: int
    differences: tuple[Difference, ...] = ()
    doubtful: tuple[str, ...] = ()

    @property
    def missing(self) -> tuple[Difference, ...]:
        """What should be there, and isn't as it should be."""
        return tuple(d for d in self.differences if d.what != "unexpected")


class Probe(msgspec.Struct, frozen=True):
    """A revision's evidence probe and its answer; `answer` is None where it gave none."""

    revision: str
    answer: bool | None
    error: str = ""


class Restoration(msgspec.Struct, frozen=True):
    """The SQL that gives a structure what head promises: `statements`, in order.

    `by_hand` are the objects whose SQL the catalogue can't give. `notes` say what the statements
    don't do.
    """

    statements: tuple[str, ...] = ()
    by_hand: tuple[Key, ...] = ()
    notes: tuple[str, ...] = ()


class Taken(msgspec.Struct, frozen=True, order=True):
    """A name that is there, and the first revision that makes something of that name."""

    kind: str
    name: str
    by: str


class Issue(msgspec.Struct, frozen=True):
    """One name that isn't as the code knows it; `why` says what that means for the code.

    `expected` is the definition that the code knows, `found` the one that is there; None: nothing.
    `by` is the revision that makes it, where that was asked.
    """

    kind: str
    name: str
    expected: str | None
    found: str | None
    why: str
    by: str = ""


class Verdict(msgspec.Struct, frozen=True):
    """Whether the code can run: not if anything `breaks` it. `remarks` are harmless, and told."""

    breaks: tuple[Issue, ...] = ()
    remarks: tuple[Issue, ...] = ()

    @property
    def compatible(self) -> bool:
        """Whether the code can run on the structure."""
        return not self.breaks


class Promise(msgspec.Struct, frozen=True):
    """Whether a structure keeps what the code's head promises.

    `broken`: what it lacks; the application must not start. `harmless`: what differs and stops
    nobody. `absent`: none of the application's tables is there. `unrun` are the revisions of which
    nothing is there, each with a later revision of which something is ("": there is none). `back`
    is the SQL that puts right what is broken; `doubtful` are the revisions that make it of which
    nothing shows that they ran to their end here, and which may change rows. `left`, where all
    tables are gone, is the SQL that drops what else the application's revisions have left.
    """

    broken: tuple[Issue, ...] = ()
    harmless: tuple[Issue, ...] = ()
    absent: bool = False
    unrun: tuple[tuple[str, str], ...] = ()
    back: Restoration = Restoration()
    doubtful: tuple[str, ...] = ()
    left: tuple[str, ...] = ()


class Identification(msgspec.Struct, frozen=True):
    """What the catalogue says of a structure."""

    facts: int
    """How many facts were seen."""
    own: tuple[SchemaFact, ...] = ()
    """Those whose names no revision knows, in the application's schemas: the user's own objects."""
    exact: tuple[Match, ...] = ()
    """All sets of revisions whose structure this is."""
    nearest: tuple[Match, ...] = ()
    """The next best sets where none is exact, the best first."""
    chosen: Match | None = None
    """The one of `exact` that the evidence or the policy leaves."""
    by: str = ""
    """What decided for it: "structure", "evidence", "earliest" or "latest"."""
    recorded: Match | None = None
    """The structure compared with the version rows, where there are any and the code knows them."""
    asked: Match | None = None
    """The same for the rows that a person has named."""
    foreign: bool = False
    """Next to nothing of the application is there."""
    complete: bool = True
    """Every set of revisions was compared."""
    probes: tuple[Probe, ...] = ()
    """The answers of the evidence probes that were asked."""
    accepted: tuple[Difference, ...] = ()
    """Differences that are as a person has accepted them. They stop nothing."""
    vetoed: tuple[str, ...] = ()
    """Revisions that the journal says have run, and that are in none of `exact`."""
    early: tuple[Difference, ...] = ()
    """Differences of `recorded` that are there before the pending revision that makes them."""
    begun: bool = False
    """The first such revision may have run."""
    ahead: Verdict | None = None
    """Whether the code could run on this structure. Asked where a version row isn't known."""
    promise: Promise | None = None
    """Whether the structure keeps what head promises. Asked where the version rows are head's."""
    back: Restoration = Restoration()
    """What puts back all that `recorded` misses, where that is all that is wrong below head."""
    beside: tuple[SchemaFact, ...] = ()
    """Names that no revision knows, in schemas that no revision touches."""
    taken: tuple[Taken, ...] = ()
    """The names that some revision makes, and that are there. Told only where the rows don't say
    where the structure stands.
    """

    @property
    def sure(self) -> Match | None:
        """Where the structure stands for certain: what is recorded, if nothing differs, or else
        what it was identified as.
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
        recorded = self.recorded
        return recorded is not None and any(
            len(stand.differences) < len(recorded.differences) for stand in self.nearest
        )

    @property
    def keeps_promise(self) -> bool:
        """Whether the structure is head's, but for what stops nobody.

        What is exactly another revision's structure, or nearer to it, was stamped: then a revision
        is recorded that has not run, even if nothing else is missing than an index.
        """
        if self.promise is None or self.promise.broken:
            return False
        return not self.contradicted or not (self.exact or self.nearer_elsewhere)

    @property
    def own_objects(self) -> tuple[str, ...]:
        """The user's objects, each once: of a table of his own, only the table."""
        tables = {fact.name for fact in self.own if fact.kind in ("relation", "view")}
        return tuple(
            f"{_kind(fact)} {fact.name}"
            for fact in self.own
            if fact.kind == "relation" or table(fact) not in tables
        )


def _kind(fact: SchemaFact) -> str:
    return relation_kind(fact.definition) if fact.kind == "relation" else fact.kind


class StructureLook(msgspec.Struct, frozen=True):
    """Whether there is a catalogue to go by: if not, `why`, a line each.

    `file` is where it is, or would be. `removed` are the revisions that it knows and the code
    doesn't have, with their place.
    """

    condition: Literal["usable", "missing", "stale", "unreadable", "unusable"]
    file: str
    why: tuple[str, ...] = ()
    removed: dict[str, Removed] = {}
