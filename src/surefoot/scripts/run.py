"""Run an SQL script inside a transaction that the caller opened."""

import itertools
import time
from typing import Any, NoReturn

import msgspec
import psycopg
from psycopg import pq
from psycopg.rows import tuple_row
from psycopg.sql import Literal

from surefoot.diagnosis.cause import Cause
from surefoot.errors import ErrorCode, SurefootError
from surefoot.scripts import failure, rules
from surefoot.scripts.reader import CopyBlock, Script, Statement, read
from surefoot.scripts.wire import Wire

# Measured: from 32 KiB to 512 KiB it makes no difference to either side.
_BATCH_BYTES = 1 << 17

_RESET = b"RESET SESSION AUTHORIZATION; RESET ROLE; RESET ALL; "


class ScriptResult(msgspec.Struct, frozen=True):
    """What was run.

    `sha256` is of what was read; `warnings` holds the first of the server's warnings,
    `warning_count` counts all; `notices` say what was left out.
    """

    statements: int
    seconds: float
    sha256: str
    warnings: tuple[str, ...] = ()
    warning_count: int = 0
    notices: tuple[str, ...] = ()


class ScriptFailed(Exception):
    """The server refused a statement. The transaction is unusable, and not yet rolled back.

    The caller must verify the state of the database, and pass it to `error`.
    """

    def __init__(
        self,
        message: str,
        seen: list[str],
        remedy: str,
        code: ErrorCode = "script-failed",
        cause: Cause | None = None,
    ) -> None:
        super().__init__(message)
        self.cause = cause
        self.seen = seen
        self.remedy = remedy
        self.code: ErrorCode = code

    def error(self, database: str) -> SurefootError:
        """Return the error to report; `database` is the verified state."""
        return SurefootError(
            self.code, str(self), seen=self.seen, database=database, next=self.remedy
        )


def run_script(
    connection: psycopg.Connection[Any],
    script: Script,
) -> ScriptResult:
    """Send a script's statements, in order, inside the transaction that the caller has opened.

    Nothing is committed here. Before and after the script, the session's settings and role are
    reset to those of the new connection. Raises ScriptFailed at the first statement that the server
    refuses, SurefootError `script-…` for what `check` would have refused, psycopg.OperationalError
    if the connection is lost.
    """
    if connection.info.transaction_status != pq.TransactionStatus.INTRANS:
        raise ValueError("run_script needs an open transaction")
    return _Run(connection, script).run()


