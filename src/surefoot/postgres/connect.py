"""Connect to the server: wait for one that isn't up yet; report at once what waiting can't fix.

What a failure's report needs is imported there: most starts have no failure.
"""

import contextlib
import random
import re
import socket
import time
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, TypeVar

import psycopg

from surefoot.diagnosis.connection_loss import BY_TIMEOUT, too_short
from surefoot.errors import NOT_REACHED, SurefootError
from surefoot.errors.masking import keep_secrets
from surefoot.model.target import Target
from surefoot.sql import query
from surefoot.system import signals
from surefoot.system.pace import Pace

if TYPE_CHECKING:
    from surefoot.diagnosis.refused import Refusal

T = TypeVar("T")

LookSession = Callable[[], AbstractContextManager[psycopg.Connection[Any]]]
"""Lends a session for a look, in autocommit. It may have been used by an earlier look."""

_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 3.0  # seconds
# How often a look is repeated after its connection was lost: a server that shuts down may accept
# connections until the end.
_LOOKS = 5

# Cancelled, a standby's recovery conflict, a deadlock, lock_timeout.
_MAY_PASS = frozenset(("57014", "40001", "40P01", "55P03"))

# Failures that waiting can't fix; `diagnosis.refused` recognises those that it can.
_AUTHENTICATION = re.compile(
    r"password authentication failed|no password supplied|no pg_hba\.conf entry"
    r"|authentication failed for user|role \".*\" does not exist|is not permitted to log in"
    r"|permission denied for database"
)
_WRONG_PASSWORD = re.compile(r"FATAL:\s+password authentication failed")
# The operating system's own messages: no server was reached.
_NOBODY = re.compile(r"Connection refused|timeout expired|could not translate host name")
_NO_DATABASE = re.compile(r"FATAL:.*database \".*\" does not exist|FATAL:\s+no such database:")
_BAD_ADDRESS = re.compile(
    r"invalid (?:port number|sslmode|connection option|integer value|\w+ value)"
    r"|definition of service|could not match \d+ (?:host|port)"
)
# The server's errors about `options`, in the address or in PGOPTIONS. The argument may be a piece
# of anything, even of a password.
_BAD_OPTIONS = re.compile(
    r"FATAL:\s+(?:invalid command-line argument|unrecognized configuration parameter"
    r"|invalid value for parameter|parameter \".*\" cannot be changed|-\S+ requires a value"
    r"|permission denied to set parameter)"
)
_ARGUMENT = re.compile(r"(invalid command-line argument for server process): .*")


def connect(
    target: Target, *, wait: float, say: Callable[[str], None], every: float = 0.0
) -> psycopg.Connection[Any]:
    """Return a connection in autocommit; waits up to `wait` seconds for a server that isn't up.

    `say` gets one line when waiting begins, and another each `every` seconds. Raises SurefootError
    `server-unreachable`, `server-not-ready` or `too-many-connections` at the deadline, and at once
    `authentication-failed`, `tls-failed`, `database-not-found`, `pooler-in-the-way` or
    `database-url-invalid`.
    """
    deadline = time.monotonic() + wait
    pause, waiting, pace = _FIRST_PAUSE, False, Pace(every)
    while True:
        left = max(1.0, deadline - time.monotonic())
        try:
            connection = _connect_once(target, timeout=min(left, 10.0))
            signals.own_connection(connection)
            return connection
        except psycopg.OperationalError as error:
            text, failure = str(error).strip(), error
        except psycopg.ProgrammingError as error:  # libpq rejects a parameter
            raise _unusable(target, str(error)) from error
        except ValueError as error:  # a zero byte, or a name that no host can have
            raise _unusable(target, str(error)) from error
        seen = _tell_what_waiting_cannot_mend(target, text, failure, min(left, 5.0))
        if time.monotonic() >= deadline:
            raise _waited_in_vain(target, text, wait, seen)
        if not waiting:
            say(f"waiting up to {wait:g} s for {target.label}: {_reason(text)}")
            waiting = True
        elif pace.due():
            far = f"{pace.elapsed:.0f} s of {wait:g} s"
            say(f"still waiting for {target.label}, {far}: {_reason(text)}")
        # jitter: a service's replicas must not all come back at the same instant
        left = max(0.0, deadline - time.monotonic())
        signals.sleep(min(pause * random.uniform(0.7, 1.3), left))
        pause = min(pause * 1.6, _LONGEST_PAUSE)


class ConnectionLost(SurefootError):
    """The connection was lost during a look, which changes nothing."""


