"""`surefoot dump`: init scripts made from histories, the same each time, and loaded again."""

import subprocess
from pathlib import Path
from typing import Any

import psycopg
import pytest

from surefoot.decision.facts import VersionTableName
from surefoot.look.structure import observe_structure
from surefoot.postgres.embedded import Server
from surefoot.schema.fact import SchemaFact
from surefoot.scripts.header import Header, read_header
from tests.support.database import Database
from tests.support.project import Application, Result

SCRIPT = "sql/00_init.sql"
CATALOGUE = "migrations/surefoot-catalog.txt"


def dump(application: Application, server: Server, *options: str, **more: Any) -> Result:
    """`surefoot dump` on the tests' own server."""
    return application.run("dump", "--server", server.url(), *options, **more)


def dumped(application: Application, server: Server, *options: str, **more: Any) -> bytes:
    """The script that it writes."""
    (application.root / "sql").mkdir(exist_ok=True)
    result = dump(application, server, "-o", SCRIPT, *options, **more)
    assert result.code == 0, result.err
    return (application.root / SCRIPT).read_bytes()


def header(script: bytes) -> Header:
    found = read_header(script)
    assert found is not None
    return found


def use(application: Application, revision: str, more: str = "") -> None:
    application.config(f'init = ["{SCRIPT}"]\ninit_revision = "{revision}"\n{more}')


def facts(database: Database) -> tuple[SchemaFact, ...]:
    with database.connect() as connection:
        found = observe_structure(connection, VersionTableName())
    return tuple(fact for fact in found if not fact.name.startswith("surefoot"))


def up(application: Application, database: Database) -> dict[str, Any]:
    done = application.run("up", "--json", url=database.url())
    assert done.code == 0, done.err
    return done.json


def rich(application: Application) -> None:
    """Tables, a view, a function with a trigger, an enum, data, sequences: three revisions."""
    application.revision(
        "r1",
        None,
        "create type kind as enum ('cat', 'dog')",
        "create table people (id serial primary key, name text not null unique)",
        "insert into people (name) values ('Ann'), ('Ben;\n-- '), (E'C\\tD\\\\')",
        message="People",
        head='release = "v1.0"',
    )
    application.revision(
        "r2",
        "r1",
        "create table pets (id int generated always as identity primary key, kind kind not null,"
        " owner int references people, born timestamptz not null default now())",
        "insert into pets (kind, owner) select 'cat', id from people",
        "create function older() returns trigger language plpgsql as $$"
        "begin new.born := now(); return new; end $$",
        "create trigger older before update on pets for each row execute function older()",
        message="Pets",
        head='release = "v1.1"',
    )
    application.revision(
        "r3",
        "r2",
        "create view owners as select name from people where id in (select owner from pets)",
        "create index pets_owner on pets (owner)",
        message="Owners",
    )


def test_the_script_makes_what_the_history_makes(
    application: Application, server: Server, database: Database, other_database: Database
) -> None:
    """Structure, data and version row, installed by `up`; and the next start has nothing to do."""
    rich(application)
    up(application, database)
    script = dumped(application, server)
    found = header(script)
    assert (found.revisions, found.release, found.catalogue) == (("r3",), None, None)
    assert found.application == "application"
    assert b"surefoot_scratch" not in script
    use(application, "r3")
    account = up(application, other_database)
    assert [done["step"] for done in account["done"]] == ["install", "stamp"]
    assert facts(other_database) == facts(database)
    options = ("--exclude-schema=surefoot", "--exclude-table-data=pets")
    assert other_database.dump(*options) == database.dump(*options)
    assert other_database.query("select id, kind, owner from pets order by id") == (
        database.query("select id, kind, owner from pets order by id")
    )
    assert up(application, other_database)["state"] == "at-head"


