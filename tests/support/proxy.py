"""Cut a connection at a statement with a text, by certify's proxy."""

import threading
from collections.abc import Generator
from contextlib import contextmanager

from surefoot.certify.proxy import Proxy, Stop, StopAtText, between


class Cutting:
    """`port` leads through the proxy; `cuts` says how many connections were cut, 0 or 1."""

    def __init__(self, proxy: Proxy, *, stay_down: bool) -> None:
        self.port, self.cuts = proxy.port, 0
        self._proxy, self._stay_down, self._over = proxy, stay_down, threading.Event()
        self._thread = threading.Thread(target=self._cut)
        self._thread.start()

    def _cut(self) -> None:
        while not self._proxy.reached.wait(0.01):
            if self._over.is_set():
                return
        self.cuts += 1
        self._proxy.cut(down=self._stay_down, stopped=True)

    def end(self) -> None:
        """Wait no longer."""
        self._over.set()
        self._thread.join()


@contextmanager
def proxy(
    port: int, arm: str, text: str, *, after: bool = False, stay_down: bool = False
) -> Generator[Cutting]:
    """Cut the connection at the first statement with `text`, once one with `arm` has passed.

    That is before the statement reaches the server at `port` on loopback, or (`after`) once the
    server has answered, before the client sees the answer. From then on, new connections pass,
    unless `stay_down`.
    """
    stop = StopAtText(text, "after" if after else "before", since=arm)
    with cut_at(port, stop, stay_down=stay_down) as cutting:
        yield cutting


@contextmanager
def cut_at(port: int, stop: Stop | StopAtText, *, stay_down: bool = False) -> Generator[Cutting]:
    """Cut the connection at this statement, once. New connections pass, unless `stay_down`."""
    with between(port, stop) as made:
        cutting = Cutting(made, stay_down=stay_down)
        try:
            yield cutting
        finally:
            cutting.end()
