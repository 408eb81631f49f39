"""The part of libpq that the quick look needs, through ctypes, because importing psycopg is slow.

It is the libpq that psycopg would use. Nothing blocks for longer than its deadline, and anything
unusual raises Unsettled: the thorough look meets it again and reports it.
"""

import contextlib
import functools
import os
import select
import signal
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from ctypes import CDLL, CFUNCTYPE, c_char_p, c_int, c_void_p

Row = dict[str, str | None]

_CONNECTED, _FAILED, _READING, _WRITING = 3, 0, 1, 2  # values of PostgresPollingStatusType
_COMMAND, _TUPLES = 1, 2  # values of ExecStatusType that aren't failures
_IN_TRANSACTION = (2, 3)  # values of PGTransactionStatusType: idle in one, or in a failed one
_GLANCE = 0.2  # seconds between two checks for a pending signal
_TO_CONNECT = 3.0  # seconds; the thorough look waits longer, and says so


class Unsettled(Exception):
    """The quick look can't decide: the thorough look must."""


class Unseen(Unsettled):
    """Nothing is wrong; nobody has seen this state, and an upgrade may be due."""


class NoAnswer(Unsettled):
    """The server didn't answer a connection in time."""


def _library() -> str:
    """Load the libpq that psycopg would use, without importing psycopg."""
    wanted = os.environ.get("PSYCOPG_IMPL", "")
    if wanted not in ("", "c", "binary", "python"):
        raise Unsettled("psycopg would not load")
    places = {name: _installed(name) for name in ("psycopg_c", "psycopg_binary")}
    if wanted in ("", "binary") and not (wanted == "" and places["psycopg_c"]):
        if place := places["psycopg_binary"]:
            bundle = os.path.join(place, "psycopg_binary.libs")
            found = [name for name in os.listdir(bundle) if name.startswith("libpq-")]
            if len(found) == 1:
                return os.path.join(bundle, found[0])
        if place or wanted:
            raise Unsettled("psycopg_binary has no libpq of its own")
    return "libpq.so.5"  # not find_library(), which starts processes


def _installed(package: str) -> str | None:
    """Return the entry of sys.path that has the package."""
    return next((p for p in sys.path if os.path.isdir(os.path.join(p, package))), None)


_NoticeProcessor = CFUNCTYPE(None, c_void_p, c_char_p)


@_NoticeProcessor
def _unheard(_: object, message: object) -> None:
    """Ignore notices, which libpq would print on standard error."""


# The types of each function. An undeclared pointer would be cut to 32 bits.
_FUNCTIONS: dict[str, tuple[object, list[object]]] = {
    "PQconnectStartParams": (c_void_p, [c_void_p, c_void_p, c_int]),
    "PQconnectPoll": (c_int, [c_void_p]),
    "PQsetNoticeProcessor": (c_void_p, [c_void_p, _NoticeProcessor, c_void_p]),
    "PQstatus": (c_int, [c_void_p]),
    "PQsocket": (c_int, [c_void_p]),
    "PQtransactionStatus": (c_int, [c_void_p]),
    "PQdb": (c_char_p, [c_void_p]),
    "PQbackendPID": (c_int, [c_void_p]),
    "PQpass": (c_char_p, [c_void_p]),
    "PQsendQuery": (c_int, [c_void_p, c_char_p]),
    "PQsendQueryParams": (
        c_int,
        [c_void_p, c_char_p, c_int, c_void_p, c_void_p, c_void_p, c_void_p, c_int],
    ),
    "PQconsumeInput": (c_int, [c_void_p]),
    "PQisBusy": (c_int, [c_void_p]),
    "PQgetResult": (c_void_p, [c_void_p]),
    "PQresultStatus": (c_int, [c_void_p]),
    "PQntuples": (c_int, [c_void_p]),
    "PQnfields": (c_int, [c_void_p]),
    "PQfname": (c_char_p, [c_void_p, c_int]),
    "PQgetisnull": (c_int, [c_void_p, c_int, c_int]),
    "PQgetvalue": (c_char_p, [c_void_p, c_int, c_int]),
    "PQclear": (None, [c_void_p]),
    "PQfinish": (None, [c_void_p]),
}


@functools.cache
def _libpq() -> CDLL:
    library = CDLL(_library())
    for name, (gives, takes) in _FUNCTIONS.items():
        function = getattr(library, name)
        function.restype, function.argtypes = gives, takes
    return library


def _strings(values: Sequence[str | None]) -> object:
    """Return a C array of strings, ended by NULL."""
    encoded = [None if value is None else value.encode() for value in values]
    return (c_char_p * (len(encoded) + 1))(*encoded, None)


