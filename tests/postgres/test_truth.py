"""What is said of a run agrees with the database, whatever the application does."""

import os
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

from surefoot.postgres.embedded import Server
from tests import starts
from tests.support import catalogues
from tests.support.database import Database
from tests.support.next_steps import arrives, next_of, steps_of
from tests.support.project import ASYNC_ENV, SYNC_ENV, Application
from tests.support.refusals import seen, with_catalogue


def database_says(result) -> str:
    (finding,) = result.json["findings"]
    return finding["database"]


@pytest.mark.parametrize(
    "body",
    [
        "op.execute('create table half (id int)')\n"
        "with op.get_context().autocommit_block():\n"
        "    op.execute('create index concurrently half_id on half (id)')",
        "op.execute('create table half (id int)')\nop.get_bind().commit()",
        "op.execute('create table half (id int)')\nop.execute('COMMIT')",
    ],
    ids=["autocommit_block", "commit()", "COMMIT"],
)
def test_an_earlier_revision_that_committed_by_itself(
    application: Application, database: Database, body: str
) -> None:
    """r2 commits half-way, r3 fails: r2's row is gone, its table isn't, and that is said of r2."""
    application.revision("r1", None, "create table one (id int)")
    application.revision("r2", "r1", body=body)
    application.revision("r3", "r2", "select 1/0")
    result = application.run("up", "--json", url=database.url())
    assert (result.code, result.error) == (6, "revision-partly-applied"), result.err
    assert database_says(result).startswith("r2 committed by itself half-way")
    assert "public.half" in database.tables()
    assert database.query("select version_num from alembic_version") in ([("r1",)], [])


def test_an_env_that_keeps_a_failure_to_itself(
    application: Application, database: Database
) -> None:
    """The revision's error is told, though env.py swallowed it."""
    application.env(
        SYNC_ENV.replace(
            "        context.run_migrations()\n",
            "        try:\n            context.run_migrations()\n"
            "        except Exception:\n            connection.rollback()\n",
        )
    )
    application.linear()
    application.revision("r4", "r3", "select 1/0")
    result = application.run("up", "--json", url=database.url())
    assert (result.code, result.error) == (5, "revision-failed")
    assert "division by zero" in str(result.json["findings"])


@pytest.mark.server_from(14)
def test_a_connection_cut_for_idleness_changes_nothing_of_the_truth(
    application: Application, database: Database
) -> None:
    """The server ends idle sessions after a second; a revision takes two."""
    database.execute(f"alter database {database.name} set idle_session_timeout = '1s'")
    application.linear()
    application.revision("r4", "r3", "select pg_sleep(2)")
    result = application.run("up", "--json", url=database.url())
    assert result.code == 0, result.err
    assert result.json["state"] == "at-head"


def test_a_config_that_commits_at_its_own_end(application: Application, database: Database) -> None:
    """Alembic's cookbook: the connection is the caller's, and so is the commit."""
    application.write(
        "my_config.py",
        "import contextlib, os\nfrom alembic.config import Config\n"
        "from sqlalchemy import create_engine\n"
        "@contextlib.contextmanager\n"
        "def make():\n"
        "    config = Config('alembic.ini')\n"
        "    with create_engine(os.environ['DATABASE_URL']).begin() as connection:\n"
        "        config.attributes['connection'] = connection\n"
        "        yield config\n",
    )
    application.env(
        "from alembic import context\n"
        "context.configure(connection=context.config.attributes['connection'])\n"
        "with context.begin_transaction():\n    context.run_migrations()\n"
    )
    application.config('alembic_config = "my_config:make"\n')
    application.linear()
    result = application.run("up", "--json", url=database.url())
    assert result.code == 0, result.err
    assert [d["name"] for d in result.json["done"]] == ["r1", "r2", "r3"]


def test_the_lock_holds_no_snapshot_whatever_the_default_isolation(
    application: Application, database: Database
) -> None:
    database.execute(
        f"alter database {database.name} set default_transaction_isolation = 'repeatable read'"
    )
    application.revision("r1", None, "create table t (id int)")
    application.revision(
        "r2",
        "r1",
        body="with op.get_context().autocommit_block():\n"
        "    op.execute('create index concurrently t_id on t (id)')",
    )
    assert application.run("up", url=database.url(), timeout=30).code == 0


