"""SIGTERM, SIGINT or SIGHUP at any instant of every command that writes; then the command again.

The account must be true whenever the signal comes: exit code 5, `interrupted`, with what the server
says; or 0 where all is done. Never exit code 1, no signal is lost, and the same command, given
again, does it. Half of the cases are `up`. A case is named `SEED`.
"""

import contextlib
import json
import random
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import count as counting
from pathlib import Path
from typing import Any

import msgspec
import psycopg

from surefoot.certify.running import Output
from surefoot.postgres.embedded import Server, embedded_bin
from tests.chaos.running import Running, clean_environment
from tests.chaos.table import Row
from tests.support.cheaper import cheaper_passwords, copied
from tests.support.project import SYNC_ENV, Application

WORKERS = 2
DRIVERS = ("psycopg", "psycopg2")
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
LONGEST = 20.0  # seconds from the signal to the end, on a machine that has time for it
_FLEET = 3
_SWALLOWS = "try:\n    op.execute('select pg_sleep(0.1)')\nexcept BaseException: pass"
_MANY = "insert into a select i from generate_series(1, 20000) as i"


class Case(msgspec.Struct):
    """One instant of one command, and what belongs to it alone."""

    name: str
    url: str
    directory: Path
    root: Path  # of the application: each revision in a transaction of its own, or all in one
    driver: str
    others: tuple[str, ...] = ()  # the other databases of a fleet

    def query(self, statement: str) -> list[Any]:
        with psycopg.connect(self.url, autocommit=True) as connection:
            return connection.execute(statement.encode()).fetchall()


class Command(msgspec.Struct, frozen=True):
    """A command: the database that it begins with, its words, and when it has done its work.

    `wrong`: what of its report isn't so.
    """

    state: str
    words: Callable[["Stage", Case], tuple[str, ...]]
    done: Callable[[Case], bool]
    wrong: Callable[[Case, Output], list[str]] = lambda case, output: []


def _rows(case: Case) -> list[str]:
    if case.query("select to_regclass('alembic_version')") == [(None,)]:
        return []
    return [row for (row,) in case.query("select version_num from alembic_version")]


def _has(case: Case, table: str) -> bool:
    return case.query(f"select to_regclass('{table}')") != [(None,)]


def _whole(case: Case) -> bool:
    """Whether there is a backup, and none without its other half."""
    dumps = {file.stem for file in case.directory.glob("*.dump")}
    return bool(dumps) and all(any(case.directory.glob(f"{name}*.json")) for name in dumps)


def _targets(stage: "Stage", case: Case) -> tuple[str, ...]:
    entries = [{"name": n, "url": stage.server.url(n)} for n in (case.name, *case.others)]
    file = case.directory / "list.txt"
    file.write_text("".join(f"{json.dumps(entry)}\n" for entry in entries))
    return ("fleet", "up", "--targets", str(file), "--parallel", "2")


def _serving(stage: "Stage", case: Case) -> tuple[str, ...]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return ("up", "--serve", f"127.0.0.1:{probe.getsockname()[1]}", "--json")


def _words(*words: str) -> Callable[["Stage", Case], tuple[str, ...]]:
    return lambda stage, case: words


def _restoring(stage: "Stage", case: Case) -> tuple[str, ...]:
    return ("restore", str(stage.dump), "--of-another-database", "--yes", "--json")


def _untrue(case: Case, output: Output) -> list[str]:
    """What the report of `up` says of the version rows, and isn't so."""
    if output.code == 0:
        return []
    rows = _rows(case)
    said = " ".join(finding["database"] for finding in output.findings)
    # The plan was over: the account says that all of it stays, without the rows.
    if "Every step of the plan was committed" in said or "What was committed stays" in said:
        return [] if rows == ["r3"] else [f"all is said to be there, and the rows are {rows}"]
    wrong = [f"at {row}, which isn't said: {said}" for row in rows if row not in said]
    if not rows and "The database is at" in said:
        wrong.append(f"no row, and it's said: {said}")
    return wrong


def _upgraded(case: Case) -> bool:
    """Whether it's at head, and the seed script has run once."""
    return _rows(case) == ["r3"] and case.query("select count(*) from c") == [(1,)]


COMMANDS = {
    "up": Command("empty", _words("up", "--json"), _upgraded, _untrue),
    "down": Command(
        "head",
        _words("down", "--to", "r1", "--accept-data-loss", "--yes", "--json"),
        lambda case: _rows(case) == ["r1"] and not (_has(case, "b") or _has(case, "c")),
    ),
    "adopt": Command(
        "unversioned", _words("adopt", "--yes", "--json"), lambda case: _rows(case) == ["r3"]
    ),
    "repair": Command(
        "damaged", _words("repair", "--yes", "--json"), lambda case: _rows(case) == ["r3"]
    ),
    "cleanup": Command(
        "left", _words("cleanup", "--yes", "--json"), lambda case: not _has(case, "d")
    ),
    "backup": Command("head", _words("backup", "--json"), _whole),
    "restore": Command(
        "written", _restoring, lambda case: case.query("select count(*) from b") == [(0,)]
    ),
    "fleet": Command("empty", _targets, _upgraded),
    "up --serve": Command("empty", _serving, _upgraded),
}


