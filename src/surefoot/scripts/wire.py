"""Send SQL unchanged: several statements a message, COPY data in pieces, nothing prepared.

psycopg's own `execute` waits for each answer; here the next message is read from the script while
the server works. It waits in a selector, so that signals get through.
"""

import selectors
from collections.abc import Iterable
from typing import Any

import psycopg
from psycopg import pq
from psycopg.pq import DiagnosticField, ExecStatus, TransactionStatus

from surefoot.system import signals

_MOST_WARNINGS = 20
# The errors with which the server ends a session; psycopg's own exceptions, which know their
# SQLSTATE.
_OF_STATE = {
    e.sqlstate: e
    for e in (
        psycopg.errors.AdminShutdown,
        psycopg.errors.CrashShutdown,
        psycopg.errors.IdleInTransactionSessionTimeout,
    )
}
_COMMAND_OK = int(ExecStatus.COMMAND_OK)  # looked up once, not for every statement


class Wire:
    """One connection, driven at libpq's level.

    Every method raises psycopg.OperationalError if the connection is lost. The `with` block
    collects the server's warnings; if an exception (Ctrl-C, for example) leaves it, it cancels what
    is running and reads the rest, so that the connection can be rolled back.
    """

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self.warnings: list[str] = []
        self.warning_count = 0
        self._connection = connection
        self._pgconn = connection.pgconn
        self._selector = selectors.DefaultSelector()

    def __enter__(self) -> "Wire":
        self._connection.add_notice_handler(self._noticed)
        self._selector.register(self._pgconn.socket, selectors.EVENT_READ)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is not None and self._pgconn.transaction_status == TransactionStatus.ACTIVE:
                self._connection.cancel()
                self.finish()
        except psycopg.OperationalError:
            # the connection is lost; the first exception says more
            self._connection.close()
        finally:
            self._selector.close()
            self._connection.remove_notice_handler(self._noticed)

    def setting(self, name: str) -> str:
        """Return a setting that the server reports whenever it changes, such as client_encoding."""
        value = self._pgconn.parameter_status(name.encode())
        return value.decode() if value else ""

    def send(self, sql: bytes) -> None:
        """Send statements without waiting for their answers, which `finish` reads."""
        signals.check()
        self._pgconn.send_query(sql)
        # rows of a SELECT are discarded one by one, however many
        self._pgconn.set_single_row_mode()
        self._flush()

    def finish(self) -> tuple[int, pq.abc.PGresult | None]:
        """Read the answers: returns how many statements were done, and the error, if any."""
        done, error = 0, None
        while (result := self._result()) is not None:
            status = result.status
            if status == _COMMAND_OK:
                done += 1
            elif status == ExecStatus.TUPLES_OK:
                # a rule's SELECT returns rows of its own before its statement's end
                done += bool(result.command_status)
            elif status == ExecStatus.COPY_OUT:
                self._drop_copy_out()
            elif status == ExecStatus.COPY_IN:
                self._pgconn.put_copy_end(b"no data follows this COPY")
            elif status == ExecStatus.FATAL_ERROR and error is None:
                error = result
                self._raise_if_lost(result)
        return done, error

    def copy_in(self, sql: bytes, data: Iterable[bytes]) -> pq.abc.PGresult | None:
        """Run a COPY FROM STDIN with its data; returns the error, if any."""
        self._pgconn.send_query(sql)
        self._flush()
        result = self._result()
        if result is not None and result.status == ExecStatus.COPY_IN:
            for piece in data:
                self._pgconn.put_copy_data(piece)
                self._flush()
            self._pgconn.put_copy_end()
            self._flush()
        elif result is not None and result.status == ExecStatus.FATAL_ERROR:
            self._raise_if_lost(result)
            self.finish()
            return result
        return self.finish()[1]

    def _flush(self) -> None:
        if not self._pgconn.flush():
            return
        both = selectors.EVENT_READ | selectors.EVENT_WRITE
        self._selector.modify(self._pgconn.socket, both)
        while self._pgconn.flush():
            # the server may have to send a notice before it continues to read
            if any(events & selectors.EVENT_READ for _, events in self._selector.select()):
                self._pgconn.consume_input()
        self._selector.modify(self._pgconn.socket, selectors.EVENT_READ)

    def _result(self) -> pq.abc.PGresult | None:
        while self._pgconn.is_busy():
            self._selector.select()
            self._pgconn.consume_input()
        return self._pgconn.get_result()

    def _drop_copy_out(self) -> None:
        while True:
            size, _ = self._pgconn.get_copy_data(1)
            if size < 0:
                return
            if size == 0:
                self._selector.select()
                self._pgconn.consume_input()

    def _raise_if_lost(self, result: pq.abc.PGresult) -> None:
        severity = result.error_field(DiagnosticField.SEVERITY_NONLOCALIZED)
        if severity != b"ERROR":  # FATAL, PANIC, or libpq's own message when the server is gone
            state = (result.error_field(DiagnosticField.SQLSTATE) or b"").decode()
            lost = _OF_STATE.get(state, psycopg.OperationalError)
            raise lost(result.error_message.decode(errors="replace").strip())

    def _noticed(self, notice: psycopg.errors.Diagnostic) -> None:
        if notice.severity_nonlocalized != "WARNING":
            return
        self.warning_count += 1
        if len(self.warnings) < _MOST_WARNINGS:
            self.warnings.append(notice.message_primary or "")
