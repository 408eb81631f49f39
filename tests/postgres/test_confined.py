"""A replay reaches its scratch database and nothing else, whatever a revision connects to."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from surefoot.postgres.embedded import Server
from tests.support.database import Database
from tests.support.project import SYNC_ENV, Application, Result

CODE = "replay-leaves-scratch-server"

# Each writes into the database that `url` (a plain one) names, by itself.
WAYS = {
    "an engine with psycopg": """\
engine = sa.create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
with engine.begin() as other:
    other.execute(sa.text("update live set id = 2"))
""",
    "an engine with psycopg2": """\
engine = sa.create_engine(url.replace("postgresql:", "postgresql+psycopg2:"))
with engine.begin() as other:
    other.execute(sa.text("update live set id = 2"))
""",
    "an engine with asyncpg": """\
import asyncio
from sqlalchemy.ext.asyncio import create_async_engine
async def write():
    engine = create_async_engine(url.replace("postgresql:", "postgresql+asyncpg:"))
    async with engine.begin() as other:
        await other.execute(sa.text("update live set id = 2"))
    await engine.dispose()
asyncio.run(write())
""",
    "an engine with a creator": """\
import psycopg2
engine = sa.create_engine("postgresql+psycopg2://", creator=lambda: psycopg2.connect(url))
with engine.begin() as other:
    other.execute(sa.text("update live set id = 2"))
""",
    "psycopg": """\
import psycopg
with psycopg.connect(url) as other:
    other.execute("update live set id = 2")
""",
    "psycopg, asynchronous": """\
import asyncio, psycopg
async def write():
    async with await psycopg.AsyncConnection.connect(url) as other:
        await other.execute("update live set id = 2")
asyncio.run(write())
""",
    "libpq by psycopg": """\
import psycopg
psycopg.pq.PGconn.connect(url.encode()).exec_(b"update live set id = 2")
""",
    "psycopg2": """\
import psycopg2
with psycopg2.connect(url) as other, other.cursor() as cursor:
    cursor.execute("update live set id = 2")
""",
    "psycopg2's class": """\
import psycopg2.extensions
with psycopg2.extensions.connection(url) as other, other.cursor() as cursor:
    cursor.execute("update live set id = 2")
""",
    "psycopg2's class for dictionaries": """\
import psycopg2.extras
made = psycopg2.connect(url, connection_factory=psycopg2.extras.RealDictConnection)
with made as other, other.cursor() as cursor:
    cursor.execute("update live set id = 2")
""",
    "asyncpg": """\
import asyncio, asyncpg
async def write():
    other = await asyncpg.connect(url)
    await other.execute("update live set id = 2")
asyncio.run(write())
""",
    "a pool of asyncpg's": """\
import asyncio, asyncpg
async def write():
    async with asyncpg.create_pool(url, min_size=1, max_size=1) as pool:
        await pool.execute("update live set id = 2")
asyncio.run(write())
""",
    "in another thread": """\
import concurrent.futures, psycopg
def write():
    with psycopg.connect(url) as other:
        other.execute("update live set id = 2")
with concurrent.futures.ThreadPoolExecutor() as pool:
    pool.submit(write).result()
""",
    "with what the environment says": """\
import psycopg
os.environ["PGDATABASE"] = url.rpartition("/")[2]
with psycopg.connect("") as other:
    other.execute("update live set id = 2")
""",
}


@pytest.fixture
def live(application: Application, database: Database, monkeypatch: pytest.MonkeyPatch) -> Database:
    """A database on the very server that the scratch databases are made on, with a table."""
    database.execute("create table live (id int); insert into live values (1)")
    monkeypatch.setenv("LIVE_DSN", database.url())
    application.revision("r1", None, "create table people (id int primary key)")
    return database


def reaching(application: Application, body: str, *, downgrade: str = "pass") -> None:
    """A second revision that does this, with the live database's address in `url`."""
    body = f'import os\nurl = os.environ["LIVE_DSN"]\n{body}'
    application.revision("r2", "r1", body=body, downgrade=downgrade, message="Reach")


def build(application: Application, server: Server, *options: str, **more: str) -> Result:
    return application.run(
        *("catalog", "build", "--json", "--server", server.url(), *options), env=more
    )


def seen(result: Result) -> str:
    (finding,) = result.json["findings"]
    return "\n".join((finding["message"], *finding["seen"]))


def untouched(live: Database) -> bool:
    return live.query("select id from live") == [(1,)]


