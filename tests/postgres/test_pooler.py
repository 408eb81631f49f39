"""Everything through a PgBouncer in transaction mode: what works, what can't, what is left behind.

docs/guides/poolers.md says what these tests show.
"""

import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from surefoot.postgres.embedded import Server
from tests import starts
from tests.support import catalogues
from tests.support.database import Database, fresh_database
from tests.support.example import BASELINE, HEAD, Example
from tests.support.pgbouncer import NotHere
from tests.support.pooler import Pooler, pooler
from tests.support.project import ASYNC_ENV, SYNC_ENV, Application

# SQLAlchemy's own remedy for asyncpg: no name is given twice, none is kept.
UNNAMED = """\
        poolclass=pool.NullPool, connect_args={
            "statement_cache_size": 0,
            "prepared_statement_name_func": lambda: f"__asyncpg_{uuid.uuid4()}__",
        },
"""
ASYNCPG_FOR_POOLERS = "import uuid\n" + ASYNC_ENV.replace(
    "        poolclass=pool.NullPool,\n", UNNAMED
)

DRIVERS = {
    "psycopg2": ("postgresql+psycopg2", SYNC_ENV),
    "psycopg": ("postgresql+psycopg", SYNC_ENV),
    "psycopg, asynchronous": ("postgresql+psycopg", ASYNC_ENV),
    "asyncpg, told of the pooler": ("postgresql+asyncpg", ASYNCPG_FOR_POOLERS),
}

CONCURRENTLY = """\
with op.get_context().autocommit_block():
    op.execute("create index concurrently people_name on people (name)")
    op.execute("create index concurrently pets_id on pets (id, owner)")
op.execute("create table toys (id int primary key)")
"""


# PgBouncer's own patience with a session that it can't have; two minutes, if nobody says so
SOON = "query_wait_timeout = 2"


@pytest.fixture(scope="module")
def bouncer(server: Server) -> Iterator[Pooler]:
    """Five server connections for each database; every test has a database of its own."""
    try:
        with pooler(server) as running:
            yield running
    except NotHere as error:
        pytest.skip(str(error))


def strangers(bouncer: Pooler, database: Database) -> dict[int, list[tuple[str, ...]]]:
    """What another application finds in each of the pooled sessions that isn't as it began.

    As many transactions at once as there are sessions see every one of them.
    """
    found: dict[int, list[tuple[str, ...]]] = {}
    clients = [psycopg.connect(bouncer.conninfo(database.name)) for _ in range(bouncer.size)]
    try:
        for client in clients:
            cursor = client.execute("select pg_backend_pid()")
            (pid,) = cursor.fetchone() or (0,)
            found[pid] = client.execute(
                # what belongs to the transaction that asks isn't the session's
                "select 'setting', name, setting, reset_val from pg_settings where"
                " source = 'session' and setting <> reset_val and name !~ '^transaction_'"
                " union all select 'role', current_user, session_user, '' where"
                " current_user <> session_user"
                " union all select 'prepared', name, statement, '' from pg_prepared_statements"
                " union all select 'lock', locktype, objid::text, '' from pg_locks"
                " where pid = pg_backend_pid() and locktype = 'advisory'"
                " union all select 'temporary', relname, '', '' from pg_class"
                " where relnamespace = pg_my_temp_schema()"
            ).fetchall()
    finally:
        for client in clients:
            client.close()
    assert len(found) == bouncer.size
    return found


def is_clean(bouncer: Pooler, database: Database) -> bool:
    found = strangers(bouncer, database)
    assert not any(found.values()), found
    return True


# --- the commands


