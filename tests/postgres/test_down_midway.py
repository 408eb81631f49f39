"""Undoing revisions that can't be one transaction; and what is cut off there."""

from pathlib import Path

import pytest

from surefoot.postgres.embedded import Server
from tests.support.database import Database
from tests.support.going_down import CUSTOMERS, R1, R2, R3, older, text, up, with_catalogue
from tests.support.midway import DOWN, HEAD, UP, going_back, until_waiting
from tests.support.project import Application

OPTIONS = ("--schema-only", "--exclude-schema=surefoot")


@pytest.fixture
def shop(application: Application, server: Server) -> Application:
    """A revision whose way back is two transactions with an index dropped between them."""
    application.revision(R1, None, CUSTOMERS, downgrade="op.execute('drop table customers')")
    application.revision(R2, R1, body=UP, downgrade=DOWN, head=HEAD)
    with_catalogue(application, server)
    return application


@pytest.fixture
def image(shop: Application, tmp_path: Path, server: Server) -> Application:
    """The older image, without the file of that revision."""
    return older(shop, tmp_path / "older", R2, server=server)


def alone(application: Application, database: Database) -> str:
    """The structure that the older revision makes."""
    application.alembic("upgrade", R1, url=database.url("postgresql+psycopg"))
    return database.dump(*OPTIONS)


def test_it_is_gone_in_pieces(
    shop: Application, image: Application, database: Database, other_database: Database
) -> None:
    """What was outside a transaction is so again: the statements are executed as they were."""
    up(shop, database)
    result = image.run("down", "--to", "head", "--yes", url=database.url())
    assert result.code == 0, result.err
    assert "in several transactions" in text(result)
    assert database.dump(*OPTIONS) == alone(shop, other_database)
    assert image.run("up", url=database.url()).code == 0


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("which", ["image", "shop"])
def test_cut_off_while_the_index_is_dropped(
    request: pytest.FixtureRequest,
    shop: Application,
    database: Database,
    other_database: Database,
    which: str,
    times: int,
) -> None:
    """Killed in the middle: what was committed is known, and the same command goes on from there,
    with the files or without; also where that is killed again.
    """
    up(shop, database)
    application: Application = request.getfixturevalue(which)
    for _ in range(times):
        with database.connect() as other:
            other.execute("begin")
            other.execute("select * from customers")  # which the index waits for
            down = going_back(application, database)
            until_waiting(database)
            down.kill()
            database.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity"
                " where datname = current_database() and query ilike 'drop index concurrently%'"
                " and pid <> pg_backend_pid()"
            )
            other.execute("commit")
    assert database.query("select version_num from alembic_version") == [(R2,)]
    assert database.query(
        "select step, direction, evidence from surefoot.journal order by id desc limit 1"
    ) == [("begun", "down", "1")]
    result = application.run("down", "--to", R1, "--yes", url=database.url())
    assert result.code == 0, result.err
    assert database.dump(*OPTIONS) == alone(shop, other_database)
    last = "select step, name from surefoot.journal order by id desc limit 2"
    assert database.query(last) == [("reached", R1), ("down", R2)]
    assert "nothing to undo" in text(
        application.run("down", "--to", R1, "--yes", url=database.url())
    )


def test_up_says_that_a_way_back_was_cut_off(shop: Application, database: Database) -> None:
    """Half of it is gone: up refuses, and names the command that goes on."""
    up(shop, database)
    with database.connect() as other:
        other.execute("begin")
        other.execute("select * from customers")
        down = going_back(shop, database)
        until_waiting(database)
        down.kill()
        other.execute("commit")
    result = shop.run("up", "--json", url=database.url())
    assert (result.code, result.error) == (4, "interrupted-revision"), result.err
    assert f"Undoing {R2} was interrupted" in text(result)
    assert "surefoot down --to" in text(result)


@pytest.mark.slow
def test_three_revisions_two_of_them_together(
    shop: Application, database: Database, other_database: Database, server: Server
) -> None:
    """Those before and behind the one that commits are taken back as well, in order."""
    shop.revision(R3, R2, "create table orders (id int)", downgrade="op.drop_table('orders')")
    with_catalogue(shop, server)
    up(shop, database)
    result = shop.run("down", "--to", R1, "--yes", url=database.url())
    assert result.code == 0, result.err
    assert database.dump(*OPTIONS) == alone(shop, other_database)
