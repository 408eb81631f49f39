"""A run of Python that was forked off a process with its modules loaded: like a Popen."""

import array
import atexit
import contextlib
import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

LONGEST_ORDER = 100_000
# What the first process has so much room for, where the runs' own are shown: see server.py.
_ROOM_OF_ARGUMENTS, _ROOM_OF_ENVIRONMENT = 4_000, 30_000
_NUMBER = struct.Struct("!i")
_A_WHILE = 0.05  # seconds, for another thread that waits for the same process

Stream = int | IO[Any] | None


class Server:
    """The process that is forked. `environ` is what its imports have seen."""

    def __init__(self) -> None:
        self.environ = dict(os.environ)
        self.orders, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        program = str(Path(__file__).with_name("server.py"))
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, program, str(theirs.fileno()), "-" * _ROOM_OF_ARGUMENTS],
                env={**self.environ, "_ROOM": "-" * _ROOM_OF_ENVIRONMENT},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
            )
        atexit.register(self._close)

    def _close(self) -> None:
        self.orders.close()
        self._process.wait()


_servers: dict[int, Server] = {}
_starting = threading.Lock()


def server() -> Server:
    """The one of this process; it's started when it's wanted first."""
    with _starting:
        if os.getpid() not in _servers:
            _servers[os.getpid()] = Server()
        return _servers[os.getpid()]


class Forked:
    """`python ARGUMENTS`, which has begun. What it has of a Popen's is as a Popen has it."""

    def __init__(
        self,
        order: bytes,
        arguments: Sequence[str],
        *,
        stdin: Stream = None,
        stdout: Stream = None,
        stderr: Stream = None,
        text: bool = False,
        orders: socket.socket | None = None,
    ) -> None:
        """`orders`: where the process that is forked takes them, if it isn't this process's own."""
        self.args = [sys.executable, *arguments]
        self.returncode: int | None = None
        self._text = text
        self._taking = threading.Lock()
        self._reading: dict[str, tuple[threading.Thread, list[Any]]] = {}
        self._channel, channel = socket.socketpair()
        with contextlib.ExitStack() as theirs:
            theirs.enter_context(channel)
            self.stdin, zero = self._stream(stdin, 0, theirs)
            self.stdout, one = self._stream(stdout, 1, theirs)
            self.stderr, two = self._stream(stderr, 2, theirs)
            files = array.array("i", [zero, one, one if two < 0 else two, channel.fileno()])
            (orders or server().orders).sendmsg(
                [order], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, files)]
            )
        self.pid = self._number()

    def _stream(
        self, given: Stream, number: int, theirs: contextlib.ExitStack
    ) -> tuple[IO[Any] | None, int]:
        """Our end, if there is one, and the descriptor of theirs; STDOUT is below 0."""
        if given == subprocess.PIPE:
            read, write = os.pipe()
            own, other = (read, write) if number else (write, read)
            theirs.callback(os.close, other)
            mode = ("r" if number else "w") + ("" if self._text else "b")
            return open(own, mode), other
        if given == subprocess.DEVNULL:
            null = os.open(os.devnull, os.O_RDWR)
            theirs.callback(os.close, null)
            return None, null
        if given is None:
            return None, number
        return None, given if isinstance(given, int) else given.fileno()

    def _number(self) -> int:
        told = self._channel.recv(_NUMBER.size)
        if not told:
            raise RuntimeError("the process that is forked has come to its end")
        return _NUMBER.unpack(told)[0]

    def poll(self) -> int | None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        deadline = None if timeout is None else time.monotonic() + timeout
        while not self._has_ended(0):
            left = _left(deadline)
            if left == 0:
                raise subprocess.TimeoutExpired(self.args, timeout or 0)
            self._has_ended(_A_WHILE if left is None else min(_A_WHILE, left), take=False)
        assert self.returncode is not None
        return self.returncode

    def _has_ended(self, seconds: float, *, take: bool = True) -> bool:
        with self._taking if take else contextlib.nullcontext():
            if self.returncode is not None:
                return True
            ready = select.poll()
            ready.register(self._channel, select.POLLIN)
            if not ready.poll(seconds * 1000):
                return False
            if take:
                self.returncode = self._number()
                self._channel.shutdown(socket.SHUT_WR)
                self._channel.recv(1)  # until it is reaped
                self._channel.close()
            return True

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def communicate(self, input: Any = None, timeout: float | None = None) -> tuple[Any, Any]:
        """What it writes until its end. It may be asked for again after a TimeoutExpired."""
        deadline = None if timeout is None else time.monotonic() + timeout
        if self.stdin is not None and not self.stdin.closed:
            with contextlib.suppress(BrokenPipeError):
                if input:
                    self.stdin.write(input)
                self.stdin.close()
        for name, stream in (("stdout", self.stdout), ("stderr", self.stderr)):
            if stream is not None and name not in self._reading:
                read: list[Any] = []
                thread = threading.Thread(target=_read, args=(stream, read), daemon=True)
                thread.start()
                self._reading[name] = thread, read
        for thread, _ in self._reading.values():
            thread.join(_left(deadline))
            if thread.is_alive():
                raise subprocess.TimeoutExpired(self.args, timeout or 0)
        self.wait(_left(deadline))
        texts = {name: read[0] for name, (_, read) in self._reading.items()}
        return texts.get("stdout"), texts.get("stderr")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for stream in (self.stdin, self.stdout, self.stderr):
            if stream is not None:
                stream.close()
        self.wait()


def order(arguments: Sequence[str], cwd: str, env: Mapping[str, str], *, session: bool) -> bytes:
    """What the server is told of a run, but for its streams."""
    told = {"arguments": list(arguments), "cwd": cwd, "env": dict(env), "new_session": session}
    return json.dumps(told).encode()


def _left(deadline: float | None) -> float | None:
    return None if deadline is None else max(0.0, deadline - time.monotonic())


def _read(stream: IO[Any], into: list[Any]) -> None:
    with stream:
        into.append(stream.read())
