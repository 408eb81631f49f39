"""The kinds of PostgreSQL objects that facts speak of: a row each, and what every room asks of it.

Whoever adds a kind to `sql/facts.sql` adds its row here. `tests/unit/test_kinds.py` holds the two
together, and that no rule which must cover every kind has forgotten one.
"""

from typing import Literal

import msgspec

Namespace = Literal["class", "type", "routine"]


class ObjectKind(msgspec.Struct, frozen=True):
    """What holds for every object of a kind."""

    of_table: bool = False
    """Its name begins with the name of the table (or view) that it belongs to."""
    sql: str = ""
    """What DROP and ALTER call it; nothing where it has no statement of its own."""
    takes: tuple[Namespace, ...] = ()
    """The names of its schema that it takes: relations and indexes share theirs, types theirs."""
    needs_create: bool = False
    """Whoever makes it needs CREATE in its schema."""
    owned: bool = False
    """It has an owner of its own, who alone may change it."""
    goes_along: bool = False
    """It is of no use without its table and goes with it, whoever made it."""
    by_content: bool = False
    """It is found by what it says: another name for the same is the same."""
    common: bool = False
    """Any database may have it, made beforehand by an administrator."""


# In the order in which they can be made. They are dropped in the opposite one.
KINDS: dict[str, ObjectKind] = {
    "schema": ObjectKind(sql="schema", common=True),
    "extension": ObjectKind(sql="extension", common=True),
    "enum": ObjectKind(sql="type", takes=("type",), needs_create=True, owned=True),
    "range": ObjectKind(sql="type", takes=("type",), needs_create=True, owned=True),
    "domain": ObjectKind(sql="domain", takes=("type",), needs_create=True, owned=True),
    "domain constraint": ObjectKind(by_content=True),
    "composite type": ObjectKind(
        sql="type", takes=("class", "type"), needs_create=True, owned=True
    ),
    "sequence": ObjectKind(sql="sequence", takes=("class",), needs_create=True, owned=True),
    "function": ObjectKind(sql="function", takes=("routine",), needs_create=True, owned=True),
    "procedure": ObjectKind(sql="procedure", takes=("routine",), needs_create=True, owned=True),
    "aggregate": ObjectKind(sql="aggregate", takes=("routine",), needs_create=True, owned=True),
    # what SQL calls a relation is in its definition: see fact.relation_kind
    "relation": ObjectKind(of_table=True, takes=("class", "type"), needs_create=True, owned=True),
    "column": ObjectKind(of_table=True),
    "option": ObjectKind(of_table=True, goes_along=True),
    "constraint": ObjectKind(of_table=True, by_content=True),
    "index": ObjectKind(
        of_table=True,
        sql="index",
        takes=("class",),
        needs_create=True,
        goes_along=True,
        by_content=True,
    ),
    "replica identity": ObjectKind(of_table=True, goes_along=True),
    "view": ObjectKind(of_table=True),
    "row security": ObjectKind(of_table=True),
    "policy": ObjectKind(of_table=True, sql="policy", by_content=True),
    "statistics": ObjectKind(of_table=True, sql="statistics", needs_create=True, goes_along=True),
    "trigger": ObjectKind(of_table=True, sql="trigger", by_content=True),
    "rule": ObjectKind(of_table=True, sql="rule", by_content=True),
    "event trigger": ObjectKind(sql="event trigger"),
}

_UNKNOWN = ObjectKind()

COMMON = frozenset(name for name, kind in KINDS.items() if kind.common)


def kind_of(name: str) -> ObjectKind:
    """The row of a kind; of one that a newer catalogue knows, a row that promises nothing."""
    return KINDS.get(name, _UNKNOWN)


def rank(kind: str) -> int:
    """The kind's place in the order in which objects can be made; unknown kinds come last."""
    return list(KINDS).index(kind) if kind in KINDS else len(KINDS)
