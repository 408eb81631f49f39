"""A run whose own second connection waits for a lock of its transaction, and others that don't."""

import threading

import pytest

from tests.support.database import Database
from tests.support.next_steps import next_of
from tests.support.project import SYNC_ENV, Application

QUICK = 'lock_timeout = "1s"\n'

# What an application does whose session has an engine of its own.
SECOND = """\
import os
op.execute("alter table people add column phone text")
with sa.create_engine(os.environ["DATABASE_URL"]).connect() as other:
    other.execute(sa.text("select 'hidden', count(*) from people"))
"""
# What a revision does that connects by its driver.
BY_DRIVER = """\
import os, psycopg
op.execute("alter table people add column phone text")
with psycopg.connect(os.environ["DATABASE_URL"].replace("+psycopg", "")) as other:
    other.execute("select 'hidden', count(*) from people")
"""
BOUND = """\
op.execute("alter table people add column phone text")
op.get_bind().execute(sa.text("select count(*) from people"))
"""


@pytest.fixture
def people(application: Application) -> Application:
    application.config(QUICK)
    application.revision("r1", None, "create table people (id int primary key)")
    return application


@pytest.mark.slow
@pytest.mark.provokes("waits-for-itself")
@pytest.mark.follows("waits-for-itself")
@pytest.mark.parametrize("driver", ["postgresql+psycopg", "postgresql+psycopg2"])
def test_a_revision_with_a_second_connection(
    people: Application, database: Database, driver: str
) -> None:
    """It's ended and told, with both sessions; what was there before it stays."""
    url = database.url(driver)
    assert people.run("up", url=url).code == 0
    people.revision("r2", "r1", body=SECOND)
    result = people.run("up", "--json", url=url)
    assert (result.code, result.error) == (5, "waits-for-itself")
    (finding,) = result.json["findings"]
    assert "Revision r2" in finding["message"]
    seen = " ".join(finding["seen"])
    assert "count(*) from people" in seen
    assert "add column phone" in seen
    assert "Rolled back, verified" in finding["database"]
    assert database.query("select version_num from alembic_version") == [("r1",)]
    assert "op.get_bind()" in next_of(result)
    people.revision("r2", "r1", body=BOUND)
    assert people.run("up", url=url).code == 0


@pytest.mark.slow
def test_a_revision_that_connects_by_the_driver(people: Application, database: Database) -> None:
    """SQLAlchemy knows nothing of the session, but the server knows from which port it comes."""
    url = database.url("postgresql+psycopg")
    assert people.run("up", url=url).code == 0
    people.revision("r2", "r1", body=BY_DRIVER)
    result = people.run("up", "--json", url=url)
    assert (result.code, result.error) == (5, "waits-for-itself"), result.out
    assert "count(*) from people" in result.out
    assert database.query("select version_num from alembic_version") == [("r1",)]


@pytest.mark.slow
def test_an_env_py_that_keeps_it_to_itself(people: Application, database: Database) -> None:
    """A revision that goes on after the error doesn't end as done."""
    assert people.run("up", url=database.url()).code == 0
    people.revision(
        *("r2", "r1"),
        body="import contextlib\nwith contextlib.suppress(Exception):\n"
        + "".join(f"    {line}\n" for line in SECOND.splitlines()),
    )
    result = people.run("up", "--json", url=database.url())
    assert (result.code, result.error) == (5, "waits-for-itself")
    assert database.query("select version_num from alembic_version") == [("r1",)]


@pytest.mark.slow
def test_an_env_py_with_a_second_connection(people: Application, database: Database) -> None:
    """Behind the revisions, and before the commit."""
    assert people.run("up", url=database.url()).code == 0
    people.revision("r2", "r1", "alter table people add column phone text")
    people.env(
        SYNC_ENV.replace(
            "        context.run_migrations()\n",
            "        context.run_migrations()\n"
            "        with connectable.connect() as other:\n"
            "            other.exec_driver_sql('select * from people')\n",
        )
    )
    result = people.run("up", "--json", url=database.url())
    assert (result.code, result.error) == (5, "waits-for-itself")
    assert database.query("select version_num from alembic_version") == [("r1",)]


@pytest.mark.slow
def test_another_program_may_wait(people: Application, database: Database) -> None:
    """A session of somebody else's waits for a slow revision, and is let wait."""
    assert people.run("up", url=database.url()).code == 0
    people.revision(
        *("r2", "r1"),
        body="import time\nop.execute('alter table people add column phone text')\ntime.sleep(8)",
    )
    done: list[object] = []

    def wait() -> None:
        with database.connect() as other:
            for _ in range(200):
                done[:] = other.execute("select count(*) from people").fetchall()
                if stop.wait(0.05):
                    return

    stop = threading.Event()
    waiting = threading.Thread(target=wait)
    waiting.start()
    try:
        result = people.run("up", "--json", url=database.url())
    finally:
        stop.set()
        waiting.join()
    assert result.code == 0, result.out
    assert done == [(0,)]
