"""The catalogue as a value: the structure that each revision of a history makes.

A revision's `Change` says for one name what may exist from then on. Nearly always that is one
definition, or nothing. If a structure depends on how the revisions were run (all in one run or one
by one, from which release's init scripts they began), there are several: each is as good as the
others, and the first is what the path itself made.
"""

import functools
import itertools
from collections.abc import Iterable, Mapping
from typing import Literal

import msgspec

from surefoot.model.history import History
from surefoot.schema.fact import Definition, Key, SchemaFact
from surefoot.schema.kinds import COMMON, Kind
from surefoot.schema.names import schema_of, split_name

State = Mapping[Key, tuple[Definition, ...]]  # what may exist; names that aren't in it must not


class Change(msgspec.Struct, frozen=True, order=True):
    """The change of one name: the definitions before, and those allowed from here on.

    `after` is never empty: (None,) says that the object is removed.
    """

    kind: Kind
    name: str
    before: tuple[str, ...]
    after: tuple[Definition, ...]

    @property
    def key(self) -> Key:
        """The kind and the name that it is about."""
        return self.kind, self.name


Verdict = Literal["proved", "leaves", "fails", "empty", "untried"]


class DownStatement(msgspec.Struct, frozen=True):
    """One statement of a downgrade. `alone`: it was executed outside a transaction."""

    sql: str
    alone: bool = False


NEEDS_CODE = "needs its code"


class Downgrade(msgspec.Struct, frozen=True):
    """What a revision's downgrade() did when it was tested on the scratch server.

    `proved`: it gave exactly the structure below. `leaves`: it ran, and `left` is the difference.
    `fails`: it raised; `why` says it in a word. `empty`: it does nothing, although the upgrade did
    something. `untried`: it can't be tested; `why` gives the reason. `statements` are those that it
    executed, if they have the same effect without its code; otherwise `why` is NEEDS_CODE, and
    there are none. `again`: after it, the upgrade no longer made the same changes: how it failed,
    or that it made another structure.
    """

    verdict: Verdict
    why: str = ""
    statements: tuple[DownStatement, ...] = ()
    left: tuple[Change, ...] = ()
    again: str = ""


class Varying(msgspec.Struct, frozen=True, order=True):
    """Something that differs each time a revision runs.

    `name` and `definition` have `…` where they differ. `order`: the parts of the definition are the
    same, in another order; `definition` is one such order, "" for an enum.
    """

    kind: Kind
    name: str
    how: Literal["order", "text"]
    definition: str = ""


class InitScripts(msgspec.Struct, frozen=True):
    """The scripts of a fresh install: path and hash of each, and their revisions.

    `former` are those of earlier releases for the same revisions: for each release its scripts. A
    hash of "" says that the file is missing: only a build needs it.
    """

    revisions: tuple[str, ...]
    scripts: tuple[tuple[str, str], ...]
    former: tuple[tuple[tuple[str, str], ...], ...] = ()


class Removed(msgspec.Struct, frozen=True):
    """A revision that was once in the history, and no longer is.

    `below` are the revisions that it needed, `title`, `path` and `sha256` its file's. `same` is the
    code's revision that makes the same structure ("": none): this one was squashed into it, or
    renamed to it. `before` are the code's revisions that come after its place.
    """

    below: tuple[str, ...] = ()
    title: str = ""
    path: str = ""
    sha256: str = ""
    same: str = ""
    before: tuple[str, ...] = ()


class Origin(msgspec.Struct, frozen=True):
    """A structure that a release made without the history, and the version rows that it wrote.

    Made by a call of the application's (`create`: create_all, for example), or by `scripts`: path
    and hash of each.
    """

    name: str
    rows: tuple[str, ...]
    create: str = ""
    scripts: tuple[tuple[str, str], ...] = ()

    @property
    def way(self) -> str:
        """The name of the path that begins here."""
        return f"{_ORIGIN}{self.name}"


_ORIGIN = "origin "


def is_origin(way: str) -> bool:
    """Whether a path of that name begins with an origin."""
    return way.startswith(_ORIGIN)


class Way(msgspec.Struct, frozen=True):
    """A path to the head: `base` through every revision, `init` from the init scripts, or from an
    origin.

    `start` are the revisions that are applied where it begins, `initial` is the structure there;
    `changes` are those of each further revision, in the order that they were run. It may end early
    if a revision fails on the origin's structure.
    """

    name: str
    start: frozenset[str]
    initial: tuple[Change, ...]
    changes: dict[str, tuple[Change, ...]]

    def leads_to(self, applied: frozenset[str]) -> bool:
        """Whether exactly these revisions are applied at some point of the path."""
        return self.start <= applied and applied <= self.start.union(self.changes)


