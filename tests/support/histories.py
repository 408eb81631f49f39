"""Invented histories and catalogues."""

from surefoot.catalogue.catalogue import (
    Catalogue,
    Change,
    Way,
    changes,
    state_of,
)
from surefoot.model.history import History, Revision
from surefoot.schema.fact import SchemaFact


def column(name: str, definition: str = "text") -> SchemaFact:
    return SchemaFact("column", f"public.t.{name}", definition)


TABLE = SchemaFact("relation", "public.t", "table")


def history(parents: dict[str, tuple[str, ...]]) -> History:
    return History(
        {id: Revision(id, below, (), "", None, f"{id}.py") for id, below in parents.items()}
    )


def linear(*structures: tuple[SchemaFact, ...]) -> Catalogue:
    """Return revisions r1, r2, … with these structures."""
    parents: dict[str, tuple[str, ...]] = {}
    found: dict[str, tuple[Change, ...]] = {}
    before: tuple[SchemaFact, ...] = ()
    for number, facts in enumerate(structures, 1):
        parents[f"r{number}"] = (f"r{number - 1}",) if number > 1 else ()
        found[f"r{number}"] = changes(state_of(before), state_of(facts))
        before = facts
    return Catalogue(history(parents), (Way("base", frozenset(), (), found),))
