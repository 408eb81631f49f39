"""Revisions that were interrupted half-way."""

import threading
import time

import psycopg
import pytest

from surefoot.sql import query
from tests.support.database import Database
from tests.support.project import Application, Result

DRIVER = "postgresql+psycopg"


LONG = 240  # seconds: longer than a test waits


def project(application: Application, body: str, *, head: str = "", then: bool = False) -> None:
    """Add a table, and a revision above it that commits by itself; `then`: one above that."""
    application.revision("r1", None, "create table people (id int primary key, n int, u int)")
    application.revision("r2", "r1", body=body, head=head)
    if then:
        application.revision("r3", "r2", "create table pets (id int primary key)")


def at_r1(application: Application, database: Database, statements: str = "") -> None:
    """Bring the database to r1, with rows; then add what a run of r2 has left there."""
    application.alembic("upgrade", "r1", url=database.url(DRIVER))
    database.execute("insert into people select i, i, i from generate_series(1, 20) i")
    if statements:
        for statement in statements.split(";"):
            database.execute(statement)


def half_way(application: Application, database: Database, revision: str = "r2") -> None:
    """Add the mark of a run that was cut off after a commit of the revision's own."""
    database.execute("create schema if not exists surefoot")
    database.execute(query("create_journal"))
    database.execute(
        "insert into surefoot.journal (run, history, step, name, parents, direction,"
        " milliseconds, host, surefoot) values ('cut off', 'public.alembic_version', 'begun',"
        f" '{revision}', '', 'up', 0, 'here', '0')"
    )


def left_invalid(database: Database, statement: str) -> None:
    """Begin a CREATE INDEX CONCURRENTLY, and end its session half-way."""
    with database.connect() as blocker, database.connect() as other:
        blocker.execute("begin isolation level repeatable read")
        blocker.execute("select count(*) from people")
        blocker.execute("insert into people values (-1, 1, -1)")
        pid = other.info.backend_pid

        def make() -> None:
            with pytest.raises(psycopg.OperationalError):
                other.execute(statement)  # type: ignore[arg-type]

        thread = threading.Thread(target=make)
        thread.start()
        deadline = time.monotonic() + LONG
        waits = f"select wait_event from pg_stat_activity where pid = {pid}"
        while database.query(waits) != [("virtualxid",)]:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        database.query(f"select pg_terminate_backend({pid})")
        thread.join()
        blocker.execute("rollback")
    assert database.query("select count(*) from pg_index where not indisvalid") == [(1,)]


def indexes(database: Database) -> dict[str, bool]:
    """Return every index of the application, and whether it is valid."""
    return dict(
        database.query(
            "select c.relname, i.indisvalid from pg_index i join pg_class c on c.oid = i.indexrelid"
            " where c.relnamespace = 'public'::regnamespace and c.relname like 'people%'"
        )
    )


def rows(database: Database) -> list[str]:
    return [row for (row,) in database.query("select version_num from alembic_version order by 1")]


def text(result: Result) -> str:
    return " ".join((result.err + result.out).split())


def done(result: Result) -> list[tuple[str, str]]:
    return [(step["step"], step["name"]) for step in result.json["done"]]
