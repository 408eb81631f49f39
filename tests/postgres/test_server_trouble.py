"""The server is full, down, restarted, or somebody ends what surefoot does: each by its name."""

import signal
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, LiteralString, cast

import psycopg
import pytest

from surefoot.decision.facts import VersionTableName
from surefoot.errors import SurefootError
from surefoot.look.structure import observe_structure
from surefoot.postgres.look import looking
from surefoot.sql import query
from tests.support.database import Database
from tests.support.next_steps import next_of, run_next, steps_of
from tests.support.project import ASYNC_ENV, Application, Result, Running
from tests.support.proxy import proxy
from tests.support.servers import MakeServer, OwnServer

PSYCOPG, PSYCOPG2, ASYNCPG = "postgresql+psycopg", "postgresql+psycopg2", "postgresql+asyncpg"
DRIVERS = [PSYCOPG, PSYCOPG2, ASYNCPG]


@pytest.fixture
def shop(application: Application) -> Application:
    """Two revisions that run, and room for a third; a server is waited for no longer than this."""
    application.revision("r1", None, "create table people (id int primary key, name text)")
    application.revision("r2", "r1", "create table pets (id int primary key, owner int)")
    application.config('wait = "20s"\n')
    return application


def url(server: OwnServer, driver: str = PSYCOPG) -> str:
    return server.server.url(driver=driver)


def told(result: Result) -> tuple[str, str, str]:
    """What was seen, the database and the next step, of the only finding."""
    (finding,) = result.json["findings"]
    return "\n".join(finding["seen"]), finding["database"], finding["next"]


def use(application: Application, driver: str) -> None:
    if driver == ASYNCPG:
        application.env(ASYNC_ENV)


@contextmanager
def full(server: OwnServer, left: int = 0, **options: Any) -> Generator[list[Any]]:
    """Every connection of the server's is taken, but for so many."""
    held: list[psycopg.Connection[Any]] = []
    try:
        while True:
            try:
                held.append(psycopg.connect(server.server.conninfo(), **options))
            except psycopg.OperationalError:
                break
        for connection in held[:left]:
            connection.close()
        time.sleep(0.1 if left else 0)  # its place is free when its process is gone
        yield held
    finally:
        for connection in held:
            connection.close()


# --- nobody gets in


@pytest.fixture
def small(own_server: MakeServer) -> OwnServer:
    return own_server(max_connections="4", superuser_reserved_connections="0")


@pytest.mark.provokes("too-many-connections")
@pytest.mark.follows("too-many-connections")
def test_every_connection_is_taken(shop: Application, small: OwnServer) -> None:
    """Waited for until the deadline; nothing is changed."""
    shop.config('wait = "1s"\n')
    with full(small):
        result = shop.run("up", "--json", url=url(small))
    assert (result.code, result.error) == (7, "too-many-connections"), result.err
    assert result.err.count("waiting up to 1 s") == 1
    seen, stands, next = told(result)
    assert "too many clients" in seen
    assert "not reached" in stands
    assert "raise max_connections" in next
    assert small.database.tables() == []
    ((query,),) = [steps_of(next).sql]
    with psycopg.connect(small.server.conninfo()) as looking:
        looking.execute(query.encode())
    small.settings["max_connections"] = "20"
    small.restart()
    with full(small, left=4):
        assert shop.run("up", url=url(small)).code == 0


def test_a_connection_becomes_free(shop: Application, small: OwnServer) -> None:
    """The wait is worth it."""
    with full(small) as held:
        running = Running(shop, "up", "--database-url", url(small))
        running.until("waiting up to 20 s")
        for connection in held:
            connection.close()
        result = running.end()
    assert result.code == 0, result.err


@pytest.mark.parametrize(
    ("statement", "cure"),
    [
        ("alter role app connection limit 1", "alter role app connection limit -1;"),
        (
            "alter database postgres connection limit 1",
            "alter database postgres connection limit -1;",
        ),
    ],
)
@pytest.mark.follows("too-many-connections")
def test_a_limit_of_the_roles_or_the_databases(
    shop: Application, own_server: MakeServer, statement: str, cure: str
) -> None:
    """What is printed names that limit, not the server's."""
    server = own_server()
    server.database.execute(f"create role app login password 'p'; {statement}")
    shop.config('wait = "100ms"\n')
    address = f"postgresql://app:p@127.0.0.1:{server.server.port}/postgres"
    server.database.execute("grant create on schema public to app")
    server.database.execute("grant create on database postgres to app")
    with psycopg.connect(address):
        result = shop.run("up", "--json", url=address)
        assert (result.code, result.error) == (7, "too-many-connections"), result.err
        run_next(next_of(result), server.database, only=cure)
        assert shop.run("up", url=address).code == 0


