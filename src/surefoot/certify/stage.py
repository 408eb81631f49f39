"""A scratch server with the databases that runs begin from, and the application."""

import itertools
import os
import random
import secrets
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from surefoot.catalogue.catalogue import Catalogue, Origin, state
from surefoot.catalogue_build.install import install_at
from surefoot.catalogue_build.messages import Opened
from surefoot.catalogue_build.passes import Replayed, replayed
from surefoot.certify.data import Generated, generate
from surefoot.certify.invariants import Undisturbed
from surefoot.certify.plan import EMPTY, Structure, Subject, fixtures
from surefoot.certify.proxy import Statement, between
from surefoot.certify.running import (
    Output,
    Process,
    Running,
    Start,
    clean_environment,
    kill,
    start,
)
from surefoot.certify.seen import Place, Seen, look, sessions, sessions_left
from surefoot.decision.facts import VersionTableName
from surefoot.errors import SurefootError
from surefoot.look.structure import observe_structure
from surefoot.model.target import Target
from surefoot.postgres.drop_database import drop_database
from surefoot.project.config import Project
from surefoot.schema.fact import SchemaFact
from surefoot.sql import query
from surefoot.system.signals import StopRequested

_COPIES = 5  # attempts; for each, the server waits 5 s for the template's sessions to end


class Known(msgspec.Struct, frozen=True):
    """A subject, as two runs without a fault have left it.

    `first` is the output of the first of them, `second` of the other. `unstable` are the tables
    and columns that the two, or a start with nothing to do, fill differently; `starts` the latter
    alone. `head` is the database that the second left, `left` the tables for which no row of data
    could be made.
    """

    undisturbed: Undisturbed
    first: Output
    second: Output
    statements: tuple[Statement, ...] = ()
    unstable: frozenset[str] = frozenset()
    starts: frozenset[str] = frozenset()
    head: str = ""
    left: Mapping[str, str] = {}

    @property
    def reached(self) -> bool:
        """Whether both runs reached head."""
        return self.first.code == 0 and self.second.code == 0