class Connection:
    """A connection for a few statements; every value is a string."""

    def __init__(self, parameters: Mapping[str, str], *, patience: float) -> None:
        """`patience`: seconds for all statements together. Raises Unsettled, OSError."""
        self._deadline = time.monotonic() + _TO_CONNECT
        self._libpq = _libpq()
        names, values = _strings([*parameters]), _strings([*parameters.values()])
        self._conn = self._libpq.PQconnectStartParams(names, values, 0)
        try:
            self._connect()
        except BaseException:
            self.close()
            raise
        self._patience = patience
        self.extend()

    def extend(self) -> None:
        """Begin again the time within which the server must answer."""
        self._deadline = time.monotonic() + self._patience

    @property
    def pid(self) -> int:
        """The server's process, as it said when it let us in; a pooler says something else."""
        return self._libpq.PQbackendPID(self._conn)

    def _connect(self) -> None:
        if not self._conn or self._libpq.PQstatus(self._conn) == 1:  # CONNECTION_BAD
            raise Unsettled("libpq can't use the address")
        self._libpq.PQsetNoticeProcessor(self._conn, _unheard, None)
        step = _WRITING
        while step != _CONNECTED:
            if step == _FAILED:
                raise Unsettled("nobody was let in")
            try:
                self._wait(select.POLLOUT if step == _WRITING else select.POLLIN)
            except Unsettled as error:
                raise NoAnswer(str(error)) from error
            step = self._libpq.PQconnectPoll(self._conn)

    def _wait(self, event: int) -> None:
        """Wait until the socket is ready. A pending signal is left to the thorough look."""
        poll = select.poll()
        poll.register(self._libpq.PQsocket(self._conn), event)
        while not poll.poll(_GLANCE * 1000):
            if time.monotonic() > self._deadline or signal.sigpending():
                raise Unsettled("it takes too long")

    @property
    def database(self) -> str:
        """Return the database's name, as libpq resolved it."""
        return self._libpq.PQdb(self._conn).decode()

    @property
    def password(self) -> str:
        """Return the password that was used, from wherever libpq took it."""
        return (self._libpq.PQpass(self._conn) or b"").decode()

    def run(self, statements: str) -> list[Row]:
        """Run several statements without parameters in one message; returns the rows of all."""
        if not self._libpq.PQsendQuery(self._conn, statements.encode()):
            raise Unsettled("the connection was lost")
        return self._rows()

    def ask(self, statement: str, values: Mapping[str, str | None]) -> list[Row]:
        """Run one statement with parameters, %(name)s, which are sent separately from the text."""
        text, names = _numbered(statement)
        given = _strings([values[name] for name in names])
        sent = self._libpq.PQsendQueryParams(
            self._conn, text.encode(), len(names), None, given, None, None, 0
        )
        if not sent:
            raise Unsettled("the connection was lost")
        return self._rows()

    def _rows(self) -> list[Row]:
        found: list[Row] = []
        while result := self._result():
            try:
                if self._libpq.PQresultStatus(result) not in (_COMMAND, _TUPLES):
                    raise Unsettled("a statement failed")
                found += self._table(result)
            finally:
                self._libpq.PQclear(result)
        return found

    def _result(self) -> int | None:
        while self._libpq.PQisBusy(self._conn):
            self._wait(select.POLLIN)
            if not self._libpq.PQconsumeInput(self._conn):
                raise Unsettled("the connection was lost")
        return self._libpq.PQgetResult(self._conn)

    def _table(self, result: int) -> Iterable[Row]:
        libpq = self._libpq
        columns = [
            libpq.PQfname(result, column).decode() for column in range(libpq.PQnfields(result))
        ]
        for row in range(libpq.PQntuples(result)):
            yield {
                name: None
                if libpq.PQgetisnull(result, row, column)
                else libpq.PQgetvalue(result, row, column).decode()
                for column, name in enumerate(columns)
            }

    def rollback(self) -> None:
        """End the transaction, if there is one. Raises Unsettled."""
        if self._libpq.PQtransactionStatus(self._conn) in _IN_TRANSACTION:
            self.run("rollback")

    def close(self) -> None:
        """End the transaction, if any, and the connection.

        A pooler discards the session of a client that leaves within a transaction.
        """
        if not self._conn:
            return
        with contextlib.suppress(Unsettled):
            self.rollback()
        self._libpq.PQfinish(self._conn)
        self._conn = None


def _numbered(statement: str) -> tuple[str, list[str]]:
    """Return the statement with $1, $2 … for its named parameters, and their names in order."""
    first, *rest = statement.split("%(")
    names: list[str] = []
    text = first
    for piece in rest:
        name, _, behind = piece.partition(")s")
        if name not in names:
            names.append(name)
        text += f"${names.index(name) + 1}{behind}"
    return text, names
