"""`surefoot up`: every state, real databases, the application's own Alembic."""

import pytest

from surefoot.postgres.embedded import Server
from tests.support.database import Database
from tests.support.next_steps import arrives, next_of, run_next
from tests.support.project import ASYNC_ENV, SYNC_ENV, Application

DRIVERS = ["postgresql+psycopg", "postgresql+psycopg2", "postgresql+asyncpg"]


@pytest.mark.parametrize("per_migration", [False, True])
@pytest.mark.parametrize("driver", DRIVERS)
def test_from_empty_to_head_equals_alembic(
    application: Application,
    database: Database,
    other_database: Database,
    driver: str,
    per_migration: bool,
) -> None:
    """Sync and async env.py, three drivers, both transaction settings: the same structure."""
    template = ASYNC_ENV if "asyncpg" in driver else SYNC_ENV
    application.env(template, "transaction_per_migration=True" if per_migration else "")
    application.linear()
    first = application.run("up", "--json", url=database.url(driver))
    assert first.code == 0, first.err
    assert first.json["state"] == "at-head"
    assert [done["name"] for done in first.json["done"]] == ["r1", "r2", "r3"]
    ours = database.dump("--schema-only", "--exclude-schema=surefoot")

    again = application.run("up", url=database.url(driver))
    assert again.code == 0
    assert again.err.count("\n") == 1
    assert "nothing to do" in again.err

    application.alembic("upgrade", "heads", url=other_database.url(driver))
    assert other_database.dump("--schema-only") == ours


def test_behind_runs_only_what_is_pending(application: Application, database: Database) -> None:
    """A database at r1 gets r2 and r3, and the journal tells of those two."""
    application.revision("r1", None, "create table people (id int primary key)")
    application.alembic("upgrade", "r1", url=database.url("postgresql+psycopg"))
    application.linear()
    result = application.run("up", "--json", url=database.url())
    assert result.code == 0, result.err
    assert [done["name"] for done in result.json["done"]] == ["r2", "r3"]
    journal = database.query(
        "select step, name, parents, direction from surefoot.journal order by id"
    )
    assert journal == [
        ("revision", "r2", "r1", "up"),
        ("revision", "r3", "r2", "up"),
        ("unchecked", "r3", "", "up"),
    ]


def test_at_head_writes_nothing(application: Application, database: Database) -> None:
    """Not even the journal's schema: a reader doesn't write."""
    application.linear()
    application.alembic("upgrade", "heads", url=database.url("postgresql+psycopg"))
    before = database.dump()
    assert application.run("up", url=database.url()).code == 0
    assert application.run("status", url=database.url()).code == 0
    assert database.dump() == before


@pytest.mark.parametrize("command", ["status", "plan"])
def test_readers_write_nothing(application: Application, database: Database, command: str) -> None:
    """status and plan on an empty database leave it empty: no version table, no journal."""
    application.linear()
    result = application.run(command, "--json", url=database.url())
    assert result.code == {"status": 3, "plan": 0}[command], result.err
    assert result.json["state"] == "empty"
    (step,) = result.json["plan"]
    assert [revision["id"] for revision in step["revisions"]] == ["r1", "r2", "r3"]
    assert database.tables() == []


@pytest.mark.provokes("unknown-revision")
@pytest.mark.parametrize("row", ["ffffffffffff", "r"])
def test_unknown_revision_is_refused(
    application: Application, database: Database, row: str
) -> None:
    """A row that no file defines: refused by status, plan and up, and nothing is changed."""
    application.linear()
    application.alembic("upgrade", "r1", url=database.url("postgresql+psycopg"))
    database.execute(f"update alembic_version set version_num = '{row}'")
    before = database.dump()
    for command in ("status", "plan", "up"):
        result = application.run(command, "--json", url=database.url())
        assert result.code == 4, result.err
        assert result.error == "unknown-revision"
        assert row in result.json["findings"][0]["message"]
    assert database.dump() == before