@contextlib.contextmanager
def translate_db_errors() -> Generator[None, None, None]:
    """Report database errors during a look, which changes nothing.

    Raises ConnectionLost (`server-unreachable`), SurefootError `look-cancelled` if the server ended
    a look that may succeed the next time, or `look-failed` for other errors.
    """
    try:
        yield
    except UnicodeDecodeError as error:
        cut = error.object[max(0, error.start - 40) : error.end + 20]
        raise _not_text([f"bytes: {cut!r}"]) from error
    except psycopg.Error as error:
        signals.check()  # a statement that was cancelled for a signal is no failure
        state = error.sqlstate
        if state is None or (state.startswith(("08", "57P")) and state not in BY_TIMEOUT):
            raise _lost(error) from error
        cancelled = state in _MAY_PASS or state in BY_TIMEOUT
        raise (_cancelled if cancelled else _failed)(error, state) from error


def _not_text(seen: list[str]) -> SurefootError:
    return SurefootError(
        "look-failed",
        "The database holds a name or a text that isn't UTF-8.",
        seen=[*seen, "the database's encoding is SQL_ASCII, which takes any bytes"],
        next="rename what has such a name, if it is one object; or make the database anew with "
        "encoding 'UTF8', from a dump of this one that was converted with iconv",
    )


def _cancelled(error: psycopg.Error, state: str) -> SurefootError:
    setting = BY_TIMEOUT.get(state)
    return SurefootError(
        "look-cancelled",
        "The server cancelled a query while surefoot read the database.",
        seen=[*_lines(str(error)), f"SQLSTATE {state}"],
        next=too_short(setting, "a look")
        if setting
        else "start again; if it happens each time, see who cancels it. "
        + too_short("statement_timeout", "a look", perhaps=True),
    )


def _failed(error: psycopg.Error, state: str) -> SurefootError:
    if state == "22021":
        return _not_text([*_lines(str(error)), f"SQLSTATE {state}"])
    from surefoot.diagnosis.cause import Cause
    from surefoot.diagnosis.server import of_server

    found = of_server(Cause(state, error.diag.message_primary or "", hint=_hint(error)))
    return SurefootError(
        "look-failed",
        "A query failed while surefoot read the database.",
        seen=[*_lines(str(error)), f"SQLSTATE {state}", *(found.seen if found else ())],
        next=found.next
        if found
        else "read the server's message; a table that isn't what surefoot expects "
        "(surefoot.journal, the version table) may belong to somebody else",
    )


def retry_on_disconnect(look: Callable[[], T]) -> T:
    """Take a look that opens its own connection, and repeat it if the connection is lost.

    For what must be known: the outcome of a step. Raises what the last attempt raised.
    """
    for _ in range(_LOOKS - 1):
        try:
            return look()
        except ConnectionLost:
            signals.sleep(_FIRST_PAUSE)
    return look()


def _hint(error: psycopg.Error) -> str:
    return error.diag.message_hint or ""


def _lost(error: psycopg.Error) -> ConnectionLost:
    return ConnectionLost(
        "server-unreachable",
        "The connection to the server was lost while surefoot read the database.",
        seen=_lines(str(error)),
        next="read the server's log of this time, then start again",
    )


def _waited_in_vain(
    target: Target, text: str, wait: float, found: "Refusal | None"
) -> SurefootError:
    """Return the error that no connection succeeded before the deadline, by the last answer."""
    seen = _seen(target, text)
    if found is not None:
        message = f"{found.message} (waited {wait:g} s)."
        return SurefootError(found.code, message, seen=seen, database=NOT_REACHED, next=found.next)
    return SurefootError(
        "server-unreachable",
        f"No database server answered within {wait:g} s.",
        seen=seen,
        database=NOT_REACHED,
        next="start the server, or correct the address; `wait` in surefoot.toml sets how long to "
        "wait",
    )


def _connect_once(target: Target, *, timeout: float) -> psycopg.Connection[Any]:
    parameters: dict[str, Any] = {
        "connect_timeout": str(max(2, round(timeout))),
        **target.parameters,
        "client_encoding": "utf8",
        "application_name": application_name(),
    }
    # no prepared statements: a pooler may give the next transaction another server connection
    with signals.interruptible():
        connection = psycopg.connect(**parameters, autocommit=True, prepare_threshold=None)
    _keep_secrets_of(connection)
    try:
        keep_own_settings(connection)
    except psycopg.Error as error:
        connection.close()
        state = error.sqlstate or ""
        if state in BY_TIMEOUT or state in _MAY_PASS:
            raise _cancelled(error, state) from error
        if state and not state.startswith(("08", "57P")):
            raise _failed(error, state) from error
        raise
    except BaseException:
        connection.close()
        raise
    return connection


