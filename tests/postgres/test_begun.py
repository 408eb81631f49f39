"""A revision's mark where it begins, and what a killed surefoot leaves on the server."""

import json
import os
import signal
import subprocess
import time

import pytest

from surefoot.postgres.embedded import Server
from tests import starts
from tests.support import catalogues
from tests.support.database import Database
from tests.support.planted import ROLE, role_of_a_stranger
from tests.support.project import ASYNC_ENV, SYNC_ENV, Application

CONCURRENTLY = """\
with op.get_context().autocommit_block():
    op.execute("create index concurrently pets_name on pets (name)")
"""
MARKS = "select step, name from surefoot.journal order by id desc limit 1"


def _first_only(application: Application, database: Database) -> None:
    application.revision("r1", None, "create table pets (id int primary key, name text)")
    assert application.run("up", url=database.url()).code == 0


def _two(application: Application, body: str) -> None:
    """A table, and then what the test is about."""
    application.revision("r1", None, "create table pets (id int primary key, name text)")
    application.env(options="transaction_per_migration=True")
    application.revision("r2", "r1", body=body)


def _start(application: Application, database: Database, driver: str = "") -> starts.Started:
    url = database.url(driver) if driver else database.url()
    return starts.start(
        *("-m", "surefoot", "up", "--json", "--database-url", url),
        cwd=application.root,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def _wait_for(database: Database, condition: str, process: starts.Started) -> None:
    """Until a session of this database is so."""
    asked = (
        "select count(*) from pg_stat_activity where datname = current_database()"
        f" and pid <> pg_backend_pid() and {condition}"
    )
    deadline = time.monotonic() + 30
    while database.query(asked) == [(0,)]:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _kill(process: starts.Started) -> None:
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def test_a_revision_has_one_row(application: Application, database: Database) -> None:
    """What was begun becomes what was done: no row besides, and none out of its order."""
    application.linear()
    assert application.run("up", url=database.url()).code == 0
    rows = database.query("select step, name, pid is not null from surefoot.journal order by id")
    assert rows == [
        *(("revision", name, True) for name in ("r1", "r2", "r3")),
        ("unchecked", "r3", False),
    ]


def test_a_killed_transaction_leaves_no_mark(application: Application, database: Database) -> None:
    """The mark is in the revision's own transaction, and goes with it."""
    _two(application, 'op.execute("select pg_sleep(60)")')
    process = _start(application, database)
    _wait_for(database, "query ~ '^select pg_sleep'", process)
    _kill(process)
    database.query(
        "select pg_terminate_backend(pid) from pg_stat_activity where query ~ '^select pg_sleep'"
    )
    assert database.query(MARKS) == [("revision", "r1")]
    assert application.run("status", "--json", url=database.url()).json["state"] == "behind"


@pytest.mark.parametrize(
    "commit",
    [
        "with op.get_context().autocommit_block():\n    op.execute('select pg_sleep(60)')",
        "op.execute('COMMIT')\nop.execute('select pg_sleep(60)')",
        "op.get_bind().connection.commit()\nop.execute('select pg_sleep(60)')",
    ],
    ids=["autocommit_block", "COMMIT", "the driver's own"],
)
def test_a_kill_behind_a_commit_leaves_one(
    application: Application, database: Database, commit: str
) -> None:
    """However the revision commits, its mark is durable with the first part of it."""
    _two(application, f"op.execute('alter table pets add column age int')\n{commit}")
    process = _start(application, database)
    _wait_for(database, "query ~ '^select pg_sleep'", process)
    _kill(process)
    assert database.query(MARKS) == [("begun", "r2")]
    database.query(
        "select pg_terminate_backend(pid) from pg_stat_activity where query ~ '^select pg_sleep'"
    )
    assert application.run("up", "--json", url=database.url()).error == "interrupted-revision"


@pytest.mark.provokes("orphaned-statement")
def test_an_index_that_is_still_being_made(application: Application, database: Database) -> None:
    """Its client was killed, it goes on: the next start names it and waits, and has an end."""
    application.config('lock_wait = "1s"\n')
    _first_only(application, database)
    _two(application, CONCURRENTLY)
    with database.connect() as holder:
        holder.execute("begin; insert into pets values (1, 'Rex')")  # the index waits for it
        process = _start(application, database)
        _wait_for(database, "query ~ '^create index' and wait_event_type = 'Lock'", process)
        _kill(process)
        result = application.run("up", "--json", url=database.url())
        assert (result.code, result.error) == (7, "orphaned-statement"), result.err
        assert "create index concurrently pets_name" in str(result.json["findings"][0]["seen"])
        assert "its statement is still running" in result.err
        holder.execute("rollback")


def test_a_transaction_whose_client_is_gone(application: Application, database: Database) -> None:
    """It waits for a lock, and nobody waits for it: the next start waits until it's over."""
    application.config('lock_timeout = "0s"\n')
    _first_only(application, database)
    _two(application, "op.execute('alter table pets add column age int')")
    with database.connect() as holder:
        holder.execute("begin; select from pets")
        process = _start(application, database)
        _wait_for(database, "query ~ '^alter table pets' and wait_event_type = 'Lock'", process)
        _kill(process)
        again = _start(application, database)
        assert again.stderr is not None
        while "its statement is still running" not in again.stderr.readline():
            assert again.poll() is None
        holder.execute("rollback")
    _, err = again.communicate(timeout=30)
    assert again.returncode == 0, err
    assert database.query("select version_num from alembic_version") == [("r2",)]


def test_a_statement_in_a_journal_of_the_role_that_env_py_sets(
    application: Application, server: Server, database: Database
) -> None:
    """The second start takes the lock before it knows that role, and so can't believe the journal
    yet. What it saw before the statement ended is no longer so.
    """
    before = [
        f"set role {ROLE}",
        # else the server ends the statement by itself, since its client is gone
        "select set_config(name, '60s', false) from pg_settings"
        " where name = 'client_connection_check_interval'",
    ]
    lines = [f"    connection.exec_driver_sql({statement!r})\n" for statement in before]
    lines += ["    connection.commit()\n", "    context.configure"]
    env = SYNC_ENV.replace("    context.configure", "".join(lines))
    application.revision(
        "r1",
        None,
        "select pg_advisory_xact_lock(1)",
        "create table pets (id int primary key, name text)",
    )
    application.revision("r2", "r1", body=CONCURRENTLY)
    catalogues.with_catalogue(application, server)
    application.env(env, "transaction_per_migration=True")
    with role_of_a_stranger(server), database.connect() as late, database.connect() as older:
        database.execute(
            f"grant create on database {database.name} to {ROLE};"
            f"grant create on schema public to {ROLE}"
        )
        late.execute("select pg_advisory_lock(1)")
        older.execute("begin isolation level repeatable read; select")
        first = _start(application, database)
        _wait_for(database, "query ~ '^select pg_advisory_xact_lock'", first)
        second = _start(application, database)  # the database is still empty
        assert second.stderr is not None
        while "waiting up to" not in second.stderr.readline():
            assert second.poll() is None
        late.execute("select pg_advisory_unlock(1)")
        _wait_for(database, "query ~ '^create index' and wait_event_type = 'Lock'", first)
        _kill(first)
        while "its statement is still running" not in second.stderr.readline():
            assert second.poll() is None
        older.execute("rollback")
        out, err = second.communicate(timeout=60)
        assert second.returncode == 0, err
        assert [step["step"] for step in json.loads(out)["done"]] == ["record"]
        late.execute("drop table pets, alembic_version; drop schema surefoot cascade")
        late.execute(f"drop owned by {ROLE} cascade".encode())


LEAVING = {
    "the driver in autocommit": (
        "driver = op.get_bind().connection.driver_connection\n"
        "driver.rollback()\ndriver.autocommit = True\n"
        "op.execute('insert into pets values (1)')\n"
    ),
    "a second connection": (
        "with op.get_bind().engine.begin() as other:\n"
        "    other.exec_driver_sql('insert into pets values (1)')\n"
    ),
    "a second connection in autocommit": (
        "engine = op.get_bind().engine.execution_options(isolation_level='AUTOCOMMIT')\n"
        "with engine.connect() as other:\n"
        "    other.exec_driver_sql('insert into pets values (1)')\n"
    ),
    "a second connection whose driver is in autocommit": (
        "with op.get_bind().engine.connect() as other:\n"
        "    other.connection.driver_connection.autocommit = True\n"
        "    other.exec_driver_sql('insert into pets values (1)')\n"
    ),
    "a second connection, with a COMMIT as a statement": (
        "with op.get_bind().engine.connect() as other:\n"
        "    other.exec_driver_sql('insert into pets values (1)')\n"
        "    other.exec_driver_sql('commit')\n"
    ),
}


@pytest.mark.parametrize("driver", ["postgresql+psycopg2", "postgresql+psycopg"])
@pytest.mark.parametrize("leaves", LEAVING.values(), ids=list(LEAVING))
def test_a_revision_that_leaves_its_transaction(
    application: Application, database: Database, leaves: str, driver: str
) -> None:
    """What its own transaction came to proves nothing then: no second try, and no false comfort."""
    application.config('lock_timeout = "200ms"\n')
    _first_only(application, database)
    body = f"{leaves}op.execute(\"set lock_timeout = '200ms'\")\n"
    _two(application, f"{body}op.execute('lock table kept')")
    database.execute("create table kept (id int)")
    # in autocommit a LOCK TABLE is refused by itself; else it waits for the holder
    with database.connect() as holder:
        holder.execute("begin; lock table kept")
        result = application.run("up", "--json", url=database.url(driver))
    assert (result.code, result.error) == (6, "revision-partly-applied"), result.err
    assert database.query("select count(*) from pets") == [(1,)]
    assert database.query(MARKS) == [("begun", "r2")]
    assert application.run("up", "--json", url=database.url()).error == "interrupted-revision"


@pytest.mark.parametrize("leaves", ["a second connection", "a second connection in autocommit"])
def test_a_second_connection_of_asyncpg(
    application: Application, database: Database, leaves: str
) -> None:
    _first_only(application, database)
    _two(application, f"{LEAVING[leaves]}op.execute('select 1/0')")
    application.env(ASYNC_ENV)
    result = application.run("up", "--json", url=database.url("postgresql+asyncpg"))
    assert (result.code, result.error) == (6, "revision-partly-applied"), result.err
    assert database.query(MARKS) == [("begun", "r2")]


READING = {
    "a transaction": "engine = op.get_bind().engine\nwith engine.begin() as other:\n",
    "autocommit": (
        "engine = op.get_bind().engine.execution_options(isolation_level='AUTOCOMMIT')\n"
        "with engine.connect() as other:\n"
    ),
}


@pytest.mark.parametrize("reads", READING.values(), ids=list(READING))
def test_a_second_connection_that_only_reads(
    application: Application, database: Database, reads: str
) -> None:
    """Nothing of it stays, and the revision is rolled back as a whole."""
    _first_only(application, database)
    _two(application, f"{reads}    other.exec_driver_sql('select 1')\nop.execute('select 1/0')")
    result = application.run("up", "--json", url=database.url("postgresql+psycopg"))
    assert (result.code, result.error) == (5, "revision-failed"), result.err
    assert database.query(MARKS) == [("unchecked", "r1")]


@pytest.mark.parametrize("leaves", [leaves for name, leaves in LEAVING.items() if "second" in name])
@pytest.mark.parametrize("driver", ["postgresql+psycopg2", "postgresql+psycopg"])
def test_it_is_killed_after_a_second_connection_has_committed(
    application: Application, database: Database, leaves: str, driver: str
) -> None:
    """Its own transaction is rolled back, and its mark with it: another mark says so."""
    _first_only(application, database)
    _two(application, f"{leaves}op.execute('select pg_advisory_xact_lock(1)')")
    with database.connect() as holder:
        holder.execute("select pg_advisory_lock(1)")
        running = _start(application, database, driver)
        _wait_for(database, "query ~ '^select pg_advisory_xact_lock'", running)
        _kill(running)
    result = application.run("up", "--json", url=database.url())
    assert (result.code, result.error) == (4, "interrupted-revision"), result.err
    assert database.query("select count(*) from pets") == [(1,)]
    assert database.query(MARKS) == [("begun", "r2")]


@pytest.mark.parametrize("leaves", [leaves for name, leaves in LEAVING.items() if "second" in name])
def test_a_second_connection_and_everything_ends_well(
    application: Application, database: Database, leaves: str
) -> None:
    """The mark is settled by the version row; the next start has nothing to do, and is quick."""
    _first_only(application, database)
    _two(application, leaves)
    application.revision("r3", "r2", "create table kept (id int)")
    for done in (["r2", "r3"], []):
        result = application.run("up", "--json", url=database.url("postgresql+psycopg"))
        assert result.code == 0, result.err
        assert [step["name"] for step in result.json["done"]] == done
    assert database.query("select step from surefoot.journal order by id desc limit 1") == [
        ("unchecked",)
    ]
    assert application.run("status", "--json", url=database.url()).json["state"] == "at-head"


def test_a_second_connection_and_a_commit_that_fails(
    application: Application, database: Database
) -> None:
    """The revision itself came to its end: what another connection has committed stays."""
    _first_only(application, database)
    _two(
        application,
        LEAVING["a second connection"]
        + "op.execute('create table kept (id int references pets deferrable initially deferred)')\n"
        "op.execute('insert into kept values (7)')",
    )
    result = application.run("up", "--json", url=database.url("postgresql+psycopg"))
    assert (result.code, result.error) == (6, "revision-partly-applied"), result.err
    assert database.query(MARKS) == [("begun", "r2")]


def test_an_older_release_starts_beside_a_newer_ones_half_way_revision(
    application: Application, database: Database, server: Server
) -> None:
    """The image is rolled back: all that its code needs is there, and the mark stays."""
    _first_only(application, database)
    _two(application, "op.execute('commit')\nop.execute('select 1/0')")
    assert application.run("up", url=database.url()).code == 6
    (application.root / "migrations" / "versions" / "r2.py").unlink()
    catalogues.with_catalogue(application, server, "--no-downgrade")
    result = application.run("up", "--json", url=database.url())
    assert (result.code, result.json["state"]) == (0, "at-head"), result.err
    assert "a newer release was left half-way" in " ".join(result.err.split())
    assert database.query(MARKS) == [("begun", "r2")]


@pytest.mark.parametrize("each", ["", "transaction_per_migration=True"])
def test_a_revision_whose_own_mark_is_gone_at_its_end(
    application: Application, database: Database, each: str
) -> None:
    """Its row is written all the same, before the next one's."""
    application.env(options=each)
    application.revision("r1", None, "create table people (id int)")
    application.revision("r2", "r1", "delete from surefoot.journal where name = 'r2'")
    application.revision("r3", "r2", "create table pets (id int)")
    result = application.run("up", url=database.url())
    assert result.code == 0, result.err
    rows = database.query("select name from surefoot.journal where step = 'revision' order by id")
    assert rows == [("r1",), ("r2",), ("r3",)]


@pytest.mark.parametrize("each", ["", "transaction_per_migration=True"])
@pytest.mark.parametrize("last", [False, True], ids=["another behind it", "the last"])
def test_a_revision_after_which_the_journal_cannot_be_written(
    application: Application, database: Database, each: str, last: bool
) -> None:
    """Its end is sent with the next one's beginning, and it is blamed all the same."""
    application.env(options=each)
    role = f"{database.name}_plain"
    database.execute(f"create role {role}; grant create on schema public to {role}")
    application.revision("r1", None, "create table people (id int)")
    body = f"op.execute('grant all on alembic_version to {role}')\nop.execute('set role {role}')"
    application.revision("r2", "r1", body=body)
    if not last:
        application.revision("r3", "r2", "create table pets (id int)")
    result = application.run("up", "--json", url=database.url())
    database.execute(f"drop owned by {role}; drop role {role}")
    assert result.code == 5, result.err
    (finding,) = result.json["findings"]
    assert finding["message"].startswith("Revision r2"), finding
    assert ("surefoot.journal" in database.tables()) == bool(each)
