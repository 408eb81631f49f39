"""The line at the bottom of a terminal that says what runs now, and for how long."""

import sys
import threading
import time
from typing import Any, TextIO

from surefoot.report.terminal import Terminal, columns

_PATIENCE, _INTERVAL = 0.3, 0.5  # seconds before it appears, and between two updates


class Live:
    """One line, rewritten in place. In a log there is none: begin() then shows nothing.

    While it is there, whatever else is written to standard output or error goes above it: both
    are replaced by streams that clear the line first.
    """

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._lock = threading.RLock()
        self._text: str | None = None
        self._shown = False
        self._started = 0.0
        self._thread: threading.Thread | None = None
        self._wake = threading.Event()
        self._stop = False
        self._streams: tuple[TextIO, TextIO] | None = None

    def begin(self, text: str) -> None:
        """Something begins that may take a while."""
        if not self._terminal.live:
            return
        with self._lock:
            self._text, self._started = text, time.monotonic()
        if self._thread is None:
            self._streams = (sys.stdout, sys.stderr)
            sys.stdout, sys.stderr = _Above(sys.stdout, self), _Above(sys.stderr, self)
            self._thread = threading.Thread(target=self._keep_showing, daemon=True)
            self._thread.start()

    def update(self, text: str) -> None:
        """The same thing still, further on."""
        with self._lock:
            self._text = text

    def end(self, line: str) -> None:
        """It's over: this line stays."""
        with self._lock:
            self.clear()
            self._text = None
            self._terminal.line(line)

    def clear(self) -> None:
        """Take the line away, for something else to be written."""
        with self._lock:
            if self._shown:
                self._terminal.write("\r\x1b[K")
                self._shown = False

    def close(self) -> None:
        """No more lines; the streams are as they were."""
        self._stop = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        with self._lock:
            self.clear()
            self._text = None
            if self._streams is not None:
                sys.stdout, sys.stderr = self._streams
                self._streams = None

    def _keep_showing(self) -> None:
        while not self._stop:
            with self._lock:
                elapsed = time.monotonic() - self._started
                if self._text is not None and elapsed >= _PATIENCE:
                    took = f"{elapsed:.0f} s"
                    room = self._terminal.width - len(took) - 6
                    text = self._terminal.cut(self._text, room)
                    dots = self._terminal.dots[:1]
                    gap = " " * (room - columns(text))
                    shown = self._terminal.rendered(f"  {dots} {text}{gap} {took}")
                    self._terminal.write(f"\r\x1b[K{shown}")
                    self._shown = True
            self._wake.wait(_INTERVAL if self._shown else _PATIENCE)


class _Above:
    """A stream that writes above the live line. Everything else is the stream's own."""

    def __init__(self, stream: TextIO, live: Live) -> None:
        self._stream, self._live = stream, live

    def write(self, text: str) -> int:
        self._live.clear()
        return self._stream.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