@pytest.mark.provokes("replay-leaves-scratch-server")
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.follows("replay-leaves-scratch-server")
def test_another_database_of_the_same_server(
    application: Application, server: Server, live: Database, way: str
) -> None:
    """Refused before it is made, with what it was; the password is in no output."""
    reaching(application, WAYS[way])
    result = build(application, server)
    assert (result.code, result.error) == (4, CODE), result.err
    assert "Revision r2 tried to reach something other than the scratch server." in seen(result)
    assert f"refused: database {live.name} on 127.0.0.1:{server.port} as postgres" in seen(result)
    assert "at migrations/versions/r2.py:" in seen(result)
    assert untouched(live)
    assert server.password not in result.out + result.err
    assert not (application.root / "migrations/surefoot-catalog.txt").exists()
    if way == "psycopg":  # once: `next` is the same
        assert "use op.get_bind()" in result.json["findings"][0]["next"]
        application.revision("r2", "r1", body="op.get_bind().execute(sa.text('select 1'))")
        assert build(application, server).code == 0


@pytest.mark.parametrize("command", [["catalog", "check"], ["dump", "-o", "init.sql"]])
def test_check_and_dump_are_confined_as_well(
    application: Application, server: Server, live: Database, command: list[str]
) -> None:
    assert build(application, server).code == 0
    reaching(application, WAYS["psycopg"])
    result = application.run(*command, "--json", "--server", server.url())
    assert (result.code, result.error) == (4, CODE), result.err
    assert untouched(live)


def test_env_py_that_connects_elsewhere(
    application: Application, server: Server, live: Database
) -> None:
    application.env("import os, psycopg\npsycopg.connect(os.environ['LIVE_DSN'])\n" + SYNC_ENV)
    result = build(application, server)
    assert (result.code, result.error) == (4, CODE), result.err
    assert "The application's code tried to reach something other" in seen(result)
    assert "at migrations/env.py:2" in seen(result)


def test_next_is_enough_where_it_is_the_same_database_by_another_name(
    application: Application, server: Server, live: Database
) -> None:
    """What `next` says: under [url_variables] the replay sets the variable to the scratch one."""
    reaching(application, "with sa.create_engine(url).connect() as other:\n    pass")
    assert "[url_variables]" in build(application, server).json["findings"][0]["next"]
    application.config('[url_variables]\nLIVE_DSN = "postgresql+psycopg"\n')
    result = build(application, server)
    assert result.code == 0, result.err


@pytest.mark.parametrize("driver", ["psycopg", "psycopg2", "asyncpg"])
def test_the_scratch_database_itself_by_a_connection_of_its_own(
    application: Application, server: Server, live: Database, driver: str
) -> None:
    """Such a revision was never a danger: it does what it does in `up`, with any driver."""
    own = f'os.environ["DATABASE_URL"].replace("+psycopg:", "+{driver}:")'
    if driver == "asyncpg":
        body = (
            "import asyncio\nfrom sqlalchemy.ext.asyncio import create_async_engine\n"
            "async def write():\n"
            f"    engine = create_async_engine({own})\n"
            "    async with engine.begin() as other:\n"
            '        await other.execute(sa.text("create table beside (id int)"))\n'
            "    await engine.dispose()\nasyncio.run(write())"
        )
    else:
        body = (
            f"with sa.create_engine({own}).begin() as other:\n"
            '    other.execute(sa.text("create table beside (id int)"))'
        )
    reaching(application, body)
    result = build(application, server, "--no-downgrade")
    assert result.code == 0, result.err
    text = (application.root / "migrations/surefoot-catalog.txt").read_text()
    assert "+ relation\tpublic.beside" in text


@pytest.mark.slow
def test_a_server_of_its_own_is_scratch_as_a_whole(
    application: Application, pg_bin: Path, live: Database
) -> None:
    """Where the build starts the server, a revision may go to its other databases."""
    body = (
        'own = os.environ["DATABASE_URL"].rpartition("/")[0].replace("+psycopg", "")\n'
        "import psycopg\n"
        'with psycopg.connect(own + "/postgres") as other:\n'
        '    other.execute("select 1")'
    )
    reaching(application, body)
    result = application.run("catalog", "build", "--json", "--server", str(pg_bin))
    assert result.code == 0, result.err
    reaching(application, WAYS["psycopg"])
    result = application.run("catalog", "build", "--json", "--server", str(pg_bin))
    assert (result.code, result.error) == (4, CODE)
    assert untouched(live)


def test_variables_of_libpq_lead_nowhere_else(
    application: Application, server: Server, live: Database, tmp_path: Path
) -> None:
    """surefoot's own connection, env.py's and a revision's: none goes by what was set before."""
    service = tmp_path / "pg_service.conf"
    service.write_text(f"[live]\nhost=127.0.0.1\nport={server.port}\ndbname={live.name}\n")
    reaching(application, 'import psycopg\npsycopg.connect("service=live")')
    more = {"PGSERVICEFILE": str(service), "SUREFOOT_DATABASE_URL": live.url()}
    result = build(application, server, **more)
    assert (result.code, result.error) == (4, CODE)
    assert "refused: service live of libpq" in seen(result)
    reaching(application, 'assert "surefoot_scratch_" in os.environ["SUREFOOT_DATABASE_URL"]')
    assert build(application, server, **more, PGDATABASE=live.name).code == 0
    assert untouched(live)


