"""Run the application's code in a child process, which the first process supervises.

An env.py, a revision, or a library that they import can end its process: with os._exit(0), from an
atexit handler, by a thread that never ends. The exit code and the last words must be surefoot's
anyway. So before the application is loaded the process forks: the child continues, and reports over
a socket; the parent waits, passes signals on, and ends with the code that the child has reported.
If the child ends without a report, the parent reports that, after it has asked the server what
became of the child's transactions.

The parent never returns from `supervise`: all that it has is the exit code, and the command that
replaces it.
"""

import contextlib
import os
import select
import signal
import socket
import stat
import sys
import time
from typing import Any, NoReturn, Protocol

from surefoot.system import signals

# How long the application's code may take after a signal, after the report of a signal has begun,
# and after the report: atexit handlers run, and threads are waited for.
_TO_STOP, _TO_ANSWER, _TO_END = signals.PATIENCE + 3.0, 60.0, 10.0  # seconds


class Died:
    """How the child ended that reported nothing, and what it had begun."""

    def __init__(self, status: int, notes: dict[str, Any], *, signalled: bool) -> None:
        self.status = status  # negative for a signal, as in subprocess
        self.signalled = signalled  # it was ended here, because it didn't stop after a signal
        self.run: str | None = notes.get("run")
        self.version_table: list[str | None] = notes.get("version_table", [None, None])
        self.transactions: dict[str, str] = notes.get("transactions", {})


class Command(Protocol):
    """The running command, as the supervisor sees it."""

    def died(self, died: Died) -> int:
        """Report a child that reported nothing itself. Returns the exit code."""
        ...

    def end(self, code: int, *, signalled: bool) -> NoReturn:
        """End the process, or replace it with another program. `signalled`: a signal came."""
        ...

    def alone(self) -> None:
        """Prepare the child process."""
        ...


_command: Command | None = None
_channel: socket.socket | None = None  # in the child
_kept: set[int] = set()


def prepare(command: Command) -> None:
    """From now on, `supervise` forks."""
    global _command
    _command = command


def keep(descriptor: int) -> None:
    """Keep this socket in the supervisor; it is no connection of the child's."""
    _kept.add(descriptor)


def is_child() -> bool:
    """Whether this process is the one that runs the application's code."""
    return _channel is not None


def supervise() -> None:
    """Continue in a child process, once; call it before anything of the application is loaded."""
    global _command
    command, _command = _command, None
    if command is None:
        return
    if sys.platform != "linux":  # elsewhere, system libraries may not survive a fork
        signals.listen()
        return
    sys.stdout.flush()
    sys.stderr.flush()
    signals.check()
    mine, theirs = socket.socketpair()
    life, alive = os.pipe()
    watched: set[int] = {*signals.SIGNALS, signal.SIGCHLD}
    signal.pthread_sigmask(signal.SIG_BLOCK, watched)
    pid = os.fork()
    if pid:
        theirs.close()
        os.close(life)
        _watch(command, pid, mine, watched)
    mine.close()
    os.close(alive)
    _become_child(command, theirs, life)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, watched)


