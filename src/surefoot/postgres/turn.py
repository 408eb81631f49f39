"""Starts at the same time, of many replicas: the first one works, and the others wait before they
load anything. This saves work and decides nothing: only the holder of the lock migrates
(`run/lock.py`).

Standard library only, since it belongs to the quick look.
"""

import contextlib
import random
import signal
import time

from surefoot.postgres.libpq import Connection, Unsettled
from surefoot.sql import query

# Keys of advisory locks: "sure", "foot" as two 32-bit numbers; the two-key space is rarely used by
# others. LOCK is surefoot's lock; the process that has TURN is about to take it.
CLASS = 0x73757265
LOCK, TURN = 0x666F6F74, 0x7475726E

# READ COMMITTED, and in the simple protocol: no snapshot is held while it is kept (`run/lock.py`).
_TAKE = f"""\
begin isolation level read committed;
set local statement_timeout = 0;
set local idle_in_transaction_session_timeout = 0;
select pg_catalog.pg_try_advisory_xact_lock({CLASS}::int, {TURN}::int)::text as taken,
       pg_catalog.pg_backend_pid()::text as pid"""
_KEYS = {"class": str(CLASS), "lock": str(LOCK), "turn": str(TURN)}
_PAUSES = 0.05, 0.3  # seconds
_PATIENCE = 4.0, 8.0  # seconds; a longer wait names the holder, and needs all modules

_kept: list[Connection] = []


def take(connection: Connection) -> bool:
    """Take the turn if no other process has it, until `give_back`; whether this one has it.

    Raises Unsettled behind a pooler: a session that is kept there may be the last one that it has.
    """
    connection.rollback()
    (row,) = connection.run(_TAKE)
    if row["pid"] == str(connection.pid) and row["taken"] == "true":
        _kept.append(connection)
        return True
    connection.rollback()
    if row["pid"] != str(connection.pid):
        raise Unsettled("there is a pooler")
    return False


def give_back() -> None:
    """End the turn, if this process has it."""
    while _kept:
        with contextlib.suppress(Unsettled, OSError):  # the server ends it, too
            _kept.pop().close()


def deadline() -> float:
    """When a start stops waiting, by the monotonic clock: not all of them at once."""
    return time.monotonic() + random.uniform(*_PATIENCE)


def waited(connection: Connection, until: float) -> bool:
    """Wait while another process has the turn or the lock; return whether one had it.

    Raises Unsettled at `until` (seconds of the monotonic clock), and for a signal.
    """
    found = False
    while _busy(connection):
        if time.monotonic() > until or signal.sigpending():
            raise Unsettled("another surefoot is at work")
        time.sleep(random.uniform(*_PAUSES))
        connection.extend()
        found = True
    return found


def _busy(connection: Connection) -> bool:
    connection.run(f"begin;{query('look')}")
    (row,) = connection.ask(query("at_work"), _KEYS)
    connection.rollback()
    return row["busy"] == "t"
