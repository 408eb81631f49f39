"""Other sessions that create the version table while Alembic, or surefoot, is about to."""

import re

import psycopg
import pytest

from surefoot.postgres.embedded import Server
from tests.support.database import Database
from tests.support.project import ASYNC_ENV, SYNC_ENV, Application, Running
from tests.support.refusals import at, with_catalogue

OFTEN = ("--progress-every", "200ms")
MADE = (
    "create table alembic_version (version_num varchar(32) not null,"
    " constraint alembic_version_pkc primary key (version_num))"
)


def joined(said: str) -> str:
    """The account as one line: what is wrapped is one text."""
    return re.sub(r"\s+", " ", said)


@pytest.mark.parametrize("options", ["", "transaction_per_migration=True"])
@pytest.mark.parametrize("driver", ["psycopg", "psycopg2", "asyncpg"])
def test_an_open_transaction_has_created_it(
    application: Application, database: Database, driver: str, options: str
) -> None:
    """The wait has an end, says who is in its way, and is tried again."""
    application.linear()
    application.env(ASYNC_ENV if driver == "asyncpg" else SYNC_ENV, options)
    application.config('lock_timeout = "1s"\n')
    url = database.url(f"postgresql+{driver}")
    with psycopg.connect(database.conninfo, application_name="installer") as connection:
        connection.execute(MADE)
        running = Running(application, "up", "--database-url", url, *OFTEN)
        running.until("held by")
        running.until("(1 of 10)")
        running.until("committed")
        connection.rollback()
    result = running.end()
    assert result.code == 0, result.err
    said = joined(result.err)
    assert "creating alembic_version: waits for the end of another transaction" in said
    assert (
        "alembic_version could not be created, a lock was not available: again in 1 s (1 of 10)"
        in said
    )
    assert database.query("select version_num from alembic_version") == [("r3",)]


def test_the_settings_of_later_revisions(application: Application, database: Database) -> None:
    """Each a transaction of its own: the limit is set in each, not only in the first one's."""
    body = "print(op.get_bind().exec_driver_sql('show lock_timeout').scalar(), flush=True)"
    application.env(options="transaction_per_migration=True")
    application.revision("r1", None, body=body)
    application.revision("r2", "r1", body=body)
    application.config('lock_timeout = "7s"\n')
    result = application.run("up", url=database.url())
    assert result.err.count("7s") == 2, result.err


@pytest.mark.parametrize("ending", ["commit", "rollback"])
def test_it_is_created_and_committed_meanwhile(
    application: Application, database: Database, ending: str
) -> None:
    """Plain Alembic installs at the same moment: what it leaves is looked at again."""
    application.linear()
    with database.connect() as connection:
        connection.execute("begin")
        connection.execute(MADE)
        connection.execute("create table people (id int primary key, name text)")
        connection.execute("insert into alembic_version values ('r1')")
        running = Running(application, "up", "--database-url", database.url(), *OFTEN)
        running.until("held by")
        connection.execute(ending.encode())
    result = running.end()
    assert result.code == 0, result.err
    assert database.query("select version_num from alembic_version") == [("r3",)]
    if ending == "commit":
        assert [done["name"] for done in result.json["done"]] == ["r2", "r3"]
        assert "something changed: at r1, 2 revisions behind the code" in joined(result.err)


def test_it_is_brought_to_head_meanwhile(application: Application, database: Database) -> None:
    application.revision("r1", None, "create table people (id int primary key)")
    with database.connect() as connection:
        connection.execute("begin")
        connection.execute(MADE)
        connection.execute("create table people (id int primary key)")
        connection.execute("insert into alembic_version values ('r1')")
        running = Running(application, "up", "--database-url", database.url(), *OFTEN)
        running.until("held by")
        connection.execute("commit")
    result = running.end()
    assert (result.code, result.json["findings"]) == (0, []), result.err
    assert result.json["done"] == []


def test_what_it_leads_to_may_be_refused(application: Application, database: Database) -> None:
    application.linear()
    with database.connect() as connection:
        connection.execute("begin")
        connection.execute(MADE)
        connection.execute("insert into alembic_version values ('of_a_newer_release')")
        running = Running(application, "up", "--database-url", database.url(), *OFTEN)
        running.until("held by")
        connection.execute("commit")
    result = running.end()
    assert (result.code, result.error) == (4, "unknown-revision"), result.err


def test_surefoot_creates_it(application: Application, database: Database, server: Server) -> None:
    """To adopt a structure: the same race, on surefoot's own connection."""
    application.linear()
    with_catalogue(application, server)
    at(application, database, "r3")
    with database.connect() as connection:
        connection.execute("begin")
        connection.execute(MADE)
        connection.execute("insert into alembic_version values ('r3')")
        running = Running(application, "up", "--database-url", database.url(), *OFTEN)
        running.until("held by")
        connection.execute("commit")
    result = running.end()
    assert result.code == 0, result.err
    assert result.json["done"] == []
