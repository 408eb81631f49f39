"""A signal asks the run to stop, and the run stops where it can.

A signal's handler may run between any two instructions. An exception raised there, in the middle of
a driver's exchange with the server, leaves a connection that can neither be used nor closed
properly. So the handler only takes a note. The note is read where stopping is safe (`check`), an
exception is raised only in a region that allows it (`interruptible`: waiting, connecting, the
application's code), and a statement that keeps the run waiting is cancelled, again and again until
the run has answered.
"""

import _thread
import contextlib
import os
import signal
import sys
import threading
import time
import weakref
from collections.abc import Callable, Generator
from types import FrameType, FunctionType
from typing import Any, Protocol, TypeVar

from surefoot.system.successor import SIGNALS

# Ignored by default, and used by hardly any library.
_WAKE = signal.SIGURG
_AGAIN = 0.3  # seconds between two attempts to stop the run
_RAISED_AGAIN = 1.5  # and between two exceptions: cleaning up after the first takes a moment
# The time for the server to end a cancelled statement, and for the application's code to give up.
# After that its connections are cut: the sender of the signal will kill the process soon, often
# after ten seconds, and a report is worth more than a clean end.
PATIENCE = 5.0  # seconds


class StopRequested(KeyboardInterrupt):
    """A signal has asked the run to stop, and this is a point where it can."""


class Work(Protocol):
    """What runs on the application's connection. Both methods are called from another thread."""

    def cancel(self) -> None:
        """Make the server cancel the current statement."""
        ...

    def cut(self) -> None:
        """Close the connection itself."""
        ...


class _State:
    def __init__(self) -> None:
        self.requested = False
        self.answered = False
        self.raised = 0.0  # when the handler last acted
        self.interruptible = False  # whether the main thread is in such a region
        self.supervisor: int | None = None
        self.strange = False  # a process that the application has forked
        self.work: Work | None = None
        self.say: Callable[[str], None] = _say_nothing
        self.on_answer: Callable[[], None] | None = None
        # surefoot's own connections, and whether their statements may be cancelled
        self.own: list[tuple[weakref.ref[Any], bool]] = []


def _say_nothing(text: str) -> None:
    pass


_state = _State()
_main = threading.main_thread().ident


def install() -> None:
    """Note, from now on, the signals that end a process. Call it in the main thread."""
    for number in SIGNALS:
        if number is not signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:  # nohup
            signal.signal(number, _noted)
    signal.signal(_WAKE, _woken)


def requested() -> bool:
    """Whether a signal came that the run has not answered yet."""
    return _state.requested and not _state.answered


def wait() -> None:
    """Wait for a signal. For the main thread, when nothing else is left to do."""
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    signal.sigwait(SIGNALS)


def check() -> None:
    """Raise StopRequested if a signal came. Call it where stopping is safe."""
    if _state.strange:
        _end_strange_process()
    if requested():
        raise StopRequested


def answered() -> None:
    """Note that the run stops and reports now: nothing may interrupt that."""
    was = requested()
    _state.answered = True
    _state.interruptible = False
    if was and _state.on_answer is not None:
        _state.on_answer()


def request() -> None:
    """Note a signal to this process or to its supervisor. Callable from any thread."""
    if not _state.requested:
        _state.requested = True
        # not `threading`: this may run in a handler that has interrupted it
        _thread.start_new_thread(_pursue, ())


def _noted(number: int, frame: FrameType | None) -> None:
    request()
    _woken(number, frame)


def _woken(number: int, frame: FrameType | None) -> None:
    leaving = frame is not None and frame.f_code in _REGION_CODES
    if not _state.interruptible or not requested() or leaving:
        return
    now = time.monotonic()
    if now - _state.raised < _RAISED_AGAIN:
        return
    first, _state.raised = not _state.raised, now
    if not first or not _tasks_cancelled():
        raise StopRequested


def _tasks_cancelled() -> bool:
    """Cancel the tasks of an event loop, if one runs here, as asyncio does for the first SIGINT.

    Returns whether there was one. An exception in the middle of the loop's own work, or of an
    extension that it calls, may break more than the run (asyncpg on Python 3.13.0 crashes).
    """
    events: Any = sys.modules.get("asyncio.events")
    loop = events._get_running_loop() if events is not None else None
    if loop is None:
        return False
    tasks: Any = sys.modules["asyncio.tasks"]
    with contextlib.suppress(RuntimeError):  # it is changing or being closed
        for task in tasks.all_tasks(loop):
            loop.call_soon_threadsafe(task.cancel)
    return True


class _Region:
    """A block in which the main thread may, or may not, be interrupted."""

    __slots__ = ("_here", "_interruptible", "_was")

    def __init__(self, interruptible: bool) -> None:
        self._interruptible = interruptible
        self._here = threading.get_ident() == _main
        self._was = False

    def __enter__(self) -> None:
        if _state.strange:
            _end_strange_process()
        if self._interruptible:
            check()
        if self._here:
            self._was = _state.interruptible
            _state.interruptible = self._interruptible

    def __exit__(self, *_: object) -> None:
        if _state.strange:
            _end_strange_process()
        if self._here:
            _state.interruptible = self._was


