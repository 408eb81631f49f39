"""Where a structure stands: catalogues and facts made by hand, no database."""

import random

import msgspec
import pytest

from surefoot.catalogue.catalogue import (
    Catalogue,
    Change,
    InitScripts,
    Way,
    changes,
    state,
    state_of,
)
from surefoot.catalogue.identify import Identifier
from surefoot.catalogue.match import Difference, Probe
from surefoot.catalogue.resolve_ambiguity import ambiguous_revisions, resolve_ambiguity
from surefoot.compatibility.promise import promise
from surefoot.schema.fact import Key, SchemaFact
from tests.support.histories import TABLE, column, history, linear

THREE = linear((TABLE, column("a")), (TABLE, column("a"), column("b")), (TABLE, column("b")))


def exact(catalogue: Catalogue, *facts: SchemaFact) -> list[tuple[str, ...]]:
    return [stand.rows for stand in Identifier(catalogue, facts).standing().exact]


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ((TABLE, column("a")), ["r1"]),
        ((TABLE, column("a"), column("b")), ["r2"]),
        ((TABLE, column("b")), ["r3"]),
        # the user's own, of whatever name, is nothing to any revision
        (
            (TABLE, column("b"), column("emoji_custom"), SchemaFact("relation", "x.y", "view")),
            ["r3"],
        ),
    ],
)
def test_exact(facts: tuple[SchemaFact, ...], expected: list[str]) -> None:
    assert exact(THREE, *facts) == [(id,) for id in expected]


@pytest.mark.parametrize(
    "facts",
    [
        (column("a"), column("b")),  # the table itself is missing
        (TABLE, column("a", "integer"), column("b")),  # retyped
        # Retyped, the column that r2 adds is not "missing, and one of the user's own": that would
        # be r1 to the letter, and r2 would be run a second time.
        (TABLE, column("a"), column("b", "integer")),
        (TABLE,),
    ],
)
def test_a_difference_is_no_match(facts: tuple[SchemaFact, ...]) -> None:
    standing = Identifier(THREE, facts).standing()
    assert standing.exact == ()
    assert standing.nearest


def test_the_nearest_comes_first_with_its_difference() -> None:
    standing = Identifier(THREE, (TABLE, column("a"), column("b", "integer"))).standing()
    nearest = standing.nearest[0]
    assert nearest.rows == ("r2",)
    (difference,) = nearest.differences
    assert (difference.what, difference.name) == ("changed", "public.t.b")
    assert (difference.expected, difference.found) == (("text",), "integer")


def test_data_only_revisions_are_ambiguous() -> None:
    same = (TABLE, column("a"))
    catalogue = linear(same, same, same, (TABLE, column("a"), column("b")))
    standing = Identifier(catalogue, same).standing()
    assert [s.rows for s in standing.exact] == [("r1",), ("r2",), ("r3",)]
    assert ambiguous_revisions(standing, catalogue) == ("r2", "r3")


def test_a_history_that_comes_back_to_an_earlier_structure_is_ambiguous() -> None:
    catalogue = linear((TABLE,), (TABLE, column("a")), (TABLE,))
    assert exact(catalogue, TABLE) == [("r1",), ("r3",)]


@pytest.mark.parametrize(
    ("answers", "policy", "chosen", "by"),
    [
        ({}, "refuse", None, ""),
        ({}, "earliest", "r1", "earliest"),
        ({}, "latest", "r3", "latest"),
        ({"r2": True, "r3": False}, "refuse", "r2", "evidence"),
        ({"r2": False}, "refuse", "r1", "evidence"),
        ({"r3": True}, "refuse", "r3", "evidence"),
        ({"r3": False}, "latest", "r2", "latest"),
        ({"r2": None}, "refuse", None, ""),
        # r3 has run and r2 hasn't: that can't be
        ({"r2": False, "r3": True}, "latest", None, ""),
    ],
)
def test_evidence_then_policy(
    answers: dict[str, bool | None], policy: str, chosen: str | None, by: str
) -> None:
    same = (TABLE, column("a"))
    catalogue = linear(same, same, same)
    probes = tuple(Probe(revision, answer) for revision, answer in answers.items())
    standing = resolve_ambiguity(Identifier(catalogue, same).standing(), catalogue, probes, policy)
    assert (standing.chosen.rows if standing.chosen else None) == ((chosen,) if chosen else None)
    assert standing.by == by