# --- what isn't PostgreSQL


@pytest.fixture
def listener() -> Iterator[tuple[int, list[bytes]]]:
    """A service on this machine; what it was sent."""
    received: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as serving:

        def serve() -> None:
            while True:
                try:
                    connection, _ = serving.accept()
                except OSError:
                    return
                with connection:
                    received.append(connection.recv(100))

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield serving.getsockname()[1], received
        serving.shutdown(socket.SHUT_RDWR)
    thread.join(5)


@pytest.mark.slow
def test_a_service_is_refused_and_allowed_by_its_setting(
    application: Application,
    server: Server,
    live: Database,
    listener: tuple[int, list[bytes]],
) -> None:
    """What `next` says is the line of the configuration, and with it the build goes through."""
    port, received = listener
    reaching(
        application,
        "import socket\n"
        f"with socket.create_connection(('127.0.0.1', {port})) as service:\n"
        "    service.sendall(b'flushall')",
    )
    result = build(application, server, "--no-downgrade")
    assert (result.code, result.error) == (4, CODE)
    assert f"refused: 127.0.0.1:{port}" in seen(result)
    assert received == []
    setting = f'build_hosts = ["127.0.0.1:{port}"]'
    assert result.json["findings"][0]["next"].endswith(setting)
    application.config(setting)
    assert build(application, server, "--no-downgrade").code == 0
    assert b"flushall" in received
    application.config(f'build_hosts = ["localhost:{port}"]')
    assert build(application, server, "--no-downgrade").code == 0


def test_the_servers_own_address_by_a_plain_socket(
    application: Application, server: Server, live: Database
) -> None:
    """A driver that nobody knows speaks to the scratch server's port: that is refused as well."""
    reaching(
        application,
        f"import socket\nsocket.create_connection(('127.0.0.1', {server.port}))",
    )
    result = build(application, server)
    assert (result.code, result.error) == (4, CODE)


@pytest.mark.parametrize(
    ("body", "name"),
    [
        (
            "import subprocess\nsubprocess.run(['psql', url, '-c', 'update live set id = 2'])",
            "psql",
        ),
        ("import subprocess\nsubprocess.run(f'psql {url} -c x', shell=True)", "sh"),
        ("os.system(f'PGPASSWORD=secret psql {url} -c x')", "sh"),
        ("os.posix_spawnp('psql', ['psql', url], os.environ)", "psql"),
    ],
)
def test_a_program_is_refused(
    application: Application, server: Server, live: Database, body: str, name: str
) -> None:
    """Nobody sees where a program connects, so none is started; its arguments aren't shown."""
    reaching(application, body)
    result = build(application, server)
    assert (result.code, result.error) == (4, CODE), result.err
    assert f"refused: program {name}" in seen(result)
    assert "update" not in seen(result)
    assert "secret" not in result.out + result.err
    assert untouched(live)
    application.config(f'build_programs = ["{name}"]')
    assert CODE not in build(application, server).out


def test_programs_that_tell_of_the_system_are_started(
    application: Application, server: Server, live: Database
) -> None:
    reaching(application, "import subprocess\nsubprocess.run(['uname'], check=True)")
    assert build(application, server).code == 0


def test_what_the_application_goes_on_without_is_told(
    application: Application, server: Server, live: Database
) -> None:
    """A client that takes a refused connection for a service that is down: the build goes on."""
    reaching(
        application,
        "import socket\n"
        "try:\n    socket.create_connection(('127.0.0.1', 9))\n"
        "except OSError:\n    op.execute('create table went_on ()')",
    )
    result = build(application, server, "--no-downgrade")
    assert result.code == 0, result.err
    said = " ".join(result.err.split())
    assert "revision r2 was prevented from reaching 127.0.0.1:9" in said
    assert said.count("was prevented from reaching") == 1
    assert 'build_hosts = ["127.0.0.1:9"]' in said


def test_a_downgrade_that_reaches_elsewhere_is_not_tried(
    application: Application, server: Server, live: Database
) -> None:
    reaching(
        application,
        "op.execute('create table pets ()')",
        downgrade="import os, psycopg\npsycopg.connect(os.environ['LIVE_DSN'])",
    )
    result = build(application, server)
    assert result.code == 0, result.err
    text = (application.root / "migrations/surefoot-catalog.txt").read_text()
    assert "\ndown\tuntried\tit tries to reach something other than the scratch server\n" in text
    assert untouched(live)
