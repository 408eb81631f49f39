"""Looks in which no code of others can be called.

A name in one of surefoot's own statements always means PostgreSQL's own object, whatever functions,
operators and types others have put on the search path. The search path is set for the transaction
only: behind a pooler, others use the same session.
"""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, NamedTuple, Self, TypeVar

import psycopg
from psycopg.rows import dict_row

from surefoot.model.progress import Session
from surefoot.postgres.connect import translate_db_errors
from surefoot.sql import query

Row = TypeVar("Row")


class Look(NamedTuple):
    """A look that has begun.

    `path` are the schemas of the search path before the look, `trusted` the oids of the roles whose
    objects may be read.
    """

    cursor: psycopg.Cursor[dict[str, Any]]
    path: list[str]
    trusted: list[int]


class Asking(psycopg.Cursor[Row]):
    """A cursor that prepares each statement with parameters, if its session keeps plans."""

    def execute(
        self,
        query: Any,
        params: Any = None,
        *,
        prepare: bool | None = None,
        binary: bool | None = None,
    ) -> Self:
        """As in psycopg; statements without parameters may be several, and can't be prepared."""
        if prepare is None and params is not None:
            prepare = True
        return super().execute(query, params, prepare=prepare, binary=binary)


def keep_plans(connection: psycopg.Connection[Any]) -> None:
    """Let a session plan each question of a look once, and not for each look: most of a look is
    planning.

    Only a session of surefoot's own: behind a pooler, a statement's name would stay on a session
    that others use. The process id reveals a pooler, as in unnamed.sql. Raises as
    `translate_db_errors` does.
    """
    with translate_db_errors():
        row = connection.execute("select pg_catalog.pg_backend_pid()").fetchone()
    if row is not None and row[0] == connection.info.backend_pid:
        connection.prepare_threshold = _ONLY_WHERE_ASKED


_ONLY_WHERE_ASKED = 1_000_000  # executions of any other statement before psycopg prepares it


def plans_are_kept(connection: psycopg.Connection[Any]) -> str:
    """The statement for a transaction in which a kept plan is used from its second time on; empty
    where the session keeps none. PostgreSQL would otherwise plan it five more times.
    """
    kept = connection.prepare_threshold is not None
    return "set local plan_cache_mode = force_generic_plan;" if kept else ""


@contextmanager
def looking(connection: psycopg.Connection[Any]) -> Generator[Look, None, None]:
    """Take one read-only snapshot of the database of `connection` (in autocommit), for the block.

    Raises as `translate_db_errors` does.
    """
    with (
        translate_db_errors(),
        connection.transaction(),
        Asking(connection, row_factory=dict_row) as cursor,
    ):
        yield _begun(cursor, "look")


@contextmanager
def looking_within(connection: psycopg.Connection[Any]) -> Generator[Look, None, None]:
    """Look within the connection's transaction: what it made is seen, and no setting stays.

    Without a transaction, one is begun. Raises psycopg.Error.
    """
    with (
        connection.transaction(force_rollback=True),
        connection.cursor(row_factory=dict_row) as cursor,
    ):
        yield _begun(cursor, "pin")


def own_session(connection: psycopg.Connection[Any]) -> Session | None:
    """Return the connection's session, for another one that asks about it.

    None behind a pooler, or if the server doesn't say.
    """
    pid = connection.info.backend_pid
    try:
        row = connection.execute(query("own_session"), {"pid": pid}).fetchone()
    except psycopg.Error:  # the look itself reports it
        return None
    return None if row is None else Session(pid, started=row[0])


def _begun(cursor: psycopg.Cursor[dict[str, Any]], how: str) -> Look:
    """Begin in one message: the second query already uses the first one's search path."""
    kept = plans_are_kept(cursor.connection)
    cursor.execute(f"{kept}{query(how)};{query('trusted')}".encode())
    found: dict[str, Any] = {}
    while True:
        if cursor.description is not None:
            found |= cursor.fetchone() or {}
        if not cursor.nextset():
            return Look(cursor, found["path"], found["trusted"])