@pytest.mark.parametrize(
    ("journaled", "policy", "chosen", "vetoed"),
    [
        (("r2",), "refuse", None, ()),  # it speaks for nobody
        (("r3",), "latest", "r3", ()),
        (("r2",), "earliest", "r2", ()),
        (("r4",), "latest", None, ("r4",)),
        (("gone",), "earliest", None, ("gone",)),  # another release's, of which nothing is known
    ],
)
def test_the_journal_excludes_and_never_chooses(
    journaled: tuple[str, ...], policy: str, chosen: str | None, vetoed: tuple[str, ...]
) -> None:
    same = (TABLE, column("a"))
    catalogue = linear(same, same, same, (*same, column("b")))
    standing = resolve_ambiguity(
        Identifier(catalogue, same).standing(), catalogue, (), policy, journaled
    )
    assert (standing.chosen.rows if standing.chosen else None) == ((chosen,) if chosen else None)
    assert standing.vetoed == vetoed


@pytest.mark.parametrize(
    "facts",
    [
        (SchemaFact("relation", "public.orders", "table"),),
        # what any database may have is no evidence
        (SchemaFact("extension", "pg_trgm", ""), SchemaFact("relation", "public.orders", "table")),
    ],
)
def test_foreign(facts: tuple[SchemaFact, ...]) -> None:
    extension = (SchemaFact("extension", "pg_trgm", ""),)
    catalogue = linear((), extension, (*extension, TABLE, column("a")))
    standing = Identifier(catalogue, facts).standing()
    assert standing.exact == ()
    assert standing.foreign


TRIGRAM = SchemaFact("extension", "pg_trgm", "")


def test_an_extension_that_was_there_first_is_no_difference() -> None:
    """Administrators make extensions and schemas beforehand; then they are evidence of nothing."""
    catalogue = linear((TABLE,), (TABLE, TRIGRAM, column("a")), (TABLE, TRIGRAM, column("a")))
    assert exact(catalogue, TABLE) == [("r1",)]
    assert exact(catalogue, TABLE, TRIGRAM) == [("r1",)]
    assert exact(catalogue, TABLE, TRIGRAM, column("a")) == [("r2",), ("r3",)]
    assert exact(catalogue, TABLE, column("a")) == []  # but it must be there where it is needed
    # A revision that makes nothing else can't be told from the one before it.
    only = linear((TABLE,), (TABLE, TRIGRAM), (TABLE, TRIGRAM, column("a")))
    assert exact(only, TABLE, TRIGRAM) == [("r1",), ("r2",)]
    assert exact(only, TABLE) == [("r1",)]


def test_one_common_name_is_foreign_too() -> None:
    many = tuple(column(f"c{n}") for n in range(40))
    standing = Identifier(
        linear((TABLE, *many)), (TABLE, SchemaFact("relation", "x.y", "table"))
    ).standing()
    assert standing.foreign
    assert standing.nearest[0].rows == ("r1",)


BRANCHED = {"r1": (), "a1": ("r1",), "a2": ("a1",), "b1": ("r1",), "m": ("a2", "b1")}


def branched(touching: bool = False) -> Catalogue:
    """A trunk, a branch of two revisions, one of one, and a merge."""
    structure = {
        "r1": (TABLE,),
        "a1": (TABLE, column("a1")),
        "a2": (TABLE, column("a1"), column("a2")),
        "b1": (
            TABLE,
            column("a1", "text not null" if touching else "text"),
            column("a2"),
            column("b1"),
        ),
    }
    structure["m"] = structure["b1"]
    found: dict[str, tuple[Change, ...]] = {}
    before: tuple[SchemaFact, ...] = ()
    for id, facts in structure.items():
        found[id] = changes(state_of(before), state_of(facts))
        before = facts
    return Catalogue(history(BRANCHED), (Way("base", frozenset(), (), found),))


@pytest.mark.parametrize(
    ("columns", "rows"),
    [
        ((), [("r1",)]),
        (("a1",), [("a1",)]),
        (("b1",), [("b1",)]),
        (("a1", "b1"), [("a1", "b1")]),
        (("a1", "a2", "b1"), [("a2", "b1"), ("m",)]),
    ],
)
def test_branches_are_sets_of_revisions(
    columns: tuple[str, ...], rows: list[tuple[str, ...]]
) -> None:
    assert exact(branched(), TABLE, *map(column, columns)) == rows


def test_what_was_never_seen_is_never_exact() -> None:
    """b1 was only run behind a1, whose column it changes: alone, nobody knows what it makes."""
    catalogue = branched(touching=True)
    changed = (TABLE, column("a1", "text not null"), column("b1"))
    assert exact(catalogue, *changed) == [("a1", "b1")]
    assert exact(catalogue, TABLE, column("b1")) == []