class Stage:
    """A server, an application that can go back, and a database in each state, to be copied."""

    def __init__(self) -> None:
        self._numbers = counting()
        self._directory = Path(tempfile.mkdtemp(prefix="surefoot-signals-"))
        self.server = Server(embedded_bin(), settings={"fsync": "off"})
        cheaper_passwords(self.server)
        self.applications = [
            _application(self._directory / name, each=name == "each")
            for name in ("each", "together")
        ]
        for application in self.applications:
            self._run(
                "catalog", "build", "--no-stepwise", "--server", self.server.url(), at=application
            )
        self._make("empty")
        self._make("head")
        self._run("up", database="head")
        self._make("unversioned", "head")
        self._execute("unversioned", "drop table alembic_version; drop schema surefoot cascade")
        self._make("damaged", "head")
        self._execute("damaged", "update alembic_version set version_num = 'nonsense'")
        self._make("left", "head")
        self._run("down", "--to", "r1", "--accept-data-loss", "--yes", database="left")
        self._run("backup", database="head")
        (self.dump,) = self.applications[0].root.glob("backups/*.dump")
        self._make("written", "head")
        self._execute("written", "insert into b values (1)")

    def close(self) -> None:
        self.server.close()
        shutil.rmtree(self._directory)

    def _run(
        self, *command: str, database: str = "postgres", at: Application | None = None
    ) -> None:
        done = (at or self.applications[0]).run(*command, url=self.server.url(database))
        if done.code != 0:
            raise RuntimeError(done.err)

    def _make(self, name: str, template: str = "template0") -> None:
        self._execute("postgres", f'create database "{name}" {{copied}}', template)

    def _execute(self, database: str, statements: str, template: str = "") -> None:
        with psycopg.connect(self.server.conninfo(database), autocommit=True) as connection:
            text = statements.replace("{copied}", copied(connection, template))
            connection.execute(text.encode())

    def case(self, command: Command, rng: random.Random) -> Case:
        """A case's own databases and directory; with one of the applications and drivers."""
        number = next(self._numbers)
        names = [f"case_{number}", *(f"case_{number}_{i}" for i in range(1, _FLEET))]
        if command.words is not _targets:
            del names[1:]
        for name in names:
            self._make(name, command.state)
        directory = self._directory / names[0]
        directory.mkdir()
        return Case(
            *(names[0], self.server.conninfo(names[0]), directory),
            rng.choice(self.applications).root,
            rng.choice(DRIVERS),
            tuple(names[1:]),
        )

    def start(self, command: Command, case: Case) -> Running:
        environment = {**clean_environment(), "SUREFOOT_BACKUP_DIRECTORY": str(case.directory)}
        words = command.words(self, case)
        url = self.server.url(case.name, f"postgresql+{case.driver}")
        return Running(words, case.root, url, case.name, environment=environment)

    def drop(self, case: Case) -> None:
        """The case's databases, and those that a restore has made for it."""
        with psycopg.connect(self.server.conninfo(), autocommit=True) as connection:
            all_of_it = "select datname from pg_database where datname ~ %s"
            for (name,) in connection.execute(all_of_it, [rf"^{case.name}($|\D)"]).fetchall():
                connection.execute(f'drop database "{name}" with (force)'.encode())
        shutil.rmtree(case.directory)


def _application(root: Path, *, each: bool) -> Application:
    made = Application(root)
    made.env(SYNC_ENV, "transaction_per_migration=True" if each else "")
    made.write("seed.sql", "select pg_sleep(0.05); insert into c values (1);")
    made.config('seeds = ["seed.sql"]\n')
    sleep = "op.execute('select pg_sleep(0.05)')"
    for id, below, table in (("r1", None, "a"), ("r2", "r1", "b"), ("r3", "r2", "c")):
        body = f"{sleep}\nop.execute('create table {table} (id int)')"
        gone = f"{sleep}\nop.execute('drop table {table}')"
        if id == "r1":
            body += f"\nop.execute({_MANY!r})"
        if id == "r2":
            body = f"{_SWALLOWS}\n{body}"
        if id == "r3":  # its downgrade forgets this one
            body += "\nop.execute('create table d (id int)')"
        made.revision(id, below, body=body, downgrade=gone)
    return made


