"""A short form of what `make chaos` does with settings: those that matter, many at once."""

import random
from collections.abc import Iterator

import psycopg
import pytest

from surefoot.postgres.embedded import Server
from tests.chaos.session_settings import World, groups, judged, values


@pytest.fixture(scope="module")
def world(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    yield World(server, tmp_path_factory.mktemp("settings"))
    for name in ("behind", "head"):
        with psycopg.connect(server.conninfo(), autocommit=True) as connection:
            connection.execute(f"drop database {name} with (force)".encode())


@pytest.mark.slow
def test_settings_that_change_nothing(world: World) -> None:
    """Two sets, with other values each time: each command ends as without them."""
    seed = random.randrange(1_000_000)
    with psycopg.connect(world.server.conninfo()) as connection:
        found = values(connection)
    for group in groups(found, seed):
        assert len(group) > 20
        assert not list(judged(world, group)), (seed, group)


@pytest.mark.parametrize(
    "setting",
    [
        ("search_path", ""),
        ("statement_timeout", "1"),
        ("default_transaction_read_only", "on"),
    ],
)
def test_settings_that_may_be_refused(world: World, setting: tuple[str, str]) -> None:
    """With a code, and nothing is changed then."""
    assert not list(judged(world, (setting,)))