@pytest.mark.parametrize("change", ["version_table_schema='tenant'", "version_table='other'"])
def test_an_env_that_leads_elsewhere_now(
    application: Application, database: Database, change: str
) -> None:
    """The quick look is believed of the env.py that led here, and of no other."""
    application.linear()
    assert application.run("up", url=database.url()).code == 0
    assert "nothing to do" in application.run("up", url=database.url()).err
    database.execute("create schema tenant")
    application.env(options=change)
    result = application.run("up", "--json", "--", "touch", "started", url=database.url())
    assert result.code != 0, result.err
    assert not (application.root / "started").exists()


def test_two_histories_and_one_seed_path(application: Application, database: Database) -> None:
    """One application's seed doesn't count for another's, though both are called seed.sql."""
    application.linear()
    application.write(
        "seed.sql",
        "create table if not exists seeded (by text); insert into seeded values ('one');",
    )
    application.config('seeds = ["seed.sql"]\n')
    assert application.run("up", url=database.url()).code == 0
    database.execute("create schema two")
    application.env(options="version_table='two_version'")
    database.execute(
        "create table two_version (version_num varchar(32) primary key);"
        " insert into two_version values ('r3')"
    )
    result = application.run("up", "--json", url=database.url())
    assert [d["step"] for d in result.json["done"]] == ["seed"], result.err
    assert database.query("select count(*) from seeded") == [(2,)]


def test_a_script_that_changes_between_look_and_run(database: Database) -> None:
    """What runs must be what was shown: the first seed writes over the second one."""
    with tempfile.TemporaryDirectory(prefix="surefoot-test-") as directory:
        os.chmod(directory, 0o755)  # the server's user writes there, whoever runs the tests
        application = Application(Path(directory) / "application")
        application.linear()
        application.config('seeds = ["one.sql", "two.sql"]\n')
        two = application.write("two.sql", "select 1;")
        os.chmod(two, 0o666)
        application.write("one.sql", f"copy (select 'select 2;') to '{two}';")
        result = application.run("up", "--json", url=database.url())
    assert result.error == "plan-outdated", result.err
    assert "Rolled back, verified" in database_says(result)


@pytest.mark.provokes("look-failed")
def test_somebody_elses_journal(application: Application, database: Database) -> None:
    application.linear()
    database.execute("create schema surefoot; create table surefoot.journal (note text)")
    result = application.run("up", "--json", url=database.url())
    assert (result.code, result.error) == (4, "look-failed")


@pytest.mark.parametrize("column", ["name", "parents"])
def test_a_journal_that_was_changed_by_hand(
    column: str, application: Application, database: Database
) -> None:
    """NULL where surefoot writes a text: refused, and nothing of it is believed."""
    application.linear()
    assert application.run("up", url=database.url()).code == 0
    database.execute(f"alter table surefoot.journal alter {column} drop not null")
    database.execute(f"update surefoot.journal set {column} = null")
    for command in ("up", "status", "adopt r3"):
        result = application.run(*command.split(), "--json", url=database.url())
        assert (result.code, result.error) == (4, "look-failed")


@pytest.mark.follows("look-failed")
@pytest.mark.parametrize(
    "change",
    [
        "drop column milliseconds",
        "alter at drop default, alter at type text using at::text",
        "add extra int not null default 1; alter table surefoot.journal alter extra drop default",
    ],
)
def test_a_journal_with_other_columns(
    change: str, application: Application, database: Database
) -> None:
    """Refused before anything is begun whose row can't be written or read."""
    application.linear()
    assert application.run("up", url=database.url()).code == 0
    database.execute(f"alter table surefoot.journal {change}")
    for command in ("up", "status"):
        result = application.run(command, "--json", url=database.url())
        assert (result.code, result.error) == (4, "look-failed"), result.out
    (finding,) = result.json["findings"]
    application.revision("r4", "r3", "create table toys (id int)")
    for statement in steps_of(finding["next"]).sql:
        database.execute(statement)
    assert application.run("up", url=database.url()).code == 0


