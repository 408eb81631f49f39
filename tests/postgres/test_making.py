"""SQL from facts: each object that it makes has the very same facts again."""

import pytest

from surefoot.schema.comparison import Comparison, same
from surefoot.schema.ddl import Sql, changed, dropped, made
from surefoot.schema.fact import Key, SchemaFact
from tests.support.database import Database
from tests.support.structures import RICH, observe

_INHERITED = ("app.parent.", "app.child.")
# What needs another thing to be there, or to go before it: each is dropped and made by itself.
_ALONE = ("constraint", "index", "trigger", "rule", "policy", "option", "statistics")


@pytest.fixture
def rich(database: Database) -> Database:
    """Everything that facts know of."""
    database.execute(RICH.read_text())
    database.execute(f"alter database {database.name} set search_path = app, ext, public")
    return database


def execute(database: Database, steps: tuple[Sql, ...] | None) -> None:
    assert steps is not None, "it can't be written from its facts"
    for sql in steps:
        database.execute(sql.text)


@pytest.mark.slow
def test_what_belongs_to_a_table_is_made_again(rich: Database) -> None:
    """Constraints, indexes, triggers … of a rich structure: dropped, made, the same facts."""
    before = observe(rich)
    tried = 0
    for fact in before:
        if fact.kind not in _ALONE or fact.definition.startswith("PRIMARY KEY"):
            continue
        if fact.name.startswith(_INHERITED) or fact.name.endswith((".json_keys", ".person_json")):
            continue  # inherited; and a column that has the name of a newer keyword
        steps = made((fact.kind, fact.name), fact.definition)
        away = dropped((fact.kind, fact.name), fact.definition)
        if steps is None or away is None or _is_needed(fact):
            continue
        partitioned = fact.name.startswith("app.event.")
        for one in (away, steps):
            for sql in one:
                text = sql.text.replace("concurrently ", "") if partitioned else sql.text
                rich.execute(text)
        now = observe(rich)
        for one, other in zip(before, now, strict=True):
            assert same(one, other) is not Comparison.DIFFERENT
        before = now
        tried += 1
    assert tried > 25


def _is_needed(fact: SchemaFact) -> bool:
    """A unique constraint or index that a foreign key or the replica identity hangs on."""
    return fact.kind in ("constraint", "index") and (
        fact.definition.startswith(("UNIQUE", "unique", "EXCLUDE")) or fact.name.count(".") != 2
    )


def test_views_are_made_again(rich: Database) -> None:
    """Those on which nothing else hangs."""
    before = observe(rich)
    facts = {(f.kind, f.name): f.definition for f in before}
    tried = 0
    for fact in before:
        if fact.kind != "relation" or "view" not in fact.definition:
            continue
        more = [f for f in before if f.kind != "view" and f.name.startswith(f"{fact.name}.")]
        if more or _is_used(fact.name, before):
            continue
        rich.execute(f"drop {fact.definition} {fact.name}")
        execute(rich, made(("relation", fact.name), fact.definition, view=facts["view", fact.name]))
        now = {(f.kind, f.name): f.definition for f in observe(rich)}
        differ = {key for key in facts if facts[key] != now.get(key)}
        assert differ <= {("view", fact.name)} & _TOLD
        facts = now
        tried += 1
    assert tried > 10


# A column that has the name of a newer keyword, and casts that 14 doesn't print: facts tell it
_TOLD = {("view", name) for name in ("app.v_alias", "app.v_json", "app.v_words")}


def _is_used(name: str, facts: tuple[SchemaFact, ...]) -> bool:
    return any(name in f.definition for f in facts if f.name != name)


COLUMNS = [
    "a integer",
    "a text not null default 'it''s; so'",
    "a numeric(8,2) default 0.5",
    "a timestamptz default now()",
    "a integer generated always as identity",
    "a integer generated always as (id * 2) stored",
    'a text collate "C"',
    "a text[] default '{}'",
    "a mood",
    '"Odd name" jsonb',
    "a varchar(10) default 'x'",
    "a citext",
]


@pytest.mark.parametrize("column", COLUMNS)
def test_columns_are_made_again(database: Database, column: str) -> None:
    """With their type, collation, default and generation."""
    database.execute(
        "create schema ext; create extension citext schema ext; create type mood as enum ('a');"
        f"alter database {database.name} set search_path = public, ext;"
        "create table t (id integer primary key)"
    )
    before = set(observe(database))
    database.execute(f"alter table t add column {column}")
    after = set(observe(database))
    (fact,) = (f for f in after - before if f.kind == "column")
    execute(database, dropped((fact.kind, fact.name), fact.definition))
    assert set(observe(database)) == before
    execute(database, made((fact.kind, fact.name), fact.definition))
    assert set(observe(database)) == after


CHANGES = [
    ("alter table t alter a set not null", "alter table t alter a drop not null"),
    ("alter table t alter a set default 5", "alter table t alter a drop default"),
    ("alter table t add constraint c check (a > 1) not valid",
     "alter table t validate constraint c"),
    ("alter type mood add value 'b' before 'c'", "alter type mood add value 'd'"),
]  # fmt: skip


@pytest.mark.parametrize(("first", "second"), CHANGES)
def test_an_object_is_changed(database: Database, first: str, second: str) -> None:
    """From what one statement leaves to what the next one does."""
    database.execute("create table t (a integer); create type mood as enum ('a', 'c')")
    database.execute(first)
    found: dict[Key, str] = {(f.kind, f.name): f.definition for f in observe(database)}
    database.execute(second)
    wanted: dict[Key, str] = {(f.kind, f.name): f.definition for f in observe(database)}
    (key,) = (key for key in wanted if wanted[key] != found[key])
    database.execute("drop table t; drop type mood")
    database.execute("create table t (a integer); create type mood as enum ('a', 'c')")
    database.execute(first)
    execute(database, changed(key, found[key], wanted[key]))
    assert {(f.kind, f.name): f.definition for f in observe(database)} == wanted


@pytest.mark.parametrize(
    ("key", "found", "wanted"),
    [
        (("column", "public.t.a"), "integer", "bigint"),
        (("column", "public.t.a"), "text", 'text collate "C"'),
        (("enum", "public.mood"), "'a', 'b'", "'a'"),
        (("enum", "public.mood"), "'a', 'b'", "'b', 'a', 'c'"),
        (("function", "public.f()"), "() body a", "() body b"),
        (("sequence", "public.s"), "integer start 1", "integer start 2"),
    ],
)
def test_what_may_lose_something_is_not_changed(key: Key, found: str, wanted: str) -> None:
    """A type, a label, what a function does: nothing that facts could put back."""
    assert changed(key, found, wanted) is None


def test_what_facts_do_not_hold_is_not_made() -> None:
    """A table's columns have an order, a function has a body."""
    assert made(("relation", "public.t"), "table") is None
    assert made(("function", "public.f()"), "() returns integer language sql body 1") is None
    assert made(("index", "public.t.i"), "USING btree (a) invalid") is None
