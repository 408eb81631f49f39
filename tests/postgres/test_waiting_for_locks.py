"""A revision waits for a lock with an end, is rolled back, and tried again."""

import os
import subprocess
import threading
import time

import pytest

from surefoot.postgres.embedded import Server
from tests import starts
from tests.support import catalogues
from tests.support.database import Database
from tests.support.project import ASYNC_ENV, SYNC_ENV, Application, Result

DRIVERS = ["postgresql+psycopg2", "postgresql+psycopg", "postgresql+asyncpg"]
SETTINGS = """\
for name in ("lock_timeout", "statement_timeout", "client_connection_check_interval"):
    value = op.get_bind().exec_driver_sql(
        f"select current_setting('{name}', true)"
    ).scalar()
    print(name, value, flush=True)
"""


def _one_table(application: Application, database: Database) -> None:
    application.revision("r1", None, "create table people (id int primary key)")
    assert application.run("up", url=database.url()).code == 0
    application.revision("r2", "r1", "alter table people add column phone text")


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_lock_that_is_free_later(
    application: Application, database: Database, driver: str
) -> None:
    """The first try has its end, the holder is named, a later try succeeds."""
    if "asyncpg" in driver:
        application.env(ASYNC_ENV)
    application.config('lock_timeout = "300ms"\n')
    _one_table(application, database)
    with database.connect(application_name="reports") as holder:
        holder.execute("begin; select from people")
        process = starts.start(
            *("-m", "surefoot", "up", "--json"),
            cwd=application.root,
            env={**os.environ, "SUREFOOT_DATABASE_URL": database.url(driver)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert process.stderr is not None
        told = ""
        while "reports (pid " not in told:
            assert process.poll() is None
            told += process.stderr.readline()
        holder.execute("rollback")
        out, rest = process.communicate(timeout=60)
    result = Result(process.wait(), out, told + rest)
    assert result.code == 0, result.err
    assert "r2 was rolled back, a lock was not available: again in 1 s (1 of 10)" in result.err
    assert [done["name"] for done in result.json["done"]] == ["r2"]
    assert database.query("select count(*) from surefoot.journal where name = 'r2'") == [(2,)]


def test_revisions_committed_before_it_are_not_run_again(
    application: Application, database: Database
) -> None:
    """Each a transaction of its own: only what was rolled back is tried again."""
    application.config('lock_timeout = "300ms"\n')
    application.env(options="transaction_per_migration=True")
    _one_table(application, database)
    application.revision("r3", "r2", "alter table people add column mail text")
    application.revision("r2", "r1", "create table notes (id int)")
    holder = database.connect()
    holder.execute("begin; select from people")
    timer = threading.Timer(1.0, holder.close)
    timer.start()
    result = application.run("up", "--json", url=database.url())
    timer.join()
    assert result.code == 0, result.err
    assert [done["name"] for done in result.json["done"]] == ["r2", "r3"]


def test_it_is_not_tried_for_ever(application: Application, database: Database) -> None:
    """The retries come to an end, and the message says how often."""
    application.config('lock_timeout = "200ms"\nlock_retries = 1\n')
    _one_table(application, database)
    with database.connect() as holder:
        holder.execute("begin; select from people")
        result = application.run("up", "--json", url=database.url())
    assert (result.code, result.error) == (5, "lock-not-available"), result.err
    assert "tried 2 times in " in str(result.json["findings"][0]["seen"])
    assert database.query("select version_num from alembic_version") == [("r1",)]


def test_the_settings_of_a_revision(application: Application, database: Database) -> None:
    """A role's statement_timeout isn't for revisions; a lock is waited for with an end."""
    application.revision("r1", None, body=SETTINGS)
    database.execute(f"alter database {database.name} set statement_timeout = '20s'")
    result = application.run("up", url=database.url())
    assert result.code == 0, result.err
    assert "lock_timeout 5s" in result.err
    assert "statement_timeout 0" in result.err
    if database.query("show server_version_num") >= [("140000",)]:
        assert "client_connection_check_interval 5s" in result.err


def test_what_env_sets_itself_stays(application: Application, database: Database) -> None:
    """The application's author knows better."""
    application.revision("r1", None, body=SETTINGS)
    url = f"{database.url()}?options=-c%20lock_timeout%3D7s%20-c%20statement_timeout%3D9min"
    result = application.run("up", url=url)
    assert result.code == 0, result.err
    assert "lock_timeout 7s" in result.err
    assert "statement_timeout 9min" in result.err


def test_what_env_sets_in_its_transaction_stays(
    application: Application, database: Database
) -> None:
    """Between configure() and run_migrations(), where many do."""
    env = SYNC_ENV.replace("{options}", "").replace(
        "        context.run_migrations()",
        "        connection.exec_driver_sql(\"set local lock_timeout = '42s'\")\n"
        "        context.run_migrations()",
    )
    application.env(env)
    application.revision("r1", None, body=SETTINGS)
    result = application.run("up", url=database.url())
    assert result.code == 0, result.err
    assert "lock_timeout 42s" in result.err


def test_the_configured_settings(application: Application, database: Database) -> None:
    """And one that is configured is the revision's."""
    application.config('lock_timeout = "2s"\nstatement_timeout = "90s"\n')
    application.revision("r1", None, body=SETTINGS)
    result = application.run("up", url=database.url())
    assert "lock_timeout 2s" in result.err
    assert "statement_timeout 90s" in result.err or "statement_timeout 1min 30s" in result.err


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_signal_reaches_the_server(
    application: Application, database: Database, driver: str
) -> None:
    """Whatever the driver waits in, the statement is cancelled at once; a second signal is no
    trouble.
    """
    if "asyncpg" in driver:
        application.env(ASYNC_ENV)
    application.revision(
        "r1", None, body="print('sleeping', flush=True)\nop.execute('select pg_sleep(30)')"
    )
    process = starts.start(
        *("-m", "surefoot", "up", "--json", "--database-url", database.url(driver)),
        cwd=application.root,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stderr is not None
    while "sleeping" not in process.stderr.readline():
        assert process.poll() is None
    time.sleep(0.3)
    started = time.monotonic()
    process.terminate()
    time.sleep(0.05)
    process.terminate()
    out, err = process.communicate(timeout=20)
    assert time.monotonic() - started < 10
    assert process.returncode == 5, err
    assert '"code":"interrupted"' in out
    assert "Rolled back, verified" in err
    assert database.tables() == []
    sleeping = "select count(*) from pg_stat_activity where query = 'select pg_sleep(30)'"
    assert database.query(sleeping) == [(0,)]


@pytest.mark.slow
def test_a_waiter_is_told_the_revision(application: Application, database: Database) -> None:
    """The line names the host, the pid, since when, and which revision."""
    application.linear()
    application.revision(
        "r4",
        "r3",
        body="op.execute('commit')\nprint('sleeping', flush=True)\n"
        "op.execute('do $$ begin while not exists (select from pets) loop"
        " perform pg_sleep(0.1); end loop; end $$')",
    )
    command = ["-m", "surefoot", "up", "--database-url", database.url()]
    pipes = {"stderr": subprocess.PIPE, "cwd": application.root}
    first = starts.start(*command, **pipes)
    assert first.stderr is not None
    while "sleeping" not in first.stderr.readline():
        assert first.poll() is None
    status = application.run("status", url=database.url())
    second = starts.start(*command, **pipes)
    assert second.stderr is not None
    err = ""
    while "at revision r4" not in " ".join(err.split()):
        assert second.poll() is None
        err += second.stderr.readline()
    database.execute("insert into pets values (1, 1)")
    err += second.communicate(timeout=60)[1]
    first.communicate(timeout=60)
    assert (first.returncode, second.returncode) == (0, 0), err
    line = " ".join(err.split())
    assert f":{first.pid}) holds the lock (pid " in line
    assert "at revision r4" in " ".join(status.err.split())


@pytest.mark.parametrize("driver", DRIVERS[:2])
def test_a_signal_while_an_index_is_made_concurrently(
    application: Application, database: Database, server: Server, driver: str
) -> None:
    """It leaves the index invalid; the next start goes on by itself, so nobody is called for."""
    application.revision("r1", None, "create table people (id int primary key)")
    application.revision(
        "r2",
        "r1",
        body="with op.get_context().autocommit_block():\n"
        "    op.create_index('people_id', 'people', ['id'], postgresql_concurrently=True)",
    )
    catalogues.with_catalogue(application, server, "--no-downgrade")
    application.alembic("upgrade", "r1", url=database.url("postgresql+psycopg"))
    url = database.url(driver)
    with database.connect() as holder:
        holder.execute("begin; insert into people values (1)")
        process = starts.start(
            *("-m", "surefoot", "up", "--json", "--database-url", url),
            cwd=application.root,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        waits = "select count(*) from pg_stat_activity where query ~* 'concurrently' and"
        while database.query(f"{waits} wait_event_type = 'Lock'") != [(1,)]:
            assert process.poll() is None
            time.sleep(0.05)
        process.terminate()
        out, err = process.communicate(timeout=20)
        holder.execute("rollback")
    assert process.returncode == 5, err
    assert '"code":"interrupted"' in out
    told = " ".join(err.split())
    assert "of r2, invalid: index public.people.people_id" in told
    assert "surefoot continues with r2 by itself" in told
    assert application.run("up", url=database.url()).code == 0
    valid = database.query(
        "select indisvalid from pg_index where indexrelid = 'people_id'::regclass"
    )
    assert valid == [(True,)]