def test_a_variant_is_as_good() -> None:
    """Where a structure depends on how the revisions were run, each of its forms is legitimate."""
    optional = Change("index", "public.i", (), ("USING btree (a)", None))
    changed = (*changes({}, state_of((TABLE, column("a")))), optional)
    catalogue = Catalogue(
        history({"r1": ()}), (Way("base", frozenset(), (), {"r1": tuple(sorted(changed))}),)
    )
    there = SchemaFact("index", "public.i", "USING btree (a)")
    other = SchemaFact("index", "public.i", "USING hash (a)")
    assert exact(catalogue, TABLE, column("a")) == [("r1",)]
    assert exact(catalogue, TABLE, column("a"), there) == [("r1",)]
    assert exact(catalogue, TABLE, column("a"), other) == []


def test_ways_are_never_mixed() -> None:
    """The init scripts make one index fewer: so may a database have it, or not, but whole."""
    r1 = (
        TABLE,
        column("a"),
        SchemaFact("index", "public.i", "x"),
        SchemaFact("index", "public.j", "x"),
    )
    script = (TABLE, column("a"))
    base = Way("base", frozenset(), (), {"r1": changes({}, state_of(r1))})
    init = Way("init", frozenset({"r1"}), changes({}, state_of(script)), {})
    catalogue = Catalogue(history({"r1": ()}), (base, init), InitScripts(("r1",), ()))
    assert exact(catalogue, *r1) == exact(catalogue, *script) == [("r1",)]
    assert exact(catalogue, *r1[:3]) == []


def test_a_weak_text_decides_nothing() -> None:
    """Printed on another version, it may be the same or not: the rest must settle it."""
    one = SchemaFact("constraint", "public.t.k", "CHECK (btrim(v) <> ''::text)")
    other = SchemaFact("constraint", "public.t.k", "CHECK (btrim((v)::text) <> ''::text)")
    catalogue = linear((TABLE, one), (TABLE, one, column("a")))
    standing = Identifier(catalogue, (TABLE, other)).standing()
    assert [s.rows for s in standing.exact] == [("r1",)]
    assert standing.exact[0].doubtful == ("public.t.k",)


def test_an_accepted_difference_is_held_against_nobody() -> None:
    facts = (TABLE, column("a", "integer"), column("b"))
    applied = THREE.history.applied(("r2",))
    accepted = [Difference("column", "public.t.a", ("text",), "integer")]
    stand = Identifier(THREE, facts, accepted).stand(applied)
    assert stand is not None
    assert stand.differences == ()
    # and it's held against it again, when it's not what was accepted
    stand = Identifier(THREE, (TABLE, column("b")), accepted).stand(applied)
    assert stand is not None
    assert [d.what for d in stand.differences] == ["missing"]


def test_what_was_accepted_stays_so_where_another_variant_becomes_known() -> None:
    """A catalogue that was built again may allow more than the one definition."""
    either = (Change("column", "public.t.a", (), ("text", "varchar")),)
    way = Way("base", frozenset(), (), {"r1": (*either, *changes({}, state_of((TABLE,))))})
    catalogue = Catalogue(history({"r1": ()}), (way,))
    accepted = [Difference("column", "public.t.a", ("text",), "integer")]
    identifier = Identifier(catalogue, (TABLE, column("a", "integer")), accepted)
    assert [stand.rows for stand in identifier.standing().exact] == [("r1",)]
    accepted = [Difference("column", "public.t.a", ("text", "bigint"), "integer")]
    identifier = Identifier(catalogue, (TABLE, column("a", "integer")), accepted)
    assert identifier.standing().exact == ()


def test_what_was_accepted_instead_of_one_definition_is_no_other() -> None:
    """A later revision that changes the name expects something else of it."""
    catalogue = linear((TABLE, column("a")), (TABLE, column("a", "varchar")))
    accepted = [Difference("column", "public.t.a", ("text",), "integer")]
    identifier = Identifier(catalogue, (TABLE, column("a", "integer")), accepted)
    first, second = (identifier.stand(catalogue.history.applied((id,))) for id in ("r1", "r2"))
    assert first is not None
    assert second is not None
    assert (len(first.differences), len(second.differences)) == (0, 1)
    assert [s.rows for s in identifier.standing().exact] == [("r1",)]


