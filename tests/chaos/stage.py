"""A server with the databases that runs begin from, and the application's files beside it.

One for each worker: `kill -9` of a backend takes every session of its server along.
"""

import itertools
import subprocess
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec
import psycopg

from surefoot.certify.proxy import Statement, between, moment
from surefoot.postgres.embedded import Server, embedded_bin
from tests import starts
from tests.chaos.history import INIT, write_history
from tests.chaos.invariants import Undisturbed
from tests.chaos.running import Running, clean_environment
from tests.chaos.seen import OWN, Seen, look
from tests.support.cheaper import cheaper_passwords, copied
from tests.support.example import BASELINE, ROWS

# A crash of the machine isn't what is tried here, one of a backend is: what was committed must be
# in the kernel's hands, and needn't be on the disk.
_SETTINGS = {"fsync": "off", "synchronous_commit": "on", "full_page_writes": "on"}
_CONNECTIONS = {"max_connections": "300"}  # fifty replicas have some three each


class Way(msgspec.Struct, frozen=True):
    """What a run begins with, and how env.py commits."""

    name: str
    what: str
    upgrade: bool
    each: bool


WAYS = {
    way.name: way
    for way in (
        Way("fresh", "fresh install", upgrade=False, each=False),
        Way("upgrade", "upgrade from v1.0.6", upgrade=True, each=False),
        Way("each", "upgrade, env.py commits each revision", upgrade=True, each=True),
    )
}


class Known(msgspec.Struct, frozen=True):
    """A way, as runs without a fault go it."""

    undisturbed: Undisturbed
    statements: tuple[Statement, ...]

    def moment(self, part: float) -> tuple[int, float]:
        """When this part of the run is over: see `statements.moment`."""
        return moment(self.statements, part)


class Files:
    """The application's files, one directory for each way that env.py commits."""

    def __init__(self, directory: Path, server: Server, ways: Iterable[Way]) -> None:
        kinds = {way.each for way in ways}
        self._roots = {each: directory / ("each" if each else "together") for each in kinds}
        for each, root in self._roots.items():
            write_history(root, each=each)
            built = starts.run(
                *("-m", "surefoot", "catalog", "build", "--no-downgrade"),
                *("--server", server.url()),
                cwd=root,
                env=clean_environment(),
            )
            if built.returncode != 0:
                raise RuntimeError(built.stderr)

    def root(self, way: Way) -> Path:
        return self._roots[way.each]


