"""A database isn't one application's alone: installs beside others' objects, and shared tables."""

from pathlib import Path
from typing import Any

import psycopg
import pytest

from surefoot.decision.ownership import MIGRATORS
from surefoot.postgres.embedded import Server
from tests.support.database import Database
from tests.support.next_steps import run_next, steps_of
from tests.support.project import SYNC_ENV, Application, Result
from tests.support.refusals import at, with_catalogue

PEOPLE = "create table people (id int primary key, name text)"
PLATFORM = """
create schema auth; create table auth.users (id int primary key);
create type auth.level as enum ('a');
create schema storage; create table storage.buckets (id text primary key, name text);
create schema datadog;
create function datadog.explain(s text) returns text language sql as $$ select s $$;
create schema metric_helpers; create view metric_helpers.bloat as select 1 as n;
create schema "Odd ""name"; create sequence "Odd ""name".s;
"""


def finding(result: Result) -> dict[str, Any]:
    (found,) = result.json["findings"]
    return found


def at_head(application: Application, database: Database, *arguments: str) -> Result:
    """`up` ends at head, and `drift` agrees."""
    result = application.run("up", *arguments, url=database.url())
    assert result.code == 0, result.out + result.err
    assert application.run("drift", url=database.url()).code == 0
    return result


@pytest.mark.parametrize("catalogue", [True, False])
def test_beside_the_schemas_of_a_platform(
    application: Application, server: Server, database: Database, catalogue: bool
) -> None:
    """What lies in schemas that no revision touches is counted, and left as it is. Without a
    catalogue, the revisions' own words say which these are.
    """
    application.revision("r1", None, PEOPLE)
    if catalogue:
        with_catalogue(application, server)
    database.execute(PLATFORM)
    plan = application.run("plan", "--json", url=database.url())
    assert plan.code == 0, plan.out
    beside = {one["schema"]: one["objects"] for one in plan.json["database"]["beside"]}
    assert beside == {"auth": 2, "storage": 1, "datadog": 1, "metric_helpers": 1, 'Odd "name': 1}
    assert "6 objects in the database, others', not touched" in plan.json["remarks"][0]
    result = application.run("up", url=database.url())
    assert result.code == 0, result.err
    assert {"public.people", "auth.users", "storage.buckets"} <= set(database.tables())
    assert application.run("up", url=database.url()).code == 0


@pytest.mark.parametrize("taken", ["things", "orders"])
def test_an_application_in_a_schema_of_its_own(
    application: Application, server: Server, database: Database, taken: str
) -> None:
    """What lies in the schema of its version table is others', if no revision touches that: also a
    table of a name that the application has in its own.
    """
    application.revision("r1", None, "create schema shop", "create table shop.orders (id int)")
    with_catalogue(application, server)
    database.execute(f"create table {taken} (id int); insert into {taken} values (1)")
    remark = "1 object in the database, another's, not touched: public (1)"
    plan = application.run("plan", "--json", url=database.url())
    assert (plan.code, plan.json["remarks"]) == (0, [remark]), plan.out
    up = application.run("up", url=database.url())
    assert up.code == 0, up.err
    assert remark in " ".join(up.err.split())
    for command in ("status", "drift"):
        result = application.run(command, url=database.url())
        assert result.code == 0, result.out
        assert f"public.{taken}" not in result.out
    assert database.query(f"select id from {taken}") == [(1,)]
    database.execute("drop table alembic_version; drop schema surefoot cascade")
    plan = application.run("plan", "--json", url=database.url())
    assert (plan.code, plan.json["state"]) == (0, "identified"), plan.out


def test_a_schema_that_a_revision_names_is_the_applications(
    application: Application, server: Server, database: Database
) -> None:
    """There is no catalogue, and what lies in a schema that a revision names may be its own: an
    upgrade that lost its version row must not be run again.
    """
    application.revision(
        "r1", None, "create schema if not exists shop", "create table if not exists shop.t (i int)"
    )
    database.execute("create schema shop; create table shop.t (i text)")
    result = application.run("up", "--json", url=database.url())
    assert (result.code, result.error) == (4, "unversioned-database"), result.out
    with_catalogue(application, server)
    result = application.run("up", "--json", url=database.url())
    assert result.code == 4, result.out


@pytest.mark.parametrize("variable", ["APP_SCHEMA", "PGOPTIONS"])
def test_a_schema_that_the_environment_names_is_the_applications(
    application: Application, database: Database, variable: str
) -> None:
    """Without a catalogue, a variable may lead the application to its tables."""
    application.revision("r1", None, PEOPLE)
    database.execute("create schema shop; create table shop.t (i text)")
    value = {"APP_SCHEMA": "shop", "PGOPTIONS": "-c search_path=shop,public"}[variable]
    result = application.run("up", "--json", url=database.url(), env={variable: value})
    assert (result.code, result.error) == (4, "unversioned-database"), result.out


