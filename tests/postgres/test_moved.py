"""An application in a schema of its own, with a catalogue that was built in `public`."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from surefoot.postgres.embedded import Server
from tests.support.catalogues import with_catalogue
from tests.support.database import Database
from tests.support.next_steps import Steps, next_of, run_next, steps_of
from tests.support.project import Application

ROLE = "moved_shop"
DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture
def its(database: Database) -> Iterator[Database]:
    """A database in which a role has the schema that its search path begins with."""
    database.execute(f"create role {ROLE} login password 'x'; create schema {ROLE}")
    database.execute(
        f"alter schema {ROLE} owner to {ROLE};"
        f"do $$ begin execute format('grant create on database %I to {ROLE}', current_database());"
        " end $$; create table public.people (id text)"
    )
    yield database
    database.execute(f"drop owned by {ROLE} cascade; drop role {ROLE}")


def url(database: Database, driver: str = "postgresql") -> str:
    return database.url(driver).replace(f"postgres:{database.server.password}@", f"{ROLE}:x@")


def history(application: Application, r3: str) -> None:
    """With types, defaults and keys, whose definitions contain the schema's name."""
    application.revision(
        "r1",
        None,
        "create type kind as enum ('public', 'public.x')",
        "create table people (id serial primary key, kind kind default 'public.x', name text)",
    )
    application.revision(
        "r2",
        "r1",
        "create table pets (id int primary key, owner int references people)",
        "create view owners as select p.name from people p join pets on pets.owner = p.id",
    )
    application.revision("r3", "r2", r3)


@pytest.mark.parametrize("bare", [True, False])
def test_it_is_identified_and_upgraded(
    application: Application, server: Server, its: Database, bare: bool
) -> None:
    history(application, "create index pets_owner on pets (owner)")
    with_catalogue(application, server)
    application.alembic("upgrade", "r2", url=url(its, "postgresql+psycopg"))
    if bare:
        its.execute(f"drop table {ROLE}.alembic_version")
    done = application.run("up", "--json", url=url(its))
    assert (done.code, done.json["current"]) == (0, ["r3"]), done.err
    assert [step["step"] for step in done.json["done"]] == ["adopt"] * bare + ["revision"]
    drift = application.run("drift", url=url(its))
    assert drift.code == 0, drift.out + drift.err


def test_damage_is_not_taken_for_a_revision(
    application: Application, server: Server, its: Database
) -> None:
    """It matches nothing: a stamp would be a guess."""
    history(application, "create index pets_owner on pets (owner)")
    with_catalogue(application, server)
    application.alembic("upgrade", "r2", url=url(its, "postgresql+psycopg"))
    its.execute(f"drop table {ROLE}.alembic_version; alter table {ROLE}.people drop name cascade")
    before = its.dump()
    refused = application.run("up", "--json", url=url(its))
    assert (refused.code, refused.error) == (4, "unidentified-structure"), refused.out
    assert f"column {ROLE}.people.name" in refused.out
    assert its.dump() == before


@pytest.mark.parametrize("ours", [True, False])
def test_damage_at_head_is_named_and_mended(
    application: Application, server: Server, its: Database, ours: bool
) -> None:
    """As in the schema of the build, which has seen that the history makes the same in another."""
    history(application, "create index pets_owner on pets (owner)")
    with_catalogue(application, server)
    its.execute("drop table public.people")
    if ours:
        assert application.run("up", url=url(its)).code == 0
    else:
        application.alembic("upgrade", "head", url=url(its, "postgresql+psycopg"))
    its.execute(f"alter table {ROLE}.pets drop constraint pets_owner_fkey")
    its.execute(f"drop view {ROLE}.owners")
    before = its.dump()
    for command in ("up", "status", "drift"):
        refused = application.run(command, "--json", url=url(its))
        assert refused.code != 0, refused.out
        assert f"{ROLE}.owners" in refused.out, refused.out
        assert f"{ROLE}.pets.pets_owner_fkey" in refused.out, refused.out
    assert its.dump() == before
    refused = application.run("up", "--json", url=url(its))
    run_next(Steps(steps_of(next_of(refused)).sql), its)
    its.execute(f"alter view {ROLE}.owners owner to {ROLE}")
    done = application.run("up", "--json", url=url(its))
    assert (done.code, done.json["remarks"]) == (0, []), done.out
    drift = application.run("drift", url=url(its))
    assert drift.code == 0, drift.out + drift.err


