"""Timeouts that a role or a database has for the application's daily work: surefoot's own sessions
set theirs at once, and have others.
"""

import psycopg
import pytest

from surefoot.postgres.embedded import Server
from tests.quick import quick
from tests.support import catalogues
from tests.support.database import Database
from tests.support.project import SYNC_ENV, Application

SETTINGS = [
    "statement_timeout",
    "lock_timeout",
    "idle_in_transaction_session_timeout",
    pytest.param("transaction_timeout", marks=pytest.mark.server_from(17)),
]


def shorten(database: Database, name: str, value: str = "5ms") -> None:
    """By the role in the database, which takes precedence."""
    database.execute(f"alter role postgres in database {database.name} set {name} = '{value}'")


def crowd(database: Database) -> None:
    """So many objects that a look takes longer than that."""
    database.execute(
        "create schema crowd; do $$ begin for i in 1..300 loop"
        " execute format('create table crowd.t%s (id int primary key, name text unique)', i);"
        " end loop; end $$"
    )


# The application's own session is its own affair: surefoot names the setting where it is too short.
LONG = "connect_args={'options': '-cidle_in_transaction_session_timeout=0 -cstatement_timeout=0"


@pytest.fixture
def shop(application: Application, server: Server) -> Application:
    with psycopg.connect(server.conninfo()) as connection:
        since_17 = connection.info.server_version >= 170000
    options = f"{LONG}{' -ctransaction_timeout=0' if since_17 else ''}'}},"
    application.env(SYNC_ENV.replace("prefix=", f"{options} prefix="))
    application.linear()
    application.revision(
        "r4",
        "r3",
        "create table more (id int)",
        "select pg_sleep(0.1)",
        downgrade="op.drop_table('more')",
    )
    catalogues.with_catalogue(application, server)
    return application


@pytest.mark.parametrize("setting", SETTINGS)
def test_every_command(shop: Application, database: Database, setting: str) -> None:
    url = database.url("postgresql+psycopg")
    shop.config('backup_directory = "backups"\nbackup = "before-upgrade"\n')
    crowd(database)
    shop.alembic("upgrade", "r1", url=url)
    shorten(database, setting)
    for command in (
        ("status",),
        ("plan",),
        ("up",),
        ("up",),
        ("backup",),
        ("drift",),
        ("down", "--to", "r3", "--yes", "--accept-data-loss"),
    ):
        result = shop.run(*command, "--json", url=url)
        assert result.code in ((0, 3) if command == ("status",) else (0,)), (
            command,
            result.out,
            result.err,
        )
    database.execute("drop table alembic_version; drop schema surefoot cascade")
    result = shop.run("adopt", "r3", "--yes", url=url)
    assert result.code == 0, result.err
    assert shop.run("up", url=url).code == 0
    assert quick(shop, url) == "nothing to do r4"


@pytest.mark.parametrize("setting", SETTINGS)
def test_the_first_start(shop: Application, database: Database, setting: str) -> None:
    """The lock's session is idle while the application is loaded and a revision runs. The seed is a
    user's own, and has the role's settings: each of its statements must end in that time.
    """
    shorten(database, setting, "90ms")
    shop.write("seed.sql", "select 1;\n")
    shop.config('seeds = ["seed.sql"]\n')
    result = shop.run("up", url=database.url("postgresql+psycopg"))
    assert result.code == 0, result.err


@pytest.mark.parametrize("setting", SETTINGS)
def test_a_fleet(shop: Application, database: Database, setting: str) -> None:
    crowd(database)
    shorten(database, setting)
    shop.write("targets.txt", f"{database.url()}\n")
    result = shop.run("fleet", "up", "--targets", "targets.txt")
    assert result.code == 0, result.out + result.err


def test_questions_on_the_application_s_connection(shop: Application, database: Database) -> None:
    """surefoot's own statements there aren't cancelled in the application's name, either."""
    shop.env(SYNC_ENV)
    url = database.url("postgresql+psycopg")
    crowd(database)
    shop.alembic("upgrade", "r1", url=url)
    shorten(database, "statement_timeout", "10ms")
    result = shop.run("up", url=url)
    assert result.code == 0, result.err