def keep_own_settings(connection: psycopg.Connection[Any]) -> None:
    """Give the session the settings of surefoot's own (unnamed.sql). Raises psycopg.Error."""
    untimed = "set local statement_timeout = 0; "
    if connection.info.server_version >= 170000:
        untimed += "set local transaction_timeout = 0; "
    with psycopg.ClientCursor(connection) as cursor:
        # in one message, so that it is true of the last statement, which reads a view
        cursor.execute(
            f"{untimed}{query('unnamed')}".encode(), {"pid": connection.info.backend_pid}
        )


def connect_aside(target: Target, *, timeout: int) -> psycopg.Connection[Any]:
    """Return a connection in autocommit for a look in another thread.

    It ignores signals and doesn't wait. It leads to the server that was reached before. Raises
    psycopg.Error, ValueError.
    """
    parameters: dict[str, Any] = {
        **target.parameters,
        **target.resolved,
        "connect_timeout": str(timeout),
        "client_encoding": "utf8",
    }
    parameters.pop("hostaddr", None)  # with several hosts, it may be another one's
    parameters.pop("application_name", None)  # it would stay on a pooled session (unnamed.sql)
    connection = psycopg.connect(**parameters, autocommit=True, prepare_threshold=None)
    try:
        keep_own_settings(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _keep_secrets_of(connection: psycopg.Connection[Any]) -> None:
    """Also mask the secrets that libpq found in a passfile, a service file or the environment."""
    options = {one.keyword.decode(): one.val for one in connection.pgconn.info}
    used = {key: value.decode(errors="replace") for key, value in options.items() if value}
    keep_secrets(used | {"password": connection.info.password})


def application_name() -> str:
    """Return the name of this run's sessions in pg_stat_activity.

    Through a pooler, only the lock's session has it, while it is held.
    """
    return f"surefoot ({socket.gethostname()}:{signals.process_id()})"[:63]


def _tell_what_waiting_cannot_mend(
    target: Target, text: str, error: psycopg.OperationalError, timeout: float
) -> "Refusal | None":
    """Return why the connection was refused, if waiting may help; None if unknown.

    Raises SurefootError if waiting can't help. English messages of a server or a pooler come first,
    because they need no further question; then the server's own answer.
    """
    from surefoot.diagnosis.refused import by_client, entry, refusal

    user, database = (target.parameters.get(key, "") for key in ("user", "dbname"))
    found = refusal(text, "", user, database)
    if found is None and not _WRONG_PASSWORD.search(text) and not _NOBODY.search(text):
        from surefoot.postgres.answer import answer

        with signals.interruptible():
            got = answer(error, timeout=timeout)
        pgconn: Any = error.pgconn
        if got is not None:
            found = entry(got, _text(pgconn.user), _text(pgconn.db))
    found = found or _by_words(text) or by_client(text)
    if found is None or found.waits:
        return found
    if found.code == "database-url-invalid":
        raise _unusable(target, _ARGUMENT.sub(r"\1, in options", text))
    seen, next = _seen(target, text), found.next
    message = f"{found.message}."
    if found.code == "database-not-found":
        message = f"The server has no database {target.parameters.get('dbname', '')!r}."
        next = "create it (createdb), or correct the name in the address"
    raise SurefootError(found.code, message, seen=seen, database=NOT_REACHED, next=next)


def _by_words(text: str) -> "Refusal | None":
    """Return the same by a server's English message, if it gave no answer of its own."""
    from surefoot.diagnosis.refused import Answer, Refusal, entry

    if _BAD_ADDRESS.search(text) or _BAD_OPTIONS.search(text):
        return Refusal("database-url-invalid", "", "", waits=False)
    state = ("3D000" if _NO_DATABASE.search(text) else "") or (
        "28P01" if _AUTHENTICATION.search(text) else ""
    )
    no_password = "no password supplied" in text
    return entry(Answer(state, no_password=no_password), "", "") if state or no_password else None


def _seen(target: Target, text: str) -> list[str]:
    return [f"{target.label} (from {target.source})", *_lines(text)]


def _text(value: bytes) -> str:
    return value.decode("utf-8", errors="replace")


def _unusable(target: Target, text: str) -> SurefootError:
    return SurefootError(
        "database-url-invalid",
        f"The database address from {target.source} can't be used.",
        seen=_lines(text),
        database=NOT_REACHED,
        next="correct the address",
    )


def _reason(text: str) -> str:
    """Return the end of libpq's first line: "Connection refused"."""
    return _lines(text)[0].rpartition(": ")[2].strip()


def _lines(text: str) -> list[str]:
    """Return libpq's message, line by line, without repetitions."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return list(dict.fromkeys(lines))[:4] or ["no message"]