def test_what_a_script_makes_there_is_not_known(
    application: Application, server: Server, its: Database
) -> None:
    """The moved catalogue has only the revisions' own path, so it confirms, and contradicts only
    what a run has verified.
    """
    history(application, "create index pets_owner on pets (owner)")
    script = (
        "create type kind as enum ('public', 'public.x');"
        "create table people (id serial primary key, kind kind default 'public.x',"
        " name text default 'x');"
    )
    application.write("init.sql", script)
    application.config('init = ["init.sql"]\ninit_revision = "r1"\n')
    with_catalogue(application, server)
    its.execute(f"set role {ROLE}; set search_path = {ROLE}; {script}")
    its.execute(
        f"create table {ROLE}.alembic_version (version_num varchar(32) primary key);"
        f"insert into {ROLE}.alembic_version values ('r1');"
        f"alter table {ROLE}.alembic_version owner to {ROLE}"
    )
    done = application.run("up", "--json", url=url(its))
    assert (done.code, done.json["current"]) == (0, ["r3"]), done.out
    assert f"what init scripts or origins make in {ROLE} isn't known" in done.out
    drift = application.run("drift", "--json", url=url(its))
    assert drift.error == "catalogue-unusable", drift.out
    assert "SUREFOOT_CATALOG" in next_of(drift)

    its.execute(f"alter table {ROLE}.people alter name drop default")  # as the revisions
    done = application.run("up", "--json", url=url(its))
    assert (done.code, done.json["current"]) == (0, ["r3"]), done.out
    its.execute(f"alter table {ROLE}.pets drop constraint pets_owner_fkey")
    refused = application.run("up", "--json", url=url(its))
    assert (refused.code, refused.error) == (4, "structure-contradicts-revision"), refused.out
    assert f"{ROLE}.pets.pets_owner_fkey" in refused.out


@pytest.mark.slow
@pytest.mark.parametrize("bare", [True, False])
def test_a_history_that_names_the_other_schema(
    application: Application, server: Server, its: Database, bare: bool
) -> None:
    """Here it makes something else than in `public`, as the build has seen: its version row counts,
    as without a catalogue, and without one nothing is recorded.
    """
    history(application, "create table public.places (id int primary key)")
    built = application.run("catalog", "build", "--server", server.url())
    assert "in another schema than public, revision r3 differs" in " ".join(built.err.split())
    its.execute(f"grant create on schema public to {ROLE}")
    application.alembic("upgrade", "r3", url=url(its, "postgresql+psycopg"))
    application.revision("r4", "r3", "alter table pets add name text")
    with_catalogue(application, server)
    if bare:
        its.execute(f"drop table {ROLE}.alembic_version")
    done = application.run("up", "--json", url=url(its))
    if bare:
        assert (done.code, done.error) == (4, "unversioned-database"), done.out
    else:
        assert (done.code, done.json["current"]) == (0, ["r4"]), done.err


@pytest.mark.slow
def test_two_applications_with_roles_of_their_own(
    application: Application, server: Server, its: Database, tmp_path: Path
) -> None:
    """Neither trusts what the other could have made. What the page says is enough."""
    history(application, "create index pets_owner on pets (owner)")
    with_catalogue(application, server)
    (tmp_path / "forum").mkdir()
    other = Application(tmp_path / "forum")
    other.revision("b1", None, "create table posts (id int primary key)")
    with_catalogue(other, server)
    its.execute("drop table public.people")
    its.execute("create role moved_forum login password 'x'; create schema moved_forum")
    its.execute(
        "alter schema moved_forum owner to moved_forum;"
        "do $$ begin execute format('grant create on database %I to moved_forum',"
        " current_database()); end $$"
    )
    forum = url(its).replace(ROLE, "moved_forum")
    try:
        assert application.run("up", url=url(its)).code == 0
        refused = other.run("up", "--json", url=forum)
        assert (refused.code, refused.error) == (4, "object-not-trusted"), refused.out
        assert "surefoot explain two-applications" in refused.json["findings"][0]["next"]
        page = (DOCS / "guides" / "two-applications.md").read_text()
        statements = re.search(r"```sql\n(.*?)```", page, re.DOTALL)
        assert statements is not None
        roles = {"OWNER": "postgres", "SHOP": ROLE, "FORUM": "moved_forum"}
        its.execute(re.sub("|".join(roles), lambda found: roles[found[0]], statements[1]))
        for one, at, head in ((other, forum, "b1"), (application, url(its), "r3")):
            done = one.run("up", "--json", url=at)
            assert (done.code, done.json["current"]) == (0, [head]), done.err
    finally:
        its.execute("drop owned by moved_forum cascade; drop role moved_forum")
