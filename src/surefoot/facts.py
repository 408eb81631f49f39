"""Facts: what is true about a database's structure, a line each."""

import enum
import re

import msgspec

from surefoot.canonical import is_weak, loosened

_NAME = r'(?:"(?:[^"]|"")*"|[^".\s]+)'
_TWO_NAMES = re.compile(rf"{_NAME}\.{_NAME}")
_OWNER = re.compile(rf" (?:owned by|identity of) ({_NAME}\.{_NAME})\.{_NAME}$")
_FLOATING = re.compile(r"\bdouble precision\b|\bnumeric\b")

# Kinds whose names begin with the table's.
_OF_A_TABLE = frozenset(
    (
        *("relation", "option", "row security", "replica identity", "column", "constraint"),
        *("index", "trigger", "rule", "policy", "statistics", "view"),
    )
)


class Fact(msgspec.Struct, frozen=True, order=True):
    """One line about the structure.

    `name` is unique among facts of a `kind`: schema-qualified, what belongs to a table behind the
    table's name, functions with the types of their arguments. `definition` is canonical: equal
    texts are equal facts, whatever server they were seen on. So facts can be kept in sets.
    """

    kind: str
    name: str
    definition: str

    @property
    def weak(self) -> bool:
        """Whether its definition may be printed otherwise and mean the same: `same` decides.

        Where a weak fact isn't found, one of its kind and name with which it can't be told apart
        is no evidence for or against it.
        """
        if is_weak(self.definition):
            return True
        # the type of a column that is computed with EXTRACT, here or in a view below
        return self.kind == "view" and _FLOATING.search(self.definition) is not None


class Comparison(enum.Enum):
    """The answer of `same`."""

    SAME = "same"
    DIFFERENT = "different"
    CANNOT_TELL = "cannot tell"


def same(one: Fact, other: Fact) -> Comparison:
    """Whether two facts say the same, as far as their texts can tell."""
    if one == other:
        return Comparison.SAME
    if (one.kind, one.name) != (other.kind, other.name) or not (one.weak and other.weak):
        return Comparison.DIFFERENT
    if loosened(one.definition) == loosened(other.definition):
        return Comparison.CANNOT_TELL
    return Comparison.DIFFERENT


def table(fact: Fact) -> str | None:
    """The table (or view) that the fact belongs to; None if it's none's.

    A sequence belongs to the table whose column owns it.
    """
    if fact.kind in _OF_A_TABLE:
        found = _TWO_NAMES.match(fact.name)
        return None if found is None else found[0]
    if fact.kind == "sequence":
        owner = _OWNER.search(fact.definition)
        return None if owner is None else owner[1]
    return None
