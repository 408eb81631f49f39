"""A proxy in front of PostgreSQL that counts the statements, and stops at one of them.

It reads the protocol: what a client sends up to a message that needs an answer (Query, Sync, the
end of a COPY) is one statement, and is passed on whole. Statements are counted over all connections
of a run, from 1: a run without a fault gives their number, and further runs are stopped at each.
"""

import asyncio
import contextlib
import struct
import threading
import time
from collections.abc import Generator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Literal

import msgspec

# Before it is passed on; when it is passed on, with the server at work; when it is answered, before
# the client gets the answer.
Side = Literal["before", "while", "after"]

_SSL, _GSS, _CANCEL = 80877103, 80877104, 80877102
_PAUSE = 0.01  # seconds
_LOST = (asyncio.IncompleteReadError, ConnectionError)


class Statement(msgspec.Struct, frozen=True):
    """A client's message; `own`: on a connection of surefoot's own, not the application's.

    `at`: seconds after the first connection. `link`: the number of the connection, from 1.
    """

    number: int
    own: bool
    text: str
    at: float
    link: int = 0


def moment(statements: Sequence[Statement], part: float) -> tuple[int, float]:
    """Return when this part of the run is over: after which statement, and how many seconds.

    Pauses count for little: the run is then loading the application's modules.
    """
    ends = (*(one.at for one in statements[1:]), statements[-1].at)
    gaps = [min(end - one.at, _PAUSE) for one, end in zip(statements, ends, strict=True)]
    left = part * sum(gaps)
    for statement, gap in zip(statements, gaps, strict=True):
        if left <= gap:
            return statement.number, left
        left -= gap
    return statements[-1].number, 0.0


class Stop(msgspec.Struct, frozen=True):
    """The statement to stop at, and at which side of it."""

    number: int
    side: Side

    def is_here(self, log: Sequence[Statement]) -> bool:
        """Whether the last statement of the log is the one to stop at."""
        return log[-1].number == self.number


class StopAtText(msgspec.Struct, frozen=True):
    """Stop at the first statement with this text, once one with the text `since` has passed."""

    text: str
    side: Side
    since: str = ""

    def is_here(self, log: Sequence[Statement]) -> bool:
        """Whether the last statement of the log is the one to stop at."""
        return self.text in log[-1].text and any(self.since in one.text for one in log)


class _Link:
    """A client's connection, and the connection to the server that was made for it."""

    def __init__(
        self, number: int, client: asyncio.StreamWriter, server: asyncio.StreamWriter
    ) -> None:
        self.number, self.client, self.server = number, client, server
        self.own = False
        self.hold_answer = False
        self.prepared: dict[bytes, str] = {}

    def abort(self) -> None:
        self.client.transport.abort()
        self.server.transport.abort()


