"""The releases of a catalogue held against each other."""

import msgspec
import pytest

from surefoot.catalogue.catalogue import (
    NEEDS_CODE,
    Catalogue,
    Change,
    Downgrade,
    DownStatement,
    Way,
)
from surefoot.compatibility.releases import (
    UNRELEASED,
    Declared,
    Pair,
    Release,
    pair,
    releases,
)
from surefoot.downgrades.recipe import Loss
from surefoot.model.history import History, Revision


def revision(id: str, *parents: str, release: str | None = None) -> Revision:
    return Revision(id, parents, (), id, release, f"{id}.py", "hash")


TABLE = Change("relation", "public.t", (), ("table",))
COLUMN = Change("column", "public.t.a", (), ("text",))
OTHER = Change("column", "public.t.b", (), ("text not null",))
GONE = Change("column", "public.t.a", ("text",), (None,))

HISTORY = (
    revision("r1", release="v1"),
    revision("r2", "r1", release="v2"),
    revision("r3", "r2"),
    revision("r4", "r3", release="v3"),
)
EFFECTS = {"r1": (TABLE, COLUMN), "r2": (OTHER,), "r3": (), "r4": (GONE,)}
DOWNS = {
    "r1": Downgrade("proved", "", (DownStatement("drop table t"),)),
    "r2": Downgrade("proved", "", (DownStatement("alter table t drop column b"),)),
    "r3": Downgrade("proved", ""),
    "r4": Downgrade("proved", "", (DownStatement("alter table t add a text"),)),
}


def made(*revisions: Revision, downs: dict[str, Downgrade] | None = None) -> Catalogue:
    history = History({r.id: r for r in revisions or HISTORY})
    way = Way("base", frozenset(), (), {id: EFFECTS.get(id, ()) for id in history.revisions})
    return Catalogue(history, (way,), None, DOWNS if downs is None else downs)


def held(catalogue: Catalogue, older: str, newer: str, declared: Declared | None = None) -> Pair:
    found = {release.name: release for release in releases(catalogue)}
    return pair(catalogue, found[older], found[newer], declared or Declared())


def test_releases_are_in_their_order_and_a_head_without_a_name_is_one() -> None:
    assert [release.name for release in releases(made())] == ["v1", "v2", "v3"]
    last = revision("r5", "r4")
    found = releases(made(*HISTORY, last))
    assert [release.name for release in found] == ["v1", "v2", "v3", UNRELEASED]
    assert found[-1] == Release(UNRELEASED, frozenset(EFFECTS) | {"r5"}, ("r5",))


def test_a_release_may_end_with_a_revision_on_each_branch() -> None:
    catalogue = made(
        revision("r1", release="v1"),
        revision("a", "r1", release="v2"),
        revision("b", "r1", release="v2"),
    )
    assert releases(catalogue)[-1] == Release("v2", frozenset({"r1", "a", "b"}), ("a", "b"))


def test_up_and_the_older_image() -> None:
    found = held(made(), "v1", "v2", Declared(midway=frozenset({"r1", "r2"})))
    assert (found.between, found.midway) == (("r2",), ("r2",))
    assert found.can_run is False
    assert found.verdict is not None
    assert [b.name for b in found.verdict.breaks] == ["public.t.b"]
    assert held(made(), "v2", "v3").can_run is False  # the column is gone


@pytest.mark.parametrize(
    ("floors", "older", "expected"),
    [
        ({}, "v1", (None, False)),
        # the last revision's, reached: whatever the structure looks like
        ({"r2": "v1"}, "v1", (("r2", "v1", True), True)),
        ({"r2": "r1"}, "v1", (("r2", "r1", True), True)),
        # not reached
        ({"r2": "v2"}, "v1", (("r2", "v2", False), False)),
        # an older revision's floor is not this pair's
        ({"r1": "v0"}, "v1", (None, False)),
    ],
)
def test_a_floor_counts_before_the_structure(
    floors: dict[str, str], older: str, expected: tuple[object, bool]
) -> None:
    found = held(made(), older, "v2", Declared(floors))
    assert (found.floor, found.can_run) == expected


def test_a_floor_of_a_revision_in_between_only_forbids() -> None:
    assert held(made(), "v1", "v3", Declared({"r2": "v1"})).floor is None
    assert held(made(), "v1", "v3", Declared({"r3": "v2"})).floor == ("r3", "v2", False)


def test_down_what_is_lost_and_what_comes_back_empty() -> None:
    found = held(made(), "v1", "v3")
    assert [back.id for back in found.down.backs] == ["r4", "r3", "r2"]
    assert (found.down.stops, found.down.needs_code) == (None, ())
    assert found.lost == (Loss("column", "public.t.b"),)
    assert found.empty == ("column public.t.a",)


def test_what_goes_with_its_table_or_was_gone_before_is_not_told() -> None:
    """A column that a later revision dropped is lost with the upgrade, and not on the way down."""
    catalogue = made(revision("r0", release="v0"), revision("r1", "r0"), *HISTORY[1:])
    found = held(catalogue, "v0", "v3")
    assert found.lost == (Loss("table", "public.t"),)
    assert found.empty == ()


def test_where_it_stops() -> None:
    """What is lost is what the part loses that can be gone."""
    downs = {**DOWNS, "r3": Downgrade("fails", "ValueError")}
    found = held(made(downs=downs), "v1", "v3")
    assert found.down.stops is not None
    assert (found.down.stops.id, found.down.stops.verdict) == ("r3", "broken")
    assert [back.id for back in found.down.backs] == ["r4"]
    assert (found.lost, found.empty) == ((), ())


def test_what_needs_the_newer_image() -> None:
    downs = {**DOWNS, "r3": Downgrade("proved", NEEDS_CODE)}
    found = held(made(downs=downs), "v1", "v3")
    assert found.down.needs_code == ("r3",)
    assert found.lost[-1] == Loss("rows", "", "the code of r3 decides")


def test_what_remains_but_not_in_a_table_that_goes() -> None:
    index = Change("index", "public.t.i", (), ("USING btree (a)",))
    downs = {**DOWNS, "r4": Downgrade("leaves", "", (), (index,))}
    assert held(made(downs=downs), "v2", "v3").remains == (index,)
    first = (revision("r0", release="v0"), revision("r1", "r0"), *HISTORY[1:])
    assert held(made(*first, downs=downs), "v0", "v3").remains == ()


def test_the_worst_of_several_ways_counts() -> None:
    """Databases have come along any of them."""
    catalogue = made(*HISTORY[:2])
    init = Way("init", frozenset({"r1"}), (TABLE, COLUMN, OTHER), {"r2": ()})
    both = msgspec.structs.replace(catalogue, ways=(init, *catalogue.ways))
    assert held(both, "v1", "v2").can_run is False


def test_what_the_init_scripts_hold_is_not_known() -> None:
    init = Way("init", frozenset({"r1", "r2"}), (TABLE,), {"r3": (), "r4": ()})
    catalogue = msgspec.structs.replace(made(), ways=(init,))
    found = held(catalogue, "v1", "v3")
    assert (found.verdict, found.can_run) == (None, None)
    assert found.down.stops is not None
    assert found.down.stops.id == "r2"
