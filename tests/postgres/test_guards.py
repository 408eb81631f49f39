"""Guards in revisions: under `surefoot up` and under plain `alembic upgrade`."""

import importlib
from pathlib import Path

import psycopg
import pytest
import sqlalchemy
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.util import CommandError

import surefoot.guards
from surefoot.postgres.embedded import Server
from tests import starts
from tests.support import catalogues
from tests.support.database import Database
from tests.support.next_steps import arrives, next_of, steps_of
from tests.support.project import ASYNC_ENV, Application, Result

HEAD = "import surefoot.guards"
TRAITS = "create table traits (id int primary key, owner int, name text, unique (owner, name))"
FILL = (
    "op.execute(\"insert into traits values (1, 1, 'calm') on conflict (owner, name) do nothing\")"
)
FILLED = [(1, 1, "calm")]


def guarded(application: Application, *lines: str, table: str = TRAITS) -> None:
    """Two revisions: one makes a table, the next asks with these lines and then fills it."""
    application.revision("r1", None, table)
    application.revision(
        "r2", "r1", body="\n".join((*lines, FILL)), head=HEAD, message="Fill the traits"
    )


def alembic(application: Application, database: Database, *arguments: str) -> Result:
    """Plain `alembic`, as a person types it."""
    application.ini(f"sqlalchemy.url = {database.url('postgresql+psycopg')}")
    done = starts.run("-m", "alembic", *arguments, cwd=application.root)
    return Result(done.returncode, done.stdout, done.stderr)


def message(database: Database, name: str, *arguments: object, **options: object) -> str:
    """What the guard's exception says in this database; "" where the guard holds."""
    url = database.url("postgresql+psycopg")
    with sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool).connect() as connection:
        operations = Operations(MigrationContext.configure(connection))
        try:
            assert getattr(operations, name)(*arguments, **options) is True
        except surefoot.guards.RequirementNotMet as error:
            return str(error)
    return ""


# --- what holds and what doesn't


def test_a_table(database: Database) -> None:
    """Ordinary, partitioned and foreign ones; a view isn't one, and is said to be a view."""
    database.execute(
        "create table people (id int); create view everybody as select * from people;"
        "create table events (day date) partition by range (day);"
        "create foreign data wrapper w; create server s foreign data wrapper w;"
        "create foreign table afar (id int) server s"
    )
    assert message(database, "require_table", "afar") == ""
    assert message(database, "require_table", "people") == ""
    assert message(database, "require_table", "events") == ""
    said = message(database, "require_table", "everybody")
    assert "View public.everybody is not a table. " in said
    said = message(database, "require_table", "peoples")
    assert "There is no table peoples in the search path" in said
    assert "Near: public.people." in said
    assert "No table has a name like it" in message(database, "require_table", "zebra")


def test_columns(database: Database) -> None:
    """All of them must be there; a dropped column isn't, nor one of another case."""
    database.execute(
        'create table t (id int, gone int, trait_valeu int, "Name" text);'
        "alter table t drop column gone"
    )
    assert message(database, "require_columns", "t", ["Name", "id"]) == ""
    assert message(database, "require_columns", "t", ("id",)) == ""
    assert "has no column gone. It has id, trait_valeu," in message(
        database, "require_columns", "t", ["id", "gone"]
    )
    said = message(database, "require_columns", "t", ["trait_value", "name"])
    assert 'Table public.t has no columns trait_value, name. It has id, trait_valeu, "Name"' in said
    assert "Near trait_value: trait_valeu" in said
    assert "alter table public.t rename column trait_valeu to trait_value" in said
    assert "There is no table u in" in message(database, "require_columns", "u", ["id"])


UNIQUE = [
    ("unique (a, b)", ""),
    ("primary key (b, a)", ""),
    ("unique (a, b) include (c)", ""),
    ("unique (a)", "t_a_key (a)"),
    ("unique (a, b, c)", "t_a_b_c_key (a, b, c)"),
    ("unique (a, b) deferrable", "t_a_b_key (a, b): deferrable"),
    ("check (true)", "No unique index or constraint"),
]


@pytest.mark.parametrize(("constraint", "otherwise"), UNIQUE, ids=[c for c, _ in UNIQUE])
def test_a_unique_constraint(database: Database, constraint: str, otherwise: str) -> None:
    """The guard holds exactly where PostgreSQL takes the columns for ON CONFLICT."""
    database.execute(f"create table t (a int, b int, c int, {constraint})")
    agrees_with_on_conflict(database, otherwise)


INDEXES = [
    ("create unique index i on t (b, a)", ""),
    ("create unique index i on t (a, b desc)", ""),
    ("create index i on t (a, b)", "No unique index or constraint"),
    ("create unique index i on t (a, b) where c > 0", "i (a, b) where (c > 0): not for every row"),
    ("create unique index i on t (a, abs(b))", "i (a, abs(b))"),
    ("create unique index i on t (a, b, (c + 1))", "i (a, b, ((c + 1)))"),
]


