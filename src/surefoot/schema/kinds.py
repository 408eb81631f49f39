"""The kinds of PostgreSQL objects that facts describe: a row each, with what every room needs.

A kind that is added to `sql/facts.sql` needs a row here. `tests/unit/test_kinds.py` compares the
two, and checks that every rule for all kinds covers each of them.
"""

from typing import TYPE_CHECKING, Literal

import msgspec

Namespace = Literal["class", "type", "routine"]
if TYPE_CHECKING:
    Kind = Literal[
        "schema",
        "extension",
        "enum",
        "range",
        "domain",
        "domain constraint",
        "composite type",
        "sequence",
        "function",
        "procedure",
        "aggregate",
        "relation",
        "column",
        "option",
        "constraint",
        "index",
        "replica identity",
        "view",
        "row security",
        "policy",
        "statistics",
        "trigger",
        "rule",
        "event trigger",
    ]
else:
    Kind = str  # a catalogue or a journal of another surefoot may have others


class ObjectKind(msgspec.Struct, frozen=True):
    """The properties of every object of a kind."""

    of_table: bool = False
    """Its name begins with the name of the table (or view) that it belongs to."""
    sql: str = ""
    """Its name in DROP and ALTER; empty if it has no statement of its own."""
    takes: tuple[Namespace, ...] = ()
    """The namespaces of its schema that it uses: relations and indexes share theirs, types theirs.
    """
    needs_create: bool = False
    """Creating it requires CREATE on its schema."""
    owned: bool = False
    """It has an owner of its own, and only the owner may change it."""
    goes_along: bool = False
    """It is useless without its table and goes with it, whoever created it."""
    by_content: bool = False
    """It is matched by content: the same under another name is the same."""
    common: bool = False
    """Any database may have it, created by an administrator."""


# In the order in which they can be created. They are dropped in the opposite order.
KINDS: dict[Kind, ObjectKind] = {
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
    # the definition has the SQL word for a relation: see fact.relation_kind
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
_BY_NAME: dict[str, ObjectKind] = {**KINDS}

COMMON = frozenset(name for name, kind in KINDS.items() if kind.common)


def kind_of(name: str) -> ObjectKind:
    """Return the row of a kind; for an unknown kind, a row without properties."""
    return _BY_NAME.get(name, _UNKNOWN)


def rank(kind: str) -> int:
    """Return the kind's place in the order of creation; unknown kinds come last."""
    return list(_BY_NAME).index(kind) if kind in _BY_NAME else len(_BY_NAME)
