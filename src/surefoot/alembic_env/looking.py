"""Look at the structure on the application's own connection, within its transaction."""

import contextlib
from collections.abc import Generator
from typing import Any

import sqlalchemy
from psycopg import sql
from sqlalchemy.exc import DBAPIError

from surefoot.alembic_env.connection import unprepared
from surefoot.decision.facts import VersionTableName
from surefoot.sql import query

_PREPARED = "surefoot_facts"
_NO_TRANSACTION = "25P01"

_IS_PREPARED = sqlalchemy.text(
    "select count(*), set_config('plan_cache_mode', 'force_generic_plan', true)"
    " from pg_prepared_statements where name = 'surefoot_facts'"
)

Row = tuple[str, str, str, str | None, str]


class Looking:
    """Reads the rows of `facts.sql` on any connection, and leaves no trace.

    The query is prepared once on each connection: planning it takes longer than running it.
    """

    def __init__(self, version_table: VersionTableName) -> None:
        given = {
            "table": version_table.name,
            "schema": version_table.schema,
            "only": version_table.tenant,
        }
        text = once = query("facts").replace("%%", "%")
        for number, (name, value) in enumerate(given.items(), 1):
            text = text.replace(f"%({name})s", f"${number}")
            once = once.replace(f"%({name})s", _literal(value))
        self._prepare = sqlalchemy.text(f"prepare {_PREPARED}(text, text, text) as {text}")
        self._settings = sqlalchemy.text(query("facts_settings"))
        self._unprepared = sqlalchemy.text(once)
        values = ", ".join(map(_literal, given.values()))
        self._execute = sqlalchemy.text(f"execute {_PREPARED}({values})")

    def rows(self, connection: Any) -> list[Row]:
        """Return the rows, for `surefoot.look.structure.facts_of`."""
        with savepoint(connection, "surefoot_look"):
            connection.execute(self._settings)
            # asked each time: drivers discard all prepared statements when a table is dropped
            if not connection.execute(_IS_PREPARED).scalar():
                connection.execute(self._prepare)
            return [tuple(row) for row in connection.execute(self._execute)]

    def rows_once(self, connection: Any) -> list[Row]:
        """Return the same rows without leaving anything in the session, which may be shared."""
        with savepoint(connection, "surefoot_look"), unprepared(connection):
            connection.execute(self._settings)
            return [tuple(row) for row in connection.execute(self._unprepared)]


def _literal(value: str | None) -> str:
    return sql.Literal(value).as_string(None)


@contextlib.contextmanager
def savepoint(connection: Any, name: str) -> Generator[None, None, None]:
    """Set a savepoint for the block and always roll back to it: settings made meanwhile end with
    it.

    Plain statements, because SQLAlchemy's own savepoints would end with transactions begun inside.
    If there is no transaction (a connection in autocommit), one is begun.
    """

    def execute(statement: str) -> None:
        with unprepared(connection):
            connection.execute(sqlalchemy.text(statement))

    back = (f"rollback to savepoint {name}", f"release savepoint {name}")
    try:
        execute(f"savepoint {name}")
    except DBAPIError as error:
        original: Any = error.orig
        if _NO_TRANSACTION not in (
            getattr(original, "sqlstate", None),
            getattr(original, "pgcode", None),
        ):
            raise
        execute("begin")
        back = ("rollback",)
    try:
        yield
    finally:
        for statement in back:
            execute(statement)
