"""At head, each thing that head promises is taken away by itself: refused, or reported; and what
`next` says puts it back."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from surefoot.catalogue.catalogue import Catalogue, Way, changes, state_of
from surefoot.catalogue.identify import Identifier
from surefoot.catalogue.match import Promise
from surefoot.catalogue.read import loads
from surefoot.compatibility.promise import promise
from surefoot.decision.facts import VersionTableName
from surefoot.look.structure import structure_within
from surefoot.model.history import History, Revision
from surefoot.postgres.embedded import Server
from surefoot.schema.ddl import dropped
from surefoot.schema.fact import SchemaFact, table
from surefoot.schema.names import quote_name, split_name
from tests.support.database import Database
from tests.support.example import Example
from tests.support.next_steps import steps_of
from tests.support.project import Application, Result
from tests.support.refusals import refused, seen, with_catalogue
from tests.support.structures import RICH, observe

TABLE = VersionTableName()

# What stops nobody when it is gone: all the rest that head makes is refused.
HARMLESS = frozenset(("statistics", "option", "replica identity", "event trigger"))


def is_harmless(fact: SchemaFact) -> bool:
    """What the application can be started without, by kind."""
    if fact.kind == "index":
        return not fact.definition.startswith("unique ")
    if fact.kind == "option":
        return not fact.name.endswith((".check_option", ".security_invoker", ".security_barrier"))
    return fact.kind in HARMLESS


def held(catalogue: Catalogue, facts: tuple[SchemaFact, ...]) -> Promise:
    found = promise(catalogue, Identifier(catalogue, facts), facts, lambda _: True)
    assert found is not None
    return found[0]


def of_one_revision(facts: tuple[SchemaFact, ...]) -> Catalogue:
    """A history of one revision that makes all of this."""
    revision = Revision("r1", (), (), "all of it", None, "r1.py", "a" * 64)
    way = Way("base", frozenset(), (), {"r1": changes({}, state_of(facts))})
    return Catalogue(History({"r1": revision}), (way,))


def taken_away(fact: SchemaFact) -> list[str]:
    """The SQL that takes one object away, and what can't be without it."""
    if fact.kind in ("schema", "extension"):
        return [f"drop {fact.kind} {quote_name(*split_name(fact.name))} cascade"]
    if fact.kind == "replica identity":
        return [f"alter table {quote_name(*split_name(fact.name)[:2])} replica identity default"]
    if fact.kind == "event trigger":
        return [f"drop event trigger {quote_name(*split_name(fact.name))}"]
    if fact.kind == "statistics" and fact.name.count(".") > 2:
        return [f"drop statistics {quote_name(*split_name(fact.name)[2:])}"]
    texts = [s.text for s in dropped((fact.kind, fact.name), fact.definition) or ()]
    cascading = ("drop table", "drop view", "drop materialized", "drop foreign", "drop type")
    cascading += ("drop domain", "drop sequence", "drop function", "drop procedure")
    return [
        text.replace("concurrently ", "")
        + (" cascade" if text.startswith(cascading) or " drop c" in text else "")
        for text in texts
    ]


def tried(
    connection: psycopg.Connection[Any], catalogue: Catalogue, facts: Iterable[SchemaFact]
) -> dict[str, int]:
    """Take each away in a transaction of its own, see what is said, and do what is said.

    How often the statements sufficed, by kind.
    """
    restored: dict[str, int] = {}
    for fact in facts:
        texts = taken_away(fact)
        if not texts:
            continue
        with connection.transaction(force_rollback=True):
            try:
                for text in texts:
                    with connection.transaction():
                        connection.execute(text.encode())
            except psycopg.Error:
                continue  # it can't go by itself: an inherited column, what a key hangs on
            now = structure_within(connection, TABLE)
            found = held(catalogue, now)
            if (fact.kind, fact.name) in {(f.kind, f.name) for f in now}:
                continue  # dropped by itself it isn't gone: a copy that is inherited, say
            told = {(b.kind, b.name) for b in (*found.broken, *found.harmless)}
            whole = {b.name for b in found.broken if b.kind == "relation"}
            about = {(fact.kind, fact.name), ("relation", table(fact))}
            assert about & told or table(fact) in whole, (fact, found)
            if is_harmless(fact):
                assert not found.broken, (fact, found.broken)
                continue
            assert found.broken, fact
            if found.back.by_hand:
                continue
            try:
                for text in found.back.statements:
                    connection.execute(text.encode())
            except psycopg.errors.NotNullViolation:
                assert any("can't be added to a table with rows" in n for n in found.back.notes)
                continue
            after = held(catalogue, structure_within(connection, TABLE))
            assert not after.broken, (fact, found.back.statements, after.broken)
            restored[fact.kind] = restored.get(fact.kind, 0) + 1
    return restored