@pytest.mark.provokes("unversioned-database")
@pytest.mark.parametrize("empty_table", [False, True])
@pytest.mark.follows("unversioned-database")
def test_objects_without_a_version_row_are_refused(
    application: Application, server: Server, database: Database, empty_table: bool
) -> None:
    """Somebody's tables, and no row that says what they are: no guess is made."""
    application.linear()
    database.execute("create table people (id int)")
    if empty_table:
        database.execute("create table alembic_version (version_num varchar(32) not null)")
    before = database.dump()
    result = application.run("up", "--json", url=database.url())
    assert (result.code, result.error) == (4, "unversioned-database")
    assert any("table public.people" in line for line in result.json["findings"][0]["seen"])
    assert database.dump() == before
    # with a catalogue, as `next` says; of tables that are as a revision makes them
    database.execute("drop table if exists people, alembic_version")
    application.alembic("upgrade", "r1", url=database.url("postgresql+psycopg"))
    database.execute("delete from alembic_version" if empty_table else "drop table alembic_version")
    result = application.run("up", "--json", url=database.url())
    assert (result.code, result.error) == (4, "unversioned-database")
    arrives(application, database, result, scratch=server.url())


def test_extensions_and_an_empty_version_table_are_nobodys_objects(
    application: Application, database: Database
) -> None:
    """What an extension brings, and a table that `downgrade base` leaves: still empty."""
    application.linear()
    database.execute("create extension hstore")
    database.execute("create table alembic_version (version_num varchar(32) not null primary key)")
    assert application.run("up", url=database.url()).code == 0


@pytest.mark.provokes("version-rows-overlap")
def test_an_ancestor_beside_its_descendant_is_refused(
    application: Application, database: Database
) -> None:
    application.linear()
    application.alembic("upgrade", "heads", url=database.url("postgresql+psycopg"))
    database.execute("insert into alembic_version values ('r1')")
    result = application.run("up", "--json", url=database.url())
    assert (result.code, result.error) == (4, "version-rows-overlap")
    assert "they may be as r1 left them" in str(result.json["findings"][0]["seen"])


@pytest.mark.provokes("version-table-unreadable")
@pytest.mark.follows("version-table-unreadable")
def test_a_version_table_of_another_shape_is_refused(
    application: Application, database: Database, other_database: Database
) -> None:
    application.linear()
    database.execute("create table alembic_version (version text)")
    result = application.run("up", "--json", url=database.url())
    assert (result.code, result.error) == (4, "version-table-unreadable")
    assert "Otherwise: correct the address" in next_of(result)
    assert application.run("up", url=other_database.url()).code == 0


@pytest.mark.follows("version-table-unreadable")
@pytest.mark.parametrize("why", ["no privilege", "row security"])
def test_a_version_table_that_the_role_may_not_read(
    application: Application, database: Database, why: str
) -> None:
    """After the statements of `next`, the role may read; a missing right to write comes next."""
    application.linear()
    role = f"reader_{database.name}"
    database.execute(
        f"create role {role} login password 'p';"
        f"grant create on database {database.name} to {role}; create schema shop;"
        "create table shop.alembic_version (version_num varchar(32) primary key);"
        f"alter role {role} in database {database.name} set search_path = shop, public"
    )
    address = f"postgresql://{role}:p@127.0.0.1:{database.server.port}/{database.name}"
    try:
        database.execute(f"grant usage on schema shop to {role}")
        if why == "row security":
            database.execute(
                f"grant select on shop.alembic_version to {role};"
                "alter table shop.alembic_version enable row level security"
            )
        result = application.run("up", "--json", url=address)
        assert (result.code, result.error) == (4, "version-table-unreadable"), result.err
        run_next(next_of(result), database)
        again = application.run("status", "--json", url=address)
        assert "version-table-unreadable" not in again.out, again.out
    finally:
        database.execute(f"drop owned by {role} cascade; drop role {role}")


