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
_BAD_ADDRESS = re.compile(
    r"invalid (?:port number|sslmode|connection option|integer value|\w+ value)"
    r"|definition of service|could not match \d+ (?:host|port)"
)


def connect(target: Target, *, wait: float, say: Callable[[str], None]) -> psycopg.Connection[Any]:
    """A connection in autocommit, waiting up to `wait` seconds for a server that isn't up.

    `say` gets one line when waiting begins. Raises SurefootError `server-unreachable`,
    `authentication-failed`, `database-not-found` or `database-url-invalid`.
    """
    deadline = time.monotonic() + wait
    pause, waiting = _FIRST_PAUSE, False
    while True:
        left = max(1.0, deadline - time.monotonic())
        try:
            return _connect_once(target, timeout=min(left, 10.0))
        except psycopg.OperationalError as error:
            text = str(error).strip()
        except psycopg.ProgrammingError as error:  # libpq can't make sense of a parameter
            raise _unusable(target, str(error)) from error
        except ValueError as error:  # a zero byte, a name that no host can have
            raise _unusable(target, str(error)) from error
        _tell_what_waiting_cannot_mend(target, text)
        if time.monotonic() >= deadline:
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
        left = max(0.0, deadline - time.monotonic())
        time.sleep(min(pause * random.uniform(0.7, 1.3), left))
        pause = min(pause * 1.6, _LONGEST_PAUSE)


@contextlib.contextmanager
def kept_connection() -> Generator[None, None, None]:
    """For looking: a connection that is lost meanwhile is told as such, nothing being changed.

    Raises SurefootError `server-unreachable`, or `look-failed` for whatever else goes wrong.
    """
    try:
        yield
    except psycopg.Error as error:
        if error.sqlstate is not None and not error.sqlstate.startswith(("08", "57P")):
            raise SurefootError(
                "look-failed",
                "A look at the database failed.",
                seen=[*_lines(str(error)), f"SQLSTATE {error.sqlstate}"],
                next="see what the server objects to; a table that isn't what surefoot takes it "
                "for (surefoot.journal, the version table) may be somebody else's",
            ) from error
        raise _lost(error) from error


def _lost(error: psycopg.Error) -> SurefootError:
    return SurefootError(
        "server-unreachable",
        "The connection to the server was lost during a look at the database.",
        seen=_lines(str(error)),
        next="see the server's log for what happened at this time, then start again",
    )


def _connect_once(target: Target, *, timeout: float) -> psycopg.Connection[Any]:
    parameters: dict[str, Any] = {
        "connect_timeout": str(max(2, round(timeout))),
        **target.parameters,
        "client_encoding": "utf8",
        "application_name": f"surefoot ({socket.gethostname()}:{os.getpid()})"[:63],
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
    if "no password supplied" in text:
        raise SurefootError(
            "authentication-failed",
            "The server wants a password, and none was given.",
            seen=seen,
            database=NOT_REACHED,
            next="put it into the address, or set POSTGRES_PASSWORD or PGPASSWORD beside the names "
            "that are set already",
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
        raise _unusable(target, text)


def _unusable(target: Target, text: str) -> SurefootError:
    return SurefootError(
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
