"""One surefoot at a time in a database, through a pooler too.

A transaction-level advisory lock, in a separate transaction that is then left idle on a
dedicated connection. Two things are on purpose:

- polled with `pg_try_…`, never waited for: a session that waits inside `pg_advisory_lock` holds a
  snapshot, and `CREATE INDEX CONCURRENTLY` in the holder would wait for that snapshot forever;
- in a transaction, not in the session: behind a pooler in transaction mode a session is shared,
  and two clients would both "hold" a session-level lock.
"""

import contextlib
import random
import select
import time
from collections.abc import Callable, Generator
from typing import Any

import msgspec
import psycopg
from psycopg import pq, sql

from surefoot.errors import SurefootError
from surefoot.errors.steps import to_type
from surefoot.postgres.connect import application_name, translate_db_errors
from surefoot.postgres.look import looking
from surefoot.postgres.turn import CLASS, LOCK
from surefoot.sql import query
from surefoot.system import signals
from surefoot.system.pace import Pace

_TRY = sql.SQL("select pg_catalog.pg_try_advisory_xact_lock({}::int, {}::int)").format(
    sql.Literal(CLASS), sql.Literal(LOCK)
)
_FATE = sql.SQL(
    # an unknown transaction must not raise an error, which would end the lock's own
    "select {at} as at_revision, case"
    " when {id}::pg_catalog.xid8 operator(pg_catalog.<)"
    " pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot())"
    " then pg_catalog.pg_xact_status({id}::pg_catalog.xid8) end"
)
_FREE = "the lock was held a moment ago"
_NO_MIGRATION = "a role that could not migrate this database"
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 2.0  # seconds


class Lock:
    """The lock, held. `check()` verifies that; `waited`: another session had it before."""

    def __init__(self, connection: psycopg.Connection[Any], *, waited: bool = False) -> None:
        self._connection, self.waited = connection, waited
        signals.spare(connection)
        self._crashed = False  # another server process did; reported in a warning
        self._committed: set[str] = set()  # transactions; a commit is final
        self._unread = False  # the answer to `announce`
        connection.add_notice_handler(self._noticed)

    def _noticed(self, notice: psycopg.errors.Diagnostic) -> None:
        self._crashed = self._crashed or notice.sqlstate == "57P02"

    def last_words(self) -> str | None:
        """Return None if its connection exists; otherwise the SQLSTATE that ended it, "" if
        unknown.
        """
        try:
            self._read()
            self._connection.execute("select 1")
        except psycopg.Error as error:
            return "57P02" if self._crashed else error.sqlstate or ""
        return None

    def check(self, at: str = "") -> None:
        """Raise SurefootError `lock-lost` if the connection that holds the lock is lost.

        Asks the server, because a session that was just ended may look alive from here. `at` is the
        current revision: others who wait read it from this session's last query. Raises
        StopRequested if a signal came.
        """
        signals.check()
        self._ask(_at_revision(at))

    def committed(self, transaction: str, at: str = "") -> bool:
        """Whether the server says that this transaction was committed.

        False while it is in progress. Raises SurefootError `lock-lost`.
        """
        if transaction in self._committed:
            return True
        row = self._ask(_FATE.format(at=sql.Literal(at), id=sql.Literal(transaction)))
        if row is None or row[1] != "committed":
            return False
        self._committed.add(transaction)
        return True

    def announce(self, at: str) -> None:
        """Send the question of `check` without waiting; `heard` reads the answer.

        So the server answers while the revision begins on its own connection.
        """
        signals.check()
        with _lock_lost():
            self._read()
            # the simple protocol, as in _try
            self._connection.pgconn.send_query(_at_revision(at).as_string(None).encode())
            self._unread = True
            self._connection.pgconn.flush()

    def heard(self) -> None:
        """Read the answer to `announce`. Raises SurefootError `lock-lost`."""
        with _lock_lost():
            self._read()

    def _read(self) -> None:
        """Read a pending answer: before that, the connection can't be used."""
        if not self._unread:
            return
        self._unread = False
        pgconn = self._connection.pgconn
        waiting = select.poll()
        waiting.register(pgconn.socket, select.POLLIN)
        failed: psycopg.Error | None = None
        while True:
            while pgconn.is_busy():
                waiting.poll()
                pgconn.consume_input()
            result = pgconn.get_result()
            if result is None:
                break  # only now can the connection be used or closed properly
            if result.status != pq.ExecStatus.TUPLES_OK:
                failed = failed or psycopg.errors.error_from_result(result)
        if failed is not None:
            raise failed

    def _ask(self, statement: sql.Composed) -> tuple[Any, ...] | None:
        with _lock_lost():
            self._read()
            return self._connection.execute(statement).fetchone()

    def release(self) -> None:
        """End the lock's transaction.

        A lost connection has already released it, which `check` reports.
        """
        with contextlib.suppress(psycopg.Error):
            self._read()
            self._connection.execute("rollback")