def test_two_heads_two_bases_and_a_dependency(application: Application, database: Database) -> None:
    """All heads are wanted; a head that another depends on has no row of its own."""
    application.revision("a1", None, "create table a (id int)", labels=("expand",))
    application.revision("a2", "a1", "create table a2 (id int)")
    application.revision("b1", None, "create table b (id int)", labels=("contract",))
    application.revision("b2", "b1", "create table b2 (id int)", depends_on="a2")
    result = application.run("up", "--json", url=database.url())
    assert result.code == 0, result.err
    assert {done["name"] for done in result.json["done"]} == {"a1", "a2", "b1", "b2"}
    assert application.run("up", url=database.url()).err.endswith("nothing to do\n")

    application.revision("c1", None, "create table c (id int)")
    result = application.run("up", "--json", url=database.url())
    assert [done["name"] for done in result.json["done"]] == ["c1"]


def test_merge_of_branches(application: Application, database: Database) -> None:
    application.revision("trunk", None, "create table t (id int)")
    application.revision("left", "trunk", "alter table t add column l int")
    application.revision("right", "trunk", "alter table t add column r int")
    application.revision("join", ("left", "right"))
    result = application.run("up", "--json", url=database.url())
    assert result.code == 0, result.err
    assert database.query("select version_num from alembic_version") == [("join",)]
    parents = database.query(
        "select parents from surefoot.journal where name = 'join' and step = 'revision'"
    )
    assert parents == [("left right",)]


def test_version_table_and_schema_set_by_env(application: Application, database: Database) -> None:
    """env.py decides; surefoot asks it, and finds the table where it is."""
    application.env(options="version_table='my_version', version_table_schema='meta'")
    application.linear()
    database.execute("create schema meta")
    assert application.run("up", url=database.url()).code == 0
    assert database.query("select version_num from meta.my_version") == [("r3",)]
    again = application.run("up", url=database.url())
    assert again.code == 0
    assert "nothing to do" in again.err
    assert application.run("status", "--json", url=database.url()).json["state"] == "at-head"


def test_the_applications_search_path(application: Application, database: Database) -> None:
    """The version table goes where env.py's own search path leads; ours may differ."""
    database.execute("create schema app")
    application.env(
        SYNC_ENV.replace(
            "with connectable.connect() as connection:\n",
            "with connectable.connect() as connection:\n"
            "    connection.exec_driver_sql('set search_path to app')\n"
            "    connection.commit()\n"
            "    connection.dialect.default_schema_name = 'app'\n",
        )
    )
    application.linear()
    result = application.run("up", "--json", url=database.url())
    assert result.code == 0, result.err
    assert "app.people" in database.tables()
    assert "nothing to do" in application.run("up", url=database.url()).err


def test_version_locations_set_by_env(application: Application, database: Database) -> None:
    """env.py points at other directories than the ini file; the plan and the run follow it."""
    application.env(
        SYNC_ENV.replace(
            "config = context.config\n",
            "config = context.config\n"
            "import os\n"
            "context.script.version_locations = [os.path.abspath('elsewhere')]\n",
        )
    )
    application.revision("x1", None, "create table x (id int)", directory="elsewhere")
    plan = application.run("plan", "--json", url=database.url())
    assert [r["id"] for r in plan.json["plan"][0]["revisions"]] == ["x1"], plan.err
    assert application.run("up", url=database.url()).code == 0
    assert "nothing to do" in application.run("up", url=database.url()).err


def test_on_version_apply_of_the_applications_own(
    application: Application, database: Database
) -> None:
    """Its own callback is called as well as ours."""
    application.env(
        options="on_version_apply=lambda ctx, step, **kw: print('own', step.up_revision_id)"
    )
    application.linear()
    result = application.run("up", "--json", url=database.url())
    assert result.code == 0
    assert result.err.count("own r") == 3
    assert len(result.json["done"]) == 3


def test_what_migrations_print_goes_to_stderr_in_order(
    application: Application, database: Database
) -> None:
    """print, a write to the file descriptor and a child's output: none of it on stdout."""
    application.revision(
        "r1", None, body="print('one', flush=True)\nimport os\nos.write(1, b'two\\n')"
    )
    application.revision("r2", "r1", body="import subprocess\nsubprocess.run(['echo', 'three'])")
    result = application.run("up", "--json", url=database.url())
    assert result.code == 0
    assert result.json["exit_code"] == 0  # stdout is one JSON object and nothing else
    order = [result.err.index(word) for word in ("one", "two", "  · r1", "three", "  · r2")]
    assert order == sorted(order), result.err


