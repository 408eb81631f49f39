"""Reach the server: wait for one that isn't up yet, tell at once what waiting won't mend."""

import contextlib
import os
import random
import re
import socket
import time
from collections.abc import Callable, Generator
from typing import Any

import psycopg

from surefoot.errors import NOT_REACHED, SurefootError
from surefoot.target import Target

_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 3.0  # seconds

# libpq tells no SQLSTATE of a connection that failed, only the text. What isn't recognised here
# (a server that speaks another language) is waited for, and told at the deadline.
_AUTHENTICATION = re.compile(
    r"password authentication failed|no password supplied|no pg_hba\.conf entry"
    r"|authentication failed for user|role \".*\" does not exist|is not permitted to log in"
    r"|permission denied for database"
)
_NO_DATABASE = re.compile(r"FATAL:.*database \".*\" does not exist")
_BAD_ADDRESS = re.compile(r"invalid (?:port number|sslmode|connection option|integer value)")


def connect(
    target: Target, *, wait: float, say: Callable[[str], None], role: str = "surefoot"
) -> psycopg.Connection[Any]:
    """A connection in autocommit, waiting up to `wait` seconds for a server that isn't up.

    `say` gets one line when waiting begins. `role` goes into application_name, so that others see
    who is at work. Raises SurefootError `server-unreachable`, `authentication-failed`,
    `database-not-found` or `database-url-invalid`.
    """
    deadline = time.monotonic() + wait
    pause, waiting = _FIRST_PAUSE, False
    while True:
        left = max(1.0, deadline - time.monotonic())
        try:
            return _connect_once(target, timeout=min(left, 10.0), role=role)
        except psycopg.OperationalError as error:
            text = str(error).strip()
        _tell_what_waiting_cannot_mend(target, text)
        if time.monotonic() + pause >= deadline:
            raise SurefootError(
                "server-unreachable",
                f"No database server answered within {wait:g} s.",
                seen=[f"{target.label} (from {target.source})", *_lines(text)],
                database=NOT_REACHED,
                next="start the server, or correct the address; `wait` in surefoot.toml sets how "
                "long to wait",
            )
        if not waiting:
            say(f"waiting up to {wait:g} s for {target.label}: {_reason(text)}")
            waiting = True
        # jitter: the replicas of a service shall not come back all at the same instant
        time.sleep(pause * random.uniform(0.7, 1.3))
        pause = min(pause * 1.6, _LONGEST_PAUSE)


@contextlib.contextmanager
def kept_connection() -> Generator[None, None, None]:
    """For looking: a connection that is lost meanwhile is told as such, nothing being changed.

    Raises SurefootError `server-unreachable`.
    """
    try:
        yield
    except psycopg.OperationalError as error:
        raise SurefootError(
            "server-unreachable",
            "The connection to the server was lost during a look at the database.",
            seen=_lines(str(error)),
            next="see the server's log for what happened at this time, then start again",
        ) from error


def _connect_once(target: Target, *, timeout: float, role: str) -> psycopg.Connection[Any]:
    parameters: dict[str, Any] = {
        "connect_timeout": str(max(2, round(timeout))),
        **target.parameters,
        "application_name": f"{role} ({socket.gethostname()}:{os.getpid()})"[:63],
    }
    # No prepared statements: a pooler may give the next transaction another server connection.
    return psycopg.connect(**parameters, autocommit=True, prepare_threshold=None)


def _tell_what_waiting_cannot_mend(target: Target, text: str) -> None:
    seen = [f"{target.label} (from {target.source})", *_lines(text)]
    if _NO_DATABASE.search(text):
        raise SurefootError(
            "database-not-found",
            f"The server has no database {target.parameters.get('dbname', '')!r}.",
            seen=seen,
            database=NOT_REACHED,
            next="create it (createdb), or correct the name in the address",
        )
    if _AUTHENTICATION.search(text):
        raise SurefootError(
            "authentication-failed",
            "The server did not let this user in.",
            seen=seen,
            database=NOT_REACHED,
            next="correct the user or the password; a volume that was initialised earlier keeps "
            "the password that it was initialised with",
        )
    if _BAD_ADDRESS.search(text):
        raise SurefootError(
            "database-url-invalid",
            f"The database address from {target.source} can't be used.",
            seen=_lines(text),
            database=NOT_REACHED,
            next="correct the address",
        )


def _reason(text: str) -> str:
    """The last words of libpq's first line: "Connection refused"."""
    return _lines(text)[0].rpartition(": ")[2]


def _lines(text: str) -> list[str]:
    """libpq's message, a line each, without what it repeats."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return list(dict.fromkeys(lines))[:4] or ["no message"]
