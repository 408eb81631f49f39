"""Where the structure with which a path begins may stand: catalogues made by hand."""

import msgspec
import pytest

from surefoot.catalogue.catalogue import Catalogue, Origin, Way, changes, state, state_of
from surefoot.catalogue.earlier import with_earlier_starts
from surefoot.catalogue.identify import Identifier
from surefoot.catalogue.read import loads
from surefoot.catalogue.write import dumps
from surefoot.schema.fact import SchemaFact
from tests.support.histories import TABLE, column, history, linear

INDEX = SchemaFact("index", "public.t_ix", "USING btree (a) on public.t")


def begun(catalogue: Catalogue, *rows: str) -> Catalogue:
    """Return the catalogue with an origin at these rows, which has an index more."""
    (base,) = catalogue.ways
    start = catalogue.history.applied(rows)
    made = {**state(base, start), **state_of((INDEX,))}
    beyond = {id: c for id, c in base.changes.items() if id not in start}
    way = Way("origin o", start, changes({}, made), beyond)
    return msgspec.structs.replace(catalogue, ways=(base, way), origins=(Origin("o", rows, "m:f"),))


def exact(catalogue: Catalogue, *facts: SchemaFact) -> list[tuple[str, ...]]:
    found = Identifier(with_earlier_starts(catalogue), facts).standing().exact
    return sorted(stand.rows for stand in found)


A, AB = (TABLE, column("a")), (TABLE, column("a"), column("b"))


@pytest.mark.parametrize(
    ("structures", "rows", "expected"),
    [
        ((A, AB), "r2", [("r2",)]),
        ((A, A), "r2", [("r1",), ("r2",)]),
        ((A, A, A), "r2", [("r1",), ("r2",), ("r3",)]),  # also those after it, as ever
        ((A, A, AB), "r3", [("r3",)]),  # r3 shows that r2 has run
        ((A, A, AB, AB), "r4", [("r3",), ("r4",)]),
    ],
)
def test_an_origin_may_stand_at_data_only_ancestors(
    structures: tuple[tuple[SchemaFact, ...], ...], rows: str, expected: list[tuple[str, ...]]
) -> None:
    catalogue = begun(linear(*structures), rows)
    assert exact(catalogue, *structures[-1], INDEX) == expected


def test_branches_and_merges() -> None:
    """Of two branches only one ends with a change of rows; the merge changes nothing."""
    parents: dict[str, tuple[str, ...]] = {
        "r1": (),
        "a": ("r1",),
        "b1": ("r1",),
        "b2": ("b1",),
        "m": ("a", "b2"),
    }
    none, with_a = state_of((TABLE,)), state_of((TABLE, column("a")))
    with_b = state_of((TABLE, column("a"), column("b")))
    made = {"r1": changes({}, none), "a": changes(none, with_a), "b1": changes(with_a, with_b)}
    base = Way("base", frozenset(), (), {id: made.get(id, ()) for id in parents})
    catalogue = begun(Catalogue(history(parents), (base,)), "m")
    assert exact(catalogue, *AB, INDEX) == [("a", "b1"), ("a", "b2"), ("m",)]
    several = begun(Catalogue(history(parents), (base,)), "a", "b2")
    assert exact(several, *AB, INDEX) == [("a", "b1"), ("a", "b2"), ("m",)]


def test_an_origin_may_stand_before_what_its_structure_does_not_show() -> None:
    """r2 makes an index that the models lack, and fills something in: it may not have run."""
    made = SchemaFact("index", "public.t_b", "USING btree (b) on public.t")
    catalogue = linear(AB, (*AB, made), (*AB, made, column("c")))
    (base,) = catalogue.ways
    initial, end = state_of((*AB, INDEX)), state_of((*AB, INDEX, column("c")))
    way = Way(
        "origin o", frozenset({"r1", "r2"}), changes({}, initial), {"r3": changes(initial, end)}
    )
    both = msgspec.structs.replace(
        catalogue, ways=(base, way), origins=(Origin("o", ("r2",), "m:f"),)
    )
    assert exact(both, *AB, INDEX) == [("r1",), ("r2",)]
    assert exact(both, *AB, made, INDEX) == [("r2",)]  # r2 has run on it
    assert exact(both, *AB, made, INDEX, column("c")) == [("r3",)]
    assert exact(both, *AB, INDEX, column("c")) == [("r3",)]


X = SchemaFact("relation", "public.x", "table")


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ((*A, INDEX), [("r1",)]),  # as without the origin
        ((*AB, INDEX), [("r2",)]),
        ((*A, X, INDEX), [("r1",)]),
        ((TABLE, INDEX), []),
        ((INDEX,), []),
        ((*A, column("b", "integer"), INDEX), []),
    ],
)
def test_what_only_an_origin_knows_is_the_users_elsewhere(
    facts: tuple[SchemaFact, ...], expected: list[tuple[str, ...]]
) -> None:
    catalogue = begun(linear(A, AB), "r2")
    assert exact(catalogue, *facts) == expected
    alone = msgspec.structs.replace(catalogue, ways=catalogue.ways[:1], origins=())
    assert exact(alone, *facts) == expected


def test_the_path_that_explains_more_is_taken() -> None:
    """At r1 the index is the user's own, at r2 it is the origin's."""
    catalogue = begun(linear(A, AB), "r2")
    for facts, way, own in (((*A, INDEX), "base", (INDEX,)), ((*AB, INDEX), "origin o", ())):
        found = Identifier(catalogue, facts).standing()
        assert [stand.way for stand in found.exact] == [way]
        assert found.own == own


def test_an_origin_may_be_the_structure_of_an_older_revision_with_more() -> None:
    """r2 makes under another name what the origin has: nothing tells it from r1 and own objects.

    Without the origin it would be r1, and without this rule r2: either may be wrong.
    """
    catalogue = linear(A, (*A, SchemaFact("index", "public.other_ix", "x")))
    (base,) = catalogue.ways
    way = Way("origin o", frozenset({"r1", "r2"}), changes({}, state_of((*A, INDEX))), {})
    catalogue = msgspec.structs.replace(
        catalogue, ways=(base, way), origins=(Origin("o", ("r2",), "m:f"),)
    )
    assert exact(catalogue, *A, INDEX) == [("r1",), ("r2",)]


def test_names_of_an_origin_alone_prove_nothing() -> None:
    """A table that only another origin has is no evidence for the history's own path."""
    extension = SchemaFact("extension", "citext", "")
    catalogue = linear((extension,), (extension, *A))
    (base,) = catalogue.ways
    made = state_of((extension, *A, X))
    way = Way("origin o", frozenset({"r1", "r2"}), changes({}, made), {})
    catalogue = msgspec.structs.replace(
        catalogue, ways=(base, way), origins=(Origin("o", ("r2",), "m:f"),)
    )
    assert exact(catalogue, extension, X) == []


def test_the_file_is_the_same() -> None:
    """A catalogue that was committed before needs no new build."""
    catalogue = begun(linear(A, A), "r2")
    assert loads(dumps(catalogue), "c").ways == catalogue.ways
    assert dumps(with_earlier_starts(catalogue)) == dumps(catalogue)
