"""The process from which `surefoot fleet` forks its runs: `python -P -m surefoot.forks SOCKET`.

It imports what every run of `up` imports, and runs nothing: no thread, no connection, nothing of
the application. An order comes as one message with three descriptors: the run's standard output and
error, and a pipe that gets its exit code.
"""

import array
import contextlib
import gc
import importlib
import json
import os
import selectors
import signal
import socket
import sys
from typing import Any, NamedTuple

from surefoot.system.shadowing import guard_start
from surefoot.system.successor import SIGNALS

# What a run loads before the first module of the application. By name, because most of them are
# imported where they are needed.
_LOADED_BY_A_RUN = (
    *("surefoot.cli", "surefoot.cli.up", "surefoot.cli.status", "surefoot.cli.plan"),
    *("surefoot.workflows.up", "surefoot.workflows.look", "surefoot.look.survey"),
    *("surefoot.alembic_env.loading", "surefoot.alembic_env.upgrade", "surefoot.report.json"),
    *("surefoot.report.text", "surefoot.run.carry_out", "surefoot.decision.decide"),
    *("surefoot.cli.ask", "surefoot.look.match", "surefoot.look.catalogue"),
    *("surefoot.run.steps.upgrade", "surefoot.run.orphans", "surefoot.run.self_wait"),
    *("surefoot.catalogue.check", "surefoot.compatibility.promise", "surefoot.diagnosis.diagnose"),
    *("surefoot.catalogue.read", "surefoot.catalogue.write", "surefoot.look.losses"),
    *("surefoot.model.driver_words", "surefoot.revision_source.trees", "surefoot.cli.mistakes"),
    *("alembic.command", "alembic.config", "sqlalchemy.dialects.postgresql", "psycopg"),
)
_LONGEST_ORDER = 200_000  # bytes


class _Order(NamedTuple):
    """The parameters of a run, and its three descriptors."""

    message: dict[str, Any]
    files: list[int]


def main() -> None:
    """Fork until no more orders can come; in a child, run surefoot, and end as it does."""
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)  # signals are for the runs, by `stop`
    gc.disable()
    for name in _LOADED_BY_A_RUN:
        importlib.import_module(name)
    gc.freeze()
    order = _Forking(socket.socket(fileno=int(sys.argv[1]))).serve()
    _become(order)
    importlib.import_module("surefoot.cli").main(order.message["arguments"])


class _Forking:
    """The loop. `serve` returns in the children."""

    def __init__(self, orders: socket.socket) -> None:
        self._orders = orders
        self._ends: dict[int, int] = {}  # by process: where its exit code goes
        self._woken, self._waking = os.pipe()
        for descriptor in (self._woken, self._waking):
            os.set_blocking(descriptor, False)
        signal.set_wakeup_fd(self._waking, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, _do_nothing)

    def serve(self) -> _Order:
        with selectors.DefaultSelector() as selector:
            selector.register(self._orders, selectors.EVENT_READ)
            selector.register(self._woken, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select():
                    if key.fd == self._woken:
                        os.read(self._woken, 512)
                        self._reap(os.WNOHANG)
                    elif (order := self._take()) is not None:
                        return order

    def _take(self) -> _Order | None:
        room = socket.CMSG_SPACE(3 * array.array("i").itemsize)
        message, ancillary, _, _ = self._orders.recvmsg(_LONGEST_ORDER, room)
        if message in (b"", b"stop"):
            for process in self._ends:
                os.kill(process, signal.SIGTERM)
            if not message:
                self._reap(0)
                os._exit(0)
            return None
        files = array.array("i")
        for _, _, data in ancillary:
            files.frombytes(data)
        process = os.fork()
        if not process:
            self._forget()
            return _Order(json.loads(message), [*files])
        *streams, end = files
        for stream in streams:
            os.close(stream)
        self._ends[process] = end
        return None

    def _forget(self) -> None:
        """Close in a child what belongs to the parent."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self._orders.close()
        for descriptor in (self._woken, self._waking, *self._ends.values()):
            os.close(descriptor)

    def _reap(self, how: int) -> None:
        """Report the runs that have ended; without WNOHANG, wait for all of them."""
        while self._ends:
            process, status = os.waitpid(-1, how)
            if not process:
                return
            end = self._ends.pop(process)
            with contextlib.suppress(OSError):  # the reader has gone
                os.write(end, str(os.waitstatus_to_exitcode(status)).encode())
            os.close(end)


def _do_nothing(*_: object) -> None:
    """Do nothing: waking the descriptor is enough."""


def _become(order: _Order) -> None:
    """Turn a child process into this run."""
    for number, stream in enumerate(order.files[:2], 1):
        os.dup2(stream, number)
    for descriptor in order.files:
        os.close(descriptor)
    sys.stdout = open(1, "w", encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115
    os.environ.update(order.message["given"])
    sys.path[:] = order.message["path"]
    sys.argv = ["surefoot", *order.message["arguments"]]
    guard_start()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)


if __name__ == "__main__":
    main()
