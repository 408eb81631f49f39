"""Facts: what is true about a database's structure, a line each."""

import re

import msgspec

from surefoot.schema.kinds import Kind, kind_of

_NAME = r'(?:"(?:[^"]|"")*"|[^".\s]+)'
_TWO_NAMES = re.compile(rf"{_NAME}\.{_NAME}")
_OWNER = re.compile(rf" (?:owned by|identity of) ({_NAME}\.{_NAME})\.{_NAME}$")

Key = tuple[Kind, str]  # a fact's kind and name
Definition = str | None  # None: there is no such object


class SchemaFact(msgspec.Struct, frozen=True, order=True):
    """One line about the structure.

    `name` is unique among facts of a `kind`: schema-qualified, a table's parts after the table's
    name, functions with the types of their arguments. `definition` is canonical: equal texts are
    equal facts, from whatever server. So facts can be kept in sets.
    """

    kind: Kind
    name: str
    definition: str


def relation_kind(definition: str) -> str:
    """Return a relation's kind from its fact's definition: table, view and so on."""
    kinds = ("materialized view", "foreign table", "view")
    return next((kind for kind in kinds if definition.startswith(kind)), "table")


def table(fact: SchemaFact) -> str | None:
    """Return the table (or view) that the fact belongs to; None if it belongs to none.

    A sequence belongs to the table whose column owns it.
    """
    if kind_of(fact.kind).of_table:
        found = _TWO_NAMES.match(fact.name)
        return None if found is None else found[0]
    if fact.kind == "sequence":
        owner = _OWNER.search(fact.definition)
        return None if owner is None else owner[1]
    return None
