"""A real PostgreSQL for every test that wants one: started here, a fresh database a test."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from surefoot.postgres.embedded import Server, embedded_bin
from tests.support import catalogues, drawing
from tests.support.cheaper import cheaper_memory, cheaper_passwords, servers_in_memory
from tests.support.database import Database, fresh_database
from tests.support.project import Application

servers_in_memory()
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # as a shell starts what runs in its background; the runs that the tests interrupt inherit it
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--draw", metavar="SEED", default="", help="run the tests that this seed draws"
    )


def pytest_report_header(config: pytest.Config) -> str | None:
    seed = config.getoption("draw")
    return f"drawn by {seed}; `make test-all` runs every test" if seed else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    seed = config.getoption("draw")
    if not seed:
        return
    found = [(one.nodeid, one.get_closest_marker("slow") is not None) for one in items]
    chosen = drawing.drawn(found, seed)
    config.hook.pytest_deselected(items=[one for one in items if one.nodeid not in chosen])
    items[:] = [one for one in items if one.nodeid in chosen]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> object | None:
    """For `--dist loadgroup`, which is what `make test` says."""
    from tests.support.scheduling import Groups

    return Groups(config, log) if config.getoption("dist") == "loadgroup" else None


@pytest.fixture(scope="session")
def pg_bin() -> Path:
    """The server's programs: the embedded ones, or those that SUREFOOT_TEST_POSTGRES names."""
    named = os.environ.get("SUREFOOT_TEST_POSTGRES")
    return Path(named) if named else embedded_bin()


@pytest.fixture(scope="session")
def client_bin(pg_bin: Path) -> Path:
    """psql and pg_dump: the server's own, or where it has none the embedded ones."""
    return pg_bin if (pg_bin / "psql").exists() else embedded_bin()


@pytest.fixture(autouse=True)
def _server_is_new_enough(request: pytest.FixtureRequest) -> None:
    """Skips what an older server doesn't have; `make matrix` runs it on the newer ones."""
    marker = request.node.get_closest_marker("server_from")
    if marker is None:
        return
    server: Server = request.getfixturevalue("server")
    with psycopg.connect(server.conninfo()) as connection:
        if connection.info.server_version < marker.args[0] * 10000:
            pytest.skip(f"needs PostgreSQL {marker.args[0]}")


@pytest.fixture(scope="session", autouse=True)
def _catalogues(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Catalogues are kept for all workers of the run."""
    own = tmp_path_factory.getbasetemp()
    run = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    catalogues.keep_in(run / "catalogues")


@pytest.fixture(scope="session")
def server(pg_bin: Path) -> Iterator[Server]:
    with cheaper_memory():
        server = Server(pg_bin)
    with server:
        cheaper_passwords(server)
        yield server


@pytest.fixture
def database(server: Server, pg_bin: Path) -> Iterator[Database]:
    """A fresh, empty database."""
    with fresh_database(server, pg_bin) as database:
        yield database


@pytest.fixture
def other_database(server: Server, pg_bin: Path) -> Iterator[Database]:
    """Another one, to compare with."""
    with fresh_database(server, pg_bin) as database:
        yield database


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No variable of the machine's may name a database."""
    for name in list(os.environ):
        if name.startswith(("PG", "POSTGRES_", "DATABASE_URL", "SUREFOOT_DATABASE_URL")):
            monkeypatch.delenv(name)


@pytest.fixture
def application(tmp_path: Path) -> Application:
    """An application without revisions, in a directory of its own."""
    return Application(tmp_path / "application")
