"""How often somebody is told who waits for something."""

import time


class Pace:
    """Every so many seconds, from now on; 0: never."""

    def __init__(self, every: float) -> None:
        self._every = every
        self._begun = self._last = time.monotonic()

    def due(self) -> bool:
        """Whether it is time again. Then it is the next time after as many seconds."""
        now = time.monotonic()
        if self._every <= 0 or now - self._last < self._every:
            return False
        self._last = now
        return True

    @property
    def elapsed(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self._begun
