"""A real history; a run of it that is killed; what the next start makes of it."""

import contextlib
import os
import random
import re
import shlex
import signal
import threading
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any, Literal, NamedTuple

import msgspec
import psycopg

from surefoot.server import Server
from tests.chaos import invariants
from tests.chaos.invariants import Output, Undisturbed, Violation, named
from tests.chaos.seen import Seen, journal, look, sessions
from tests.chaos.stage import LONGEST, Running, processes_of
from tests.chaos.statements import Proxy, Stop, between, moment

# What a finding names that finishes or undoes what was left half-way.
_NAMED = re.compile(r"surefoot (repair --(?:finish|undo)(?: --yes)?)")
_CONCURRENTLY = re.compile(r"\s*create\s+(unique\s+)?index\s+concurrently\b", re.IGNORECASE)
_WAITS = "select from pg_stat_activity where datname = %s and wait_event = 'virtualxid'"
_STAYS = 8.0  # seconds; every five, the server looks whether the client is there
_COUNTS = (
    "select string_agg(format('select %L, count(*) from %s', c, c), ' union all ')"
    " from (select oid::regclass c from pg_class"
    " where relkind = 'r' and relnamespace = 'public'::regnamespace) tables"
)
_BUSY, _TRIES = 7, 5


class Kill(msgspec.Struct, frozen=True):
    """When a run of which history is killed; `name` does it again."""

    history: str
    when: Literal["instant", "concurrently"]
    seed: int

    @property
    def name(self) -> str:
        return f"{self.history}/{self.when}/{self.seed}"


class Result(msgspec.Struct, frozen=True):
    """What came of it. `half_way`: a revision was left so, `invalid`: with an index that can't be
    used. `alone`: what a start without a catalogue did, where that was tried.
    """

    kill: Kill
    violations: tuple[Violation, ...]
    half_way: bool = False
    invalid: bool = False
    by_command: bool = False
    alone: str = ""
    busy: int = 0
    seconds: float = 0.0


class _Missed(Exception):
    """The run ended before it was killed."""


class Place(NamedTuple):
    """A directory that a history is run in, and the variables that it wants."""

    root: Path
    variables: dict[str, str]


class History:
    """A history in two places, one of them with its catalogue; and a run without a fault."""

    def __init__(
        self, name: str, package: str, program: Path, server: Server, places: tuple[Place, Place]
    ) -> None:
        """`program` is surefoot's in the history's own environment. The first of the places gets a
        catalogue. Raises RuntimeError if the history can't be run as it is.
        """
        self.name, self.package, self.server = name, package, server
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
        self.concurrently = [s for s in self.statements if _CONCURRENTLY.match(s.text)]

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
            program=(self._program,),
            environment=variables,
        )

    def mark(self, name: str) -> str:
        return f"{self.server.port}-{name}"

    def connect(self, name: str) -> psycopg.Connection[Any]:
        return psycopg.connect(self.server.conninfo(name), autocommit=True)

    def count(self, name: str) -> dict[str, int]:
        """How many rows each table has: their keys are often random."""
        with self.connect(name) as connection:
            counts: Any = connection.execute(_COUNTS.encode()).fetchone()
            return dict(connection.execute(counts[0].encode()).fetchall())


def perform(history: History, kill: Kill) -> Result:
    """Do it, on a database of its own. A kill that came too late is done again, earlier."""
    for tried in range(_TRIES):
        started = time.monotonic()
        name = f"{history.name}_{kill.when}_{kill.seed}"
        with contextlib.suppress(_Missed), history.database(name):
            result = _Performance(history, kill, name, sooner=2**tried).result()
            return msgspec.structs.replace(result, seconds=time.monotonic() - started)
    return Result(kill, (Violation("harness", "every run was over before the kill"),))