class Stage:
    """Makes databases, starts surefoot on them, and reads them. Used from several threads."""

    def __init__(
        self,
        project: Project,
        target: Target,
        pg_dump: Path,
        catalogue: Catalogue,
        opened: Opened,
        work: Path,
        *,
        catalogue_file: Path,
        whole_server: bool,
        start: Start = start,
    ) -> None:
        """`target` is the scratch server, `opened` what a replay learned about the code.

        `catalogue_file` is the catalogue that the runs use. `work` is a directory for files.
        """
        self.project, self.catalogue, self.opened, self.work = project, catalogue, opened, work
        self._target, self._pg_dump = target, pg_dump
        self._whole_server, self._start = whole_server, start
        self._prefix = f"surefoot_certify_{secrets.token_hex(3)}"
        self._numbers = itertools.count(1)
        self._making = threading.Lock()  # two at the same time would only wait for each other
        self._making_with: psycopg.Connection[Any] | None = None
        self._structures: dict[Structure, str] = {}
        self._own_rows: dict[Structure, frozenset[str]] = {}
        self._environment = {**clean_environment(), "SUREFOOT_CATALOG": str(catalogue_file)}
        self._starting = threading.Lock()
        self._under_way: list[Process] = []
        self._stopped = False

    # --- databases

    def database(self, template: str = "template0") -> str:
        """Make a database as a copy of `template`, and return its name.

        On a server that others use, they may not connect to it. Raises psycopg.Error.
        """
        name = f"{self._prefix}_{next(self._numbers)}"
        with self._making:
            connection = self._maker()
            statement = sql.SQL("create database {} template {}").format(
                sql.Identifier(name), sql.Identifier(template)
            )
            if connection.info.server_version >= 150000:
                statement += sql.SQL(" strategy file_copy")
            for tried in range(_COPIES):
                try:
                    connection.execute(statement)
                    break
                except psycopg.errors.ObjectInUse:  # a monitor may look into every database
                    if tried == _COPIES - 1:
                        raise
            if not self._whole_server:
                closed = sql.SQL("revoke connect on database {} from public")
                connection.execute(closed.format(sql.Identifier(name)))
        return name

    def _maker(self) -> psycopg.Connection[Any]:
        """Return the connection that makes databases: a new one each time takes as long as one."""
        if self._making_with is None or self._making_with.closed:
            self._making_with = self.connect()
        return self._making_with

    def drop(self, name: str) -> None:
        """Drop the database, and end every session in it."""
        with self.connect() as connection:
            drop_database(connection, name)

    def close(self) -> None:
        """Drop every database that was made here, also those that a restore has set aside."""
        if self._making_with is not None:
            self._making_with.close()
        with self.connect() as connection:
            found = connection.execute(
                "select datname from pg_catalog.pg_database where starts_with(datname, %s)",
                (self._prefix,),
            ).fetchall()
        for (name,) in found:
            self.drop(name)

    def connect(self, name: str | None = None) -> psycopg.Connection[Any]:
        """Connect to this database, or to the server's own, in autocommit."""
        return psycopg.connect(make_conninfo(**self.target(name).parameters), autocommit=True)

    def target(self, name: str | None = None) -> Target:
        """Return the address of a database."""
        parameters = dict(self._target.parameters)
        if name is not None:
            parameters["dbname"] = name
        return self._target._replace(parameters=parameters)

    @property
    def host(self) -> tuple[str, int]:
        """Return where the server listens."""
        parameters = self._target.parameters
        return parameters.get("host", "localhost"), int(parameters.get("port", "5432"))

    @property
    def password(self) -> str:
        """Return the server's password, which no output may contain; empty if there is none."""
        return self._target.parameters.get("password", "")

    # --- surefoot

    def run(
        self,
        name: str,
        *command: str,
        port: int | None = None,
        root: Path | None = None,
        more: Mapping[str, str] | None = None,
    ) -> Running:
        """Start surefoot on this database; through the proxy at `port`, if given."""
        target = self.target(name)
        if port is not None:
            parameters = {**target.parameters, "host": "127.0.0.1", "port": str(port)}
            target = target._replace(parameters=parameters)
        return Running(
            self._words(command, root),
            root or self.project.root,
            target.url("postgresql"),
            self.mark(name),
            environment={**self._environment, **(more or {})},
            start=self._started,
            called=" ".join(command),
        )

    def _started(self, arguments: Sequence[str], root: Path, environ: Mapping[str, str]) -> Process:
        return self.under_way(lambda: self._start(arguments, root, environ))

    def under_way(self, start: Callable[[], Process]) -> Process:
        """Start a process that `stop` ends. Raises StopRequested after `stop`."""
        with self._starting:
            if self._stopped:
                raise StopRequested
            process = start()
            self._under_way = [one for one in self._under_way if one.returncode is None]
            self._under_way.append(process)
            return process

    def stop(self) -> None:
        """End the processes that were started here, and start no others."""
        with self._starting:
            self._stopped = True
            for process in self._under_way:
                if process.returncode is None:
                    kill(process)

    def _words(self, command: tuple[str, ...], root: Path | None) -> list[str]:
        """Return the command with the given options that say where the project is."""
        words = list(command)
        if self.project.file is not None:
            words += ["--config", str((root or self.project.root) / self.project.file.name)]
        for argument in self.project.given:
            words += ["-x", argument]
        return words

    def mark(self, name: str) -> str:
        """Return the variable that marks the processes of a case."""
        return name

    def look(self, name: str, *, everything: bool = True) -> Seen:
        """Observe this database."""
        table = self.opened.version_table
        place = Place(
            self.target(name),
            self._pg_dump,
            version_table=table.name,
            version_schema=table.schema or self.opened.schema,
        )
        return look(place, everything=everything)

    def facts(self, name: str) -> tuple[SchemaFact, ...]:
        """Return the structure as surefoot reads it."""
        with self.connect(name) as connection:
            return observe_structure(connection, self.version_table)

    @property
    def version_table(self) -> VersionTableName:
        """The application's version table."""
        table = self.opened.version_table
        return VersionTableName(table.name, table.schema or self.opened.schema)

    def sessions(self, name: str) -> tuple[str, ...]:
        """Return every session in this database."""
        with self.connect() as connection:
            return sessions(connection, name)

    def waiting(self, name: str) -> tuple[tuple[bool, str], ...]:
        """Return the statements that wait for a lock in this database.

        And whether each of them makes readers or writers of a table wait.
        """
        with self.connect() as connection:
            found = connection.execute(query("certify_waiting"), {"database": name}).fetchall()
        return tuple((holds_up, statement) for holds_up, statement in found)

    def end_waiting(self, name: str) -> None:
        """End the sessions of this database that wait for a lock, until none is left."""
        deadline = time.monotonic() + 10
        with self.connect() as connection:
            while connection.execute(query("certify_end_waiting"), {"database": name}).fetchall():
                if time.monotonic() > deadline:
                    raise TimeoutError("a session that waits for a lock can't be ended")
                time.sleep(0.01)

    def sessions_left(self, name: str, seconds: float = 15.0) -> tuple[str, ...]:
        """Wait for the sessions of a dead run to end; return those that didn't."""
        with self.connect() as connection:
            return sessions_left(connection, name, seconds)

    # --- where runs begin

    def structure(self, structure: Structure) -> str:
        """Return the database that a release has left, without data: a template.

        Raises SurefootError if the application's own code doesn't lead there.
        """
        if structure.way == EMPTY:
            return "template0"
        if structure not in self._structures:
            name = self.database()
            self._make(structure, name)
            self._structures[structure] = name
        return self._structures[structure]

    def _make(self, structure: Structure, name: str) -> None:
        """Make the database as the release's users have it.

        With the application's own env.py, without a catalogue, and without a journal except for the
        one that an installation leaves.
        """
        way = self.catalogue.way(structure.way)
        assert way is not None
        origin = next((o for o in self.catalogue.origins if o.way == structure.way), None)
        create: Origin | None = None
        if structure.way == "init":
            install_at(self.project, self.target(name), self.opened)
        elif origin is not None and origin.create:
            create = origin
        elif origin is not None:
            entry = next(e for e in self.project.config.origins if e.called == origin.name)
            scripts = self.project.config.scripts(entry.scripts)
            project = self.project.beginning_with(scripts, origin.rows)
            install_at(project, self.target(name), self.opened)
        applied = self.catalogue.history.applied(structure.rows)
        if applied == way.start and create is None:
            return
        # several heads: Alembic has no name for both, so env.py runs them one after the other
        for row in structure.rows:
            self.replay(name, upto=row, create=create).require()
            create = None

    def replay(
        self, name: str, *, upto: str | None = None, create: Origin | None = None
    ) -> "OneByOne":
        """Run the application's own upgrade, one revision a run, up to a revision or to head."""
        done = replayed(
            self.project,
            self.target(name),
            unheard,
            one_by_one=upto is None,
            upto=upto,
            whole_server=self._whole_server,
            origin=create,
        )
        return OneByOne(done)

    def fill(self, subject: Subject, name: str, seed: int) -> Generated:
        """Put the subject's data into its database. Raises psycopg.Error if fixtures fail."""
        if subject.level == "none":
            return Generated((), {})
        with self.connect(name) as connection:
            if subject.level == "fixtures":
                file = fixtures(self.project.root, subject.structure)
                assert file is not None
                with connection.transaction():
                    connection.execute(file.read_bytes())
                return Generated((), {})
            return self.generate(connection, subject, seed, 3 if subject.level == "boundary" else 1)

    def generate(
        self, connection: psycopg.Connection[Any], subject: Subject, seed: int, rows: int
    ) -> Generated:
        """Generate rows for every table of the application that the release has left empty.

        Tables that its revisions and scripts have filled are left as they are.
        """
        return generate(
            connection,
            random.Random(f"{seed} {subject.structure.name}"),
            without=self._filled(subject.structure),
            becomes=self._becomes(),
            rows=rows,
        )

    def _filled(self, structure: Structure) -> frozenset[str]:
        """Return the tables with rows in the release's database, including the version table."""
        if structure not in self._own_rows:  # only once: a template with a session can't be copied
            counted = self.look(self.structure(structure)).contents
            table = self.version_table
            named = {name for name, rows in counted if name.count(".") == 1 and rows != "0"}
            self._own_rows[structure] = frozenset(named | {f"{table.schema}.{table.name}"})
        return self._own_rows[structure]

    def _becomes(self) -> dict[str, str]:
        """What each column is at head, by its name."""
        way = self.catalogue.ways[0]
        everything = state(way, way.start.union(way.changes))
        return {
            name: definitions[0]
            for (kind, name), definitions in everything.items()
            if kind == "column" and definitions and definitions[0] is not None
        }

    # --- runs without a fault

    def prepare(self, subject: Subject, seed: int) -> tuple[str, Known]:
        """Make the subject's template, and run surefoot on it twice without a fault.

        Raises SurefootError if its structure can't be made, psycopg.Error if its data can't.
        """
        template = self.structure(subject.structure)
        if subject.level != "none":
            template = self.database(template)
        made = self.fill(subject, template, seed)
        first = self._undisturbed(template)
        self.drop(first.name)
        if first.output.code != 0:
            undisturbed = Undisturbed(first.before, first.after)
            return template, Known(undisturbed, first.output, first.output, left=made.left)
        second = self._undisturbed(template)
        starts = self._start_fills(second)
        unstable = _differing(first.after, second.after) | starts
        stable = tuple(row for row in second.after.contents if row[0] not in unstable)
        known = Known(
            Undisturbed(second.before, msgspec.structs.replace(second.after, contents=stable)),
            first.output,
            second.output,
            second.log,
            unstable,
            starts,
            second.name,
            made.left,
        )
        return template, known

    def _start_fills(self, done: "_Run") -> frozenset[str]:
        """Return what the application's own code writes at a start with nothing to do."""
        name = self.database(done.name)
        self.run(name, "up", "--json").output()
        self.sessions_left(name)
        found = _differing(done.after, self.look(name))
        self.drop(name)
        return found

    def _undisturbed(self, template: str) -> "_Run":
        """One run, on a separate database."""
        name = self.database(template)
        before = self.look(name)
        host, port = self.host
        with between(port, host=host) as proxy:
            output = self.run(name, "up", "--json", port=proxy.port).output()
        self.sessions_left(name)
        return _Run(name, output, before, self.look(name), tuple(proxy.log))


class _Run(NamedTuple):
    """A run without a fault: its database, its output, and the contents before and after."""

    name: str
    output: Output
    before: Seen
    after: Seen
    log: tuple[Statement, ...]


def _differing(one: Seen, other: Seen) -> frozenset[str]:
    """Return the tables and columns whose rows differ."""
    return frozenset(name for name, _ in set(one.contents) ^ set(other.contents))


class OneByOne:
    """The result of the application's own upgrade."""

    def __init__(self, done: Replayed) -> None:
        self._done = done

    @property
    def failed(self) -> str:
        """Return why it stopped, and at which revision; empty if it reached its end."""
        stopped = self._done.stopped
        if stopped is None:
            return ""
        return "; ".join([stopped.message, *stopped.seen[-2:]])

    def require(self) -> None:
        """Raise SurefootError if it didn't reach its end."""
        if self._done.stopped is not None:
            raise SurefootError.of(self._done.stopped)


def unheard(revision: str, number: int, total: int) -> None:
    """A revision of a replay begins; nothing is reported."""


def cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