@pytest.mark.slow
def test_the_commands_on_the_example(
    tmp_path: Path, database: Database, bouncer: Pooler, server: Server
) -> None:
    """A fresh install with scripts, revisions and seeds; then every command that looks."""
    example = Example(tmp_path / "example", database)
    url = bouncer.url(database.name)
    up = example.run("up", url=url)
    assert up.code == 0, up.err
    assert "15 revisions" in up.err
    assert [row for (row,) in database.query("select version_num from alembic_version")] == [HEAD]
    for command in (("up",), ("status",), ("plan",), ("drift",)):
        again = example.run(*command, url=url)
        assert again.code == 0, again.err
    database.execute("alter table characters add column of_mine int, drop column name cascade")
    assert example.run("drift", url=url).code == 3
    # the catalogue is of the code: whatever address there is, it asks the scratch server
    check = example.run("catalog", "check", "--server", server.url(), url=url, timeout=120)
    assert check.code == 0, check.err


@pytest.mark.slow
def test_an_old_database_becomes_what_it_becomes_without_a_pooler(
    tmp_path: Path,
    database: Database,
    other_database: Database,
    bouncer: Pooler,
    client_bin: Path,
) -> None:
    """v1.0.6 without a version row: identified, adopted and upgraded, in the same structure."""
    for name, made, url in (
        ("pooled", database, bouncer.url(database.name)),
        ("direct", other_database, other_database.url()),
    ):
        example = Example(tmp_path / name, made)
        example.load_init_script(client_bin)
        done = example.run("up", url=url)
        assert done.code == 0, done.err
        assert f"match revision {BASELINE}" in done.err
    options = ("--schema-only", "--exclude-schema=surefoot")
    assert database.dump(*options) == other_database.dump(*options)


@pytest.mark.parametrize("older", [False, True], ids=["with the files", "without"])
def test_going_back(
    tmp_path: Path, database: Database, bouncer: Pooler, server: Server, older: bool
) -> None:
    """By both images, and nothing is left in the pooled sessions."""
    example = Example(tmp_path / "example", database)
    url = bouncer.url(database.name)
    assert example.run("up", url=url).code == 0
    if older:
        for file in (example.root / "alembic" / "versions").glob(f"{HEAD}_*.py"):
            file.unlink()
        catalogues.with_catalogue(example, server)
    result = example.run("down", "--to", "-1", "--yes", url=url)
    assert result.code == 0, result.err
    assert database.query("select version_num from alembic_version") != [(HEAD,)]
    assert is_clean(bouncer, database)


@pytest.mark.slow
def test_adopt_and_repair(
    tmp_path: Path, database: Database, bouncer: Pooler, client_bin: Path
) -> None:
    """A stamp that lies is adopted anew; a row that was spoilt is put right."""
    example = Example(tmp_path / "example", database)
    example.load_init_script(client_bin)
    example.plain_alembic("stamp", "heads")
    url = bouncer.url(database.name)
    assert example.run("up", "--json", url=url).error == "structure-contradicts-revision"
    adopted = example.run("adopt", "--yes", url=url)
    assert adopted.code == 0, adopted.err
    database.execute(f"update alembic_version set version_num = '{BASELINE.upper()}'")
    assert example.run("up", "--json", url=url).error == "version-table-corrupted"
    repaired = example.run("repair", "--yes", url=url)
    assert repaired.code == 0, repaired.err
    assert "15 revisions applied" in example.run("up", url=url).err
    assert is_clean_but_for_the_application(bouncer, database)


def is_clean_but_for_the_application(bouncer: Pooler, database: Database) -> bool:
    """psycopg prepares what the application's own revisions execute often."""
    found = [row for rows in strangers(bouncer, database).values() for row in rows]
    assert [row for row in found if row[0] != "prepared"] == []
    assert not any("surefoot" in row[2] or "pg_current_xact" in row[2] for row in found)
    return True


# --- the application's own connection