@pytest.mark.slow
def test_everything_that_facts_know_of(database: Database) -> None:
    """A structure with every kind: each object is missed, and most of them can be put back."""
    database.execute(RICH.read_text())
    database.execute(f"alter database {database.name} set search_path = app, ext, public")
    # columns with the names of newer keywords, and a query that has another text once it is typed
    # as it is printed
    database.execute("drop index app.person_json; drop view app.v_json, app.v_alias")
    database.execute("alter table app.person drop constraint json_keys")
    facts = observe(database)
    catalogue = of_one_revision(facts)
    assert held(catalogue, facts) == Promise()
    with database.connect() as connection:
        restored = tried(connection, catalogue, facts)
    assert restored.keys() >= {"column", "constraint", "index", "relation", "sequence", "trigger"}


@pytest.mark.slow
def test_the_head_of_a_real_history(
    tmp_path: Path, other_database: Database, client_bin: Path
) -> None:
    """Of the example's 1,500 facts a sample: every kind, every twelfth of the common ones."""
    example = Example(tmp_path / "whisperengine", other_database)
    assert example.surefoot("up").code == 0
    file = example.root / "alembic" / "surefoot-catalog.txt"
    catalogue = loads(file.read_text(), file.name)
    with other_database.connect() as connection:
        with connection.transaction():
            facts = structure_within(connection, TABLE)
        by_kind: dict[str, list[SchemaFact]] = {}
        for fact in facts:
            by_kind.setdefault(fact.kind, []).append(fact)
        sample = [fact for some in by_kind.values() for fact in some[:: max(1, len(some) // 12)]]
        assert not held(catalogue, facts).broken
        restored = tried(connection, catalogue, sample)
    assert sum(restored.values()) > 30, restored


# --- what a person sees, and types


def copied(result: Result) -> str:
    """The statements of the next step, as they are copied from it."""
    (finding,) = result.json["findings"]
    return "\n".join(steps_of(finding["next"]).sql)


SHOP = """
create type mood as enum ('calm', 'wild');
create table people (id serial primary key, name text not null, mood mood default 'calm');
create table pets (
    id int generated by default as identity primary key, owner int references people (id),
    tag text unique, weight numeric check (weight > 0), age smallint
);
create index pets_weight on pets (weight);
create view grown with (security_barrier) as select id, tag from pets where weight > 1;
create function touch() returns trigger language plpgsql as 'begin return new; end';
create trigger touched before update on pets for each row execute function touch();
alter table pets enable row level security;
create policy all_pets on pets using (true);
"""

ROWS = "insert into people (name) values ('Ada'), ('Bob'); insert into pets (owner) values (1);"

LACKING = {
    "drop view grown; alter table pets drop column tag": "column public.pets.tag",
    "drop table pets cascade": "table public.pets",
    "drop table people cascade": "table public.people",
    "alter table pets drop constraint pets_owner_fkey": "constraint public.pets.pets_owner_fkey",
    "alter table pets drop constraint pets_weight_check": "public.pets.pets_weight_check",
    "alter table pets drop constraint pets_tag_key": "constraint public.pets.pets_tag_key",
    "alter table people alter name drop not null": "column public.people.name",
    "alter table people alter mood drop default": "column public.people.mood",
    "alter table people alter id drop default; drop sequence people_id_seq": "people_id_seq",
    "drop trigger touched on pets": "trigger public.pets.touched",
    "drop view grown": "view public.grown",
    "alter view grown reset (security_barrier)": "option public.grown.security_barrier",
    "create or replace view grown as select id, tag from pets": "view public.grown",
    "drop policy all_pets on pets": "policy public.pets.all_pets",
    "alter table pets disable row level security": "row security public.pets",
    "alter table pets disable trigger touched": "trigger public.pets.touched",
    "alter table people disable trigger all": "constraint public.pets.pets_owner_fkey",
    "drop view grown; alter table pets alter tag type varchar(3)": "column public.pets.tag",
    "alter table people alter mood drop default, alter mood type text; drop type mood": "enum",
    "alter table pets add owner_name text not null default ''; "
    "alter table pets alter owner_name drop default": "column public.pets.owner_name",
    "alter table notes rename to notes_old": "table public.notes",
    "alter table notes rename to notes_base; create view notes as select * from notes_base": (
        "table public.notes"
    ),
    "drop table notes; create view notes as select 1 as id": "table public.notes",
}


@pytest.fixture
def shop(application: Application, server: Server, database: Database) -> Application:
    """At head by its version row, made by Alembic itself, with rows and the catalogue."""
    application.revision("r1", None, "create table notes (id int primary key)")
    application.revision("r2", "r1", SHOP)
    with_catalogue(application, server)
    application.alembic("upgrade", "head", url=database.url("postgresql+psycopg"))
    database.execute(ROWS)
    return application


@pytest.mark.parametrize("damage", LACKING)
@pytest.mark.provokes("structure-contradicts-revision")
@pytest.mark.follows("structure-contradicts-revision")
def test_what_head_promises_is_missed_and_put_back(
    shop: Application, database: Database, damage: str
) -> None:
    """Refused with its name and the revision that makes it; the statements, typed, suffice."""
    database.execute(damage)
    result = refused(
        shop, database, "structure-contradicts-revision", ("status",), ("plan",), ("up",)
    )
    assert LACKING[damage] in seen(result)
    if "pets_weight_check" in damage:
        assert "which revision r2 makes" in seen(result)
    if "drop type mood" in damage:
        assert "surefoot adopt r2 --accept-difference" in result.json["findings"][0]["next"]
        return  # of text to the enum nobody knows how
    if "drop table people" in damage:  # whose rows are gone, and are referred to
        assert "correct them first" in result.json["findings"][0]["next"]
        database.execute("update pets set owner = null")
    database.execute(copied(result))
    done = shop.run("up", "--json", url=database.url())
    assert done.code == 0, done.err


@pytest.mark.parametrize("kind", ["primary key", "unique"])
def test_a_key_whose_index_is_invalid_is_put_back(
    application: Application, server: Server, database: Database, kind: str
) -> None:
    """As a restored dump leaves it if a partition's own key could not be made: of duplicates. With
    a version row and without one it isn't head; the statements suffice once the rows are right.
    """
    application.revision(
        "r1",
        None,
        f"create table ev (id int not null, at date not null, {kind} (id, at))"
        " partition by range (at)",
        "create table ev25 partition of ev for values from ('2025-01-01') to ('2026-01-01')",
    )
    with_catalogue(application, server)
    application.alembic("upgrade", "head", url=database.url("postgresql+psycopg"))
    name = "ev_pkey" if kind == "primary key" else "ev_id_at_key"
    database.execute(
        f"alter table ev drop constraint {name};"
        "insert into ev values (1, '2025-02-02'), (1, '2025-02-02');"
        f"alter table only ev add constraint {name} {kind} (id, at)"
    )
    result = refused(
        application, database, "structure-contradicts-revision", ("status",), ("plan",), ("up",)
    )
    assert f"constraint public.ev.{name}" in seen(result)
    assert "its index is invalid" in seen(result)
    assert application.run("drift", url=database.url()).code != 0
    with pytest.raises(psycopg.errors.UniqueViolation):
        database.execute(copied(result))
    database.execute("drop table alembic_version")
    unknown = application.run("up", "--json", url=database.url())
    assert unknown.error == "unidentified-structure", unknown.out
    assert f"constraint public.ev.{name}" in seen(unknown)
    database.execute("delete from ev where ctid = (select min(ctid) from ev)")
    database.execute(copied(result))
    done = application.run("up", "--json", url=database.url())
    assert done.code == 0, done.err


@pytest.mark.parametrize("damage", list(LACKING)[::4])
def test_what_is_meant_to_be_so_is_accepted(
    shop: Application, database: Database, damage: str
) -> None:
    """A person says so once, and from then on it counts as head."""
    database.execute(damage)
    assert shop.run("up", url=database.url()).code == 4
    adopted = shop.run("adopt", "r2", "--accept-difference", "--yes", url=database.url())
    assert adopted.code == 0, adopted.err
    done = shop.run("up", "--json", url=database.url())
    assert done.code == 0, done.err
    database.execute("alter table people drop name")
    assert shop.run("up", url=database.url()).code == 4


HARMLESS_CHANGES = {
    "drop index pets_weight": "index public.pets.pets_weight (revision r2) is missing",
    "create index own on pets (age)": "index public.pets.own is not the application's",
    "alter table pets alter age type bigint": "column public.pets.age (revision r2) differs",
    "alter table pets add remark text": "column public.pets.remark is not the application's",
    "alter type mood add value 'odd'": "enum public.mood (revision r2) differs",
    "create trigger own after insert on people for each row execute function touch()": "trigger",
    "update pg_index set indisvalid = false where indexrelid = 'pets_weight'::regclass": "reindex",
}


@pytest.mark.parametrize("change", HARMLESS_CHANGES)
def test_what_stops_nobody_is_reported(shop: Application, database: Database, change: str) -> None:
    """`up` says nothing to do, and warns, in text and in JSON."""
    database.execute(change)
    for _ in range(2):
        done = shop.run("up", "--json", url=database.url())
        assert done.code == 0, done.err
        assert any(HARMLESS_CHANGES[change] in line for line in done.json["remarks"])
        assert "nothing to do" in " ".join(done.err.split())
        assert HARMLESS_CHANGES[change] in " ".join(done.err.split())
    assert shop.run("status", "--json", url=database.url()).json["remarks"]


def test_after_an_upgrade_what_differs_is_reported(
    shop: Application, database: Database, server: Server
) -> None:
    """A pending revision changes nothing about an index of the user's own."""
    shop.revision("r3", "r2", "create table toys (id int)")
    with_catalogue(shop, server)
    database.execute("create index own on pets (age)")
    done = shop.run("up", "--json", url=database.url())
    assert (done.code, len(done.json["done"])) == (0, 1)
    assert any("public.pets.own" in line for line in done.json["remarks"])


def test_all_tables_are_gone_and_the_application_is_installed_anew(
    shop: Application, database: Database
) -> None:
    """The version row is left, with a function and a type: what `next` says leads to an install."""
    database.execute("drop table notes, pets, people cascade")
    result = refused(shop, database, "structure-contradicts-revision", ("up",))
    assert "none of the application's tables is there" in seen(result)
    database.execute(copied(result))
    assert database.tables() == []
    done = shop.run("up", "--json", url=database.url())
    assert (done.code, done.json["current"]) == (0, ["r2"]), done.err


def test_all_tables_are_gone_and_somebody_elses_are_there(
    shop: Application, database: Database
) -> None:
    """Nothing is dropped on a guess: it may be the wrong database."""
    database.execute("drop table notes, pets, people cascade; create table ledger (id int)")
    result = refused(shop, database, "structure-contradicts-revision", ("up",))
    assert "check that this is the right database" in result.json["findings"][0]["next"]
    assert copied(result) == ""


def test_what_an_older_revision_has_made_is_adopted(
    shop: Application, database: Database, server: Server
) -> None:
    """Head was stamped over the structure of r2: recorded as that, r3 runs."""
    shop.revision("r3", "r2", "alter table pets add name text")
    with_catalogue(shop, server)
    database.execute("update alembic_version set version_num = 'r3'")
    result = refused(shop, database, "structure-contradicts-revision", ("up",))
    assert steps_of(result.json["findings"][0]["next"]).commands == ("surefoot adopt r2",)
    assert shop.run("adopt", "r2", "--yes", url=database.url()).code == 0
    done = shop.run("up", "--json", url=database.url())
    assert (done.code, [one["name"] for one in done.json["done"]]) == (0, ["r3"])


@pytest.mark.parametrize("surefoot", [True, False], ids=["with the journal", "without"])
def test_a_revision_that_was_put_below_the_head(
    shop: Application, database: Database, server: Server, surefoot: bool
) -> None:
    """It is named for what it is; and the structure put right, the start says it didn't run."""
    shop.revision("r3", "r2", "create table toys (id int)")
    if surefoot:
        with_catalogue(shop, server)
        assert shop.run("up", url=database.url()).code == 0
        database.execute("delete from surefoot.journal where step = 'reached'")
    else:
        shop.alembic("upgrade", "head", url=database.url("postgresql+psycopg"))
    shop.revision("r2b", "r2", "alter table pets add name text")
    shop.revision("r3", "r2b", "create table toys (id int)")
    with_catalogue(shop, server)
    result = refused(shop, database, "structure-contradicts-revision", ("up",))
    assert "nothing that revision r2b makes is there" in seen(result)
    if surefoot:
        assert "surefoot's journal says that r3 ran without it" in seen(result)
    database.execute(copied(result))
    done = shop.run("up", "--json", url=database.url())
    assert done.code == 0, done.err
    warned = [line for line in done.json["remarks"] if "r2b has not run here" in line]
    assert bool(warned) is surefoot
    if surefoot:
        assert shop.run("adopt", "r3", "--yes", url=database.url()).code == 0
        assert shop.run("up", "--json", url=database.url()).json["remarks"] == []


def test_a_file_that_is_not_the_one_that_ran(
    shop: Application, database: Database, server: Server
) -> None:
    """The revision was edited after it had run: what differs is explained by that."""
    shop.revision("r3", "r2", "create table toys (id int)")
    with_catalogue(shop, server)
    assert shop.run("up", url=database.url()).code == 0
    database.execute("delete from surefoot.journal where step = 'reached'")
    shop.revision("r3", "r2", "create table toys (id int, name text)")
    with_catalogue(shop, server)
    result = refused(shop, database, "structure-contradicts-revision", ("up",))
    assert "the file of revision r3 is not the one that has run here" in seen(result)
    database.execute(copied(result))
    assert shop.run("up", url=database.url()).code == 0