def test_an_env_py_that_chooses_the_schema_when_it_runs(
    application: Application, database: Database
) -> None:
    """Without a catalogue, nobody can tell which one: everything may be the application's."""
    application.revision("r1", None, PEOPLE)
    chosen = "import os\nSCHEMA = os.environ.get('X_SCHEMA', 'public')\n"
    application.env(chosen + SYNC_ENV)
    database.execute("create schema shop; create table shop.t (i text)")
    result = application.run("up", "--json", url=database.url())
    assert (result.code, result.error) == (4, "unversioned-database"), result.out


def test_tables_that_the_files_name_in_another_schema(
    application: Application, database: Database
) -> None:
    """The same as below without a catalogue: half of that schema's tables are in the revisions."""
    application.revision("r1", None, *(f"create table t{i} (id int primary key)" for i in range(4)))
    database.execute(
        "create schema legacy;"
        + "".join(f"create table legacy.t{i} (id int primary key);" for i in range(4))
    )
    result = application.run("up", "--json", url=database.url())
    assert (result.code, result.error) == (4, "unversioned-database"), result.out


def test_tables_of_the_application_in_another_schema(
    application: Application, server: Server, database: Database
) -> None:
    """A search path that leads elsewhere makes an application miss its own tables: they are no
    others', and it isn't installed a second time.
    """
    application.revision("r1", None, *(f"create table t{i} (id int primary key)" for i in range(4)))
    with_catalogue(application, server)
    database.execute(
        "create schema legacy;"
        + "".join(f"create table legacy.t{i} (id int primary key);" for i in range(4))
    )
    result = application.run("up", "--json", url=database.url())
    assert (result.code, result.error) == (4, "foreign-database"), result.out
    assert database.tables() == [f"legacy.t{i}" for i in range(4)]


def test_a_version_row_of_the_applications_in_another_schema(
    application: Application, server: Server, database: Database
) -> None:
    """Its revisions stand there, so it has been installed there."""
    application.revision("r1", None, PEOPLE)
    with_catalogue(application, server)
    database.execute(
        "create schema legacy; create table legacy.people (id int primary key, name text);"
        "create table legacy.alembic_version (version_num varchar(32) primary key);"
        "insert into legacy.alembic_version values ('r1')"
    )
    result = application.run("up", "--json", url=database.url())
    assert result.code == 4, result.out
    assert "public.people" not in database.tables()


@pytest.mark.parametrize("extension", ["tablefunc", "dblink", "hstore", "pgcrypto", "pg_trgm"])
def test_what_an_extension_brought_is_nobodys(
    application: Application, server: Server, database: Database, extension: str
) -> None:
    """Its types, composite ones too, its functions and its schema."""
    with psycopg.connect(database.url()) as connection:
        found = connection.execute(
            "select 1 from pg_available_extensions where name = %s", [extension]
        ).fetchone()
    if found is None:
        pytest.skip(f"this server has no {extension}")
    application.revision("r1", None, PEOPLE)
    database.execute(f"create extension {extension}")
    assert application.run("up", url=database.url()).code == 0


def others(database: Database) -> None:
    database.execute(
        "create table posts (id int primary key, title text);"
        "create table django_migrations (id int primary key, app text, name text);"
        "create type mood as enum ('good'); create function twice(i int) returns int language sql"
        " as $$ select 2 * i $$"
    )


@pytest.mark.parametrize("how", ["option", "file"])
def test_a_shared_schema(
    application: Application, server: Server, database: Database, how: str
) -> None:
    """Refused until somebody says that it's shared; then installed, and the others' stays."""
    application.linear()
    with_catalogue(application, server)
    others(database)
    refused = application.run("up", "--json", url=database.url())
    assert (refused.code, refused.error) == (4, "foreign-database")
    seen = " ".join(finding(refused)["seen"])
    assert "public.django_migrations (Django)" in seen
    if how == "option":
        done = run_next(finding(refused)["next"], database, application)
        assert [result.code for result in done.results] == [0], done.results
    else:
        application.write("surefoot.toml", "shared = true\n")
        at_head(application, database)
    assert {"public.posts", "public.people", "public.django_migrations"} <= set(database.tables())
    assert application.run("up", url=database.url()).code == 0


def test_a_shared_schema_needs_a_catalogue(application: Application, database: Database) -> None:
    """Only a catalogue knows which names are the application's."""
    application.linear()
    others(database)
    result = application.run("up", "--shared", "--json", url=database.url())
    assert (result.code, result.error) == (4, "unversioned-database")
    assert "surefoot catalog build" in finding(result)["next"]


@pytest.mark.parametrize(
    "taken",
    [
        "create table people (id int, other text)",
        "create view people as select 1 as one",
        "create table people as select 1 as id",
    ],
)
def test_a_name_that_both_want(
    application: Application, server: Server, database: Database, taken: str
) -> None:
    """Named with both owners, and nothing is installed."""
    application.revision(
        "r1", None, PEOPLE, *(f"create table t{i} (id int primary key)" for i in range(6))
    )
    with_catalogue(application, server)
    others(database)
    database.execute(taken)
    before = database.dump()
    for arguments in ((), ("--shared",)):
        result = application.run("up", *arguments, "--json", url=database.url())
        assert (result.code, result.error) == (4, "foreign-database"), result.out
        seen = " ".join(finding(result)["seen"])
        assert (
            "taken: relation public.people, which revision r1 makes; it belongs to postgres" in seen
        )
        assert "--shared" not in finding(result)["next"]
    assert database.dump() == before