@pytest.mark.parametrize("each", ["", "transaction_per_migration=True"], ids=["one", "each"])
@pytest.mark.parametrize("driver", DRIVERS)
def test_every_driver(
    application: Application, database: Database, bouncer: Pooler, driver: str, each: str
) -> None:
    """Twice through the same sessions, with CREATE INDEX CONCURRENTLY in a block of its own."""
    scheme, template = DRIVERS[driver]
    application.env(template, each)
    application.config(f'driver = "{scheme}"\n')
    application.linear()
    url = bouncer.url(database.name)
    first = application.run("up", url=url)
    assert first.code == 0, first.err
    for number in range(4, 12):
        application.revision(
            f"r{number}", f"r{number - 1}", f"insert into people values ({number}, 'somebody')"
        )
    application.revision("r12", "r11", body=CONCURRENTLY)
    application.revision("r13", "r12", "create table shops (id int primary key)")
    second = application.run("up", url=url)
    assert second.code == 0, second.err
    applied = database.query(
        "select name, count(*) from surefoot.journal where step = 'revision' group by 1"
    )
    assert sorted(applied) == sorted((f"r{number}", 1) for number in range(1, 14))
    assert database.query("select count(*) from pg_index where not indisvalid") == [(0,)]
    # asyncpg prepares whatever is executed
    kept = [row for rows in strangers(bouncer, database).values() for row in rows]
    assert {row[0] for row in kept} == ({"prepared"} if "asyncpg" in driver else set())


@pytest.mark.follows("pooler-in-the-way")
def test_asyncpg_untold_is_refused_and_goes_past_the_pooler(
    application: Application, database: Database, bouncer: Pooler
) -> None:
    """Its prepared statements have the same names in each process: the second one finds them
    taken. Nothing was changed, and the server's own address helps.
    """
    application.env(ASYNC_ENV)
    application.config('driver = "postgresql+asyncpg"\n')
    application.revision("r1", None, "create table people (id int primary key, name text)")
    pooled = bouncer.url(database.name)
    first = application.run("up", url=pooled)
    assert first.code == 0, first.err
    application.revision("r2", "r1", "create table pets (id int primary key, owner int)")
    before = database.dump()
    refused = application.run("up", "--json", url=pooled)
    assert refused.code == 4
    assert "__asyncpg_stmt_1__" in str(refused.json["findings"][0]["seen"])
    assert "not changed" in refused.json["findings"][0]["database"]
    assert database.dump() == before
    past = application.run("up", url=database.url(), env={"DATABASE_URL": pooled})
    assert past.code == 0, past.err


def test_nothing_of_surefoots_is_prepared(
    application: Application, database: Database, bouncer: Pooler
) -> None:
    """psycopg prepares what is executed often, by names that another client's session has too.

    That is the application's affair, except for what surefoot executes on its connection.
    """
    clients = [psycopg.connect(bouncer.conninfo(database.name)) for _ in range(bouncer.size)]
    for client in clients:
        client.execute("prepare _pg3_0 as select 1")
    for client in clients:
        client.commit()
        client.close()
    application.env(SYNC_ENV, "transaction_per_migration=True")
    application.config('driver = "postgresql+psycopg"\n')
    application.linear()
    for number in range(4, 16):
        application.revision(f"r{number}", f"r{number - 1}", f"insert into people values({number})")
    done = application.run("up", url=bouncer.url(database.name))
    assert done.code == 0, done.err
    kept = [row[1:3] for rows in strangers(bouncer, database).values() for row in rows]
    assert kept == [("_pg3_0", "prepare _pg3_0 as select 1")] * bouncer.size


def test_psycopg_prepares_what_an_application_executes_often(
    application: Application, database: Database, bouncer: Pooler
) -> None:
    """The second process finds the first one's name taken, and its revision is rolled back; told
    to prepare nothing, it works.
    """
    often = "for n in range(8):\n    op.get_bind().execute(sa.text('select 1 + :n'), {'n': n})"
    application.config('driver = "postgresql+psycopg"\n')
    application.revision("r1", None, body=often)
    url = bouncer.url(database.name)
    first = application.run("up", url=url)
    assert first.code == 0, first.err
    application.revision("r2", "r1", body=often)
    failed = application.run("up", "--json", url=url)
    assert failed.code == 5
    assert 'prepared statement "_pg3_0" already exists' in str(failed.json["findings"][0]["seen"])
    told = SYNC_ENV.replace(
        "poolclass=pool.NullPool",
        'poolclass=pool.NullPool, connect_args={"prepare_threshold": None}',
    )
    application.env(told)
    second = application.run("up", url=url)
    assert second.code == 0, second.err


