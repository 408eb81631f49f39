"""Names of which one must be there: made differently by two servers, and never both missing."""

import pytest

from surefoot.catalogue.catalogue import Catalogue, Change, Way, state_of
from surefoot.catalogue.identify import Identifier
from surefoot.catalogue.read import loads
from surefoot.catalogue.write import dumps
from surefoot.catalogue_build.assemble import with_variants
from surefoot.errors import SurefootError
from surefoot.model.history import History, Revision
from surefoot.schema.fact import Key, SchemaFact

TABLE = SchemaFact("relation", "public.people", "table")
OLD = SchemaFact("function", "public.most(anyelement)", "aggregate")
NEW = SchemaFact("function", "public.most(anycompatible)", "aggregate")
INDEX = SchemaFact("index", "public.people.people_name", "USING btree (name)")


def key(fact: SchemaFact) -> Key:
    return fact.kind, fact.name


def made(*facts: SchemaFact) -> tuple[Change, ...]:
    return tuple(Change(*k, (), after) for k, after in sorted(state_of(facts).items()))


def gone(*facts: SchemaFact) -> tuple[Change, ...]:
    return tuple(Change(f.kind, f.name, (f.definition,), (None,)) for f in facts)


def catalogue(*further: tuple[Change, ...]) -> Catalogue:
    """r1 makes the table, r2 the newer aggregate; `further` are the changes of what comes then."""
    changes = {"r1": made(TABLE), "r2": made(NEW)}
    changes |= {f"r{number}": changed for number, changed in enumerate(further, 3)}
    revisions = {
        id: Revision(id, (f"r{number}",) if number else (), (), id, None, f"{id}.py")
        for number, id in enumerate(changes)
    }
    return Catalogue(History(revisions), (Way("base", frozenset(), (), changes),))


def exact(found: Catalogue, *facts: SchemaFact) -> list[tuple[str, ...]]:
    return [stand.rows for stand in Identifier(found, facts).standing().exact]


def test_neither_is_the_revision_below_and_no_other() -> None:
    both = with_variants(catalogue(), "base", {"r2": made(OLD)})
    assert both.one_of == {"r2": (key(NEW), key(OLD))}
    assert exact(both, TABLE) == [("r1",)]
    assert exact(both, TABLE, NEW) == exact(both, TABLE, OLD) == [("r2",)]
    stand = Identifier(both, (TABLE,)).stand(frozenset(("r1", "r2")))
    assert stand is not None
    assert [difference.what for difference in stand.differences] == ["missing"]


def test_it_is_written_and_read() -> None:
    both = with_variants(catalogue(), "base", {"r2": made(OLD)})
    text = dumps(both)
    assert "one-of\tfunction\tpublic.most(anyelement)\n" in text
    assert loads(text, "catalogue").one_of == both.one_of
    assert dumps(loads(text, "catalogue")) == text


def test_of_each_kind_one() -> None:
    """An index that is made besides doesn't stand for the aggregate."""
    both = with_variants(catalogue(), "base", {"r2": made(OLD, INDEX)})
    assert both.one_of == {"r2": (key(NEW), key(OLD))}
    assert exact(both, TABLE, INDEX) == []
    assert exact(both, TABLE, OLD, INDEX) == exact(both, TABLE, NEW) == [("r2",)]


def test_a_replay_that_makes_neither_ends_it() -> None:
    """Then none of them needs to be there."""
    both = with_variants(catalogue(), "base", {"r2": made(OLD)})
    assert with_variants(both, "base", {"r2": ()}).one_of == {}


def test_a_third_form_is_one_of_them() -> None:
    third = SchemaFact("function", "public.most(int4)", "aggregate")
    both = with_variants(catalogue(), "base", {"r2": made(OLD)})
    more = with_variants(both, "base", {"r2": made(third)})
    assert {*more.one_of["r2"]} == {key(OLD), key(NEW), key(third)}
    assert exact(more, TABLE) == [("r1",)]
    assert exact(more, TABLE, third) == [("r2",)]


def test_a_later_revision_that_drops_them_has_decided() -> None:
    both = with_variants(catalogue(gone(NEW)), "base", {"r2": made(OLD), "r3": gone(OLD)})
    assert ("r3",) in exact(both, TABLE)


def test_a_line_that_names_nothing_of_the_catalogue_is_refused() -> None:
    both = with_variants(catalogue(), "base", {"r2": made(OLD)})
    text = dumps(both).replace("one-of\tfunction\tpublic.most(anyelement)", "one-of\tfunction")
    with pytest.raises(SurefootError):
        loads(text, "catalogue")
