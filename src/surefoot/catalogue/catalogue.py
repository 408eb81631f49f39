"""The catalogue: the structure that each revision of a history makes, as a value.

A revision's `Change` says for one name what may be there from then on. Nearly always that is one
definition, or nothing; where a structure depends on how the revisions were run (all in one run or
one by one, from which release's init scripts they began), it's several: each is as good as the
other, and the first is what the way itself made.
"""

import functools
from collections.abc import Iterable, Mapping
from typing import Literal

import msgspec

from surefoot.model.history import History
from surefoot.schema.fact import Definition, Key, SchemaFact
from surefoot.schema.kinds import COMMON
from surefoot.schema.names import schema_of, split_name

State = Mapping[Key, tuple[Definition, ...]]  # what may be there; names that aren't in it may not


class Change(msgspec.Struct, frozen=True, order=True):
    """What becomes of one name: the definitions that it had, those that it may have from here on.

    `after` is never empty: (None,) says that the object is gone.
    """

    kind: str
    name: str
    before: tuple[str, ...]
    after: tuple[Definition, ...]

    @property
    def key(self) -> Key:
        """The name that it's about, with its kind."""
        return self.kind, self.name


Verdict = Literal["proved", "leaves", "fails", "empty", "untried"]


class DownStatement(msgspec.Struct, frozen=True):
    """One statement of a downgrade. `alone`: it was executed outside a transaction."""

    sql: str
    alone: bool = False


NEEDS_CODE = "needs its code"


class Downgrade(msgspec.Struct, frozen=True):
    """What a revision's downgrade() did when it was tried on the scratch server.

    `proved`: it gave exactly the structure below. `leaves`: it ran, and `left` is the difference.
    `fails`: it raised; `why` in a word. `empty`: it does nothing, and the upgrade did something.
    `untried`: it can't be tried; `why` not. `statements` are those that it executed, where they do
    the same without its code; else `why` is NEEDS_CODE, and there are none. `again`: behind it the
    upgrade didn't do what it had done: how it failed, or that it made another structure.
    """

    verdict: Verdict
    why: str = ""
    statements: tuple[DownStatement, ...] = ()
    left: tuple[Change, ...] = ()
    again: str = ""


class Varying(msgspec.Struct, frozen=True, order=True):
    """Something that a revision doesn't make the same twice.

    `name` and `definition` have `…` where they differ each time. `order`: the parts of the
    definition are the same, in another order; `definition` is one such order, "" for an enum.
    """

    kind: str
    name: str
    how: Literal["order", "text"]
    definition: str = ""


class InitScripts(msgspec.Struct, frozen=True):
    """The scripts that a fresh install begins with: path and hash of each, and their revision.

    `former` are those that earlier releases began with, for the same revision: for each release
    its scripts. A hash of "" says that the file isn't there: it's only needed where a catalogue
    is made.
    """

    revision: str
    scripts: tuple[tuple[str, str], ...]
    former: tuple[tuple[tuple[str, str], ...], ...] = ()


class Removed(msgspec.Struct, frozen=True):
    """A revision that the history had once, and has no more.

    `below` are the revisions that it needed, `title`, `path` and `sha256` its file's. `same` is the
    revision of the code that makes the same structure ("": none does): it was squashed into that
    one, or is called so now. `before` are the revisions of the code that come after its place.
    """

    below: tuple[str, ...] = ()
    title: str = ""
    path: str = ""
    sha256: str = ""
    same: str = ""
    before: tuple[str, ...] = ()


class Origin(msgspec.Struct, frozen=True):
    """A structure that a release made without the history, and the version rows that it wrote.

    Made by a call of the application's (`create`: create_all, say), or by `scripts`: path and hash
    of each.
    """

    name: str
    rows: tuple[str, ...]
    create: str = ""
    scripts: tuple[tuple[str, str], ...] = ()

    @property
    def way(self) -> str:
        """The name of the way that begins here."""
        return f"origin {self.name}"


class Way(msgspec.Struct, frozen=True):
    """One way to the head: `base` through every revision, `init` from the init scripts on, and one
    from each origin on.

    `start` are the revisions that are applied where it begins, `initial` is the structure there;
    `changes` are what each further revision does, in the order that they were run. It may end early
    where a revision can't be run on what the origin made.
    """

    name: str
    start: frozenset[str]
    initial: tuple[Change, ...]
    changes: dict[str, tuple[Change, ...]]

    def leads_to(self, applied: frozenset[str]) -> bool:
        """Whether its end or a place on it is where just these revisions are applied."""
        return self.start <= applied and applied <= self.start.union(self.changes)