@pytest.mark.parametrize("driver", DRIVERS)
def test_no_connection_is_left_for_the_application(
    shop: Application, small: OwnServer, driver: str
) -> None:
    """surefoot gets the last one, env.py none: nothing is begun, and it is the same condition."""
    use(shop, driver)
    shop.config('wait = "1s"\n')
    with full(small, left=1):
        result = shop.run("up", "--json", url=url(small, driver))
    assert (result.code, result.error) == (7, "too-many-connections"), result.err
    seen, stands, _ = told(result)
    assert "too many clients already" in seen
    assert stands == "The database was not changed."
    assert shop.run("up", url=url(small, driver)).code == 0


@pytest.mark.parametrize("driver", DRIVERS)
def test_no_connection_is_left_for_a_revision(
    shop: Application, small: OwnServer, driver: str
) -> None:
    """One that opens its own: it is rolled back, and what to do follows from the cause."""
    use(shop, driver)
    address = url(small, "postgresql")
    shop.revision(
        "r3",
        "r2",
        body=f"import psycopg\nkept = [psycopg.connect({address!r}) for _ in range(5)]",
    )
    result = shop.run("up", "--json", url=url(small, driver))
    assert (result.code, result.error) == (5, "revision-failed"), result.err
    seen, stands, next = told(result)
    assert "too many clients already (SQLSTATE 53300)" in seen
    assert "raise max_connections" in next
    assert "Rolled back, verified." in stands


@contextmanager
def not_accepting(server: OwnServer) -> Generator[None]:
    """The server is there and lets nobody in, until the block's end."""
    (server.cluster / "standby.signal").touch()
    server.settings["hot_standby"] = "off"
    server.start()
    try:
        yield
    finally:
        (server.cluster / "promote").touch()
        server.notify()


@pytest.mark.provokes("server-not-ready")
@pytest.mark.follows("server-not-ready")
def test_a_server_that_lets_nobody_in_yet(shop: Application, own_server: MakeServer) -> None:
    """Waited for; told by its own name if it takes too long; gone through when it's ready."""
    server = own_server()
    address = url(server)
    server.stop()
    shop.config('wait = "1s"\n')
    with not_accepting(server):
        time.sleep(0.2)
        result = shop.run("up", "--json", url=address)
        assert (result.code, result.error) == (7, "server-not-ready"), result.err
        seen, stands, next = told(result)
        assert "the database system is " in seen
        assert "not reached" in stands
        assert "recovery takes its time" in next
        shop.config('wait = "20s"\n')
        running = Running(shop, "up", "--database-url", address)
        running.until("waiting up to 20 s")
    result = running.end()
    assert result.code == 0, result.err


# --- somebody ends what is being done


def ending(function: str, statement: str = "select pg_sleep(20)") -> str:
    """The body of a revision that another session does this to, while its statement runs."""
    return (
        "import psycopg, threading\n"
        "connection = op.get_bind()\n"
        "pid = connection.exec_driver_sql('select pg_backend_pid()').scalar()\n"
        "url = connection.engine.url.set(drivername='postgresql').render_as_string(False)\n"
        "def end():\n"
        "    with psycopg.connect(url, autocommit=True) as other:\n"
        f"        other.execute('select {function}(%s)', (pid,))\n"
        "op.execute('create table half (id int)')\n"
        "threading.Timer(0.2, end).start()\n"
        f"op.execute({statement!r})"
    )


@pytest.mark.provokes("statement-cancelled")
@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.follows("statement-cancelled")
def test_an_administrator_cancels_the_statement(
    shop: Application, database: Database, driver: str
) -> None:
    use(shop, driver)
    shop.revision("r3", "r2", body=ending("pg_cancel_backend"))
    result = shop.run("up", "--json", url=database.url(driver))
    assert (result.code, result.error) == (5, "statement-cancelled"), result.err
    seen, stands, next = told(result)
    assert "SQLSTATE 57014" in seen
    assert stands.startswith("Rolled back, verified. No step was committed.")
    assert "pg_cancel_backend" in next
    assert database.tables() == []
    shop.revision("r3", "r2", "create table half (id int)")  # nobody ends it this time
    assert shop.run("up", url=database.url(driver)).code == 0


