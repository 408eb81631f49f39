"""Track open connections per server, and servers that don't answer."""

import threading
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager

from surefoot.errors import Finding


class Servers:
    """What is known about a fleet's servers, by their names in the list."""

    def __init__(self, most: int | None) -> None:
        """`most`: how many connections this fleet may have at a server; None: any number."""
        self._most = most
        self._open: Counter[str] = Counter()
        self._changed = threading.Condition()
        self.slow: set[str] = set()  # a look got no answer in time
        self.silent: dict[str, Finding] = {}  # waited for as long as the configuration says

    @contextmanager
    def room(self, server: str, connections: int) -> Generator[None, None, None]:
        """Wait until so many more connections may be opened, and reserve them for the block."""
        with self._changed:
            if self._most is not None:
                limit = self._most - connections
                self._changed.wait_for(lambda: self._open[server] <= limit)
            self._open[server] += connections
        try:
            yield
        finally:
            with self._changed:
                self._open[server] -= connections
                self._changed.notify_all()
