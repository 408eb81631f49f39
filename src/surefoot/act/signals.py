"""A signal ends what the server does at that moment, whatever the driver waits in.

Python runs a signal's handler between two of its own instructions: a driver that waits for the
server in C (psycopg2) is not interrupted, and a statement that takes an hour would outlast every
grace period. So a thread hears of the signal, by the file descriptor that Python's own handler
writes to at once, and has the statement cancelled; then the driver returns.
"""

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Generator

_ENDING = frozenset((signal.SIGTERM, signal.SIGINT, signal.SIGHUP))


class Signalled:
    """Whether a signal came that is to end the run."""

    def __init__(self) -> None:
        self.came = False

    def __bool__(self) -> bool:
        return self.came


# What a server needs to end a statement that was cancelled. One that is silent for longer is cut
# off: whoever sent the signal ends us hard when his term is over, and nothing would be told.
_PATIENCE = 10.0  # seconds


@contextlib.contextmanager
def cancelled_by_signal(
    cancel: Callable[[], None], cut: Callable[[], None], say: Callable[[str], None]
) -> Generator[Signalled, None, None]:
    """For the block, the first signal that ends the run calls `cancel` in a thread of its own; and
    `cut` where the block goes on for ten seconds all the same.

    The handlers stay what they are; this comes before them. `say` gets a line where these raise, or
    have to. In the main thread only; in another one nothing is done.
    """
    signalled = Signalled()
    if threading.current_thread() is not threading.main_thread():
        yield signalled
        return
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    before = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    over = threading.Event()

    def listen() -> None:
        while numbers := os.read(reader, 16):
            if _ENDING.intersection(numbers) and not signalled:
                signalled.came = True
                # a thread of its own: where the server is silent, this may wait for ever as well
                threading.Thread(target=_try, args=(cancel, say), daemon=True).start()
                if not over.wait(_PATIENCE):
                    say(f"the server has not answered for {_PATIENCE:g} s: the connection is cut")
                    _try(cut, say)

    thread = threading.Thread(target=listen, name="surefoot-signals", daemon=True)
    thread.start()
    try:
        yield signalled
    finally:
        over.set()
        signal.set_wakeup_fd(before)
        os.close(writer)
        thread.join()
        os.close(reader)


def _try(end: Callable[[], None], say: Callable[[str], None]) -> None:
    try:
        end()
    except Exception as error:  # noqa: BLE001 - whatever driver it is
        say(f"the running statement could not be cancelled: {error}")
