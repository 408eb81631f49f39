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


@contextlib.contextmanager
def cancelled_by_signal(
    cancel: Callable[[], None], say: Callable[[str], None]
) -> Generator[Signalled, None, None]:
    """For the block, the first signal that ends the run calls `cancel` in a thread of its own.

    The handlers stay what they are; this comes before them. `say` gets a line where `cancel`
    raises. In the main thread only.
    """
    signalled = Signalled()
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    before = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)

    def listen() -> None:
        while numbers := os.read(reader, 16):
            if _ENDING.intersection(numbers) and not signalled:
                signalled.came = True
                try:
                    cancel()
                except Exception as error:  # noqa: BLE001 - whatever driver it is
                    say(f"the running statement could not be cancelled: {error}")

    thread = threading.Thread(target=listen, name="surefoot-signals", daemon=True)
    thread.start()
    try:
        yield signalled
    finally:
        signal.set_wakeup_fd(before)
        os.close(writer)
        thread.join()
        os.close(reader)