@pytest.mark.parametrize(("index", "otherwise"), INDEXES, ids=[i for i, _ in INDEXES])
def test_a_unique_index(database: Database, index: str, otherwise: str) -> None:
    """The same of indexes."""
    database.execute(f"create table t (a int, b int, c int); {index}")
    agrees_with_on_conflict(database, otherwise)


def agrees_with_on_conflict(database: Database, otherwise: str) -> None:
    """PostgreSQL takes the columns where the guard holds; else the guard says what is there."""
    said = message(database, "require_unique", "t", ["a", "b"])
    insert = "insert into t values (1, 1, 1) on conflict (a, b) do nothing"
    if otherwise:
        assert "Table public.t has no unique index or constraint on exactly (a, b)" in said
        assert otherwise in said
        with pytest.raises(Exception, match="ON CONFLICT"):
            database.execute(insert)
    else:
        assert said == ""
        database.execute(insert)


def test_a_unique_index_that_was_cut_off(database: Database) -> None:
    """What CREATE INDEX CONCURRENTLY leaves behind when it fails isn't unique."""
    database.execute("create table t (a int, b int); insert into t values (1, 1), (1, 1)")
    with pytest.raises(Exception, match="could not create unique index"):
        database.execute("create unique index concurrently i on t (a, b)")
    said = message(database, "require_unique", "t", ["a", "b"])
    assert "i (a, b): not valid, its creation was interrupted" in said
    assert "drop index public.i; create unique index on public.t (a, b);" in said


def test_names(database: Database) -> None:
    """As they are in the database, whatever needs quotes; the remedy is SQL that works."""
    database.execute(
        'create schema "My App"; create table "My App"."Or""der" ("To tal" int, "sélect" int)'
    )
    schema = {"schema": "My App"}
    assert message(database, "require_table", 'Or"der', **schema) == ""
    assert message(database, "require_columns", 'Or"der', ["To tal", "sélect"], **schema) == ""
    assert "There is no table" in message(database, "require_table", 'or"der', **schema)
    said = message(database, "require_columns", 'Or"der', ["To Tal"], **schema)
    statement = said.partition("under another name, rename it: ")[2].partition(";")[0]
    database.execute(statement)
    assert message(database, "require_columns", 'Or"der', ["To Tal"], **schema) == ""
    said = message(database, "require_unique", 'Or"der', ["To Tal", "sélect"], **schema)
    database.execute(said.partition("make a unique index: ")[2].removesuffix("."))
    assert message(database, "require_unique", 'Or"der', ["sélect", "To Tal"], **schema) == ""


def test_the_search_path_is_the_connections(database: Database) -> None:
    """The first table of that name in it; one in another schema is named."""
    database.execute(
        "create schema app; create table app.people (id int); create table people (name text)"
    )
    assert "It has name." in message(database, "require_columns", "people", ["id"])
    database.execute(f"alter database {database.name} set search_path = app, public")
    assert message(database, "require_columns", "people", ["id"]) == ""
    database.execute(f"alter database {database.name} set search_path = app")
    database.execute("drop table app.people")
    said = message(database, "require_table", "people")
    assert "The search path is app. Near: public.people." in said


def test_what_an_author_may_get_wrong(database: Database) -> None:
    """Told at once, wherever the revision runs."""
    with pytest.raises(TypeError, match="list of names"):
        message(database, "require_columns", "t", "name")
    with pytest.raises(ValueError, match="otherwise"):
        message(database, "require_table", "t", otherwise="ignore")
    with pytest.raises(ValueError, match="columns are missing"):
        message(database, "require_unique", "t", [])


def test_another_dialect_is_told() -> None:
    """SQLite has no to_regclass: that is said, and not in SQLite's words."""
    with sqlalchemy.create_engine("sqlite://").connect() as connection:
        operations = Operations(MigrationContext.configure(connection))
        with pytest.raises(CommandError, match="asks PostgreSQL; this is sqlite"):
            operations.require_table("t")  # type: ignore[attr-defined]


def test_imported_twice(database: Database) -> None:
    """What a reload makes of the module works like what was there."""
    importlib.reload(surefoot.guards)
    assert "There is no table t" in message(database, "require_table", "t")


# --- in revisions


