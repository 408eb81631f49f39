"""A real history in an environment of its own, and what a run of it without a fault makes."""

import contextlib
import re
import subprocess
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any, NamedTuple

import psycopg

from surefoot.certify.proxy import between
from surefoot.postgres.embedded import Server
from tests.chaos.invariants import Undisturbed
from tests.chaos.running import Running
from tests.chaos.seen import Seen, look

CONCURRENTLY = re.compile(r"\s*create\s+(unique\s+)?index\s+concurrently\b", re.IGNORECASE)
_COUNTS = (
    "select string_agg(format('select %L, count(*) from %s', c, c), ' union all ')"
    " from (select oid::regclass c from pg_class"
    " where relkind = 'r' and relnamespace = 'public'::regnamespace) tables"
)


class Place(NamedTuple):
    """A directory that a history is run in, and the variables that it wants."""

    root: Path
    variables: dict[str, str]


# A command, the directory that it's run in, its variables.
OwnWay = Callable[[str], tuple[list[str], Path, dict[str, str]]]


class History:
    """A history in two places, one of them with its catalogue; and a run without a fault."""

    def __init__(
        self,
        name: str,
        package: str,
        program: Path,
        server: Server,
        places: tuple[Place, Place],
        own_way: OwnWay,
    ) -> None:
        """`program` is surefoot's in the history's own environment. The first of the places gets a
        catalogue. `own_way` says how the application itself migrates the database of this name.
        Raises RuntimeError if the history can't be run as it is.
        """
        self.name, self.package, self.server = name, package, server
        self._own_way = own_way
        self._program, self._places = str(program), places
        build = ("catalog", "build", "--no-downgrade", "--server", server.url())
        _require_done(self.start("postgres", *build))
        with self.database(f"{name}_first") as database:
            _require_done(self.start(database, "up", "--json"))  # compiles what it imports
        with self.database(f"{name}_undisturbed") as database, between(server.port) as proxy:
            _require_done(self.start(database, "up", "--json", port=proxy.port))
            self.statements = tuple(proxy.log)
            end = look(server, database, everything=False)
            self.counts = self.count(database)
        self.undisturbed = Undisturbed(Seen(""), end, frozenset())
        self.concurrently = [s for s in self.statements if CONCURRENTLY.match(s.text)]

    @contextlib.contextmanager
    def database(self, name: str, template: str = "template0") -> Generator[str]:
        """A new database, dropped at the end."""
        with psycopg.connect(self.server.conninfo(), autocommit=True) as connection:
            connection.execute(f"create database {name} template {template}".encode())
            try:
                yield name
            finally:
                connection.execute(f"drop database {name} with (force)".encode())

    def start(
        self, name: str, *command: str, port: int | None = None, with_catalogue: bool = True
    ) -> Running:
        root, variables = self._places[0 if with_catalogue else 1]
        own, other = f":{self.server.port}/", f":{port or self.server.port}/"
        return Running(
            command,
            root,
            self.server.url(name).replace(own, other),
            self.mark(name),
            program=self._program,
            environment=variables,
        )

    def migrate_without_surefoot(self, name: str) -> str:
        """The application's own way; what it says where it fails, else nothing."""
        command, directory, variables = self._own_way(name)
        done = subprocess.run(
            command, cwd=directory, env=variables, capture_output=True, text=True, check=False
        )
        return f"{done.stdout}{done.stderr}" if done.returncode else ""

    def mark(self, name: str) -> str:
        return f"{self.server.port}-{name}"

    def connect(self, name: str) -> psycopg.Connection[Any]:
        return psycopg.connect(self.server.conninfo(name), autocommit=True)

    def count(self, name: str) -> dict[str, int]:
        """How many rows each table has: their keys are often random."""
        with self.connect(name) as connection:
            counts: Any = connection.execute(_COUNTS.encode()).fetchone()
            return dict(connection.execute(counts[0].encode()).fetchall())


def _require_done(run: Running) -> None:
    done = run.output()
    if done.code != 0:
        raise RuntimeError(f"{done.command}: exit {done.code}: {done.err}")
