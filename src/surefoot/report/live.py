"""The live line at the bottom of a terminal, and the thread that reports progress in a log, too."""

import threading
import time
from collections.abc import Callable

from surefoot.errors import masking
from surefoot.report.terminal import Terminal, columns

_PATIENCE, _INTERVAL = 0.3, 0.5  # seconds before it appears, and between two updates


class Live:
    """One line on a terminal, rewritten in place.

    Everything else that this process writes to standard output or error goes above it: the stream
    clears the line first. `still` is called in a thread each time the same thing has lasted another
    `every` seconds, with the thing's number and its duration; 0: never. Its lines go to `above`.
    """

    def __init__(
        self,
        terminal: Terminal,
        every: float = 0.0,
        still: Callable[[int, float], None] = lambda _number, _elapsed: None,
    ) -> None:
        self._terminal, self._every, self._still = terminal, every, still
        self._lock = threading.RLock()
        self._text: str | None = None
        self._shown = False
        self._started = self._told = 0.0
        self._number = 0  # of the current thing
        self._thread: threading.Thread | None = None
        self._wake = threading.Event()
        self._stop = False

    def begin(self, text: str) -> None:
        """Begin something that may take a while."""
        if not self._terminal.live and self._every <= 0:
            return
        with self._lock:
            self._number += 1
            self._text, self._started = text, time.monotonic()
            self._told = self._started
        if self._thread is None:
            if self._terminal.live:
                masking.before_writing(self.clear)
            self._thread = threading.Thread(target=self._watch, name="surefoot-live", daemon=True)
            self._thread.start()

    def update(self, text: str) -> None:
        """Update the text of the current thing."""
        with self._lock:
            self._text = text

    def end(self, *lines: str) -> None:
        """End the current thing, and write these lines, which stay."""
        with self._lock:
            self._number += 1
            self._text = None
            self.write(lines)

    def write(self, lines: tuple[str, ...] | list[str]) -> None:
        """Write lines together; they stay."""
        with self._lock:
            self.clear()
            for line in lines:
                self._terminal.line(line)

    def above(self, number: int, lines: tuple[str, ...] | list[str]) -> None:
        """Write lines, if the thing with this number is still current."""
        self.if_still(number, lambda: self.write(lines))

    def if_still(self, number: int, tell: Callable[[], None]) -> None:
        """Call `tell`, if the thing with this number is still current."""
        with self._lock:
            if number == self._number and not self._stop:
                tell()

    def clear(self) -> None:
        """Clear the line, so that something else can be written."""
        with self._lock:
            if self._shown:
                self._shown = False  # first, because writing calls this again
                self._terminal.write("\r\x1b[K")

    def close(self) -> None:
        """Write no more lines. A `still` that has begun isn't waited for; it writes nothing."""
        with self._lock:
            self._stop = True
            self.clear()
            self._text = None
        self._wake.set()
        if self._thread is not None:
            masking.before_writing(None)
            self._thread = None

    def _watch(self) -> None:
        while not self._stop:
            pause = _PATIENCE if self._terminal.live else self._every
            due: tuple[int, float] | None = None
            with self._lock:
                now = time.monotonic()
                if self._text is not None and not self._stop:
                    if self._terminal.live and now - self._started >= _PATIENCE:
                        self._show(now - self._started)
                        pause = _INTERVAL
                    if 0 < self._every <= now - self._told:
                        self._told = now
                        due = self._number, now - self._started
                    if self._every > 0:
                        pause = min(pause, self._told + self._every - now)
            if due is not None:
                self._still(*due)
            self._wake.wait(max(0.0, pause))

    def _show(self, elapsed: float) -> None:
        assert self._text is not None
        took = f"{elapsed:.0f} s"
        room = self._terminal.width - len(took) - 6
        text = self._terminal.cut(self._text, room)
        dots = self._terminal.dots[:1]
        gap = " " * (room - columns(text))
        shown = self._terminal.rendered(f"  {dots} {text}{gap} {took}")
        self._terminal.write(f"\r\x1b[K{shown}")
        self._shown = True
