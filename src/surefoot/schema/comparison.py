"""Compare two facts, as far as their texts allow."""

import enum
import re

from surefoot.schema.canonical import is_weak, loosened
from surefoot.schema.fact import SchemaFact

_FLOATING = re.compile(r"\bdouble precision\b|\bnumeric\b")


class Comparison(enum.Enum):
    """The result of `same`."""

    SAME = "same"
    DIFFERENT = "different"
    CANNOT_TELL = "cannot tell"


def same(one: SchemaFact, other: SchemaFact) -> Comparison:
    """Whether two facts mean the same, as far as their texts show."""
    if one == other:
        return Comparison.SAME
    if (one.kind, one.name) != (other.kind, other.name) or not (weak(one) and weak(other)):
        return Comparison.DIFFERENT
    if loosened(one.definition) == loosened(other.definition):
        return Comparison.CANNOT_TELL
    return Comparison.DIFFERENT


def weak(fact: SchemaFact) -> bool:
    """Whether its definition may be printed differently and mean the same: `same` decides.

    If a weak fact isn't found, an indistinguishable one of its kind and name proves nothing either
    way.
    """
    if is_weak(fact.definition):
        return True
    # the type of a column that is computed with EXTRACT, here or in a view below
    return fact.kind == "view" and _FLOATING.search(fact.definition) is not None