class _Performance:
    def __init__(self, history: History, kill: Kill, name: str, sooner: int) -> None:
        self._history, self._kill, self._name = history, kill, name
        self._sooner = sooner
        self._rng = random.Random(kill.seed)
        self._outputs: list[Output] = []
        self._violations: list[Violation] = []
        self._invalid = self._by_command = False

    def result(self) -> Result:
        alone, bystander = "", None
        with contextlib.ExitStack() as stack:
            if self._kill.when == "instant":
                self._killed_at_an_instant()
            else:
                bystander = stack.enter_context(self._killed_in_concurrently())
            if self._rng.random() < 0.5:  # else it starts again at once
                if bystander is not None:
                    bystander.join()
                alone = self._at_rest()
            half_way = self._is_half_way()
            busy = self._start_again()
        history = self._history
        self._violations += named(
            no_bug=invariants.no_bug(self._outputs),
            no_password=invariants.no_password(self._outputs, history.server.password),
        )
        return Result(
            self._kill,
            tuple(self._violations),
            half_way,
            self._invalid,
            self._by_command,
            alone,
            busy,
        )

    # --- the fault

    def _killed_at_an_instant(self) -> None:
        number, pause = moment(self._history.statements, self._rng.random())
        with self._run_to(Stop(number, "while")) as (run, _):
            time.sleep(pause / self._sooner)
            _kill(run)

    @contextlib.contextmanager
    def _killed_in_concurrently(self) -> Generator[threading.Thread]:
        """Another session has a snapshot from right before the statement, until some time later:
        until the thread ends.
        """
        chosen = self._rng.choice(self._history.concurrently)
        with self._history.connect(self._name) as bystander:
            with self._run_to(Stop(chosen.number, "before")) as (run, proxy):
                if not _CONCURRENTLY.match(proxy.log[-1].text):
                    raise RuntimeError(f"{chosen.number} is another: {proxy.log[-1].text}")
                bystander.execute(b"begin isolation level repeatable read")
                bystander.execute(b"select count(*) from pg_class")
                proxy.go_on()
                self._wait_until(lambda: bool(self._ask(_WAITS)), run)
                _kill(run)
            leaves = threading.Timer(self._rng.random() * _STAYS, bystander.close)
            leaves.start()
            try:
                yield leaves
            finally:
                leaves.join()

    @contextlib.contextmanager
    def _run_to(self, stop: Stop) -> Generator[tuple[Running, Proxy]]:
        with between(self._history.server.port, stop) as proxy:
            run = self._history.start(self._name, "up", "--json", port=proxy.port)
            try:
                self._wait_until(proxy.reached.is_set, run)
                yield run, proxy
            finally:
                if run.process.poll() is None:
                    run.process.kill()
                self._outputs.append(run.output())

    def _wait_until(self, true: Callable[[], bool], run: Running) -> None:
        deadline = time.monotonic() + LONGEST
        while not true():
            if run.process.poll() is not None:
                raise _Missed
            if time.monotonic() > deadline:
                raise RuntimeError(f"{self._kill.name}: the moment never came")
            time.sleep(0.002)

    # --- behind it

    def _at_rest(self) -> str:
        """Once its sessions are gone; and what a start without a catalogue does with a copy."""
        history = self._history
        left = self._sessions_left()
        self._violations += named(sessions_end=list(left))
        before = look(history.server, self._name, everything=False)
        self._invalid = bool(before.invalid)
        if left or not self._is_half_way():
            return ""
        with history.database(f"{self._name}_alone", self._name) as copy:
            up = history.start(copy, "up", "--json", with_catalogue=False).output()
            self._outputs.append(up)
            after = look(history.server, copy, everything=False)
            found: list[str] = []
            if up.code == 0:
                found = invariants.structure_as_undisturbed(after, history.undisturbed)
            elif up.code != 4 or after != before:
                found = [f"without a catalogue: exit {up.code}: {up.findings}"]
            self._violations += named(claim_is_true=found)
        return "went on" if up.code == 0 else up.findings[0]["code"]

    def _start_again(self) -> int:
        """Until head; how often it was busy. A command that is named is followed."""
        busy = 0
        while (up := self._run("up", "--json")).code == _BUSY and busy < _TRIES:
            busy += 1
        command = next((m[1] for f in up.findings if (m := _NAMED.search(f["next"]))), None)
        if up.code != 0 and command is not None:
            self._by_command = True
            words = [word for word in shlex.split(command) if word != "--yes"]
            repaired = self._run(*words, "--yes", "--json")
            self._violations += named(named_command=invariants.head_in_one_start(repaired))
            up = self._run("up", "--json")
        self._violations += named(head_in_one_start=invariants.head_in_one_start(up))
        if up.code == 0:
            self._judge()
        return busy

    def _judge(self) -> None:
        history, name = self._history, self._name
        self._sessions_left()
        seen = look(history.server, name, everything=False)
        seen = msgspec.structs.replace(seen, processes=processes_of(history.mark(name)))
        differing = dict(set(history.count(name).items()) ^ set(history.counts.items()))
        self._violations += named(
            structure_as_undisturbed=invariants.structure_as_undisturbed(seen, history.undisturbed),
            contents_as_undisturbed=sorted(differing),
            journal_complete=invariants.journal_complete(seen, history.undisturbed),
            nothing_left_running=invariants.nothing_left_running(seen),
            nothing_to_do_then=invariants.nothing_to_do_then(self._run("up", "--json")),
        )

    def _is_half_way(self) -> bool:
        """Whether the journal's last word is of a revision that has begun."""
        rows = journal(self._history.server, self._name)
        return bool(rows) and rows[-1].step == "begun"

    def _sessions_left(self, seconds: float = 15.0) -> tuple[str, ...]:
        deadline = time.monotonic() + seconds
        with self._history.connect("postgres") as connection:
            while (left := sessions(connection, self._name)) and time.monotonic() < deadline:
                time.sleep(0.02)
        return left

    def _ask(self, query: str) -> list[Any]:
        with self._history.connect("postgres") as connection:
            return connection.execute(query.encode(), (self._name,)).fetchall()

    def _run(self, *command: str) -> Output:
        output = self._history.start(self._name, *command).output()
        self._outputs.append(output)
        return output


def _require_done(run: Running) -> None:
    done = run.output()
    if done.code != 0:
        raise RuntimeError(f"{done.command}: exit {done.code}: {done.err}")


def _kill(run: Running) -> None:
    """The whole process group."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(run.process.pid, signal.SIGKILL)
    run.process.wait()
    if run.process.returncode != -signal.SIGKILL:
        raise _Missed
