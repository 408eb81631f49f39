"""Decide when it is time for another progress report."""

import time


class Pace:
    """A report every so many seconds; 0: never."""

    def __init__(self, every: float) -> None:
        self._every = every
        self._begun = self._last = time.monotonic()

    def due(self) -> bool:
        """Whether it is time. The next report is then due after the same interval."""
        now = time.monotonic()
        if self._every <= 0 or now - self._last < self._every:
            return False
        self._last = now
        return True

    @property
    def elapsed(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self._begun
