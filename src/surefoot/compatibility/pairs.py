"""Two structures side by side: the one that the code was written for, and the existing one."""

import enum
from collections.abc import Iterable, Iterator, Mapping

import msgspec

from surefoot.catalogue.catalogue import State
from surefoot.schema.comparison import Comparison, same
from surefoot.schema.condition import Value, literal
from surefoot.schema.definitions import Column, column
from surefoot.schema.fact import Key, SchemaFact, table
from surefoot.schema.kinds import Kind

# The options that decide who reads or writes what through a view; storage options don't.
VIEW_OPTIONS = (".check_option", ".security_invoker", ".security_barrier")
# To add it breaks no code: the view shows the same rows.
BARRIER = ".security_barrier"


class Weight(enum.IntEnum):
    """How much a difference matters.

    LACK: something that the code's head promises is missing or weaker. Older code can run without
    it (a constraint that no longer refuses anything, for example); for the code's own head it means
    that the structure isn't head's.
    """

    REMARK = 0
    LACK = 1
    BREAK = 2


class WeighedIssue(msgspec.Struct, frozen=True):
    """A rule's result for one name."""

    weight: Weight
    kind: Kind
    name: str
    expected: str | None
    found: str | None
    why: str


class SchemaIndex:
    """One structure: definitions by kind and name, and by table.

    `definitions` has every one that a name may have, `optional` the names that may be missing.
    """

    def __init__(
        self, definitions: Mapping[Key, tuple[str, ...]], optional: frozenset[Key]
    ) -> None:
        self.definitions = definitions
        self.optional = optional
        self.columns: dict[str, dict[str, list[Column]]] = {}
        self.tables: dict[str, list[Key]] = {}  # contents of a relation or a domain
        for kind, name in definitions:
            owner = owner_of(kind, name)
            if owner is None:
                continue
            self.tables.setdefault(owner, []).append((kind, name))
            if kind == "column":
                columns = self.columns.setdefault(owner, {})
                columns[name[len(owner) + 1 :]] = [column(d) for d in definitions[kind, name]]

    def has(self, kind: Kind, name: str) -> bool:
        """Whether there is, or may be, such an object."""
        return (kind, name) in self.definitions

    def of(self, owner: str, *kinds: str) -> Iterator[tuple[Key, str]]:
        """Return a table's contents: each definition of these kinds, with its name."""
        for key in self.tables.get(owner, ()):
            if key[0] in kinds:
                for definition in self.definitions[key]:
                    yield key, definition

    def domains(self, type: str) -> list[Column]:
        """Return what a type adds if it is a domain: its NOT NULL and default."""
        return [column(d) for d in self.definitions.get(("domain", type), ())]

    def filled(self, found: Column) -> bool:
        """Whether an INSERT that leaves the column out stores something other than NULL."""
        return found.filled or any(d.default is not None for d in self.domains(found.type))

    def not_null(self, found: Column) -> bool:
        """Whether the column can't be NULL, by itself or by its domain."""
        return found.not_null or any(d.not_null for d in self.domains(found.type))


class SchemaPair:
    """What the code promises, and what exists."""

    def __init__(self, promised: State, live: Iterable[SchemaFact]) -> None:
        found: dict[Key, list[str]] = {}
        for fact in live:
            found.setdefault((fact.kind, fact.name), []).append(fact.definition)
        self.live = SchemaIndex({key: tuple(known) for key, known in found.items()}, frozenset())
        self.promised = SchemaIndex(
            {key: tuple(d for d in known if d is not None) for key, known in promised.items()},
            frozenset(key for key, known in promised.items() if None in known),
        )

    def known_table(self, name: str) -> bool:
        """Whether the code knows the table, and it exists."""
        return self.promised.has("relation", name) and self.live.has("relation", name)

    def new_columns(self, table: str) -> frozenset[str]:
        """Return the columns of a known table that the code doesn't know."""
        known = self.promised.columns.get(table, {})
        return frozenset(self.live.columns.get(table, {})) - frozenset(known)

    def left_null(self, table: str) -> frozenset[str]:
        """Return the new columns that are NULL in every row that the code inserts."""
        columns = self.live.columns.get(table, {})
        return frozenset(
            name
            for name in self.new_columns(table)
            if not any(self.live.filled(c) or self.live.not_null(c) for c in columns[name])
        )

    def row_of_defaults(self, table: str) -> dict[str, Value]:
        """Return the known values of new columns in rows that the code inserts."""
        found: dict[str, Value] = {}
        columns = self.live.columns.get(table, {})
        for name in self.new_columns(table):
            for known in columns[name] if len(columns[name]) == 1 else ():
                if known.default is not None:
                    found[name] = literal(known.default)
                elif not self.live.filled(known):
                    found[name] = None
        return found


def owner_of(kind: Kind, name: str) -> str | None:
    """Return the relation or the domain that an object's name begins with."""
    return table(SchemaFact("column" if kind == "domain constraint" else kind, name, ""))


def alike(kind: Kind, one: str, other: str) -> bool:
    """Whether two definitions mean the same, or can't be distinguished."""
    return same(SchemaFact(kind, "", one), SchemaFact(kind, "", other)) is not Comparison.DIFFERENT