def _become_child(command: Command, channel: socket.socket, life: int) -> None:
    global _channel
    import fcntl

    # the kernel kills this process as soon as the other end of the pipe is closed
    fcntl.fcntl(life, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(life, fcntl.F_SETSIG, signal.SIGKILL)
    fcntl.fcntl(life, fcntl.F_SETFL, fcntl.fcntl(life, fcntl.F_GETFL) | os.O_ASYNC)
    _channel = channel
    signals.supervised(lambda: tell(answering=True))
    signals.listen(channel.fileno())
    os.register_at_fork(after_in_child=signals.forked_by_application)
    command.alone()


def tell(**note: Any) -> None:
    """Tell the supervisor something.

    `run` and `version_table` when a plan begins, `begun` for a step and its transaction, `code` for
    the exit code after the report.
    """
    if _channel is not None:
        import json

        # the application has closed it; the supervisor will see the end
        with contextlib.suppress(OSError):
            _channel.sendall(json.dumps(note).encode() + b"\n")


def _watch(command: Command, pid: int, channel: socket.socket, watched: set[int]) -> NoReturn:
    """Watch until the child has ended. Never raises."""
    _let_go(channel.fileno())
    heard, waking = os.pipe()
    os.set_blocking(waking, False)
    signal.set_wakeup_fd(waking, warn_on_full_buffer=False)
    for number in watched:
        if signal.getsignal(number) is not signal.SIG_IGN or number == signal.SIGCHLD:
            signal.signal(number, _do_nothing)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, watched)
    watching = _Watching(pid, channel, heard)
    status = watching.until_its_end()
    notes = watching.notes
    code = notes.get("code")
    if code is None:
        # the application may have removed our handlers
        by_signal = watching.signalled() and -status in signals.SIGNALS
        code = command.died(Died(status, notes, signalled=watching.killed or by_signal))
    command.end(code, signalled=watching.signalled())


def _do_nothing(*_: object) -> None:
    pass


def _let_go(channel: int) -> None:
    """Close this process's copies of the connections, which are the child's."""
    for name in os.listdir("/proc/self/fd"):
        number = int(name)
        if number <= 2 or number == channel or number in _kept:
            continue
        with contextlib.suppress(OSError):
            if stat.S_ISSOCK(os.fstat(number).st_mode) and not os.get_inheritable(number):
                # the number stays in use: the connection's objects still refer to it
                null = os.open(os.devnull, os.O_RDWR)
                os.dup2(null, number, inheritable=False)
                os.close(null)


class _Watching:
    def __init__(self, pid: int, channel: socket.socket, heard: int) -> None:
        self._pid, self._channel, self._heard = pid, channel, heard
        self.notes: dict[str, Any] = {"transactions": {}}
        self.killed = False
        self._signalled = False
        self._deadline: float | None = None
        self._rest = b""

    def until_its_end(self) -> int:
        """Wait for the child; returns its exit status, negative for a signal."""
        poll = select.poll()
        poll.register(self._channel, select.POLLIN)
        poll.register(self._heard, select.POLLIN)
        while True:
            left = None if self._deadline is None else self._deadline - time.monotonic()
            if left is not None and left <= 0:
                self.killed = "code" not in self.notes
                os.kill(self._pid, signal.SIGKILL)
                self._deadline = None
                continue
            for descriptor, _ in poll.poll(None if left is None else left * 1000 + 1):
                if descriptor == self._heard:
                    self.signalled()
                elif not self._read():
                    poll.unregister(self._channel)
            found, status = os.waitpid(self._pid, os.WNOHANG)
            if found:
                self._channel.setblocking(False)
                while self._read():
                    pass
                return os.waitstatus_to_exitcode(status)

    def signalled(self) -> bool:
        """Whether a signal has come; it is passed on, once."""
        while select.select([self._heard], [], [], 0)[0]:
            numbers = os.read(self._heard, 64)
            if self._signalled or {int(n) for n in signals.SIGNALS}.isdisjoint(numbers):
                continue
            self._signalled = True
            if "code" not in self.notes:
                self._deadline = time.monotonic() + _TO_STOP
            with contextlib.suppress(OSError):
                self._channel.sendall(b"stop\n")
        return self._signalled

    def _read(self) -> bool:
        try:
            heard = self._channel.recv(65536)
        except OSError:
            return False
        import json

        *lines, self._rest = (self._rest + heard).split(b"\n")
        for line in lines:
            self._note(json.loads(line))
        return bool(heard)

    def _note(self, note: dict[str, Any]) -> None:
        begun = note.pop("begun", None)
        if begun is not None:
            self.notes["transactions"][begun[0]] = begun[1]
        self.notes |= note
        if "code" in note:
            self._deadline = time.monotonic() + _TO_END
        elif "answering" in note:
            self._deadline = time.monotonic() + _TO_ANSWER
