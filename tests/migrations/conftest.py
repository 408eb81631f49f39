"""The example in the states that this directory is about."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from surefoot.postgres.embedded import Server
from tests.support import catalogues
from tests.support.database import Database, fresh_database
from tests.support.example import BACKFILL, HEAD, ORIGIN, ROWS, TABLES, VIEW, Example


@pytest.fixture
def empty(tmp_path: Path, database: Database) -> Example:
    """The example, and an empty database."""
    return Example(tmp_path / "whisperengine", database)


@pytest.fixture
def v106(empty: Example, client_bin: Path) -> Example:
    """The example, and a database of v1.0.6 with a user's rows, that nobody ever stamped."""
    empty.load_init_script(client_bin)
    empty.database.execute(ROWS)
    return empty


@pytest.fixture
def app(server: Server, pg_bin: Path) -> Iterator[Database]:
    """A fresh, empty database of this name, so that what is printed wraps the same each time."""
    with fresh_database(server, pg_bin, "app") as database:
        yield database


def _earlier(root: Path, server: Server, pg_bin: Path, *later: str) -> Path:
    """The example's files without the later revisions, with the catalogue of its release."""
    example = Example(root, Database(server, "postgres", pg_bin))
    for revision in later:
        (file,) = (root / "alembic" / "versions").glob(f"{revision}_*.py")
        file.unlink()
    catalogues.with_catalogue(example, server)
    return root


@pytest.fixture(scope="session")
def v1028_files(tmp_path_factory: pytest.TempPathFactory, server: Server, pg_bin: Path) -> Path:
    """The files of v1.0.28."""
    root = tmp_path_factory.mktemp("v1028") / "whisperengine"
    return _earlier(root, server, pg_bin, BACKFILL, ORIGIN, VIEW, HEAD)


@pytest.fixture(scope="session")
def v1024_files(tmp_path_factory: pytest.TempPathFactory, server: Server, pg_bin: Path) -> Path:
    """The files of v1.0.24."""
    root = tmp_path_factory.mktemp("v1024") / "whisperengine"
    return _earlier(root, server, pg_bin, TABLES, BACKFILL, ORIGIN, VIEW, HEAD)


@pytest.fixture(scope="session")
def v1030_script(tmp_path_factory: pytest.TempPathFactory, server: Server, pg_bin: Path) -> str:
    """An init script of v1.0.30, as `surefoot dump` makes it."""
    example = Example(
        tmp_path_factory.mktemp("v1030") / "whisperengine", Database(server, "postgres", pg_bin)
    )
    made = example.run("dump", "--server", server.url(), timeout=120)
    assert made.code == 0, made.err
    return made.out
