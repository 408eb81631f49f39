"""surefoot's own statements on the application's connection leave no prepared statement there.

psycopg prepares what it executes for the sixth time. Behind a pooler, the next transaction may have
a session that doesn't know the statement.
"""

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy

from surefoot.alembic_env.looking import Looking
from surefoot.alembic_env.settings import Timeouts, setting_of
from surefoot.alembic_env.trust import require_trusted, role_set
from surefoot.decision.facts import VersionTableName
from tests.support.database import Database

NAME = VersionTableName()
READS: dict[str, Callable[[Any], Any]] = {
    "the structure": Looking(NAME).rows_once,
    "the settings": lambda connection: setting_of(connection, Timeouts(lock=1.0)),
    "who is trusted": lambda connection: require_trusted(connection, NAME),
    "the role": lambda connection: role_set(connection, "postgres"),
}


@pytest.mark.parametrize("read", READS.values(), ids=READS)
def test_reading_often(database: Database, read: Callable[[Any], Any]) -> None:
    engine = sqlalchemy.create_engine(database.url("postgresql+psycopg"))
    with engine.connect() as connection:
        for _ in range(8):
            read(connection)
        assert _prepared(connection) == 0
        for _ in range(8):
            connection.exec_driver_sql("select 1")
        assert _prepared(connection) == 1  # the application's own are, as it likes
    engine.dispose()


def _prepared(connection: Any) -> int:
    return connection.exec_driver_sql("select count(*) from pg_prepared_statements").scalar()