class Stage:
    """A server, its templates, and what an undisturbed run of each way looks like."""

    def __init__(self, ways: tuple[str, ...] = tuple(WAYS), *, places: bool = True) -> None:
        """`places`: also what each revision's own structure is, which takes a while."""
        self._numbers = itertools.count()
        self.server = Server(embedded_bin(), settings=_SETTINGS | _CONNECTIONS)
        self._directory = tempfile.TemporaryDirectory(prefix="surefoot-chaos-")
        try:
            cheaper_passwords(self.server)
            self._work = Path(self._directory.name)
            self.files = Files(self._work, self.server, (WAYS[name] for name in ways))
            self.known = {name: self._go(WAYS[name], places=places) for name in ways}
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self.server.close()
        self._directory.cleanup()

    @property
    def version(self) -> str:
        """The server's version, for people."""
        with psycopg.connect(self.server.conninfo()) as connection:
            return connection.info.parameter_status("server_version") or ""

    def database(self, way: Way) -> str:
        """A new database in the state that this way begins with; its name."""
        name = f"case_{next(self._numbers)}"
        with self.connect() as connection:
            connection.execute(
                f"create database {name} {copied(connection, _template(way))}".encode()
            )
        return name

    def drop(self, name: str) -> None:
        self.execute(f"drop database if exists {name} with (force)")

    def execute(self, statement: str) -> None:
        """On the server's own database. Right after a crash, until it's up again."""
        with self.connect() as connection:
            connection.execute(statement.encode())

    def connect(self, database: str = "postgres") -> psycopg.Connection[Any]:
        deadline = time.monotonic() + 30
        while True:
            try:
                return psycopg.connect(self.server.conninfo(database), autocommit=True)
            except psycopg.OperationalError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)

    def start(
        self, way: Way, name: str, *command: str, port: int | None = None, real: bool = False
    ) -> Running:
        """Start surefoot on this database; through `port`, if given; see tests/starts."""
        url = self.server.url(name)
        if port is not None:
            url = url.replace(f":{self.server.port}/", f":{port}/")
        return Running(command, self.files.root(way), url, self.mark(name), real=real)

    def mark(self, name: str) -> str:
        """What the processes of a case have in their environment."""
        return f"{self.server.port}-{name}"

    def _go(self, way: Way, *, places: bool) -> Known:
        self._make_template(way)
        places_ = self._places(way) if places else frozenset[tuple[str, frozenset[str]]]()
        self._run(way)  # which compiles the application's files
        start, log, end = self._run(way)
        return Known(Undisturbed(start, end, places_), log)

    def _run(self, way: Way) -> tuple[Seen, tuple[Statement, ...], Seen]:
        """A run without a fault: before it, its statements, behind it."""
        name = self.database(way)
        start = look(self.server, name)
        with between(self.server.port) as proxy:
            done = self.start(way, name, "up", "--json", port=proxy.port).output()
        if done.code != 0:
            raise RuntimeError(done.err)
        end = look(self.server, name)
        self.drop(name)
        return start, tuple(proxy.log), end

    def _make_template(self, way: Way) -> None:
        template = _template(way)
        with self.connect() as connection:
            there = connection.execute(
                "select from pg_database where datname = %s", (template,)
            ).fetchone()
        if there is not None:
            return
        self.execute(f"create database {template} template template0")
        if way.upgrade:
            self._load(way, template)

    def _load(self, way: Way, name: str) -> None:
        command = [embedded_bin() / "psql", "-Xq1", "-f", self.files.root(way) / INIT]
        subprocess.run(
            [*command, "-d", self.server.conninfo(name)], check=True, capture_output=True
        )
        if way.upgrade:
            with self.connect(name) as connection:
                connection.execute(f"{ROWS}{OWN}".encode())

    def _places(self, way: Way) -> frozenset[tuple[str, frozenset[str]]]:
        """By Alembic alone, one revision after the other."""
        name = self.database(way)
        seen: list[Seen] = [look(self.server, name, everything=False)]
        if not way.upgrade:
            self._load(way, name)
        said = self._work / "alembic.log"
        stepping = starts.start(
            *("-c", _STEPPING, BASELINE),
            cwd=self.files.root(way),
            env={
                **clean_environment(),
                **{
                    f"POSTGRES_{key}": self.server.parameters()[key.lower()]
                    for key in ("HOST", "PORT", "USER", "PASSWORD")
                },
                "POSTGRES_DB": name,
            },
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=said.open("w"),
        )
        assert stepping.stdin is not None
        assert stepping.stdout is not None
        for _ in stepping.stdout:
            seen.append(look(self.server, name, everything=False))
            stepping.stdin.write("\n")
            stepping.stdin.flush()
        if stepping.wait() != 0:
            raise RuntimeError(said.read_text())
        self.drop(name)
        return frozenset((one.structure, one.versions) for one in seen)


# The revisions in an order that Alembic would run them in; a line when each is there, and it goes
# on when it gets one.
_STEPPING = """
import sys
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

config = Config("alembic.ini")
script = ScriptDirectory.from_config(config)
steps = script._upgrade_revs("heads", sys.argv[1])
command.stamp(config, sys.argv[1])
print("there", flush=True)
sys.stdin.readline()
for step in steps:
    command.upgrade(config, step.revision.revision)
    print("there", flush=True)
    sys.stdin.readline()
"""


def _template(way: Way) -> str:
    return "start_upgrade" if way.upgrade else "start_fresh"