@pytest.mark.provokes("session-terminated")
@pytest.mark.provokes("connection-lost")
@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.follows("session-terminated")
@pytest.mark.follows("connection-lost")
def test_an_administrator_ends_the_session(
    shop: Application, database: Database, driver: str
) -> None:
    """psycopg2 loses what the server says last: then nobody can know that it was an administrator.

    What is said instead names it as one of the possibilities.
    """
    use(shop, driver)
    shop.revision("r3", "r2", body=ending("pg_terminate_backend"))
    result = shop.run("up", "--json", url=database.url(driver))
    expected = "connection-lost" if driver == PSYCOPG2 else "session-terminated"
    assert (result.code, result.error) == (5, expected), result.err
    seen, stands, next = told(result)
    assert ("SQLSTATE 57P01" in seen) is (driver != PSYCOPG2)
    assert stands.startswith("Rolled back, verified. No step was committed.")
    assert "pg_terminate_backend" in next
    assert database.tables() == []
    shop.revision("r3", "r2", "create table half (id int)")  # nobody ends it this time
    assert shop.run("up", url=database.url(driver)).code == 0


@pytest.mark.follows("session-terminated")
def test_a_timeout_of_the_servers_ends_the_session(shop: Application, database: Database) -> None:
    """The setting is named."""
    shop.revision(
        "r3",
        "r2",
        body="import time\n"
        "op.execute(\"set local idle_in_transaction_session_timeout = '100ms'\")\n"
        "time.sleep(0.5)\nop.execute('select 1')",
    )
    result = shop.run("up", "--json", url=database.url(PSYCOPG))
    assert (result.code, result.error) == (5, "session-terminated"), result.err
    _, _, next = told(result)
    assert next.startswith("raise idle_in_transaction_session_timeout")
    assert "the revision, env.py or the address" in next
    file = shop.root / "migrations/versions/r3.py"
    shop.write("migrations/versions/r3.py", file.read_text().replace("100ms", "60s"))
    assert shop.run("up", url=database.url(PSYCOPG)).code == 0


def test_a_timeout_of_the_roles_does_not_end_the_session(
    shop: Application, database: Database
) -> None:
    """Which is why no next step says that the role's must be raised."""
    database.execute(
        f"alter database {database.name} set idle_in_transaction_session_timeout = '100ms'"
    )
    shop.revision("r3", "r2", body="import time\ntime.sleep(0.5)\nop.execute('select 1')")
    assert shop.run("up", url=database.url(PSYCOPG)).code == 0


def test_the_network_is_cut(shop: Application, database: Database) -> None:
    """The server is still up, and says that all was rolled back."""
    shop.revision("r3", "r2", "select 'cut here'")
    with proxy(database.server.port, "cut here", "cut here") as between:
        address = database.url(PSYCOPG).replace(str(database.server.port), str(between.port))
        result = shop.run("up", "--json", url=address)
        assert between.cuts == 1
    assert (result.code, result.error) == (5, "connection-lost"), result.err
    seen, stands, _ = told(result)
    assert "the server was not restarted meanwhile" in seen
    assert "Rolled back, verified." in stands


# --- the server itself


SLEEPING = (
    "op.execute('create table half (id int)')\n"
    "print('sleeping', flush=True)\nop.execute('select pg_sleep(20)')"
)


def asleep(server: OwnServer) -> int:
    """The process that runs `select pg_sleep(20)`, as soon as it does."""
    while True:
        found = server.database.query(
            "select pid from pg_stat_activity where wait_event = 'PgSleep'"
        )
        if found:
            return found[0][0]
        time.sleep(0.05)


@pytest.mark.provokes("server-restarted")
@pytest.mark.parametrize(
    ("driver", "how"),
    [
        (PSYCOPG, signal.SIGINT),
        (PSYCOPG2, signal.SIGQUIT),
        (ASYNCPG, signal.SIGINT),
        (ASYNCPG, signal.SIGKILL),
    ],
)
@pytest.mark.follows("server-restarted")
def test_the_server_is_restarted_in_the_middle_of_a_revision(
    shop: Application, own_server: MakeServer, driver: str, how: signal.Signals
) -> None:
    """surefoot waits for it, asks it, and says what it answers."""
    use(shop, driver)
    server = own_server()
    shop.revision("r3", "r2", body=SLEEPING)
    running = Running(shop, "up", "--database-url", url(server, driver))
    running.until("sleeping")
    server.stop(how)
    time.sleep(0.3)
    server.start()
    result = running.end()
    assert (result.code, result.error) == (5, "server-restarted"), result.err
    seen, stands, _ = told(result)
    assert "; now since " in seen
    assert stands.startswith("Rolled back, verified. No step was committed.")
    assert server.database.tables() == []
    shop.revision("r3", "r2", "create table half (id int)")
    assert shop.run("up", url=url(server, driver)).code == 0