HOLDS = (
    'assert op.require_table("traits") is True',
    'assert op.require_columns("traits", ["owner", "name"]) is True',
    'assert op.require_unique("traits", ["name", "owner"], schema="public") is True',
)
FAILS = {
    'op.require_table("trait")': "there is no table trait in the search path",
    'op.require_columns("traits", ["owner", "nam"])': "table public.traits has no column nam",
    'op.require_unique("traits", ["owner"])': (
        "table public.traits has no unique index or constraint on exactly (owner)"
    ),
}
DRIVERS = [
    ("postgresql+psycopg", False),
    ("postgresql+psycopg2", False),
    ("postgresql+psycopg", True),
    ("postgresql+asyncpg", True),
]


@pytest.mark.parametrize(("driver", "is_async"), DRIVERS)
@pytest.mark.parametrize("line", FAILS)
@pytest.mark.provokes("requirement-not-met")
def test_up_stops_at_what_does_not_hold(
    application: Application, database: Database, driver: str, is_async: bool, line: str
) -> None:
    """Rolled back and verified; the message names the table and what is missing. Where the
    guards hold, the revision runs.
    """
    if is_async:
        application.env(ASYNC_ENV)
    guarded(application, *HOLDS, line)
    result = application.run("up", "--json", url=database.url(driver))
    assert (result.code, result.error) == (5, "requirement-not-met"), result.err
    (finding,) = result.json["findings"]
    assert finding["message"] == f"Revision r2 (Fill the traits) can't be run: {FAILS[line]}."
    assert finding["seen"][0].startswith("at migrations/versions/r2.py:")
    assert "Rolled back, verified. No step was committed." in finding["database"]
    assert "start again" in finding["next"]
    assert database.tables() == []
    guarded(application, *HOLDS)
    assert application.run("up", url=database.url(driver)).code == 0
    assert database.query("select * from traits") == FILLED


@pytest.mark.parametrize("line", FAILS)
def test_alembic_stops_at_what_does_not_hold(
    application: Application, database: Database, line: str
) -> None:
    """Without surefoot: one line, nothing left."""
    guarded(application, *HOLDS, line)
    done = alembic(application, database, "upgrade", "head")
    assert done.code != 0
    said = " ".join((done.out + done.err).split())
    assert FAILS[line][1:] in said
    assert "Traceback" not in said
    assert database.tables() == []
    guarded(application, *HOLDS)
    assert alembic(application, database, "upgrade", "head").code == 0
    assert database.query("select * from traits") == FILLED


SKIPS = (
    'if not op.require_columns("traits", ["owner", "nam"], otherwise="skip"):',
    "    return",
)


@pytest.mark.parametrize("driver", ["postgresql+psycopg", "postgresql+asyncpg"])
def test_up_tells_what_is_skipped(
    application: Application, database: Database, driver: str
) -> None:
    """In its own account, with the revision's name; the revision is recorded."""
    if driver.endswith("asyncpg"):
        application.env(ASYNC_ENV)
    guarded(application, *SKIPS)
    result = application.run("up", url=database.url(driver))
    assert result.code == 0, result.err
    said = " ".join(result.err.split())
    assert "surefoot: r2: Skipped, since table public.traits has no column nam" in said
    assert "It has id, owner, name." in said
    assert database.query("select count(*) from traits") == [(0,)]
    assert database.query("select version_num from alembic_version") == [("r2",)]


FILE_CONFIG = """\
import surefoot.guards
from logging.config import fileConfig
fileConfig("logging.ini")
"""
LOGGING = """\
[loggers]
keys = root
[handlers]
keys = console
[formatters]
keys =
[logger_root]
level = WARNING
handlers = console
[handler_console]
class = StreamHandler
args = (sys.stderr,)
"""


@pytest.mark.parametrize("configures_logging", [False, True])
def test_alembic_tells_what_is_skipped(
    application: Application, database: Database, configures_logging: bool
) -> None:
    """Through logging, also where env.py's fileConfig disables the loggers that are there."""
    if configures_logging:
        application.write("logging.ini", LOGGING)
        env = (application.root / "migrations/env.py").read_text()
        application.write("migrations/env.py", FILE_CONFIG + env)
    guarded(application, *SKIPS)
    done = alembic(application, database, "upgrade", "head")
    assert done.code == 0, done.err
    assert "Skipped, since table public.traits has no column nam" in done.err
    assert database.query("select count(*) from traits") == [(0,)]
    assert database.query("select version_num from alembic_version") == [("r2",)]


def test_a_skip_after_a_disabled_logger(application: Application, database: Database) -> None:
    """A program that runs Alembic itself may have the logger before env.py disables it."""
    application.write("logging.ini", LOGGING)
    env = (application.root / "migrations/env.py").read_text()
    early = 'import logging; logging.getLogger("surefoot.guards")\n'
    application.write("migrations/env.py", early + FILE_CONFIG + env)
    guarded(application, *SKIPS)
    assert "Skipped, since" in alembic(application, database, "upgrade", "head").err


OFFLINE = """\
from alembic import context
context.configure(dialect_name="postgresql", literal_binds=True)
with context.begin_transaction():
    context.run_migrations()
"""