def perform(stage: Stage, seed: int, longest: dict[str, float]) -> tuple[str, str, list[str]]:
    """Do it: the command, how it ended, and what is violated. `longest` is what each takes
    undisturbed. One that was over before its signal is done again, with an earlier one.
    """
    rng = random.Random(seed)
    first, *others = COMMANDS
    name = first if seed % 2 else others[seed // 2 % len(others)]
    for sooner in range(6):
        done = _perform(stage, COMMANDS[name], rng, longest[name] / 1.5**sooner)
        if done is not None:
            return (name, *done)
    return name, "over", ["every run was over before the signal"]


def _perform(
    stage: Stage, command: Command, rng: random.Random, longest: float
) -> tuple[str, list[str]] | None:
    case = stage.case(command, rng)
    try:
        run = stage.start(command, case)
        time.sleep(rng.random() * longest)
        if run.process.poll() is not None:
            run.output()
            return None
        run.process.send_signal(rng.choice(SIGNALS))
        started = time.monotonic()
        longest = max(LONGEST, 2 * longest)
        output = run.output(2 * longest)
        if (run.process.returncode or 0) < 0:  # Python had not come to our first line yet
            return "before the first line", []
        codes = _codes(output)
        wrong: list[str] = []
        interrupted = output.code == 5 and set(codes) == {"interrupted"}
        if output.code != 0 and not interrupted:
            told = f"{output.out[-700:]} {output.err[-1500:]}"
            wrong.append(f"exit {output.code}: {codes}: {told}")
        if output.code == 0 and not command.done(case):
            wrong.append("exit 0, and it isn't done")
        if time.monotonic() - started > longest:
            wrong.append(f"took {time.monotonic() - started:.0f} s")
        wrong += command.wrong(case, output) if output.out else []
        wrong += _left(case)
        again = stage.start(command, case).output(10 * longest)
        if again.code != 0 or not command.done(case):
            wrong.append(f"again: {again.code}: {again.err[-1500:]}")
        return f"{output.code} {' '.join(sorted(set(codes)))}".strip(), wrong
    finally:
        stage.drop(case)


def _codes(output: Output) -> list[str]:
    """The codes of all findings: of the object, or of each database's line."""
    found: list[str] = []
    for line in output.out.splitlines():
        with contextlib.suppress(msgspec.DecodeError):
            found += [one["code"] for one in msgspec.json.decode(line).get("findings", [])]
    return found


def _left(case: Case) -> list[str]:
    """Whether a statement of the run goes on."""
    sessions = case.query(
        "select query from pg_stat_activity where datname = current_database()"
        " and pid <> pg_backend_pid() and state = 'active' and backend_type = 'client backend'"
    )
    return [f"still running: {sessions}" for _ in sessions[:1]]


def run(seed: int, count: int = 0) -> list[Row]:
    """So many random instants, over all the commands."""
    numbers = range(seed, seed + (count or 800))
    began = time.monotonic()
    ends: dict[str, dict[str, int]] = {name: {} for name in COMMANDS}
    violations = dict.fromkeys(COMMANDS, 0)
    stage = Stage()
    try:
        longest = _undisturbed(stage)
        with ThreadPoolExecutor(WORKERS) as pool:
            results = pool.map(lambda n: (n, *perform(stage, n, longest)), numbers)
            for number, name, ended, wrong in results:
                ends[name][ended] = ends[name].get(ended, 0) + 1
                violations[name] += len(wrong)
                for told in wrong:
                    print(f"VIOLATED in {number}: {name}: {told}", file=sys.stderr, flush=True)
    finally:
        stage.close()
    took = time.monotonic() - began
    share = took / len(numbers)
    return [
        Row(
            f"`{name}`, a signal at a random instant",
            sum(ends[name].values()),
            violations[name],
            share * sum(ends[name].values()),
            ", ".join(f"{ended}: {times}" for ended, times in sorted(ends[name].items())),
        )
        for name in COMMANDS
    ]


def _undisturbed(stage: Stage) -> dict[str, float]:
    """How long each command takes here, in seconds."""
    took: dict[str, float] = {}
    for name, command in COMMANDS.items():
        case = stage.case(command, random.Random(name))
        output = stage.start(command, case).output(600)
        if output.code != 0 or not command.done(case):
            raise RuntimeError(f"{name}: {output.code}: {output.out} {output.err}")
        took[name] = output.seconds
        stage.drop(case)
    return took


def instants(seed: int, count: int) -> dict[int, list[str]]:
    """What is violated at so many instants, by seed: for the test."""
    stage = Stage()
    try:
        longest = _undisturbed(stage)
        with ThreadPoolExecutor(WORKERS) as pool:
            numbers = range(seed, seed + count)
            found = pool.map(lambda n: (n, perform(stage, n, longest)), numbers)
            return {n: [name, *wrong] for n, (name, _, wrong) in found if wrong}
    finally:
        stage.close()
