"""Counting rows for a report."""

import threading
import time

import psycopg
import pytest
from psycopg import sql

from surefoot.look.counting import count_rows
from surefoot.postgres.look import looking
from tests.support.database import Database

WAITING = (
    "select true from pg_stat_activity where wait_event_type = 'Lock' and datname = '{}'"
    " and query like '%pg_catalog.count%'"
)


@pytest.mark.parametrize(
    "drop", ["drop table shop.t", "alter table shop.t drop column a", "drop schema shop cascade"]
)
def test_what_another_session_drops_meanwhile(database: Database, drop: str) -> None:
    """A replica that looks while another one migrates: there is no number, and no failure."""
    database.execute("create schema shop; create table shop.t (a int, b int)")
    database.execute("insert into shop.t values (1, 1)")
    with psycopg.connect(database.conninfo) as dropping, database.connect() as connection:
        dropping.execute(drop.encode())

        def commit() -> None:
            while not database.query(WAITING.format(database.name)):
                time.sleep(0.02)
            dropping.commit()

        committing = threading.Thread(target=commit)
        with looking(connection) as look:
            committing.start()
            assert count_rows(look, None, "shop", "t", sql.Identifier("a")) is None
        committing.join()
