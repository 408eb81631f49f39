"""Detect a run that waits for itself.

The application's code opens a second connection, which waits for a lock that the run's own
transaction holds. Neither would ever end: PostgreSQL sees one session that waits and one that is
idle, not that the same program uses both.
"""

import contextlib
import threading
from collections.abc import Callable, Generator
from typing import Any

import psycopg

from surefoot.alembic_env.running import Running
from surefoot.errors import Finding, SurefootError
from surefoot.errors.masking import masked
from surefoot.postgres.look import looking
from surefoot.run.context import Connect
from surefoot.sql import query
from surefoot.system.ports import local_ports

_PAUSE = 1.0  # seconds
_LEAST = 2.0  # seconds that both must have been unchanged
_SHOWN = 100  # characters of a statement


class SelfWait:
    """Looks for it in a thread, on its own connection, and ends the waiting session."""

    def __init__(self, running: Running, connect: Connect, patience: float) -> None:
        """`patience`: shorter waits, in seconds, are ignored."""
        self._running, self._connect = running, connect
        self._patience = max(patience, _LEAST)
        self._over = threading.Event()

    @contextlib.contextmanager
    def watching(self) -> Generator[None, None, None]:
        """Watch during the block."""
        thread = threading.Thread(target=self._watch, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._over.set()
            thread.join()

    def _watch(self) -> None:
        if self._over.wait(_LEAST):  # most runs are over by then, and need no connection
            return
        # nothing depends on this look: if it fails, the run continues as without it
        with contextlib.suppress(psycopg.Error, SurefootError, ValueError), self._connect() as own:
            self._look(own)

    def _look(self, connection: psycopg.Connection[Any]) -> None:
        looks: dict[tuple[int, str, str], int] = {}
        while not self._over.wait(_PAUSE):
            pids, run = dict(self._running.sessions), self._running.pid
            ports = local_ports()
            if run is None or not (pids.keys() - {run} or ports):
                continue
            with looking(connection) as look:
                given = {"run": run, "own": list(pids), "ports": ports}
                rows = look.cursor.execute(query("own_waits"), given).fetchall()
            found = {(row["pid"], row["query"], row["since"]): row for row in rows}
            looks = {key: looks.get(key, 0) + 1 for key in found}
            for key, number in looks.items():
                if number * _PAUSE > self._patience and not self._over.is_set():
                    self._running.stop(_finding(self._running.last, run, found[key]))
                    _end(connection, key[0], pids.get(key[0]))
                    return


def _end(connection: psycopg.Connection[Any], pid: int, cut: Callable[[], None] | None) -> None:
    """Cancel the waiting statement on the server, or cut the connection if that isn't allowed.

    On the server, it can't continue by itself afterwards.
    """
    try:
        connection.execute("select pg_catalog.pg_cancel_backend(%s)", (pid,))
    except psycopg.errors.InsufficientPrivilege:
        if cut is not None:
            cut()


def _finding(revision: str, run: int, row: dict[str, Any]) -> Finding:
    who = f"Revision {revision}" if revision else "The application's env.py"
    return Finding(
        "waits-for-itself",
        f"{who} waited for a lock that the run itself holds.",
        (
            f"session {row['pid']}, which the application opened beside the run's, waited for "
            f"session {run}, which runs the revisions and could not continue meanwhile",
            f"it waited in: {_short(row['query'])}",
            f"the run's session is in a transaction, its last statement: {_short(row['last'])}",
        ),
        next="correct the code: revisions and env.py must use Alembic's own connection, "
        "op.get_bind(), and open no other. If the application isn't yours, report this message "
        "to its maintainer",
    )


def _short(statement: str) -> str:
    text = " ".join(masked(statement).split())
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