@pytest.mark.parametrize(
    ("driver", "whose"), [(PSYCOPG, "ours"), (PSYCOPG2, "another's"), (ASYNCPG, "ours")]
)
def test_a_process_of_the_servers_is_killed(
    shop: Application, own_server: MakeServer, driver: str, whose: str
) -> None:
    """As the kernel does where memory is short: the server ends all sessions and recovers."""
    use(shop, driver)
    server = own_server()
    shop.revision("r3", "r2", body=SLEEPING)
    running = Running(shop, "up", "--database-url", url(server, driver))
    running.until("sleeping")
    with psycopg.connect(server.server.conninfo()) as other:
        server.kill(asleep(server) if whose == "ours" else other.info.backend_pid)
    result = running.end()
    assert (result.code, result.error) == (5, "server-restarted"), result.err
    seen, stands, _ = told(result)
    assert "crash of another server process" in seen
    assert stands.startswith("Rolled back, verified. No step was committed.")
    assert server.database.tables() == []


def test_the_server_comes_back_and_recovers_for_a_while(
    shop: Application, own_server: MakeServer
) -> None:
    """It lets nobody in meanwhile: that is waited for, too."""
    server = own_server()
    shop.config('wait = "60s"\n')
    shop.revision("r3", "r2", body=SLEEPING)
    running = Running(shop, "up", "--database-url", url(server))
    running.until("sleeping")
    server.stop(signal.SIGKILL)
    with not_accepting(server):
        running.until("waiting up to 60 s")
        time.sleep(0.3)
    result = running.end()
    assert (result.code, result.error) == (5, "server-restarted"), result.err
    assert "Rolled back, verified." in told(result)[1]


def test_the_server_is_down_until_the_deadline(shop: Application, own_server: MakeServer) -> None:
    """Nobody can be asked: no claim either way. The next start looks, and goes on."""
    server = own_server()
    address = url(server)
    shop.config('wait = "500ms"\n')
    shop.revision("r3", "r2", body=SLEEPING)
    running = Running(shop, "up", "--database-url", address)
    running.until("sleeping")
    server.stop(signal.SIGQUIT)
    result = running.end()
    assert (result.code, result.error) == (6, "connection-lost-at-commit"), result.err
    assert told(result)[1].startswith("Unknown")
    server.start()
    shop.revision("r3", "r2", "create table half (id int)")
    assert shop.run("up", url=address).code == 0


# --- scripts


def test_what_ends_an_init_script(shop: Application, database: Database) -> None:
    """The same names as in a revision; the whole installation is rolled back."""
    shop.config('init = ["init.sql"]\nwait = "20s"\n')
    script = "-- Revision: r2\ncreate table people (id int);\ncreate table pets ();\n"
    for statement, code in (
        ("set statement_timeout = '100ms'; select pg_sleep(9);", "statement-timeout"),
        ("select pg_cancel_backend(pg_backend_pid());", "statement-cancelled"),
        ("select pg_terminate_backend(pg_backend_pid());", "session-terminated"),
    ):
        shop.write("init.sql", script + statement)
        shop.config('init = ["init.sql"]\ninit_revision = "r2"\nwait = "20s"\n')
        result = shop.run("up", "--json", url=database.url())
        assert (result.code, result.error) == (5, code), result.err
        assert told(result)[1].startswith("Rolled back, verified. No step was committed.")
        assert database.tables() == []


def test_the_server_is_restarted_in_the_middle_of_an_init_script(
    shop: Application, own_server: MakeServer
) -> None:
    server = own_server()
    shop.write("init.sql", "create table people (id int);\nselect pg_sleep(20);")
    shop.config('init = ["init.sql"]\ninit_revision = "r1"\nwait = "20s"\n')
    running = Running(shop, "up", "--database-url", url(server))
    asleep(server)
    server.restart(signal.SIGQUIT)
    result = running.end()
    assert (result.code, result.error) == (5, "server-restarted"), result.err
    assert told(result)[1].startswith("Rolled back, verified. No step was committed.")
    assert server.database.tables() == []


# --- surefoot's own looks


@pytest.mark.provokes("look-cancelled")
@pytest.mark.follows("look-cancelled")
def test_somebody_cancels_a_look(shop: Application, database: Database) -> None:
    """It waits behind a lock on the version table, and says so: nothing is changed; it may be tried
    again.
    """
    shop.alembic("upgrade", "r1", url=database.url(PSYCOPG))
    with psycopg.connect(database.conninfo, application_name="holder") as holder:
        holder.execute("lock table alembic_version")
        words = ("up", "--progress-every", "300ms", "--database-url", database.url())
        running = Running(shop, *words)
        while not database.query(
            "select pg_cancel_backend(pid) from pg_stat_activity"
            " where application_name like 'surefoot%' and wait_event_type = 'Lock'"
            f" and datname = '{database.name}' and now() - query_start > interval '2s'"
        ):
            time.sleep(0.05)
        result = running.end()
    waits = "waits for a lock on alembic_version; held by holder"
    assert waits in " ".join(result.err.split()), result.err
    assert (result.code, result.error) == (7, "look-cancelled"), result.err
    assert told(result)[1] == "The database was not changed."
    assert shop.run("up", url=database.url()).code == 0