def test_logging_set_up_by_env_does_not_break_the_account(
    application: Application, database: Database
) -> None:
    application.ini(
        "[loggers]\nkeys = root,alembic\n[handlers]\nkeys = console\n[formatters]\nkeys = generic\n"
        "[logger_root]\nlevel = WARNING\nhandlers = console\nqualname =\n"
        "[logger_alembic]\nlevel = INFO\nhandlers =\nqualname = alembic\n"
        "[handler_console]\nclass = StreamHandler\nargs = (sys.stderr,)\nlevel = NOTSET\n"
        "formatter = generic\n[formatter_generic]\nformat = %(levelname)s %(message)s\n"
    )
    application.env(
        "from logging.config import fileConfig\nfrom alembic import context\n"
        "fileConfig(context.config.config_file_name)\n" + SYNC_ENV
    )
    application.linear()
    result = application.run("up", url=database.url())
    assert result.code == 0, result.err
    assert result.err.count("Running upgrade") == 3
    assert result.err.count("Context impl") == 1  # not of the look
    assert "now       at head, r3" in result.err


def test_a_release_named_by_a_revision_is_journaled(
    application: Application, database: Database
) -> None:
    application.revision("r1", None, "create table t (id int)", head='release = "v1.2"')
    assert application.run("up", url=database.url()).code == 0
    assert database.query(
        "select release, length(hash) from surefoot.journal where hash is not null"
    ) == [("v1.2", 64)]


def test_per_revision_commits_stay_when_a_later_one_fails(
    application: Application, database: Database
) -> None:
    application.env(options="transaction_per_migration=True")
    application.linear()
    application.revision("r4", "r3", "create table people (id int)")
    result = application.run("up", "--json", url=database.url())
    assert (result.code, result.error) == (5, "revision-failed")
    assert [done["name"] for done in result.json["done"]] == ["r1", "r2", "r3"]
    assert result.json["current"] == ["r3"]
    assert "Committed before it, and there: r1, r2, r3." in result.json["findings"][0]["database"]
    assert database.query("select name from surefoot.journal order by id") == [
        ("r1",),
        ("r2",),
        ("r3",),
    ]


@pytest.mark.provokes("revision-failed")
@pytest.mark.parametrize("driver", DRIVERS)
def test_a_failing_revision_leaves_nothing(
    application: Application, database: Database, driver: str
) -> None:
    """One transaction for all (env.py's default): everything is rolled back, and that is verified.

    The message names the revision, its file and line, PostgreSQL's own words and the statement.
    """
    if "asyncpg" in driver:
        application.env(ASYNC_ENV)
    application.linear()
    application.revision("r4", "r3", "alter table people add column name text", message="Add name")
    result = application.run("up", "--json", url=database.url(driver))
    assert (result.code, result.error) == (5, "revision-failed")
    (finding,) = result.json["findings"]
    assert finding["message"] == "Revision r4 (Add name) failed."
    assert "at migrations/versions/r4.py:15" in finding["seen"]
    assert any("already exists (SQLSTATE 42701)" in line for line in finding["seen"])
    assert any("statement: alter table people add column name" in line for line in finding["seen"])
    assert "Rolled back, verified. No step was committed." in finding["database"]
    assert database.tables() == []
    assert database.query("select to_regnamespace('surefoot')") == [(None,)]


@pytest.mark.provokes("revision-partly-applied")
@pytest.mark.follows("revision-partly-applied")
def test_a_revision_that_commits_half_way(application: Application, database: Database) -> None:
    """What it committed by itself stays, and the report says so: exit 6, not "rolled back"."""
    application.revision(
        "r1",
        None,
        body="op.execute('create table half (id int)')\n"
        "with op.get_context().autocommit_block():\n"
        "    op.execute('create index concurrently half_id on half (id)')\n"
        "op.execute('select 1/0')",
    )
    result = application.run("up", "--json", url=database.url())
    assert (result.code, result.error) == (6, "revision-partly-applied")
    assert "public.half" in database.tables()
    assert result.json["current"] == []
    # undone by hand, and the revision corrected
    database.execute("drop table half")
    application.revision("r1", None, "create table half (id int)")
    run_next(next_of(result), database, application, only="surefoot repair base")
    assert application.run("up", url=database.url()).code == 0