def _at_revision(at: str) -> sql.Composed:
    return sql.SQL("select {} as at_revision").format(sql.Literal(at))


@contextlib.contextmanager
def _lock_lost() -> Generator[None, None, None]:
    try:
        yield
    except psycopg.Error as error:  # a session timeout isn't an operational error
        raise SurefootError(
            "lock-lost",
            "The connection that holds surefoot's lock was lost.",
            seen=[str(error).strip().splitlines()[0]],
            next="read the server's log of this time (a restart, a failover, an administrator), "
            "then start again",
        ) from error


@contextlib.contextmanager
def locked(
    connection: psycopg.Connection[Any],
    *,
    wait: float,
    say: Callable[[str], None],
    every: float = 0.0,
) -> Generator[Lock, None, None]:
    """Hold the lock for the block; waits up to `wait` seconds for its holder.

    `connection` (in autocommit) is used for nothing else meanwhile. `say` gets a line that names
    the holder, and another each `every` seconds. Raises SurefootError `lock-held-elsewhere`.
    """
    deadline = time.monotonic() + wait
    pause, told, pace = _FIRST_PAUSE, False, Pace(every)
    while not _taken(connection):
        if time.monotonic() >= deadline:
            raise _held(holder(connection), wait)
        if not told:
            say(f"waiting up to {wait:g} s: {holder(connection) or _FREE}")
            told = True
        elif pace.due():
            by = holder(connection) or _FREE
            say(f"still waiting, {pace.elapsed:.0f} s of {wait:g} s: {by}")
        left = max(0.0, deadline - time.monotonic())
        signals.sleep(min(pause * random.uniform(0.7, 1.3), left))
        pause = min(pause * 1.6, _LONGEST_PAUSE)
    lock = Lock(connection, waited=told)
    try:
        yield lock
    finally:
        lock.release()


def begin_if_free(connection: psycopg.Connection[Any]) -> bool:
    """Begin a transaction that holds the lock, unless another session has it; never waits.

    If the lock isn't free, there is no transaction. Raises psycopg.Error.
    """
    return _try(connection)


def _held(by: "Holder | None", wait: float) -> SurefootError:
    message = f"Another surefoot has been migrating this database for over {wait:g} s."
    if by is not None and not by.could_migrate:
        message = f"Somebody has held surefoot's lock on this database for over {wait:g} s."
    return SurefootError(
        "lock-held-elsewhere",
        message,
        seen=[str(by or _FREE)],
        next=by.next if by is not None else "start again",
    )


def _taken(connection: psycopg.Connection[Any]) -> bool:
    with translate_db_errors():
        return _try(connection)


def _try(connection: psycopg.Connection[Any]) -> bool:
    """Begin a transaction and take the lock in it; without the lock, end the transaction."""
    # READ COMMITTED and idle: it holds no snapshot, so nothing waits for this transaction
    connection.execute("begin isolation level read committed")
    connection.execute("set local idle_in_transaction_session_timeout = 0")
    if connection.info.server_version >= 170000:
        connection.execute("set local transaction_timeout = 0")
    # a pooler's session doesn't have surefoot's name, which those who wait look for
    name = sql.Literal(application_name())
    connection.execute(sql.SQL("set local application_name = {}").format(name))
    # without parameters, so with the simple protocol: with the extended one the statement's portal,
    # and its snapshot, would stay open until the next statement
    row = connection.execute(_TRY).fetchone()
    if row is not None and row[0]:
        return True
    connection.execute("rollback")
    return False


class Holder(msgspec.Struct, frozen=True):
    """The session that holds the lock.

    `at` is its current revision, if visible; `could_migrate`: its role could migrate, so it may be
    a surefoot.
    """

    pid: int
    application: str
    role: str
    could_migrate: bool
    client: str | None
    since: str | None
    at: str | None

    def __str__(self) -> str:
        role = f", role {self.role}" if self.role else ""
        since = f", since {self.since}" if self.since else ""
        place = f", from {self.client}" if self.client else ""
        at = f", at revision {self.at}" if self.at else ""
        who = f"{self.application or 'a session'} holds the lock"
        told = f"{who} (pid {self.pid}{role}{place}{since}){at}"
        return told if self.could_migrate else f"{told}; {_NO_MIGRATION}"

    @property
    def next(self) -> str:
        """Return what to do about it."""
        if self.could_migrate:
            return "wait for it and start again; `lock_wait` in surefoot.toml sets how long to wait"
        return to_type(
            f"{self.role} can't be migrating: find out why it holds the lock. As {self.role} or a "
            "superuser, end its session",
            f"select pg_terminate_backend({self.pid});",
            then="then start again; a role that can't connect can't take the lock",
        )


def holder(connection: psycopg.Connection[Any]) -> Holder | None:
    """Return the current holder of the lock; None if it is free."""
    with looking(connection) as look:
        row = look.cursor.execute(query("holder"), {"class": CLASS, "object": LOCK}).fetchone()
    return None if row is None else Holder(**row)
