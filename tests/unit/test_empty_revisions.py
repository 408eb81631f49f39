"""Revisions that do nothing at all are no reason to ask which one has run."""

import pytest

from surefoot.catalogue.catalogue import Catalogue, Way
from surefoot.catalogue.match import Identification, Match
from surefoot.catalogue.resolve_ambiguity import resolve_ambiguity
from surefoot.model.history import History, Revision

HISTORY = History(
    {
        id: Revision(id, parents, (), id, None, f"{id}.py")
        for id, parents in (("r1", ()), ("r2", ("r1",)), ("r3", ("r2",)))
    }
)
CATALOGUE = Catalogue(
    HISTORY, (Way("base", frozenset(), (), dict.fromkeys(HISTORY.revisions, ())),)
)


@pytest.mark.parametrize(
    ("exact", "empty", "journaled", "chosen"),
    [
        (("r1", "r2", "r3"), {"r2", "r3"}, (), ("r1",)),
        (("r2", "r3"), {"r3"}, (), ("r2",)),
        (("r1", "r2", "r3"), {"r3"}, (), None),
        (("r1", "r2"), set[str](), (), None),
        (("r1", "r2"), {"r2"}, ("r2",), ("r2",)),
        (("r1", "r2"), {"r2"}, ("r3",), None),
    ],
)
def test_which_one(
    exact: tuple[str, ...], empty: set[str], journaled: tuple[str, ...], chosen: tuple[str, ...]
) -> None:
    """The earliest that the journal allows, where all that differ do nothing; else nobody knows."""
    standing = Identification(1, exact=tuple(Match((id,), "base", 1) for id in exact))
    found = resolve_ambiguity(standing, CATALOGUE, (), "refuse", journaled, frozenset(empty))
    assert (found.chosen.rows if found.chosen else None) == chosen
    assert (found.by == "structure") == (chosen is not None)