def test_what_env_py_sets_for_its_session_is_left_to_others(
    application: Application, database: Database, bouncer: Pooler
) -> None:
    """A search path set before a commit belongs to the pooled session, not to the application."""
    application.env(
        SYNC_ENV.replace(
            "    context.configure(",
            "    connection.exec_driver_sql('set search_path = elsewhere, public')\n"
            "    connection.commit()\n"
            "    context.configure(",
        )
    )
    application.revision("r1", None, "create table public.people (id int)")
    result = application.run("up", url=bouncer.url(database.name))
    assert result.code == 0, result.err
    left = [row[1:3] for rows in strangers(bouncer, database).values() for row in rows]
    assert ("search_path", "elsewhere, public") in left


# --- other clients


Prepare = Callable[[Application], int]
"""Makes the application what it's to be, and says how its run will end."""


def run_that_succeeds(application: Application) -> int:
    application.linear()
    return 0


def run_that_fails(application: Application) -> int:
    application.linear()
    application.revision("r4", "r3", "insert into people values (1), (1)")
    return 5


def run_that_is_refused(application: Application) -> int:
    application.revision("r1", None, "create table people (id int)")
    application.write("init.sql", "create table x (id int);\n\\copy x from stdin\n")
    application.config('init = ["init.sql"]\ninit_revision = "r1"\n')
    return 4


def script_that_sets(application: Application) -> int:
    application.revision("r1", None, "create table people (id int)")
    application.revision("r2", "r1", "create table pets (id int)")
    application.write(
        "init.sql",
        "set statement_timeout = '1h'; set lock_timeout = '1h'; set search_path = public, pg_temp;"
        "set role pg_monitor; reset role; set datestyle = 'german'; create table people (id int);",
    )
    application.config('init = ["init.sql"]\ninit_revision = "r1"\n')
    return 0


def script_that_fails(application: Application) -> int:
    script_that_sets(application)
    application.write("init.sql", "set statement_timeout = '1h'; set role pg_monitor; select 1/0;")
    return 5


@pytest.mark.parametrize(
    "prepare",
    [
        run_that_succeeds,
        run_that_fails,
        run_that_is_refused,
        script_that_sets,
        script_that_fails,
    ],
    ids=lambda function: function.__name__,
)
def test_another_client_finds_the_sessions_as_they_were(
    application: Application, database: Database, bouncer: Pooler, prepare: Prepare
) -> None:
    """Settings, names, roles, locks, prepared statements, temporary tables: none is left."""
    expected = prepare(application)
    assert is_clean(bouncer, database)
    result = application.run("up", url=bouncer.url(database.name))
    assert result.code == expected, result.err
    assert is_clean(bouncer, database)


# --- the lock


def test_replicas(application: Application, database: Database, bouncer: Pooler) -> None:
    """Four at once, with fewer sessions than they would take directly: each revision runs once."""
    application.linear()
    application.revision("r4", "r3", body="op.execute('select pg_sleep(0.5)')")
    application.revision("r5", "r4", body=CONCURRENTLY)
    replicas = [start(application, bouncer.url(database.name)) for _ in range(4)]
    ends = [replica.communicate(timeout=90)[1] for replica in replicas]
    assert [replica.returncode for replica in replicas] == [0] * 4, ends
    names = database.query("select name from surefoot.journal where step = 'revision' order by id")
    assert names == [("r1",), ("r2",), ("r3",), ("r4",), ("r5",)]
    assert sum("waiting up to" in end for end in ends) >= 1
    waited = next(end for end in ends if "waiting up to" in end)
    assert any(
        f":{replica.pid}) holds the lock" in " ".join(waited.split()) for replica in replicas
    )
    assert is_clean(bouncer, database)