def test_offline_it_becomes_a_comment(application: Application, database: Database) -> None:
    """Nobody can be asked: True, and the requirement is in the script, in one line of comment."""
    guarded(application, *HOLDS, 'assert op.require_table("x\\n; drop table traits", "s") is True')
    application.write("migrations/env.py", OFFLINE)
    done = alembic(application, database, "upgrade", "head", "--sql")
    assert done.code == 0, done.err
    lines = [line for line in done.out.splitlines() if line.startswith("-- requires")]
    assert lines == [
        "-- requires table traits",
        "-- requires table traits (owner, name)",
        "-- requires a unique index or constraint on public.traits (name, owner)",
        '-- requires table s."x ; drop table traits"',
    ]
    assert "\n; drop" not in done.out


def test_the_import_may_stand_in_env_py(application: Application, database: Database) -> None:
    """Once, for every revision."""
    env = (application.root / "migrations/env.py").read_text()
    application.write("migrations/env.py", "import surefoot.guards\n" + env)
    application.revision("r1", None, TRAITS)
    application.revision("r2", "r1", body='op.require_table("trait")')
    done = alembic(application, database, "upgrade", "head")
    assert "Near: public.traits." in " ".join((done.out + done.err).split())


def test_a_catalogue_is_built_with_guards(
    application: Application, server: Server, database: Database
) -> None:
    """A replay asks them too; a downgrade() that asks needs its code."""
    application.revision("r1", None, TRAITS, downgrade='op.execute("drop table traits")')
    application.revision(
        "r2",
        "r1",
        body='op.require_unique("traits", ["owner", "name"])\n'
        'op.execute("alter table traits add column origin text")',
        downgrade='op.require_columns("traits", ["origin"])\n'
        'op.execute("alter table traits drop column origin")',
        head=HEAD,
    )
    catalogues.with_catalogue(application, server)
    catalogue = (Path(application.root) / "migrations/surefoot-catalog.txt").read_text()
    assert "down\tproved\tneeds its code" in catalogue.partition("revision\tr2")[2]
    assert application.run("up", url=database.url()).code == 0
    assert application.run("drift", url=database.url()).code == 0


def test_a_skipped_structure_is_told(
    application: Application, server: Server, database: Database
) -> None:
    """A revision that makes a column and is skipped: the structure isn't reached."""
    application.revision("r1", None, TRAITS)
    application.revision(
        "r2",
        "r1",
        body='if not op.require_unique("traits", ["owner", "name"], otherwise="skip"):\n'
        "    return\n"
        'op.execute("alter table traits add column origin text")',
        head=HEAD,
    )
    catalogues.with_catalogue(application, server)
    application.alembic("upgrade", "r1", url=database.url("postgresql+psycopg"))
    database.execute("alter table traits drop constraint traits_owner_name_key")
    accepted = application.run("adopt", "r1", "--accept-difference", "--yes", url=database.url())
    assert accepted.code == 0, accepted.err
    result = application.run("up", "--json", url=database.url())
    assert (result.code, result.error) == (6, "structure-not-reached"), result.err
    (finding,) = result.json["findings"]
    assert any("public.traits.origin" in line for line in finding["seen"])


@pytest.mark.follows("requirement-not-met")
@pytest.mark.parametrize(
    ("there", "line"),
    [
        (
            "create table traits (owner int, nane text, character text)",
            'op.require_columns("traits", ["owner", "name", "characters"])',
        ),
        ("create table traits (owner int)", 'op.require_unique("traits", ["owner"])'),
        (
            "create table traits (owner int); insert into traits values (1), (1)",
            'op.require_unique("traits", ["owner"])',
        ),
    ],
    ids=["columns that were renamed", "nothing is unique", "an invalid index, and duplicates"],
)
def test_what_next_says_meets_the_requirement(
    application: Application, database: Database, there: str, line: str
) -> None:
    """The statements stand on lines of their own, and suffice."""
    application.revision("r1", None, "create table other (id int)")
    application.alembic("upgrade", "r1", url=database.url("postgresql+psycopg"))
    application.revision("r2", "r1", head="import surefoot.guards", body=line)
    database.execute(there)
    if "insert" in there:
        with database.connect() as connection, pytest.raises(psycopg.errors.UniqueViolation):
            connection.execute("create unique index concurrently cut_off on traits (owner)")
    failed = application.run("up", "--json", url=database.url())
    assert (failed.code, failed.error) == (5, "requirement-not-met"), failed.err
    if "insert" in there:
        (query, *_) = steps_of(next_of(failed)).sql
        assert database.query(query) == [(1, 2)]
        database.execute("delete from traits where ctid = (select max(ctid) from traits)")
    arrives(application, database, failed)