class Catalogue(msgspec.Struct, frozen=True, dict=True):
    """A history, and for each revision its structure and its downgrade.

    `history` holds the revisions in the order that they were run, their hashes as they were then.
    `schema` is where the application's connection made what it didn't name a schema for.
    `removed` are revisions that an earlier build of the catalogue knew, by id.
    `varies` is what a revision doesn't make the same twice, by revision. `origins` are the other
    beginnings that releases had. `one_of` are names that may each be missing behind a revision,
    though every replay made at least one of each kind.
    """

    history: History
    ways: tuple[Way, ...]
    init: InitScripts | None = None
    downgrades: dict[str, Downgrade] = {}
    schema: str = "public"
    removed: dict[str, Removed] = {}
    varies: dict[str, tuple[Varying, ...]] = {}
    origins: tuple[Origin, ...] = ()
    one_of: dict[str, tuple[Key, ...]] = {}

    @functools.cached_property
    def index(self) -> "Index":
        """The same by numbers, for those who go through all of it."""
        return Index(self.ways)

    @property
    def loaded(self) -> tuple[Key, ...]:
        """What the application itself makes while it is loaded, before the first revision; without
        what administrators make beforehand, a schema or an extension.
        """
        base = self.way("base")
        made = base.initial if base is not None else ()
        return tuple(change.key for change in made if change.kind not in COMMON)

    def way(self, name: str) -> Way | None:
        """The way of that name, if the catalogue has it."""
        return next((way for way in self.ways if way.name == name), None)

    def way_to(self, applied: frozenset[str]) -> Way | None:
        """The first way that leads to this set of applied revisions."""
        return next((way for way in self.ways if way.leads_to(applied)), None)


Numbered = list[tuple[int, tuple[Definition, ...]]]


class Index:
    """Every name that some revision knows has a number; changes by number are quick to go through.

    `keys` are the names by number, `numbers` the numbers by name; `initial` and `changes` are a
    way's, by its name.
    """

    def __init__(self, ways: tuple[Way, ...]) -> None:
        self.numbers: dict[Key, int] = {}
        self.initial = {way.name: self._numbered(way.initial) for way in ways}
        self.changes = {
            way.name: {id: self._numbered(changed) for id, changed in way.changes.items()}
            for way in ways
        }
        self.keys = list(self.numbers)

    @functools.cached_property
    def schemas(self) -> frozenset[str]:
        """Every schema that some revision touches."""
        return frozenset(filter(None, (schema_of(*key) for key in self.keys)))

    @functools.cached_property
    def tables(self) -> frozenset[str]:
        """The names of the tables and views that some revision makes, without their schemas."""
        return frozenset(split_name(name)[-1] for kind, name in self.keys if kind == "relation")

    def _numbered(self, changed: Iterable[Change]) -> Numbered:
        numbers = self.numbers
        return [
            (numbers.setdefault((change.kind, change.name), len(numbers)), change.after)
            for change in changed
        ]


def state(way: Way, applied: frozenset[str]) -> dict[Key, tuple[Definition, ...]]:
    """What may be there when these revisions are applied."""
    absent = (None,)
    found = {(change.kind, change.name): change.after for change in way.initial}
    for revision, changes in way.changes.items():
        if revision in applied:
            for change in changes:
                if change.after == absent:
                    found.pop((change.kind, change.name), None)
                else:
                    found[change.kind, change.name] = change.after
    return found


def facts_of(state: State) -> tuple[SchemaFact, ...]:
    """The facts of a state, every variant among them, sorted."""
    return tuple(
        sorted(
            SchemaFact(*key, definition)
            for key, allowed in state.items()
            for definition in allowed
            if definition is not None
        )
    )


def state_of(facts: Iterable[SchemaFact]) -> dict[Key, tuple[Definition, ...]]:
    """A structure that was seen, as a state."""
    return {(fact.kind, fact.name): (fact.definition,) for fact in facts}


def changes(before: State, after: State) -> tuple[Change, ...]:
    """What leads from one state to the other, sorted."""
    absent = (None,)
    return tuple(
        sorted(
            Change(
                *key,
                tuple(d for d in before.get(key, absent) if d is not None),
                after.get(key, absent),
            )
            for key in before.keys() | after.keys()
            if before.get(key, absent) != after.get(key, absent)
        )
    )


def conflicts(catalogue: Catalogue, way: Way) -> dict[str, dict[Key, frozenset[str]]]:
    """For each revision the names that another one touches, too, of which it is neither ancestor
    nor descendant and which was run before it. Without that one, nobody has seen the result.
    """
    if len(catalogue.history.branching) == 0:
        return {}
    touchers: dict[Key, list[str]] = {}
    found: dict[str, dict[Key, frozenset[str]]] = {}
    for revision, changed in way.changes.items():
        below: frozenset[str] | None = None
        for change in changed:
            earlier = touchers.setdefault(change.key, [])
            if earlier:
                below = below or catalogue.history.applied((revision,))
                beside = frozenset(earlier) - below
                if beside:
                    found.setdefault(revision, {})[change.key] = beside
            earlier.append(revision)
    return found
