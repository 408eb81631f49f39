"""A proxy in front of PostgreSQL that cuts a connection when the test wants it."""

import asyncio
import threading
from collections.abc import Generator
from contextlib import contextmanager


class Proxy:
    """Passes bytes on, until a client message contains `cut_at`, once one contained `arm`.

    Then both sides are cut: before that message reaches the server, or (`after`) once the server
    has answered it, before the client sees the answer. From then on, new connections pass, unless
    `stay_down`.
    """

    def __init__(
        self, port: int, arm: bytes, cut_at: bytes, *, after: bool, stay_down: bool
    ) -> None:
        self._server_port, self._arm, self._cut_at = port, arm, cut_at
        self._armed = False
        self._after, self._stay_down = after, stay_down
        self.cuts = 0
        self.port = 0

    async def serve(self, ready: threading.Event, stop: asyncio.Event) -> None:
        server = await asyncio.start_server(self._handle, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        ready.set()
        await stop.wait()
        # not waited for: since Python 3.12.1 that takes until every connection has ended
        server.close()

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.cuts and self._stay_down:
            writer.transport.abort()
            return
        upstream = await asyncio.open_connection("127.0.0.1", self._server_port)
        cut = asyncio.Event()
        both = [
            asyncio.create_task(self._up(reader, upstream[1], cut)),
            asyncio.create_task(self._down(upstream[0], writer, cut)),
        ]
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        for task in both:
            task.cancel()
        writer.transport.abort()
        upstream[1].transport.abort()

    async def _up(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, cut: asyncio.Event
    ) -> None:
        while data := await reader.read(65536):
            self._armed = self._armed or self._arm in data
            if self._armed and self._cut_at in data and not self.cuts:
                self.cuts += 1
                if not self._after:
                    return
                cut.set()
            writer.write(data)
            await writer.drain()

    async def _down(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, cut: asyncio.Event
    ) -> None:
        while data := await reader.read(65536):
            if cut.is_set():
                return  # the server has answered; the client doesn't get it
            writer.write(data)
            await writer.drain()


@contextmanager
def proxy(
    port: int, arm: bytes, cut_at: bytes, *, after: bool = False, stay_down: bool = False
) -> Generator[Proxy]:
    """Run a proxy to the server at `port` on loopback."""
    made = Proxy(port, arm, cut_at, after=after, stay_down=stay_down)
    ready = threading.Event()
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()
    thread = threading.Thread(target=lambda: loop.run_until_complete(made.serve(ready, stop)))
    thread.start()
    ready.wait(10)
    try:
        yield made
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        if not thread.is_alive():
            loop.close()
