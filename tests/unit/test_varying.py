"""What isn't the same twice gets one spelling, and what only resembles it doesn't."""

import pytest

from surefoot.catalogue.catalogue import Catalogue, Change, Way
from surefoot.catalogue.variants import find, recognised, settled
from surefoot.model.history import History, Revision
from surefoot.revision_source.varying import may_vary
from surefoot.schema.fact import SchemaFact
from surefoot.schema.kinds import Kind

UNIQUE = "UNIQUE (name)"


def made(kind: Kind, name: str, definition: str) -> Change:
    return Change(kind, name, (), (definition,))


def catalogue(one: Change, other: Change) -> Catalogue:
    """The catalogue of a revision that made the one, and in another replay the other."""
    varies = find(("r1",), {"r1": (one,)}, {"r1": (other,)})
    history = History({"r1": Revision("r1", (), (), "", None, "r1.py")})
    way = Way("base", frozenset(), (), {"r1": (one,)})
    found = Catalogue(history, (way,), varies=varies)
    return settled(found, varies.get("r1", ()))


CASES = {
    "labels": (
        made("enum", "public.kind", "'b', 'a', 'c'"),
        made("enum", "public.kind", "'c', 'a', 'b'"),
        SchemaFact("enum", "public.kind", "'a', 'c', 'b'"),
        SchemaFact("enum", "public.kind", "'a', 'c', 'b', 'd'"),
    ),
    "a name": (
        made("constraint", "public.t.t_3f2a_key", UNIQUE),
        made("constraint", "public.t.t_x91_key", UNIQUE),
        SchemaFact("constraint", "public.t.t_0000_key", UNIQUE),
        SchemaFact("constraint", "public.t.t_0000_key", "UNIQUE (id)"),
    ),
    "a quoted name": (
        made("index", 'public.t."ix-3f2a-0b"', "USING btree (a)"),
        made("index", 'public.t."ix-91aa-ff"', "USING btree (a)"),
        SchemaFact("index", 'public.t."ix-7c7c-12"', "USING btree (a)"),
        SchemaFact("index", 'public.t."own-7c7c-12"', "USING btree (a)"),
    ),
    "a default": (
        made("column", "public.t.a", "text default '2026-11-28 22:31'"),
        made("column", "public.t.a", "text default '2026-11-28 22:32'"),
        SchemaFact("column", "public.t.a", "text default '2027-01-01 00:00'"),
        SchemaFact("column", "public.t.a", "text"),
    ),
    "the order of a list": (
        made("constraint", "public.t.c", "CHECK (k IN ('a', 'b'))"),
        made("constraint", "public.t.c", "CHECK (k IN ('b', 'a'))"),
        SchemaFact("constraint", "public.t.c", "CHECK (k IN ('b', 'a'))"),
        SchemaFact("constraint", "public.t.c", "CHECK (k IN ('b', 'c'))"),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_one_spelling(case: str) -> None:
    """Both replays give the same catalogue; a third form is recognised, another thing isn't."""
    one, other, third, another = CASES[case]
    found = catalogue(one, other)
    assert found.varies
    turned = catalogue(other, one)
    assert found == turned
    (change,) = found.ways[0].changes["r1"]
    known = SchemaFact(change.kind, change.name, change.after[0] or "")
    assert recognised(found, (third,)) == (known,)
    assert recognised(found, (another,)) != (known,)


def test_an_object_of_the_users_with_a_similar_name_stays_its_own() -> None:
    found = catalogue(*CASES["a name"][:2])
    own = SchemaFact("constraint", "public.t.t_mine_key", "UNIQUE (id)")
    there = SchemaFact("constraint", "public.t.t_77_key", UNIQUE)
    facts = recognised(found, (own, there))
    assert own in facts
    assert SchemaFact("constraint", "public.t.t_…_key", UNIQUE) in facts


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("text", "text not null"),  # more than a word
        ("'a', 'b'", "'a', 'c', 'd'"),
        ("a", "b"),  # nothing in common
    ],
)
def test_what_has_no_common_form_gets_none(one: str, other: str) -> None:
    """It is recorded as it was seen, and nothing else is recognised."""
    assert not catalogue(
        made("column", "public.t.a", one), made("column", "public.t.a", other)
    ).varies


def test_the_same_twice_varies_in_nothing() -> None:
    one = CASES["labels"][0]
    found = catalogue(one, one)
    assert not found.varies
    facts = (SchemaFact("enum", "public.kind", "'c', 'b', 'a'"),)
    assert recognised(found, facts) is facts


def test_a_later_revision_adds_a_label() -> None:
    """The order of the others stays open."""
    varies = find(
        ("r1", "r2"),
        {
            "r1": (made("enum", "public.k", "'b', 'a'"),),
            "r2": (Change("enum", "public.k", ("'b', 'a'",), ("'b', 'a', 'z'",)),),
        },
        {
            "r1": (made("enum", "public.k", "'a', 'b'"),),
            "r2": (Change("enum", "public.k", ("'a', 'b'",), ("'a', 'b', 'z'",)),),
        },
    )
    assert list(varies) == ["r1"]


@pytest.mark.parametrize(
    ("source", "varies"),
    [
        ("for x in {'a', 'b'}: pass", True),
        ("labels = set(known)", True),
        ("import uuid", True),
        ("from random import shuffle", True),
        ("os.urandom(8)", True),
        ("op.execute('update t set a = 1')", False),
        ("x = {'a': 1}", False),
        ("not python", False),
    ],
)
def test_sources_that_speak_of_chance(source: str, varies: bool) -> None:
    assert may_vary(source.encode()) is varies