def test_a_role_that_may_not_read_what_it_wrote(
    application: Application, database: Database
) -> None:
    """env.py becomes another role, whose journal we can't read: no traceback, and the truth."""
    database.execute("drop role if exists other_owner; create role other_owner")
    database.execute("grant create, usage on schema public to other_owner")
    database.execute(f"grant create on database {database.name} to other_owner")
    application.env(
        SYNC_ENV.replace(
            "    with context.begin_transaction():",
            "    connection.exec_driver_sql('set role other_owner')\n    connection.commit()\n"
            "    with context.begin_transaction():",
        )
    )
    application.linear()
    try:
        result = application.run("up", "--json", url=database.url())
        assert result.code == 0, result.err
    finally:
        database.execute("drop owned by other_owner cascade; drop role other_owner")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_between_the_steps(
    application: Application, database: Database, number: signal.Signals
) -> None:
    """After one revision is committed and while the next sleeps: what is kept is named.

    A second signal right behind the first doesn't cut the account short.
    """
    application.env(options="transaction_per_migration=True")
    application.linear()
    application.revision(
        "r4", "r3", body="print('asleep', flush=True)\nop.execute('select pg_sleep(30)')"
    )
    process = starts.start(
        *("-m", "surefoot", "up", "--json", "--database-url", database.url()),
        cwd=application.root,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stderr is not None
    while "asleep" not in process.stderr.readline():
        assert process.poll() is None
    time.sleep(0.2)
    process.send_signal(number)
    time.sleep(0.05)
    process.send_signal(number)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 5, err
    assert '"code":"interrupted"' in out
    assert "Committed before it, and there: r1, r2, r3." in out
    assert database.query("select version_num from alembic_version") == [("r3",)]


_DRIVER = "(lambda c: getattr(c, 'driver_connection', None) or c.connection)"
ROLLS_BACK = {
    "ROLLBACK": "op.execute('rollback')\n",
    "a comment before it": "op.execute('-- undo\\nROLLBACK WORK;')\n",
    "rollback()": "op.get_bind().rollback()\n",
    "a session": (
        "from sqlalchemy.orm import Session\n"
        "session = Session(bind=op.get_bind())\n"
        "session.execute(sa.text('insert into one values (2)'))\n"
        "try:\n    session.execute(sa.text('select 1/0'))\n"
        "except Exception:\n    session.rollback()\n"
    ),
    "after a commit": (
        "with op.get_context().autocommit_block():\n    op.execute('select 1')\n"
        "op.execute('insert into one values (3)')\nop.execute('rollback')\n"
    ),
    "the driver's own": f"{_DRIVER}(op.get_bind().connection).rollback()\n",
}


@pytest.mark.parametrize("first", [False, True], ids=["with a journal", "without"])
@pytest.mark.parametrize("how", ROLLS_BACK)
def test_a_revision_that_rolls_back_what_it_did(
    application: Application, database: Database, how: str, first: bool
) -> None:
    """It runs to its end and writes its row, but a part of it is missing: no success."""
    application.revision("r1", None, "create table one (id int)")
    url = database.url("postgresql+psycopg")
    if first:
        application.alembic("upgrade", "head", url=url)
    else:
        assert application.run("up", url=url).code == 0
    application.revision(
        "r2",
        "r1",
        body=f"op.execute('insert into one values (1)')\n{ROLLS_BACK[how]}"
        "op.execute('create table two ()')",
    )
    result = application.run("up", "--json", url=url)
    (finding,) = result.json["findings"]
    assert finding["message"].endswith("rolled back its own transaction.")
    if how == "after a commit":
        assert (result.code, result.error) == (6, "revision-partly-applied"), result.out
    else:
        assert (result.code, result.error) == (5, "revision-failed"), result.out
        assert finding["database"].startswith("Rolled back, verified.")
        assert "begin_nested" in finding["next"]
    assert "public.two" not in database.tables()
    assert database.query("select version_num from alembic_version") == [("r1",)]


WRITES = {
    "a function": "select written(1)",
    "a common table expression": (
        "with x as (insert into one values (1) returning id) select id from x"
    ),
    "SELECT INTO": "select 1 as id into two",
    "locked rows": "select id from one for update",  # a lock isn't told from a change
}


@pytest.mark.parametrize("driver", ["psycopg", "asyncpg"])
@pytest.mark.parametrize("how", WRITES)
def test_a_query_that_writes_and_a_rollback(
    application: Application, database: Database, how: str, driver: str
) -> None:
    """Only the server knows that the query has written something."""
    application.env(ASYNC_ENV if driver == "asyncpg" else SYNC_ENV)
    application.revision(
        "r1",
        None,
        "create table one (id int)",
        "insert into one values (0)",
        "create function written(int) returns int language sql as"
        " 'insert into one values ($1); select 1'",
    )
    url = database.url(f"postgresql+{driver}")
    assert application.run("up", url=url).code == 0
    application.revision(
        "r2", "r1", body=f"op.execute({WRITES[how]!r})\nop.get_bind().rollback()\n"
    )
    result = application.run("up", "--json", url=url)
    assert (result.code, result.error) == (5, "revision-failed"), result.out + result.err
    assert "rolled back its own transaction" in result.json["findings"][0]["message"]
    assert database.query("select version_num from alembic_version") == [("r1",)]


@pytest.mark.parametrize("driver", ["psycopg2", "asyncpg"])
def test_a_query_that_reads_and_a_rollback(
    application: Application, database: Database, driver: str
) -> None:
    """With other drivers, and another revision after it."""
    application.env(
        ASYNC_ENV if driver == "asyncpg" else SYNC_ENV, "transaction_per_migration=True"
    )
    application.revision("r1", None, "create table one (id int)")
    body = "op.get_bind().execute(sa.text('select * from one'))\nop.get_bind().rollback()\n"
    application.revision("r2", "r1", body=f"{body}op.execute('insert into one values (1)')")
    application.revision("r3", "r2", "create table three ()")
    result = application.run("up", "--json", url=database.url(f"postgresql+{driver}"))
    assert result.code == 0, result.out + result.err
    assert database.query("select id from one") == [(1,)]


def test_a_rollback_then_a_commit(application: Application, database: Database) -> None:
    """What it committed after that is there, and nothing else is claimed."""
    application.revision("r1", None, "create table one (id int)")
    assert application.run("up", url=database.url()).code == 0
    application.revision(
        "r2",
        "r1",
        body="op.execute('insert into one values (1)')\nop.execute('rollback')\n"
        "op.execute('create table two ()')\nop.execute('commit')",
    )
    result = application.run("up", "--json", url=database.url())
    assert (result.code, result.error) == (6, "revision-partly-applied"), result.err
    assert database_says(result).startswith("r2 committed by itself half-way")
    assert "public.two" in database.tables()


KEEPS = {
    "a savepoint": (
        "op.execute('savepoint s')\nop.execute('create table x ()')\n"
        "op.execute('rollback to savepoint s')\n"
    ),
    "begin_nested()": (
        "nested = op.get_bind().begin_nested()\nop.execute('create table x ()')\n"
        "nested.rollback()\n"
    ),
    "autocommit_block": (
        "with op.get_context().autocommit_block():\n    op.execute('create table x ()')\n"
    ),
    "a read, and rollback()": (
        "assert op.get_bind().execute(sa.text('select count(*) from one')).scalar() == 0\n"
        "op.get_bind().rollback()\n"
    ),
    "a read, and ROLLBACK": (
        "op.execute('-- how many?\\nselect count(*) from one')\nop.execute('rollback')\n"
    ),
    "reads and rollbacks": (
        "for _ in range(3):\n"
        "    sa.inspect(op.get_bind()).get_columns('one')\n    op.get_bind().rollback()\n"
    ),
    "a commit, then a read": (
        "op.execute('create table x ()')\nop.execute('commit')\n"
        "op.execute('with x as (select 1) select * from x')\nop.execute('rollback')\n"
    ),
    "before it has done anything": (
        "op.execute(\"set lock_timeout = '1s'\")\n"
        "try:\n    op.execute('drop table nowhere')\n"
        "except Exception:\n    op.execute('rollback')\n"
    ),
}


@pytest.mark.parametrize("how", KEEPS)
def test_a_revision_that_loses_nothing(
    application: Application, database: Database, how: str
) -> None:
    """A savepoint, a commit, or a rollback of nothing: all of the revision is there."""
    application.env(options="transaction_per_migration=True")
    application.revision("r1", None, "create table one (id int)")
    application.revision("r2", "r1", body=f"{KEEPS[how]}op.execute('insert into one values (1)')")
    application.revision("r3", "r2", "create table three ()")
    result = application.run("up", "--json", url=database.url())
    assert result.code == 0, result.out + result.err
    assert database.query("select id from one") == [(1,)]
    assert database.query(
        "select name from surefoot.journal where step = 'revision' order by id"
    ) == [("r1",), ("r2",), ("r3",)]


_RETRIES = SYNC_ENV.replace(
    "with connectable.connect() as connection:",
    "def migrate(connection):",
) + (
    "for attempt in range(3):\n"
    "    try:\n"
    "        with connectable.connect() as connection:\n"
    "            migrate(connection)\n"
    "        break\n"
    "    except Exception:\n"
    "        pass\n"
)


@pytest.mark.parametrize("journal", [True, False], ids=["with a journal", "without"])
@pytest.mark.parametrize("each", ["", "transaction_per_migration=True"], ids=["one", "each"])
@pytest.mark.parametrize("failures", [1, 3])
def test_an_env_that_tries_again_by_itself(
    application: Application, database: Database, failures: int, each: str, journal: bool
) -> None:
    """What it brings to its end is a success, with the failure told; else the failure is."""
    application.revision("r1", None, "create table one (id int)")
    url = database.url("postgresql+psycopg")
    if journal:
        assert application.run("up", url=url).code == 0
    else:
        application.alembic("upgrade", "head", url=url)
    application.env(_RETRIES, each)
    application.revision("r2", "r1", "create table two (id int)")
    count = application.root / "count"
    application.revision(
        "r3",
        "r2",
        body=f"import pathlib\nfile = pathlib.Path({str(count)!r})\n"
        "number = len(file.read_text()) if file.exists() else 0\n"
        "file.write_text('x' * (number + 1))\n"
        f"if number < {failures}:\n    op.execute('select 1/0')\n"
        "op.execute('create table three ()')",
    )
    result = application.run("up", "--json", url=url)
    if failures == 1:
        assert result.code == 0, result.out + result.err
        assert [d["name"] for d in result.json["done"]] == ["r2", "r3"]
        assert "r3 failed, and env.py tries again: division by zero" in result.err
        assert database.query("select version_num from alembic_version") == [("r3",)]
    else:
        assert (result.code, result.error) == (5, "revision-failed"), result.out
        assert "division by zero" in str(result.json["findings"])
        reached = "r2" if each else "r1"
        assert database.query("select version_num from alembic_version") == [(reached,)]


def _trigger(does: str) -> str:
    return (
        f"create function spoil() returns trigger language plpgsql as 'begin {does} end';"
        " create trigger spoiler before update on alembic_version"
        " for each row execute function spoil()"
    )


SPOILS = {
    "returns null": ("return null;", 5, "revision-failed"),
    "restores": (
        "new.version_num := old.version_num; return new;",
        6,
        "structure-not-reached",
    ),
}


@pytest.mark.parametrize("how", SPOILS)
def test_a_trigger_that_keeps_alembics_version_row(
    application: Application, database: Database, server: Server, how: str
) -> None:
    """It is named, not the revision; `next` leads to head."""
    does, code, error = SPOILS[how]
    application.revision("r1", None, "create table one (id int)")
    application.revision("r2", "r1", "create table two (id int)")
    with_catalogue(application, server)
    application.alembic("upgrade", "r1", url=database.url("postgresql+psycopg"))
    database.execute(_trigger(does))
    result = application.run("up", "--json", url=database.url())
    assert (result.code, result.error) == (code, error), result.out + result.err
    assert "trigger spoiler on public.alembic_version executes function public.spoil()" in seen(
        result
    )
    assert "may have skipped" not in seen(result)
    assert "correct the revision" not in next_of(result)
    arrives(application, database, result)
    assert database.query("select version_num from alembic_version") == [("r2",)]


@pytest.mark.parametrize("how", SPOILS)
def test_a_trigger_that_keeps_the_version_row_of_a_downgrade(
    application: Application, database: Database, server: Server, how: str
) -> None:
    """The same on the way back."""
    does, code, error = SPOILS[how]
    application.revision("r1", None, "create table one (id int)")
    application.revision(
        "r2", "r1", "create table two (id int)", downgrade="op.execute('drop table two')"
    )
    catalogues.with_catalogue(application, server)
    assert application.run("up", url=database.url()).code == 0
    database.execute(_trigger(does))
    result = application.run("down", "--to", "r1", "--yes", "--json", url=database.url())
    assert (result.code, result.error) == (code, error), result.out + result.err
    assert "trigger spoiler on public.alembic_version executes function public.spoil()" in seen(
        result
    )
    next = next_of(result)
    assert "alter table public.alembic_version disable trigger spoiler;" in next
    database.execute("alter table public.alembic_version disable trigger spoiler")
    if how == "restores":
        assert "surefoot adopt r1" in next
        assert application.run("adopt", "r1", "--yes", url=database.url()).code == 0
    else:
        assert application.run("down", "--to", "r1", "--yes", url=database.url()).code == 0
    assert database.query("select version_num from alembic_version") == [("r1",)]


def test_a_trigger_that_keeps_the_version_row_without_a_catalogue(
    application: Application, database: Database
) -> None:
    """Only the version rows show it."""
    application.revision("r1", None, "create table one (id int)")
    application.revision("r2", "r1", "create table two (id int)")
    application.alembic("upgrade", "r1", url=database.url("postgresql+psycopg"))
    database.execute(_trigger(SPOILS["restores"][0]))
    result = application.run("up", "--json", url=database.url())
    assert (result.code, result.error) == (5, "database-not-at-head"), result.out + result.err
    assert "trigger spoiler" in seen(result)
    assert "alter table public.alembic_version disable trigger spoiler;" in next_of(result)
