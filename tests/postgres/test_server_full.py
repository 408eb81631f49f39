"""The server runs out of disk, of memory, of room for locks."""

import shutil
import signal

import pytest

from surefoot.postgres.embedded.account import group, unprivileged_user
from tests.support.database import Database
from tests.support.project import ASYNC_ENV, Application, Result
from tests.support.servers import MakeServer, copy_owned, enlarge, small_disk

PSYCOPG, PSYCOPG2, ASYNCPG = "postgresql+psycopg", "postgresql+psycopg2", "postgresql+asyncpg"
DRIVERS = [PSYCOPG, PSYCOPG2, ASYNCPG]


@pytest.fixture
def shop(application: Application) -> Application:
    """Two revisions that run, and room for a third."""
    application.revision("r1", None, "create table people (id int primary key, name text)")
    application.revision("r2", "r1", "create table pets (id int primary key, owner int)")
    application.config('wait = "20s"\n')
    return application


def told(result: Result, code: str) -> tuple[str, str]:
    """What was seen, and the next step; all was rolled back, which was verified."""
    assert (result.code, result.error) == (5, code), result.err
    (finding,) = result.json["findings"]
    assert finding["database"].startswith("Rolled back, verified. No step was committed.")
    return "\n".join(finding["seen"]), finding["next"]


@pytest.mark.provokes("disk-full")
@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.follows("disk-full")
def test_a_device_without_room(shop: Application, database: Database, driver: str) -> None:
    """The kernel's own device that is always full: this needs no privilege on the machine."""
    if driver == ASYNCPG:
        shop.env(ASYNC_ENV)
    rows = "select repeat('x', 1000) from generate_series(1, 1000)"
    shop.revision("r3", "r2", f"copy ({rows}) to '/dev/full'")
    result = shop.run("up", "--json", url=database.url(driver))
    seen, next = told(result, "disk-full")
    assert "No space left on device (SQLSTATE 53100)" in seen
    assert next.startswith("free space on that disk")
    assert database.tables() == []
    shop.revision("r3", "r2", f"copy ({rows}) to '/dev/null'")  # as a disk with room
    assert shop.run("up", url=database.url(driver)).code == 0


def test_an_init_script_fills_a_device(shop: Application, database: Database) -> None:
    """The same condition, and the same name."""
    rows = "select repeat('x', 1000) from generate_series(1, 1000)"
    shop.write("init.sql", f"create table people ();\ncopy ({rows}) to '/dev/full';")
    shop.config('init = ["init.sql"]\ninit_revision = "r1"\n')
    _, next = told(shop.run("up", "--json", url=database.url()), "disk-full")
    assert next.startswith("free space on that disk")
    assert database.tables() == []


@pytest.mark.follows("disk-full")
def test_a_tablespace_without_room(shop: Application, own_server: MakeServer) -> None:
    """The message leads to it; when there is room, the same command goes through."""
    server = own_server()
    with small_disk("2m") as disk:
        server.database.execute(f"create tablespace small location '{disk}'")
        rows = "select repeat('x', 1000) from generate_series(1, 4000)"
        shop.revision("r3", "r2", f"create table big tablespace small as {rows}")
        result = shop.run("up", "--json", url=server.database.url(PSYCOPG))
        seen, _ = told(result, "disk-full")
        (line,) = [line for line in seen.splitlines() if line.startswith("that is in a tablespace")]
        assert server.database.query(line.partition(": ")[2]) == [(str(disk),)]
        assert server.database.tables() == []
        enlarge(disk, "16m")
        assert shop.run("up", url=server.database.url(PSYCOPG)).code == 0
        server.close()


@pytest.mark.slow
def test_the_log_has_no_room(shop: Application, own_server: MakeServer) -> None:
    """Without its write-ahead log PostgreSQL ends itself, and can't come back: nothing is claimed.

    With room again it recovers, and so does the run.
    """
    server = own_server(start=False)
    with small_disk("20m") as disk:
        wal = server.cluster / "pg_wal"
        copy_owned(wal, disk)
        shutil.rmtree(wal)
        wal.symlink_to(disk)
        address = server.start().database.url(PSYCOPG)
        rows = "select repeat('x', 1000) from generate_series(1, 30000)"
        shop.revision("r3", "r2", f"create table big as {rows}")
        shop.config('wait = "2s"\n')
        result = shop.run("up", "--json", url=address)
        assert (result.code, result.error) == (6, "connection-lost-at-commit"), result.err
        assert result.json["findings"][0]["database"].startswith("Unknown")
        server.close()
        enlarge(disk, "200m")
        server.start()
        assert server.database.tables() == []
        assert shop.run("up", url=address).code == 0
        server.close()


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("prlimit") is None, reason="prlimit limits the memory")
@pytest.mark.provokes("out-of-memory")
@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.follows("out-of-memory")
def test_memory(shop: Application, database: Database, driver: str) -> None:
    """The kernel gives the server's process no more: only the statement fails."""
    if driver == ASYNCPG:
        shop.env(ASYNC_ENV)
    user = unprivileged_user()  # who the server is, only that one may say so
    body = (
        "import os, subprocess\n"
        "pid = op.get_bind().exec_driver_sql('select pg_backend_pid()').scalar()\n"
        "used = int(open(f'/proc/{pid}/statm').read().split()[0]) * os.sysconf('SC_PAGE_SIZE')\n"
        "limit = ['prlimit', f'--pid={pid}', f'--as={used + 2**26}']\n"
        f"subprocess.run(limit, user={user}, group={group(user)}, check=True)\n"
        "op.execute(\"select length(repeat('x', 500000000))\")"
    )
    shop.revision("r3", "r2", body=body)
    seen, next = told(shop.run("up", "--json", url=database.url(driver)), "out-of-memory")
    assert "SQLSTATE 53200" in seen
    assert next.startswith("give the server more memory")
    shop.revision("r3", "r2", body=body.replace("2**26", "2**32"))
    assert shop.run("up", url=database.url(driver)).code == 0


@pytest.mark.slow
@pytest.mark.provokes("out-of-shared-memory")
@pytest.mark.parametrize("driver", [PSYCOPG2, ASYNCPG])
@pytest.mark.follows("out-of-shared-memory")
def test_room_for_locks(shop: Application, own_server: MakeServer, driver: str) -> None:
    """The setting is named; raised, the same command goes through."""
    if driver == ASYNCPG:
        shop.env(ASYNC_ENV)
    server = own_server(max_locks_per_transaction="10", max_connections="10")
    make = "execute format(''create table t%s ()'', n)"
    shop.revision("r3", "r2", f"do 'begin for n in 1..4000 loop {make}; end loop; end'")
    result = shop.run("up", "--json", url=server.database.url(driver))
    seen, next = told(result, "out-of-shared-memory")
    assert "SQLSTATE 53200" in seen
    assert next.startswith("raise max_locks_per_transaction")
    server.settings["max_locks_per_transaction"] = "512"
    server.restart(signal.SIGINT)
    assert shop.run("up", url=server.database.url(driver)).code == 0