class Proxy:
    """Between one run and the server.

    `log` is what has passed. At the stop `reached` is set; from then on nothing passes on that
    connection until `go_on` (except for the side `while`, where everything does).
    """

    def __init__(
        self, server_port: int, stop: Stop | StopAtText | None, server_host: str = "127.0.0.1"
    ) -> None:
        self._server, self._stop = (server_host, server_port), stop
        self._stopped: _Link | None = None
        self._connections = 0
        self.log: list[Statement] = []
        self.reached = threading.Event()
        self.connected_at = 0.0
        self.port = 0
        self._links: list[_Link] = []
        self._down = False
        self._loop = asyncio.new_event_loop()
        self._go, self._end = asyncio.Event(), asyncio.Event()

    def go_on(self) -> None:
        """Pass on what was held."""
        self._loop.call_soon_threadsafe(self._go.set)

    @property
    def stop_side(self) -> Side | None:
        """Return the side of the statement to stop at; None if not at this one."""
        return self._stop and self._stop.side

    def cut(self, *, own: bool | None = None, down: bool = False, stopped: bool = False) -> int:
        """Cut connections on both sides: surefoot's own, the application's (False), or all.

        If none of these is open, all are cut; returns how many. `down`: new ones are refused from
        now on. `stopped`: only the connection whose statement was stopped at.
        """

        def cut() -> None:
            self._down = down
            chosen = [link for link in self._links if own in (None, link.own)] or [*self._links]
            if stopped:
                chosen = [link for link in chosen if link is self._stopped]
            for link in chosen:
                link.abort()
            self._go.set()
            found.set_result(len(chosen))

        found: Future[int] = Future()
        self._loop.call_soon_threadsafe(cut)
        return found.result(timeout=10)

    def serve(self, ready: threading.Event) -> None:
        """Serve until `end`, in a separate thread."""
        self._loop.run_until_complete(self._serve(ready))
        self._loop.close()

    def end(self) -> None:
        """Cut what is open, and stop serving."""
        self._loop.call_soon_threadsafe(self._end.set)

    async def _serve(self, ready: threading.Event) -> None:
        handlers: set[asyncio.Task[None]] = set()

        def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            handler = asyncio.ensure_future(self._handle(reader, writer))
            handlers.add(handler)
            handler.add_done_callback(handlers.discard)

        server = await asyncio.start_server(accept, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        ready.set()
        await self._end.wait()
        server.close()
        # Before waiting for the server: since Python 3.12.1 that waits for every connection, and
        # one whose statement is held here would never end.
        for link in self._links:
            link.abort()
        for handler in list(handlers):
            handler.cancel()
        await asyncio.gather(*handlers, return_exceptions=True)
        await server.wait_closed()

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connected_at = self.connected_at or time.monotonic()
        if self._down:
            writer.transport.abort()
            return
        try:
            from_server, to_server = await asyncio.open_connection(*self._server)
        except OSError:  # it is restarting
            writer.transport.abort()
            return
        self._connections += 1
        link = _Link(self._connections, writer, to_server)
        self._links.append(link)
        both = [
            asyncio.ensure_future(self._up(link, reader)),
            asyncio.ensure_future(self._answers(link, from_server)),
        ]
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._links.remove(link)
            for task in both:
                task.cancel()
            # closed, not aborted: what was passed on before still arrives
            writer.close()
            to_server.close()

    async def _up(self, link: _Link, reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(*_LOST):
            await self._startup(link, reader)
            statement, text = b"", ""
            while True:
                kind, message = await _message(reader)
                statement += message
                if kind == b"Q":
                    text = _string(message, 5)
                elif kind == b"P":
                    name = _bytes(message, 5)
                    text = _string(message, 5 + len(name) + 1)
                    link.prepared[name] = text
                elif kind == b"B":
                    portal = _bytes(message, 5)
                    text = link.prepared.get(_bytes(message, 5 + len(portal) + 1), text)
                elif kind == b"c":
                    text = "(the end of a COPY)"
                if kind in b"PBDEC":
                    continue  # its Sync is still to come
                if kind in b"QSc":
                    await self._statement(link, statement, text)
                else:
                    await _pass_on(link.server, statement)
                statement = b""

    async def _startup(self, link: _Link, reader: asyncio.StreamReader) -> None:
        while True:
            head = await reader.readexactly(8)
            length, code = struct.unpack("!ii", head)
            if code in (_SSL, _GSS):
                await _pass_on(link.client, b"N")
                continue
            body = await reader.readexactly(length - 8)
            link.own = b"\0application_name\0surefoot" in b"\0" + body
            await _pass_on(link.server, head + body)
            return

    async def _statement(self, link: _Link, message: bytes, text: str) -> None:
        number = len(self.log) + 1
        at = time.monotonic() - self.connected_at
        self.log.append(Statement(number, link.own, text, at, link.number))
        stop = self._stop
        here = stop is not None and self._stopped is None and stop.is_here(self.log) and stop.side
        if here:
            self._stopped = link
        if here == "before":
            await self._held()
        link.hold_answer = here == "after"
        await _pass_on(link.server, message)
        if here == "while":
            self.reached.set()

    async def _answers(self, link: _Link, reader: asyncio.StreamReader) -> None:
        held = b""
        with contextlib.suppress(*_LOST):
            while True:
                kind, message = await _message(reader)
                if link.hold_answer:
                    held += message
                    if kind not in (b"Z", b"G"):
                        continue
                    await self._held()
                    link.hold_answer, message, held = False, held, b""
                await _pass_on(link.client, message)
        if held:  # an end in the middle of an answer: FATAL, for example
            await self._held()
            with contextlib.suppress(*_LOST):
                await _pass_on(link.client, held)

    async def _held(self) -> None:
        self.reached.set()
        await self._go.wait()


async def _message(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """Return a message's kind, and the message."""
    head = await reader.readexactly(5)
    (length,) = struct.unpack("!i", head[1:])
    return head[:1], head + await reader.readexactly(length - 4)


async def _pass_on(writer: asyncio.StreamWriter, message: bytes) -> None:
    if writer.transport.is_closing():
        raise ConnectionResetError
    writer.write(message)
    await writer.drain()


def _bytes(message: bytes, start: int) -> bytes:
    return message[start : message.index(b"\0", start)]


def _string(message: bytes, start: int) -> str:
    return _bytes(message, start).decode(errors="replace")


@contextmanager
def between(
    server_port: int, stop: Stop | StopAtText | None = None, host: str = "127.0.0.1"
) -> Generator[Proxy]:
    """Run a proxy to the server at this host and port."""
    proxy = Proxy(server_port, stop, host)
    ready = threading.Event()
    thread = threading.Thread(target=proxy.serve, args=(ready,), daemon=True)
    thread.start()
    if not ready.wait(10):
        raise RuntimeError("the proxy did not start")
    try:
        yield proxy
    finally:
        proxy.end()
        thread.join(10)
        if thread.is_alive():
            raise RuntimeError("the proxy did not end: the sessions that it holds are its own")