class _Run:
    def __init__(
        self,
        connection: psycopg.Connection[Any],
        script: Script,
    ) -> None:
        self._connection = connection
        self._script = script
        self._wire = Wire(connection)
        self._reading = read(script, server_version=connection.info.server_version)
        self._sent: list[Statement] = []  # the batch that the server is working on
        self._expected_strings = True  # standard_conforming_strings after that batch
        self._statements = 0
        with connection.cursor(row_factory=tuple_row) as cursor:
            row = cursor.execute("SHOW max_locks_per_transaction").fetchone()
        self._max_locks = str(row[0]) if row else ""

    def run(self) -> ScriptResult:
        started = time.monotonic()
        with self._wire:
            items = iter(self._reading)
            first = next(items, None)
            self._put_settings_back(self._own_settings())
            batch: list[Statement] = []
            size = 0
            for item in itertools.chain(() if first is None else (first,), items):
                if isinstance(item, Statement):
                    batch.append(item)
                    size += len(item.sql)
                    if size < _BATCH_BYTES and not item.barrier:
                        continue
                self._exchange(batch)
                batch, size = [], 0
                if isinstance(item, CopyBlock):
                    self._finish()
                    self._copy(item)
            self._exchange(batch)
            self._finish()
            self._put_settings_back()
        return ScriptResult(
            self._statements,
            time.monotonic() - started,
            self._reading.sha256,
            tuple(self._wire.warnings),
            self._wire.warning_count,
            tuple(self._reading.notices),
        )

    def _own_settings(self) -> bytes:
        # A script must mean the same on every server, whatever the server's settings say about
        # quotes. The encoding is the one that psql would use: the database's; with a byte order
        # mark, UTF-8.
        encoding = b"'UTF8'" if self._reading.marked_utf8 else b"pg_catalog.getdatabaseencoding()"
        settings = (
            b"SET standard_conforming_strings = on; SELECT pg_catalog.set_config("
            b"'client_encoding', " + encoding + b"::pg_catalog.text, false);"
        )
        if self._script.search_path is not None:
            path = Literal(self._script.search_path).as_bytes(self._connection)
            settings += b"SELECT pg_catalog.set_config('search_path', " + path + b", false);"
        return settings

    def _put_settings_back(self, then: bytes = b"") -> None:
        self._wire.send(_RESET + then)
        _, error = self._wire.finish()
        if error is not None:
            self._fail([Statement(1, _RESET + then)], 0, error)

    def _exchange(self, batch: list[Statement]) -> None:
        """Read the answers to the previous batch, and send this one, so that the server rarely
        waits.
        """
        if not batch:
            return
        self._finish()
        self._sent, self._expected_strings = batch, self._reading.standard_strings
        self._wire.send(_joined(batch))

    def _finish(self) -> None:
        if not self._sent:
            return
        done, error = self._wire.finish()
        self._statements += done
        if error is not None:
            self._fail(self._sent, done, error)
        self._check_settings(self._sent)
        self._sent = []

    def _copy(self, block: CopyBlock) -> None:
        error = self._wire.copy_in(block.sql, block.data)
        if error is not None:
            self._fail([Statement(block.line, block.sql)], 0, error, block.data_line)
        self._statements += 1

    def _check_settings(self, batch: list[Statement]) -> None:
        """Check that the server still reads text as it was split here."""
        expected = "on" if self._expected_strings else "off"
        encoding = self._wire.setting("client_encoding")
        if self._wire.setting("standard_conforming_strings") != expected:
            changed = "standard_conforming_strings"
        elif rules.is_unsafe(encoding):
            changed = f"client_encoding to {encoding}"
        else:
            return
        first, last = batch[0].line, batch[-1].line
        raise ScriptFailed(
            f"{self._script.label}:{first}: a statement up to line {last} changes {changed}, "
            "other than by a SET that can be read in the script.",
            [failure.statement(failure.ScriptPosition(last, batch[-1].sql))],
            "leave the setting as it is, or use a plain SET",
        )

    def _fail(
        self,
        batch: list[Statement],
        done: int,
        result: pq.abc.PGresult,
        data_line: int | None = None,
    ) -> NoReturn:
        codec = self._connection.info.encoding
        error = _server_error(result, codec)
        place = failure.locate(_told_apart(batch), _joined(batch), done, error, codec)
        if data_line is not None and (row := failure.copy_line(error.context)) is not None:
            place = failure.ScriptPosition(place.line, place.sql, data_line + row - 1)
        about = failure.Circumstances(
            self._script.search_path, self._reading.dump_search_path, self._max_locks
        )
        label = self._script.label
        raise ScriptFailed(
            failure.message(label, place, error),
            failure.seen(place, error),
            failure.remedy(label, error, about),
            failure.code(error),
            failure.cause(place, error, codec),
        )


def _joined(batch: list[Statement]) -> bytes:
    return b"\n".join([item.sql for item in batch])


def _told_apart(batch: list[Statement]) -> list[tuple[int, int, bytes]]:
    """Return each statement of a batch: its line, its place in what was sent, its text."""
    found: list[tuple[int, int, bytes]] = []
    start = 0
    for item in batch:
        found += [(line, start + at, sql) for line, at, sql in item.statements()]
        start += len(item.sql) + 1
    return found


def _server_error(result: pq.abc.PGresult, codec: str) -> failure.ServerError:
    def field(code: pq.DiagnosticField) -> str:
        return (result.error_field(code) or b"").decode(codec, errors="replace")

    position = field(pq.DiagnosticField.STATEMENT_POSITION)
    return failure.ServerError(
        sqlstate=field(pq.DiagnosticField.SQLSTATE),
        message=field(pq.DiagnosticField.MESSAGE_PRIMARY),
        detail=field(pq.DiagnosticField.MESSAGE_DETAIL),
        hint=field(pq.DiagnosticField.MESSAGE_HINT),
        context=field(pq.DiagnosticField.CONTEXT),
        schema=field(pq.DiagnosticField.SCHEMA_NAME),
        table=field(pq.DiagnosticField.TABLE_NAME),
        column=field(pq.DiagnosticField.COLUMN_NAME),
        constraint=field(pq.DiagnosticField.CONSTRAINT_NAME),
        position=int(position) if position else None,
    )
