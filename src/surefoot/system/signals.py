"""A signal asks the run to stop, and the run stops where it can.

A signal's handler may run between any two instructions. An exception raised there, in the middle
of a driver's exchange with the server, leaves a connection that can be neither used nor closed in
order. So the handler only takes a note. The note is read at points where stopping is safe
(`check`), an exception is raised only in a region that says so (`interruptible`: waiting,
connecting, the application's code), and what waits for the server meanwhile is woken by cancelling
its statement, again and again until the run has answered.
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

# Its default is to be ignored, and hardly any library uses it.
_WAKE = signal.SIGURG
_AGAIN = 0.3  # seconds between two attempts to have the run stop
_RAISED_AGAIN = 1.5  # and between two exceptions: what cleans up after the first needs a moment
# What the server needs to end a statement that was cancelled, and the application's code to give
# up. After that its connections are cut: whoever sent the signal kills us soon, often after ten
# seconds, and an account is worth more than a clean end.
PATIENCE = 5.0  # seconds


class StopRequested(KeyboardInterrupt):
    """A signal has asked the run to stop, and this is a point where it can."""


class Work(Protocol):
    """What runs on the application's connection. Both functions are called from another thread."""

    def cancel(self) -> None:
        """Have the server stop the statement that runs."""
        ...

    def cut(self) -> None:
        """End the connection itself."""
        ...


class _State:
    def __init__(self) -> None:
        self.requested = False
        self.answered = False
        self.raised = 0.0  # when the handler did something about it last
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
    """From now on, the signals that end a process are noted. In the main thread."""
    for number in SIGNALS:
        if number is not signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:  # nohup
            signal.signal(number, _noted)
    signal.signal(_WAKE, _woken)


def requested() -> bool:
    """Whether a signal came, and the run has not answered it yet."""
    return _state.requested and not _state.answered


def wait() -> None:
    """Until a signal comes. In the main thread, where nothing else is to be done any more."""
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    signal.sigwait(SIGNALS)


def check() -> None:
    """Raises StopRequested where a signal came. Call it where stopping is safe."""
    if _state.strange:
        _end_strange_process()
    if requested():
        raise StopRequested


def answered() -> None:
    """The run stops, and gives its account now: nothing interrupts that."""
    was = requested()
    _state.answered = True
    _state.interruptible = False
    if was and _state.on_answer is not None:
        _state.on_answer()


def request() -> None:
    """A signal came, to this process or to the one that supervises it. From any thread."""
    if not _state.requested:
        _state.requested = True
        # not by `threading`: this may run in a handler that has interrupted it
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
    """Whether an event loop runs here, whose tasks are cancelled then, as asyncio itself does for
    the first SIGINT: an exception in the middle of the loop's own work, or of an extension that it
    calls, may break more than the run (asyncpg on Python 3.13.0 crashes).
    """
    events: Any = sys.modules.get("asyncio.events")
    loop = events._get_running_loop() if events is not None else None
    if loop is None:
        return False
    tasks: Any = sys.modules["asyncio.tasks"]
    with contextlib.suppress(RuntimeError):  # it changes at this moment, or is closed
        for task in tasks.all_tasks(loop):
            loop.call_soon_threadsafe(task.cancel)
    return True


class _Region:
    """The main thread may, or may not, be interrupted in this block."""

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


# The handler raises nothing in these: a region that was left half would stay open.
_REGION_CODES = {_Region.__enter__.__code__, _Region.__exit__.__code__}

F = TypeVar("F", bound=FunctionType)


def never_here(function: F) -> F:
    """The handler raises nothing in this function's own lines; in what it calls it may."""
    _REGION_CODES.add(function.__code__)
    return function


def interruptible() -> _Region:
    """A block in which the exception may be raised anywhere: it waits, or it is not our code.

    Raises StopRequested at its beginning, too.
    """
    return _Region(True)


def uninterrupted() -> _Region:
    """A block of surefoot's own within the application's code."""
    return _Region(False)


def sleep(seconds: float) -> None:
    """Wait, until a signal comes. Raises StopRequested then."""
    with interruptible():
        time.sleep(seconds)


def own_connection(connection: Any) -> None:
    """A connection of surefoot's own: what runs on it is cancelled when a signal comes."""
    _state.own = [(ref, mine) for ref, mine in _state.own if ref() is not None]
    _state.own.append((weakref.ref(connection), True))


def spare(connection: Any) -> None:
    """Don't cancel what runs on this one: that would end the transaction, and the lock with it."""
    _state.own = [(ref, mine and ref() is not connection) for ref, mine in _state.own]


@contextlib.contextmanager
def working(work: Work, say: Callable[[str], None]) -> Generator[None, None, None]:
    """For the block, `work` is what is to be stopped. `say` gets a line where that is hard."""
    _state.work, _state.say = work, say
    try:
        yield
    finally:
        _state.work, _state.say = None, _say_nothing


def _pursue() -> None:
    """Have the run stop: in a thread of its own, until the run has answered."""
    started, cutting = time.monotonic(), False
    busy: list[None] = []
    while not _state.answered:
        if not busy:  # a server that is silent may keep it for ever
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
    """Hear of signals where the main thread can't: its driver waits in C, or the application has
    replaced the handlers. `control` is a descriptor on which the supervising process reports them;
    `lost` is called at its end.
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
    """In a process that the application has forked: it must not go on with surefoot's work."""
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
    """This process runs the application's code for another one, which `on_answer` tells of
    `answered`.
    """
    _state.on_answer = on_answer
    _state.supervisor = os.getppid()


def process_id() -> int:
    """The process to which signals go: the supervising one, where there is one."""
    return _state.supervisor or os.getpid()
