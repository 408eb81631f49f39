"""Run surefoot in processes forked from one that has the modules loaded.

A start costs half a second of imports, a fork a few milliseconds. Secrets go over a socket: the
address is neither in a run's command line nor in its first environment.
"""

import array
import contextlib
import json
import os
import selectors
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from surefoot.fleet.targets import Listed, address
from surefoot.model.target import Target

# The variable that gives a run its address.
ADDRESS = "SUREFOOT_DATABASE_URL"
# Variables for the fleet itself; a run must not use them.
NOT_OF_A_RUN = (ADDRESS, "SUREFOOT_DATABASE_URL_FILE", "SUREFOOT_SERVE")
# bytes of a run's standard error: the reason, if the run reports none itself
KEPT_OF_ACCOUNT = 4000


class Ended(NamedTuple):
    """How a run ended: its exit code, negative for a signal, None if unknown."""

    code: int | None
    out: bytes
    account: bytes  # the end of its standard error


class Children:
    """The process that forks, and the channel to it. Any thread may run something."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        """`environ` is the environment of every run. The process starts with the first run."""
        self._environ = dict(environ)
        self._ordering = threading.Lock()
        self._stopping = False
        self._process: subprocess.Popen[bytes] | None = None
        self._orders, self._theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)

    def _start(self) -> None:
        with self._theirs as theirs:
            # -P: a module in the current directory must not shadow the library's
            command = [sys.executable, "-P", "-m", "surefoot.forks", str(theirs.fileno())]
            self._process = subprocess.Popen(
                command,
                env=self._environ,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
            )

    def run(self, arguments: Sequence[str], one: Listed, target: Target) -> Ended:
        """Run `surefoot ARGUMENTS` for an entry, whose address is `target`, to its end.

        After `stop`, nothing runs.
        """
        given = {ADDRESS: address(target)}
        order = {"arguments": [*arguments], "given": given, "path": sys.path}
        out, err, end = os.pipe(), os.pipe(), os.pipe()
        files = array.array("i", [out[1], err[1], end[1]])
        with self._ordering, contextlib.suppress(OSError):  # it has ended: the pipes show that
            if not self._stopping:
                if self._process is None:
                    self._start()
                self._orders.sendmsg(
                    [json.dumps(order).encode()], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, files)]
                )
        for descriptor in files:
            os.close(descriptor)
        return _read(out[0], err[0], end[0])

    def stop(self) -> None:
        """Ask the runs to stop. They report how they ended."""
        with self._ordering, contextlib.suppress(OSError):  # it has ended: nothing is running
            self._stopping = True
            if self._process is not None:
                self._orders.send(b"stop")

    def close(self) -> None:
        """Start no more runs; ask the current ones to stop, and wait for them."""
        self._orders.close()
        if self._process is not None:
            self._process.wait()


def _read(out: int, err: int, end: int) -> Ended:
    """Read until the run has ended: a process that it started may keep its streams open."""
    written, account, code = bytearray(), bytearray(), b""
    with selectors.DefaultSelector() as selector:
        for descriptor in (out, err, end):
            os.set_blocking(descriptor, False)
            selector.register(descriptor, selectors.EVENT_READ)
        ended = False
        while not ended:
            for key, _ in selector.select():
                ended = ended or key.fd == end
                if key.fd == end:
                    code = os.read(end, 16)
                elif not _take(key.fd, written if key.fd == out else account):
                    selector.unregister(key.fd)
                del account[:-KEPT_OF_ACCOUNT]
        while _take(out, written):
            pass
        while _take(err, account):
            del account[:-KEPT_OF_ACCOUNT]
    for descriptor in (out, err, end):
        os.close(descriptor)
    return Ended(int(code) if code else None, bytes(written), bytes(account))


def _take(descriptor: int, into: bytearray) -> bool:
    """Read what is available; returns whether there was something."""
    try:
        read = os.read(descriptor, 65536)
    except BlockingIOError:
        return False
    into += read
    return bool(read)