def test_one_table_among_many_of_somebody_elses_is_no_evidence() -> None:
    catalogue = linear((TABLE, column("a")), (TABLE, column("a"), column("b")))
    shop = [SchemaFact("relation", f"public.shop_{n}", "table") for n in range(30)]
    standing = Identifier(catalogue, (TABLE, column("a"), *shop)).standing()
    assert standing.exact == ()
    assert exact(catalogue, TABLE, column("a"), *shop[:4]) == [("r1",)]


@pytest.mark.parametrize(
    ("facts", "keeps"),
    [
        ((TABLE, column("a"), column("b")), False),  # it's r2's
        ((TABLE, column("b")), True),
        ((TABLE, column("b", "varchar")), False),  # it can't hold what head's can
        ((TABLE, column("a"), column("b"), column("own")), False),  # r2's, with one of the user's
        ((TABLE, column("b"), column("own")), True),
        ((TABLE, column("b"), column("own", "text not null")), False),  # inserts would fail
    ],
)
def test_what_head_promises_at_r3(facts: tuple[SchemaFact, ...], keeps: bool) -> None:
    """What differs and stops nobody is head's, unless it's another revision's structure."""
    identifier = Identifier(THREE, facts)
    recorded = identifier.stand(THREE.history.applied(("r3",)))
    found = promise(THREE, identifier, facts, lambda _: True)
    assert found is not None
    standing = msgspec.structs.replace(identifier.standing(), recorded=recorded, promise=found[0])
    assert standing.keeps_promise is keeps


def test_recorded_at_one_branch_what_nobody_has_seen_contradicts_nothing() -> None:
    catalogue = branched(touching=True)
    facts = (TABLE, column("a1", "text not null"), column("b1"))
    applied = catalogue.history.applied(("b1",))
    strictly = Identifier(catalogue, facts).stand(applied)
    assert strictly is not None
    assert strictly.differences
    alone = Identifier(catalogue, facts).stand(applied, unseen_is_doubtful=True)
    assert alone is not None
    assert alone.differences == ()
    assert alone.doubtful == ("public.t.a1",)


def test_too_many_combinations_are_not_guessed_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("surefoot.catalogue.identify.MOST_SETS", 3)
    catalogue = branched()
    standing = Identifier(catalogue, (TABLE,)).standing()
    assert not standing.complete
    assert resolve_ambiguity(standing, catalogue, (), "latest").chosen is None


def every_set(parents: dict[str, tuple[str, ...]]) -> set[frozenset[str]]:
    """Every set of revisions that can be applied, found the slow way."""
    found, todo = {frozenset[str]()}, [frozenset[str]()]
    while todo:
        applied = todo.pop()
        for id, below in parents.items():
            if id not in applied and applied >= set(below):
                more = applied | {id}
                if more not in found:
                    found.add(more)
                    todo.append(more)
    return found


@pytest.mark.parametrize("seed", range(200))
def test_the_walk_agrees_with_the_definition(seed: int) -> None:
    """Random graphs and structures: each set once, and its distance as the definition has it."""
    r = random.Random(seed)
    names = [f"n{i}" for i in range(r.randint(1, 7))]
    parents = {
        id: tuple(r.sample(names[:i], min(i, r.randint(0, 2)))) for i, id in enumerate(names)
    }
    facts: dict[Key, str] = {}
    found: dict[str, tuple[Change, ...]] = {}
    for id in names:
        before = dict(facts)
        for _ in range(r.randint(0, 3)):
            key: Key = ("column", f"public.t.c{r.randint(0, 5)}")
            if key in facts and r.random() < 0.5:
                del facts[key]
            else:
                facts[key] = r.choice(["text", "integer"])
        old, new = ({k: (d,) for k, d in some.items()} for some in (before, facts))
        found[id] = changes(old, new)
    way = Way("base", frozenset(), (), found)
    catalogue = Catalogue(history(parents), (way,))
    live = [
        SchemaFact("column", f"public.t.c{n}", r.choice(["text", "integer"]))
        for n in range(6)
        if r.random() < 0.6
    ]
    identifier = Identifier(catalogue, live)
    walked = {}
    for distance, path in identifier._walk(way):
        applied = frozenset(path)
        assert applied not in walked
        walked[applied] = distance
    assert walked.keys() == every_set(parents)
    for applied, distance in walked.items():
        assert len(identifier._stand(way, applied).differences) == distance
        if distance == 0:
            there = state(way, applied)
            known = {
                (f.kind, f.name): f.definition for f in live if (f.kind, f.name) in _known(way)
            }
            assert {k: (d,) for k, d in known.items()} == there


def _known(way: Way) -> set[Key]:
    return {change.key for changed in way.changes.values() for change in changed}
