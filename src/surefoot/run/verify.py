"""After a failure, look: what was committed, what was rolled back. Never conclude from silence."""

import time
from collections.abc import Iterable
from typing import Any, Literal

import msgspec
import psycopg

from surefoot.decision.facts import VersionTableName
from surefoot.look.database import observe_database
from surefoot.model.outcome import Done
from surefoot.postgres.connect import LookSession, retry_on_disconnect, translate_db_errors
from surefoot.postgres.look import looking
from surefoot.sql import named_in, query
from surefoot.system import signals

# How long a transaction whose client is gone may continue before its end counts as unknown.
_SETTLE_SECONDS = 30.0

Fate = Literal["committed", "aborted", "unknown"]


class Aftermath(msgspec.Struct, frozen=True):
    """What the server says once everything has stopped.

    `done` are the steps that were committed, `fates` what became of each transaction asked for,
    `rows` the version rows now; `started` is when the server came up. `reversing` are the revisions
    whose downgrade is half-way, by the journal.
    """

    done: tuple[Done, ...]
    fates: dict[str, Fate]
    rows: tuple[str | None, ...]
    started: str
    reversing: tuple[str, ...] = ()


def look_after(
    session: LookSession,
    run: str,
    transactions: Iterable[str],
    version_table: VersionTableName,
) -> Aftermath:
    """Ask the server what became of a run.

    `session` waits for a server that restarts. Raises what it raises, if the server doesn't come
    back.
    """
    return retry_on_disconnect(lambda: _look(session, run, tuple(transactions), version_table))


def _look(
    session: LookSession,
    run: str,
    transactions: tuple[str, ...],
    version_table: VersionTableName,
) -> Aftermath:
    with translate_db_errors(), session() as connection:
        fates: dict[str, Fate] = {
            xid: _fate(connection, xid) for xid in dict.fromkeys(transactions)
        }
        # the fates of the transactions are reported even if the journal can't be read
        seen = observe_database(connection, version_table, lenient=True)
        done: list[Done] = []
        if seen.journal and seen.journal_readable and not seen.distrusted:
            with looking(connection) as look:
                rows = look.cursor.execute(query("run"), {"run": run}).fetchall()
            done = [
                Done(r["step"], " ".join(named_in(r["step"], r["name"])), r["milliseconds"] / 1000)
                for r in rows
            ]
        return Aftermath(tuple(done), fates, seen.rows, seen.server.started, seen.reversing)


def _fate(connection: psycopg.Connection[Any], transaction: str) -> Fate:
    """What became of a transaction, waiting for one that the server hasn't ended yet."""
    deadline = time.monotonic() + _SETTLE_SECONDS
    while True:
        try:
            row = connection.execute(
                "select pg_catalog.pg_xact_status(%s::pg_catalog.xid8)", (transaction,)
            ).fetchone()
        except psycopg.errors.InvalidParameterValue:
            # It is of the future: a crash came before the server had written anything of it, or
            # the server that took over never heard of it. It can only come where it's replayed.
            row = connection.execute("select pg_catalog.pg_is_in_recovery()").fetchone()
            return "aborted" if row is not None and not row[0] else "unknown"
        status = row[0] if row else None
        if status == "committed" or status == "aborted":
            return status
        if status is None or time.monotonic() > deadline:  # too old to be known, or still running
            return "unknown"
        signals.sleep(0.1)