def test_a_look_waits_for_ten_minutes(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its statement says so; here with a second in its place."""
    assert "set local lock_timeout = '10min'" in query("look")

    def hurried(name: str) -> LiteralString:
        return cast("LiteralString", query(name).replace("'10min'", "'1s'"))

    monkeypatch.setattr("surefoot.postgres.look.query", hurried)
    database.execute("create table t (a int)")
    with (
        psycopg.connect(database.conninfo) as holder,
        database.connect() as connection,
    ):
        holder.execute("lock table t")
        with pytest.raises(SurefootError) as refused, looking(connection) as look:
            look.cursor.execute("select a from public.t")
    assert refused.value.finding.code == "look-cancelled"
    assert refused.value.finding.seen[-1] == "SQLSTATE 55P03"


def test_the_structure_waits_as_long(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """What prints a view's definition waits for the lock on its table."""

    def hurried(name: str) -> LiteralString:
        return cast("LiteralString", query(name).replace("'10min'", "'1s'"))

    monkeypatch.setattr("surefoot.look.structure.query", hurried)
    database.execute("create table t (a int); create view v as select * from t")
    with psycopg.connect(database.conninfo) as holder, database.connect() as connection:
        holder.execute("lock table t")
        with pytest.raises(SurefootError) as refused:
            observe_structure(connection, VersionTableName())
    assert refused.value.finding.code == "look-cancelled"
    assert refused.value.finding.seen[-1] == "SQLSTATE 55P03"


def test_the_look_behind_a_failure_is_cut(shop: Application, database: Database) -> None:
    """It's begun anew on another connection: what became of the revision is known all the same."""
    shop.revision("r3", "r2", "select 1/0")
    with proxy(database.server.port, "1/0", "pg_xact_status") as between:
        address = database.url(PSYCOPG).replace(str(database.server.port), str(between.port))
        result = shop.run("up", "--json", url=address)
        assert between.cuts == 1
    assert (result.code, result.error) == (5, "revision-failed"), result.err
    assert "Rolled back, verified." in told(result)[1]


def test_the_last_look_is_cut(shop: Application, database: Database) -> None:
    """Every step was committed, and head is seen on the second attempt."""
    with proxy(database.server.port, "'r2', 'r1'", "pg_postmaster_start_time") as between:
        address = database.url(PSYCOPG2).replace(str(database.server.port), str(between.port))
        result = shop.run("up", "--json", url=address)
        assert between.cuts == 1
    assert result.code == 0, result.err
    assert result.json["current"] == ["r2"]


# --- a pooler stands between

LOST_STATEMENT = """\
from alembic import context
from sqlalchemy import engine_from_config, pool

config = context.config
connectable = engine_from_config(
    config.get_section(config.config_ini_section), prefix="sqlalchemy.", poolclass=pool.NullPool
)
with connectable.connect() as connection:
    connection.exec_driver_sql("execute prepared_elsewhere")
"""


@pytest.mark.provokes("pooler-in-the-way")
def test_a_statement_that_was_prepared_on_another_connection(
    shop: Application, database: Database
) -> None:
    """What a driver gets that prepares, where each transaction has another of the server's."""
    shop.env(LOST_STATEMENT)
    result = shop.run("up", "--json", url=database.url(PSYCOPG))
    assert (result.code, result.error) == (4, "pooler-in-the-way"), result.err
    seen, stands, next = told(result)
    assert "SQLSTATE 26000" in seen
    assert stands == "The database was not changed."
    assert "set SUREFOOT_DATABASE_URL" in next


def test_a_statement_that_a_revision_prepared(shop: Application, database: Database) -> None:
    """Something had begun: it's rolled back, and the advice is the same."""
    shop.revision("r3", "r2", "execute prepared_elsewhere")
    result = shop.run("up", "--json", url=database.url(PSYCOPG))
    assert (result.code, result.error) == (5, "revision-failed"), result.err
    seen, stands, next = told(result)
    assert "loses prepared statements" in seen
    assert "Rolled back, verified." in stands
    assert "set SUREFOOT_DATABASE_URL" in next