def start(application: Application, url: str) -> starts.Started:
    return starts.start(
        *("-m", "surefoot", "up", "--database-url", url),
        cwd=application.root,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def sleeping(database: Database) -> int:
    """How many sessions are in the revision that sleeps."""
    ((number,),) = database.query(
        "select count(*) from pg_stat_activity where state = 'active' and wait_event = 'PgSleep'"
        " and datname = current_database()"
    )
    return number


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_the_lock_goes_with_its_holder(
    application: Application, database: Database, bouncer: Pooler, number: signal.Signals
) -> None:
    """A signal cancels the statement through the pooler; a kill is noticed there."""
    application.linear()
    application.revision("r4", "r3", body="op.execute('select pg_sleep(3)')")
    replica = start(application, bouncer.url(database.name))
    deadline = time.monotonic() + 30
    while not sleeping(database):
        assert replica.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    replica.send_signal(number)
    _, err = replica.communicate(timeout=20)
    if number is signal.SIGTERM:
        assert replica.returncode == 5, err
        assert "Rolled back, verified" in " ".join(err.split())
        assert sleeping(database) == 0
    application.config('lock_wait = "20s"\n')  # a killed client's statement goes on for 3 s
    again = application.run("up", url=bouncer.url(database.name))
    assert again.code == 0, again.err
    assert database.query("select count(*) from surefoot.journal where step = 'revision'") == [(4,)]


# --- the pooler itself


@pytest.mark.slow
def test_a_pool_of_two_is_enough_and_one_is_told(
    application: Application, server: Server, pg_bin: Path
) -> None:
    """The lock has one session, the migration another. With one, PgBouncer ends the wait."""
    application.linear()
    application.config('wait = "2s"\n')
    for size, code in ((2, 0), (1, 7)):
        try:
            with (
                pooler(server, size=size, settings=SOON) as small,
                fresh_database(server, pg_bin, f"pool_of_{size}") as database,
            ):
                result = application.run("up", url=small.url(database.name))
                assert result.code == code, result.err
                if code:
                    assert "query_wait_timeout" in result.err
                    assert "The database was not changed" in " ".join(result.err.split())
                    assert database.tables() == []
        except NotHere as error:
            pytest.skip(str(error))


@pytest.mark.slow
def test_a_pooler_that_ends_idle_transactions_takes_the_lock_away(
    application: Application, database: Database, server: Server
) -> None:
    """The run notices before its commit."""
    application.revision("r1", None, "create table people (id int)", "select pg_sleep(4)")
    try:
        with pooler(server, settings="idle_transaction_timeout = 1") as impatient:
            result = application.run("up", "--json", url=impatient.url(database.name))
    except NotHere as error:
        pytest.skip(str(error))
    assert (result.code, result.error) == (5, "lock-lost")
    assert database.tables() == []


@pytest.mark.slow
def test_a_server_that_is_down_behind_its_pooler_is_waited_for(
    application: Application, pg_bin: Path
) -> None:
    """PgBouncer answers, and the server doesn't: also where it was up when PgBouncer began."""
    application.linear()
    application.config('wait = "2s"\n')
    try:
        with Server(pg_bin) as server, pooler(server, settings=SOON) as bouncer:
            assert application.run("up", url=bouncer.url("postgres")).code == 0
            server.close()
            result = application.run("up", "--json", url=bouncer.url("postgres"))
            assert (result.code, result.error) == (7, "server-unreachable")
            assert "The pooler answers, but gives no connection" in result.err
    except NotHere as error:
        pytest.skip(str(error))