def test_psql_loads_it_and_surefoot_knows_where_it_stands(
    application: Application,
    server: Server,
    database: Database,
    other_database: Database,
    client_bin: Path,
) -> None:
    """As a script in /docker-entrypoint-initdb.d is run, by hand."""
    rich(application)
    up(application, database)
    dumped(application, server)
    subprocess.run(
        [
            *(client_bin / "psql", "-Xq1", "-v", "ON_ERROR_STOP=1"),
            *("-d", other_database.conninfo, "-f", application.root / SCRIPT),
        ],
        check=True,
        capture_output=True,
    )
    assert facts(other_database) == facts(database)
    assert other_database.query("select version_num from alembic_version") == [("r3",)]
    application.config("")
    account = up(application, other_database)
    assert (account["state"], account["done"]) == ("at-head", [])


def test_two_runs_give_the_same_bytes(application: Application, server: Server) -> None:
    """Into a file, into it again, and to standard output."""
    rich(application)
    first = dumped(application, server)
    result = dump(application, server, "-o", SCRIPT, "--json")
    assert (result.code, result.json["changed"]) == (0, False)
    assert result.json["current"] == ["r3"]
    result = dump(application, server)
    assert result.out.encode() == first
    assert "public.pets.born (3 rows)" in " ".join(result.err.split())


@pytest.mark.parametrize("word", ["r2", "v1.1"])
def test_half_way(
    application: Application,
    server: Server,
    database: Database,
    other_database: Database,
    word: str,
) -> None:
    """Up to a revision, by its id or its release; `up` goes on behind it."""
    rich(application)
    up(application, database)
    script = dumped(application, server, "--revision", word)
    assert b"owners" not in script
    assert (header(script).revisions, header(script).release) == (("r2",), "v1.1")
    use(application, "r2")
    account = up(application, other_database)
    assert [d["name"] for d in account["done"] if d["step"] == "revision"] == ["r3"]
    assert facts(other_database) == facts(database)


def test_a_revision_of_one_branch(application: Application, server: Server) -> None:
    """What it needs is there, and nothing of the other branch."""
    application.linear()
    application.revision("left", "r2", "create table lefts (id int)")
    application.revision("right", "r2", "create table rights (id int)", depends_on="r3")
    script = dumped(application, server, "--revision", "right")
    assert b"CREATE TABLE public.rights" in script
    assert b"INDEX pets_owner" in script
    assert b"lefts" not in script
    assert header(script).revisions == ("right",)


def test_several_heads(application: Application, server: Server, database: Database) -> None:
    """One line each, and `up` records all of them."""
    application.linear()
    application.revision("s3", "r2", "create table toys (id int)")
    script = dump(application, server).out.encode()
    assert header(script).revisions == ("r3", "s3")
    application.write(SCRIPT, script)
    application.config(f'init = ["{SCRIPT}"]\n')
    up(application, database)
    assert database.query("select version_num from alembic_version order by 1") == [
        ("r3",),
        ("s3",),
    ]
    stamped = "select name from surefoot.journal where step = 'stamp' order by 1"
    assert database.query(stamped) == [("r3",), ("s3",)]


@pytest.mark.slow
def test_a_history_that_begins_with_the_init_scripts(
    application: Application, server: Server, database: Database, other_database: Database
) -> None:
    """The first dump begins with the script by hand, the next one with the first: the same."""
    application.revision("r1", None, "alter table people add column name text")
    application.revision("r2", "r1", "create index people_name on people (name)")
    application.revision("r3", "r2", "insert into people values (2, 'Ben')")
    by_hand = "create table people (id int primary key, name text);\n"
    application.write(SCRIPT, by_hand + "insert into people values (1, 'Ann');\n")
    use(application, "r1")
    up(application, database)
    result = dump(application, server)
    assert "so it begins with the init scripts" in " ".join(result.err.split())
    head = result.out.encode()
    assert dumped(application, server, "--revision", "r2") != head
    use(application, "r2")
    assert dumped(application, server) == head
    use(application, "r3")
    up(application, other_database)
    assert facts(other_database) == facts(database)
    assert other_database.query("table people") == [(1, "Ann"), (2, "Ben")]