class Catalogue(msgspec.Struct, frozen=True, dict=True):
    """A history, and for each revision its structure and its downgrade.

    `history` holds the revisions in the order that they were run, with their hashes of that time.
    `schema` is where the application's connection created names without a schema. `removed` are
    revisions that an earlier build of the catalogue knew, by id. `varies` is what differs each time
    a revision runs, by revision. `origins` are the other starting points of releases. `one_of` are
    names that may each be missing after a revision, though every replay made at least one of each
    kind. `any_schema`: the build saw the base path make the same in another current schema.
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
    any_schema: bool = False

    @functools.cached_property
    def index(self) -> "Index":
        """The same content by numbers, for code that walks all of it."""
        return Index(self.ways)

    @property
    def schemas(self) -> frozenset[str]:
        """The application's schemas: those that some revision touches.

        That of names without a schema is one of them only if there is such a name; or if no
        revision touches any.
        """
        return self.index.schemas or frozenset((self.schema,))

    @property
    def loaded(self) -> tuple[Key, ...]:
        """What the application itself makes while it is loaded, before the first revision."""
        return self.beginning("base")

    def beginning(self, name: str) -> tuple[Key, ...]:
        """Return what there is where the path of that name begins; without what administrators
        make in advance, a schema or an extension.
        """
        way = self.way(name)
        made = way.initial if way is not None else ()
        return tuple(change.key for change in made if change.kind not in COMMON)

    def way(self, name: str) -> Way | None:
        """Return the path of that name, if the catalogue has it."""
        return next((way for way in self.ways if way.name == name), None)

    def way_to(self, applied: frozenset[str]) -> Way | None:
        """Return the first path that leads to this set of applied revisions."""
        return next((way for way in self.ways if way.leads_to(applied)), None)


Numbered = list[tuple[int, tuple[Definition, ...]]]


class Index:
    """Numbers for all names that some revision knows, so that walking changes is fast.

    `keys` are the names by number, `numbers` the numbers by name; `initial` and `changes` belong to
    a path, by its name.
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

    @functools.cached_property
    def beyond(self) -> dict[str, frozenset[int]]:
        """For each path the names that only an origin's path knows, and not this one.

        No revision of the history's own makes them, so on this path they are the user's own.
        """
        known = {
            name: {n for n, _ in (*self.initial[name], *itertools.chain(*changed.values()))}
            for name, changed in self.changes.items()
        }
        own = {n for name, numbers in known.items() if not is_origin(name) for n in numbers}
        every = frozenset(range(len(self.keys)))
        return {name: every - own - numbers for name, numbers in known.items()}

    def _numbered(self, changed: Iterable[Change]) -> Numbered:
        numbers = self.numbers
        return [
            (numbers.setdefault((change.kind, change.name), len(numbers)), change.after)
            for change in changed
        ]


def state(way: Way, applied: frozenset[str]) -> dict[Key, tuple[Definition, ...]]:
    """Return what may exist when these revisions are applied."""
    absent = (None,)
    found: dict[Key, tuple[Definition, ...]] = {
        (change.kind, change.name): change.after for change in way.initial
    }
    for revision, changes in way.changes.items():
        if revision in applied:
            for change in changes:
                if change.after == absent:
                    found.pop((change.kind, change.name), None)
                else:
                    found[change.kind, change.name] = change.after
    return found


def facts_of(state: State) -> tuple[SchemaFact, ...]:
    """Return the facts of a state with all variants, sorted."""
    return tuple(
        sorted(
            SchemaFact(*key, definition)
            for key, allowed in state.items()
            for definition in allowed
            if definition is not None
        )
    )


def state_of(facts: Iterable[SchemaFact]) -> dict[Key, tuple[Definition, ...]]:
    """Return a structure that was seen as a state."""
    return {(fact.kind, fact.name): (fact.definition,) for fact in facts}


def changes(before: State, after: State) -> tuple[Change, ...]:
    """Return the changes from one state to the other, sorted."""
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
    """Return for each revision the names that a revision on a parallel branch, run earlier, also
    touches.

    The result without that other revision was never seen.
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