# The handler raises nothing in these: a region that was half left would stay open.
_REGION_CODES = {_Region.__enter__.__code__, _Region.__exit__.__code__}

F = TypeVar("F", bound=FunctionType)


def never_here(function: F) -> F:
    """Keep the handler from raising in this function's own lines, not in what it calls."""
    _REGION_CODES.add(function.__code__)
    return function


def interruptible() -> _Region:
    """Return a block in which the exception may be raised anywhere: it waits, or isn't our code.

    Also raises StopRequested at its beginning.
    """
    return _Region(True)


def uninterrupted() -> _Region:
    """Return a block of surefoot's own within the application's code."""
    return _Region(False)


def sleep(seconds: float) -> None:
    """Wait, or until a signal comes. Then raises StopRequested."""
    with interruptible():
        time.sleep(seconds)


def own_connection(connection: Any) -> None:
    """Register a connection of surefoot's own: its statements are cancelled when a signal comes."""
    _state.own = [(ref, mine) for ref, mine in _state.own if ref() is not None]
    _state.own.append((weakref.ref(connection), True))


def spare(connection: Any) -> None:
    """Exempt a connection: cancelling would end the transaction, and the lock with it."""
    _state.own = [(ref, mine and ref() is not connection) for ref, mine in _state.own]


@contextlib.contextmanager
def working(work: Work, say: Callable[[str], None]) -> Generator[None, None, None]:
    """Register `work` as what a signal must stop, for the block.

    `say` gets a line if that is hard.
    """
    _state.work, _state.say = work, say
    try:
        yield
    finally:
        _state.work, _state.say = None, _say_nothing


def _pursue() -> None:
    """Keep stopping the run, in a separate thread, until the run has answered."""
    started, cutting = time.monotonic(), False
    busy: list[None] = []
    while not _state.answered:
        if not busy:  # a silent server may block it forever
            busy.append(None)
            _thread.start_new_thread(_cancel, (busy,))
        with contextlib.suppress(OSError):
            assert _main is not None
            signal.pthread_kill(_main, _WAKE)
        if not cutting and time.monotonic() - started > PATIENCE:
            cutting = True
            _cut()
        time.sleep(_AGAIN)


def _cancel(busy: list[None]) -> None:
    try:
        work = _state.work
        if work is not None:
            _try(work.cancel)
        for ref, mine in _state.own:
            connection = ref()
            if mine and connection is not None and _is_active(connection):
                _try(connection.cancel)
    finally:
        busy.clear()


def _is_active(connection: Any) -> bool:
    return not connection.closed and connection.info.transaction_status.name == "ACTIVE"


def _cut() -> None:
    work = _state.work
    if work is not None:
        _state.say(f"nothing has ended {PATIENCE:g} s after the signal: the connection is cut")
        _try(work.cut)
    import socket

    for ref, _ in _state.own:
        connection = ref()
        if connection is not None and _is_active(connection):
            with (
                contextlib.suppress(OSError),
                socket.socket(fileno=os.dup(connection.fileno())) as cutting,
            ):
                cutting.shutdown(socket.SHUT_RDWR)


def _try(end: Callable[[], None]) -> None:
    try:
        end()
    except Exception as error:  # noqa: BLE001 - whatever driver it is
        if not _state.answered:
            _state.say(f"the running statement could not be cancelled: {error}")


def listen(control: int | None = None, lost: Callable[[], None] | None = None) -> None:
    """Receive signals when the main thread can't.

    Its driver may wait in C, or the application may have replaced the handlers. `control` is a
    descriptor on which the supervisor reports them; `lost` is called at its end.
    """
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    threading.Thread(
        target=_listen, args=(reader, control, lost), name="surefoot-signals", daemon=True
    ).start()


def _listen(reader: int, control: int | None, lost: Callable[[], None] | None) -> None:
    import select

    poll = select.poll()
    poll.register(reader, select.POLLIN)
    if control is not None:
        poll.register(control, select.POLLIN)
    while True:
        for descriptor, _ in poll.poll():
            try:
                heard = os.read(descriptor, 64)
            except OSError:  # the application has closed it
                heard = b""
            if not heard:
                poll.unregister(descriptor)
                if descriptor == control and lost is not None:
                    lost()
                if descriptor == reader:
                    return
            elif descriptor == control or not {int(n) for n in SIGNALS}.isdisjoint(heard):
                request()


def forked_by_application() -> None:
    """End a process that the application has forked: it must not continue surefoot's work."""
    _state.strange = True
    _state.answered = True


def _end_strange_process() -> None:
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(
            "surefoot: a process that the application forked returned into surefoot, and was "
            "ended\n"
        )
        sys.stderr.flush()
    os._exit(1)


def supervised(on_answer: Callable[[], None]) -> None:
    """Note that this process runs the application's code for a supervisor.

    `on_answer` tells the supervisor about `answered`.
    """
    _state.on_answer = on_answer
    _state.supervisor = os.getppid()


def process_id() -> int:
    """Return the process to which signals go: the supervisor, if there is one."""
    return _state.supervisor or os.getpid()
