"""A fleet for a test: an application, its databases, and their list."""

import asyncio
import json
import threading
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from surefoot.postgres.embedded import Server
from tests.support.database import Database, fresh_database
from tests.support.project import Application, Result

LIST = "databases.txt"


@dataclass
class Told:
    """What `surefoot fleet` returned and wrote: a line for each database, and the last line."""

    code: int
    lines: list[dict[str, Any]]
    last: dict[str, Any]
    err: str

    @property
    def results(self) -> dict[str, str]:
        """The result for each database, by its name."""
        return {line["target"]: line["result"] for line in self.lines}

    @property
    def counts(self) -> dict[str, int]:
        return {one["result"]: one["databases"] for one in self.last["counts"]}

    @property
    def codes(self) -> dict[str, list[str]]:
        """The finding codes of each database that has some."""
        return {
            line["target"]: [finding["code"] for finding in line["findings"]]
            for line in self.lines
            if line.get("findings")
        }

    def of(self, name: str) -> dict[str, Any]:
        (line,) = (line for line in self.lines if line["target"] == name)
        return line


def told(result: Result) -> Told:
    """Split the output of a run."""
    lines = [json.loads(line) for line in result.out.splitlines()]
    assert all(line["schema_version"] == 1 for line in lines)
    return Told(result.code, [x for x in lines if "target" in x], lines[-1], result.err)


class Fleet:
    """One application and its databases, called d0, d1 and so on in the list."""

    def __init__(self, application: Application, databases: Sequence[Database]) -> None:
        self.application, self.databases = application, databases
        self.write(*({"name": f"d{n}", "url": one.url()} for n, one in enumerate(databases)))

    def write(self, *entries: dict[str, Any] | str) -> None:
        """Write the list: a line for each entry."""
        lines = (one if isinstance(one, str) else json.dumps(one) for one in entries)
        self.application.write(LIST, "".join(f"{line}\n" for line in lines))

    def run(self, verb: str, *options: str, **given: Any) -> Told:
        """Run `surefoot fleet VERB` on the list."""
        if not any(option.startswith("--targets") for option in options):
            options = ("--targets", LIST, *options)
        return told(self.application.run("fleet", verb, *options, **given))

    def at_head(self) -> list[bool]:
        """Whether each database's version row is the head, r3."""
        return [self.rows(one) == ["r3"] for one in self.databases]

    @staticmethod
    def rows(database: Database) -> list[str]:
        if not database.query("select to_regclass('alembic_version')")[0][0]:
            return []
        return [id for (id,) in database.query("select version_num from alembic_version")]


@contextmanager
def fleet(application: Application, server: Server, pg_bin: Path, n: int) -> Generator[Fleet]:
    """A fleet of `n` empty databases."""
    with ExitStack() as stack:
        made = [stack.enter_context(fresh_database(server, pg_bin)) for _ in range(n)]
        yield Fleet(application, made)


class Counted:
    """A proxy to a server on loopback that counts the open connections."""

    def __init__(self, server_port: int) -> None:
        self._server_port = server_port
        self.port = self.open = self.most = self.all = 0

    async def serve(self, ready: threading.Event, stop: asyncio.Event) -> None:
        server = await asyncio.start_server(self._handle, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        ready.set()
        await stop.wait()
        server.close()

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open += 1
        self.all += 1
        self.most = max(self.most, self.open)
        upstream = await asyncio.open_connection("127.0.0.1", self._server_port)
        ways = [_pass_on(reader, upstream[1]), _pass_on(upstream[0], writer)]
        tasks = [asyncio.create_task(way) for way in ways]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        self.open -= 1
        for task in tasks:
            task.cancel()
        writer.transport.abort()
        upstream[1].transport.abort()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()


@contextmanager
def counted(port: int) -> Generator[Counted]:
    """Run a proxy to the server at `port`, which counts."""
    made = Counted(port)
    ready, stop = threading.Event(), asyncio.Event()
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=lambda: loop.run_until_complete(made.serve(ready, stop)))
    thread.start()
    assert ready.wait(10)
    try:
        yield made
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        if not thread.is_alive():
            loop.close()