def test_an_init_script_beside_others(
    application: Application, server: Server, database: Database
) -> None:
    """What was there before the script isn't held for more than head has."""
    application.revision("r1", None, PEOPLE)
    application.write("init.sql", f"{PEOPLE};\n")
    application.write("surefoot.toml", 'init = ["init.sql"]\nshared = true\n')
    with_catalogue(application, server)
    others(database)
    database.execute(PLATFORM)
    at_head(application, database)


def own_table(application: Application, name: str) -> None:
    """The application's version table is called so, by env.py and by the configuration."""
    application.env(options=f"version_table={name!r}")
    application.write("surefoot.toml", f'version_table = "{name}"\nshared = true\n')


def second(root: Path) -> Application:
    root.mkdir()
    application = Application(root)
    application.revision("b1", None, "create table orders (id int primary key)")
    application.revision("b2", "b1", "create table lines (id int primary key, n int)")
    application.revision("b3", "b2", "alter table lines add note text")
    return application


@pytest.mark.slow
def test_two_histories_in_one_schema(
    application: Application, server: Server, database: Database, tmp_path: Path
) -> None:
    """Each with a version table of its own: none is refused for the other's objects or touches
    them, whichever comes first, and wherever it stands.
    """
    application.linear()
    own_table(application, "alembic_version_a")
    other = second(tmp_path / "other")
    own_table(other, "alembic_version_b")
    for one in (application, other):
        with_catalogue(one, server)
    at_head(application, database)
    at_head(other, database)
    for one, mine, theirs in (
        (application, "alembic_version_a", "alembic_version_b"),
        (other, "alembic_version_b", "alembic_version_a"),
    ):
        database.execute(f"drop table {mine}")
        result = one.run("up", url=database.url())
        assert result.code == 0, result.err
        assert database.query(f"select count(*) from {theirs}") == [(1,)]
        rows = database.query(f"select version_num from {mine}")
        assert rows == [("r3",)] if one is application else [("b3",)]
        status = one.run("status", url=database.url())
        assert status.code == 0, status.out
        cleanup = one.run("cleanup", "--yes", url=database.url())
        assert cleanup.code == 0, cleanup.err
        assert {"public.people", "public.orders", "public.lines"} <= set(database.tables())


@pytest.mark.slow
@pytest.mark.follows("unknown-revision")
def test_one_version_table_for_two_applications(
    application: Application, server: Server, database: Database, tmp_path: Path
) -> None:
    """Both are named, and `repair` drops nobody's row. What `next` says gives each its own."""
    application.linear()
    with_catalogue(application, server)
    at(application, database, "r3", row=True)
    database.execute("create table experiments (id int primary key)")
    database.execute("insert into alembic_version values ('451aebb31d03')")
    for command in (("up",), ("repair", "--yes"), ("adopt", "--yes")):
        result = application.run(*command, "--json", url=database.url())
        assert (result.code, result.error) == (4, "unknown-revision"), result.out
        assert "451aebb31d03" in finding(result)["message"]
        assert "r3 is a revision of this one" in finding(result)["message"]
        assert "public.experiments" in " ".join(finding(result)["seen"])
    rows = database.query("select version_num from alembic_version order by 1")
    assert rows == [("451aebb31d03",), ("r3",)]
    for statement in steps_of(finding(result)["next"]).sql:
        database.execute(statement)
    own_table(application, "alembic_version_2")
    with_catalogue(application, server)
    at_head(application, database)
    assert database.query("select version_num from alembic_version") == [("451aebb31d03",)]


def test_the_migrators_that_are_known_are_named(
    application: Application, server: Server, database: Database
) -> None:
    """The refusal says whose history is in the schema."""
    application.linear()
    with_catalogue(application, server)
    for table in MIGRATORS:
        if table != "alembic_version":
            database.execute(f'create table "{table}" (id int)')
    database.execute("create table other_versions (version_num varchar(32))")
    result = application.run("up", "--json", url=database.url())
    assert result.error == "foreign-database", result.out
    assert "(Django)" in " ".join(finding(result)["seen"])


def test_a_schema_that_was_renamed_is_no_empty_database(
    application: Application, server: Server, database: Database
) -> None:
    """Its version row is the application's: no empty installation is made beside the data."""
    application.linear()
    with_catalogue(application, server)
    assert application.run("up", url=database.url()).code == 0
    database.execute("alter schema public rename to public_old; create schema public")
    for arguments in ((), ("--shared",)):
        result = application.run("up", "--json", *arguments, url=database.url())
        assert (result.code, result.error) == (4, "version-table-elsewhere")
    assert database.query("select count(*) from pg_tables where schemaname = 'public'") == [(0,)]