def test_from_init_keeps_what_only_the_scripts_bring(
    application: Application, server: Server
) -> None:
    application.linear()
    application.write(
        SCRIPT,
        "create table people (id int primary key, name text);\n"
        "insert into people values (1, 'Ann');\n",
    )
    use(application, "r1")
    assert "\tAnn\n" not in dump(application, server).out
    result = dump(application, server, "--from-init")
    assert "\tAnn\n" in result.out
    assert "INDEX pets_owner" in result.out
    assert "surefoot.journal" not in result.out


def test_the_first_script_of_a_project_that_names_it_already(
    application: Application, server: Server
) -> None:
    """The configuration's scripts needn't be there, nor be readable: this is to mend it."""
    application.linear()
    use(application, "r3", 'seeds = ["sql/seed.sql"]\n')
    first = dumped(application, server)
    (application.root / SCRIPT).write_bytes(first.replace(b"-- revision: r3\n", b"<<<<<<<\n"))
    assert dumped(application, server) == first


# --- the clock


def test_moments_of_the_replay_are_set_to_a_fixed_one(
    application: Application, server: Server
) -> None:
    """By database and by Python, with and without a zone, in partitions, under a trigger."""
    application.revision(
        "r1",
        None,
        body="""\
import datetime
op.execute("create domain moment as timestamptz")
op.execute("create table a (id int, t timestamptz default now(), n timestamp default now(),"
           " d date default current_date, m moment default now(), old timestamptz)")
op.execute("insert into a (id, old) values (1, '1999-12-31 12:00+00'), (2, 'infinity')")
op.execute("create table p (id int, t timestamptz default now()) partition by list (id)")
op.execute("create table p1 partition of p for values in (1)")
op.execute("insert into p values (1)")
op.execute("create table b (n timestamp)")
op.get_bind().execute(sa.text("insert into b values (:n)"), {"n": datetime.datetime.now()})
op.get_bind().execute(
    sa.text("insert into b values (:n)"),
    {"n": datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)},
)
op.execute("create function no() returns trigger language plpgsql as"
           " $$ begin raise 'no updates'; end $$")
op.execute("create trigger no before update on a for each row execute function no()")
""",
    )
    result = dump(application, server, env={"TZ": "Asia/Tokyo"})
    assert result.code == 0, result.err
    fixed = "2000-01-01 00:00:00"
    for row in (
        f"1\t{fixed}+00\t{fixed}\t2000-01-01\t{fixed}+00\t1999-12-31 12:00:00+00\n",
        f"2\t{fixed}+00\t{fixed}\t2000-01-01\t{fixed}+00\tinfinity\n",
        f"1\t{fixed}+00\n",
        f"FROM stdin;\n{fixed}\n{fixed}\n",
    ):
        assert row in result.out
    told = " ".join(result.err.split())
    assert "set to 2000-01-01 00:00:00 UTC" in told
    for column in ("a.t (2 rows)", "a.n (2 rows)", "a.d (2 rows)", "a.m (2 rows)", "p.t (1 row)"):
        assert f"public.{column}" in told
    assert "public.a.old" not in told
    result = dump(application, server, env={"SOURCE_DATE_EPOCH": "1700000000"})
    assert "1\t2023-11-14 22:13:20+00\n" in result.out


def test_a_moment_that_cannot_be_set_is_told(application: Application, server: Server) -> None:
    """Two moments under a unique key can't become one."""
    application.revision(
        "r1",
        None,
        "create table a (t timestamptz unique)",
        "insert into a values (now()), (now() + interval '0.1 s')",
    )
    result = dump(application, server)
    assert result.code == 0, result.err
    told = " ".join(result.err.split())
    assert "could not be set, so the next dump will differ: public.a.t (duplicate key" in told
    assert "2000-01-01" not in result.out