def test_create_index_concurrently_under_the_lock(
    application: Application, database: Database
) -> None:
    """The lock's idle transaction doesn't hold a snapshot: nothing waits for it."""
    application.revision("r1", None, "create table t (id int)")
    application.revision(
        "r2",
        "r1",
        body="with op.get_context().autocommit_block():\n"
        "    op.execute('create index concurrently t_id on t (id)')",
    )
    assert application.run("up", url=database.url(), timeout=30).code == 0
    assert database.query("select count(*) from surefoot.journal") == [(3,)]


@pytest.mark.provokes("database-not-at-head")
@pytest.mark.follows("database-not-at-head")
def test_success_is_head_seen(application: Application, database: Database) -> None:
    """An env.py that takes the version row away after everything was committed."""
    application.env(
        SYNC_ENV + "    if connection.exec_driver_sql(\"select to_regclass('pets')\").scalar():\n"
        "        connection.exec_driver_sql('delete from alembic_version')\n"
        "    connection.commit()\n"
    )
    application.linear()
    result = application.run("up", "--json", url=database.url())
    assert (result.code, result.error) == (5, "database-not-at-head"), result.err
    (finding,) = result.json["findings"]
    assert finding["database"] == "Every step of the plan was committed (3)."
    assert "public.pets" in database.tables()
    application.env()
    arrives(application, database, result)


@pytest.mark.provokes("plan-outdated")
@pytest.mark.follows("plan-outdated")
def test_env_that_changes_its_history_is_stopped(
    application: Application, database: Database
) -> None:
    """The second time that env.py is run it finds other files: nothing runs that wasn't shown."""
    application.env(
        SYNC_ENV.replace(
            "config = context.config\n",
            "config = context.config\nimport builtins\n"
            "if hasattr(builtins, 'seen_once'):\n"
            "    context.script.version_locations = ['elsewhere']\n"
            "    context.script.__dict__.pop('_version_locations', None)\n"
            "    from alembic.script import ScriptDirectory\n"
            "    context._proxy.script = ScriptDirectory('migrations',"
            " version_locations=['elsewhere'])\n"
            "builtins.seen_once = True\n",
        )
    )
    application.linear()
    application.revision("x1", None, "create table x (id int)", directory="elsewhere")
    result = application.run("up", "--json", url=database.url())
    assert (result.code, result.error) == (4, "plan-outdated"), result.err
    assert database.tables() == []
    assert "env.py puts the history together differently" in next_of(result)
    application.env()
    assert application.run("up", url=database.url()).code == 0


def test_a_tick_is_for_what_is_committed(application: Application, database: Database) -> None:
    """In one transaction for all, nothing has a tick before its end; a failure leaves none."""
    application.linear()
    good = application.run("up", url=database.url())
    assert "  · r1" in good.err
    assert "  ✓ 3 revisions, in one transaction" in good.err
    application.revision("r4", "r3", "create table more (id int)")
    application.revision("r5", "r4", "select 1/0")
    bad = application.run("up", url=database.url())
    assert bad.code == 5
    assert "  · r4" in bad.err
    assert "✓" not in bad.err


@pytest.mark.provokes("history-empty")
@pytest.mark.parametrize("gone", [False, True])
@pytest.mark.follows("history-empty")
def test_a_history_without_revisions_is_never_at_head(
    application: Application, database: Database, gone: bool
) -> None:
    """The .dockerignore accident: the application must not start on an empty database."""
    if gone:
        (application.root / "migrations" / "versions").rmdir()
    result = application.run("up", "--json", "--", "touch", "started", url=database.url())
    # an older Alembic complains of the missing directory by itself
    assert result.code == 4
    assert result.error in ("history-empty", "history-unreadable")
    assert not (application.root / "started").exists()
    application.linear()  # the directory was forgotten
    assert application.run("up", url=database.url()).code == 0
