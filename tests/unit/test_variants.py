"""What another replay of a way has seen, as variants of it."""

from itertools import pairwise

from surefoot.catalogue.catalogue import Catalogue, Change, Way, changes, state, state_of
from surefoot.catalogue_build.assemble import with_variants
from surefoot.model.history import History, Revision
from surefoot.schema.fact import Definition, Key, SchemaFact

F: Key = "function", "public.f()"
G: Key = "function", "public.g()"
INDEX: Key = "index", "public.i"


def facts(**definitions: str) -> tuple[SchemaFact, ...]:
    """f, g and i with these definitions."""
    keys: dict[str, Key] = {"f": F, "g": G, "i": INDEX}
    return tuple(SchemaFact(*keys[name], definition) for name, definition in definitions.items())


def seen(
    *states: tuple[SchemaFact, ...],
) -> tuple[tuple[Change, ...], dict[str, tuple[Change, ...]]]:
    """A replay that saw these states: at its start, and behind r1, r2, r3."""
    steps = [state_of(found) for found in states]
    pairs = pairwise(steps)
    found = {f"r{number}": changes(*pair) for number, pair in enumerate(pairs, 1)}
    return changes({}, steps[0]), found


def catalogue(*states: tuple[SchemaFact, ...]) -> Catalogue:
    """The catalogue of a way `init` that saw these states."""
    initial, found = seen(*states)
    revisions = {
        f"r{n}": Revision(f"r{n}", (f"r{n - 1}",) if n else (), (), "", None, "")
        for n in range(len(states))
    }
    way = Way("init", frozenset({"r0"}), initial, found)
    return Catalogue(History(revisions), (way,))


def at(catalogue: Catalogue, last: int) -> dict[Key, tuple[Definition, ...]]:
    (way,) = catalogue.ways
    return state(way, frozenset(f"r{n}" for n in range(last + 1)))


def test_the_same_again_changes_nothing() -> None:
    """To the byte: also where a revision takes something away."""
    one = catalogue(facts(f="a"), facts(f="a", g="x"), facts(g="x"))
    initial, found = seen(facts(f="a"), facts(f="a", g="x"), facts(g="x"))
    assert with_variants(one, "init", found, initial) == one
    assert with_variants(one, "init", {}) == one


def test_another_start() -> None:
    """Each name by itself, until a revision makes it the same in both."""
    one = catalogue(facts(f="a", g="x"), facts(f="a", g="x", i="i"), facts(f="c", g="x", i="i"))
    initial, found = seen(facts(f="b"), facts(f="b", i="i"), facts(f="c", i="i"))
    both = with_variants(one, "init", found, initial)
    assert at(both, 0) == {F: ("a", "b"), G: ("x", None)}
    assert at(both, 1) == {F: ("a", "b"), G: ("x", None), INDEX: ("i",)}
    assert at(both, 2) == {F: ("c",), G: ("x", None), INDEX: ("i",)}
    (way,) = both.ways
    assert way.changes["r2"] == (Change(*F, ("a", "b"), ("c",)),)


def test_what_only_the_other_start_has() -> None:
    """Nothing comes first then: that is what the way itself made. `create … if not exists` makes
    it the same.
    """
    one = catalogue(facts(g="x"), facts(f="a", g="x"))
    initial, found = seen(facts(f="a", g="x"), facts(f="a", g="x"))
    both = with_variants(one, "init", found, initial)
    assert at(both, 0) == {F: (None, "a"), G: ("x",)}
    assert at(both, 1) == {F: ("a",), G: ("x",)}


def test_two_other_starts() -> None:
    """The way's own stays the first; what is known already isn't there twice."""
    one = catalogue(facts(f="m"), facts(f="m", i="i"), facts(f="z", i="i"))
    for former in (facts(f="z"), facts(f="a"), facts(f="a")):
        index = facts(i="i")
        initial, found = seen(former, (*former, *index), (*facts(f="z"), *index))
        one = with_variants(one, "init", found, initial)
    assert at(one, 0) == {F: ("m", "z", "a")}
    assert at(one, 2) == {F: ("z",), INDEX: ("i",)}


def test_a_replay_that_stopped_early() -> None:
    """What it had stays possible until a revision of the way settles it."""
    one = catalogue(facts(f="a", g="x"), facts(f="a", g="x", i="i"), facts(f="c", g="x", i="i"))
    initial, _ = seen(facts(f="b", g="y"))
    both = with_variants(one, "init", {}, initial)
    assert at(both, 1) == {F: ("a", "b"), G: ("x", "y"), INDEX: ("i",)}
    assert at(both, 2) == {F: ("c",), G: ("x", "y"), INDEX: ("i",)}