def test_a_role_that_may_not_switch_triggers_off(application: Application, server: Server) -> None:
    """On a shared server: the script is made all the same, and it's told what will differ."""
    application.revision("r1", None, "create table a (t timestamptz)", "insert into a select now()")
    with psycopg.connect(server.conninfo(), autocommit=True) as connection:
        connection.execute("create role maker login createdb password 'password'")
        # in a database of its own it may make tables, on the newer servers, too
        try:
            url = f"postgresql://maker:password@{server.host}:{server.port}/postgres"
            result = application.run("dump", "--server", url)
        finally:
            connection.execute("drop role maker")
    assert result.code == 0, result.err
    told = " ".join(result.err.split())
    assert "public.a.t (permission denied to set parameter" in told


# --- the header's other lines, the catalogue


def test_release_and_application_as_they_are_named(
    application: Application, server: Server
) -> None:
    rich(application)
    application.write("pyproject.toml", '[project]\nname = "menagerie"\n')
    found = header(dump(application, server, "--release", "v2.0").out.encode())
    assert (found.application, found.release) == ("menagerie", "v2.0")
    application.config('application = "the zoo"\n')
    found = header(dump(application, server).out.encode())
    assert (found.application, found.release) == ("the zoo", None)


@pytest.mark.slow
def test_catalogue_and_script_name_each_other(application: Application, server: Server) -> None:
    """Dump, build, dump: then both are current, and stay so."""
    rich(application)
    use(application, "r2")
    build = ("catalog", "build", "--no-downgrade", "--server", server.url())
    check = ("catalog", "check", "--no-downgrade", "--server", server.url())
    first = dumped(application, server, "--revision", "r2")
    assert header(first).catalogue is None
    assert application.run(*build).code == 0
    second = dumped(application, server, "--revision", "r2")
    assert header(second).catalogue is not None
    assert header(second).content == header(first).content
    done = application.run(*check)
    assert done.code == 0, done.err
    assert application.run(*build, "--json").json["changed"] is False
    application.revision("r4", "r3", "create table toys (id int)")
    result = dump(application, server, "--revision", "r2")
    told = " ".join(result.err.split())
    assert f"the header names no catalogue: {CATALOGUE} is stale (revision r4" in told
    # it stands for r2, and that hasn't changed
    result = dump(application, server, "--revision", "r2", "--check", "-o", SCRIPT)
    assert result.code == 0, result.err


def test_the_oldest_release_that_can_run_on_it(application: Application, server: Server) -> None:
    """A column that may be null hurts no older code; one that is gone does."""
    releases = {
        "r1": "create table people (id int primary key, name text)",
        "r2": "alter table people add column born date",
        "r3": "create table pets (id int primary key)",
        "r4": "alter table people drop column name",
    }
    down = None
    for number, (id, statement) in enumerate(releases.items()):
        application.revision(id, down, statement, head=f'release = "v1.{number}"')
        down = id
    build = ("catalog", "build", "--no-downgrade", "--server", server.url())
    assert application.run(*build).code == 0
    for revision, expected in (("r3", "v1.0 (r1)"), ("r4", "v1.3 (r4)")):
        script = dump(application, server, "--revision", revision).out
        assert header(script.encode()).compatible == expected


# --- --check


def test_check(application: Application, server: Server) -> None:
    """Nothing is written, whatever it finds."""
    rich(application)
    script = dumped(application, server)
    file = application.root / SCRIPT
    for same in (script, script.replace(b"\n", b"\r\n")):
        file.write_bytes(same)
        result = dump(application, server, "--check", "-o", SCRIPT)
        assert result.code == 0, result.err
        assert "is up to date" in result.err
    application.revision("r4", "r3", "alter table people add column age int")
    result = dump(application, server, "--check", "-o", SCRIPT, "--json")
    assert (result.code, result.error) == (3, "init-script-outdated")
    assert file.read_bytes() == script.replace(b"\n", b"\r\n")
