"""SIGTERM, SIGINT or SIGHUP at any instant of `surefoot up`; then the same command again.

The account must be true whenever the signal comes: exit code 5, `interrupted`, with what the server
says; or 0, where the run was over. A case is named `SEED`.
"""

import random
import signal
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import count as counting
from pathlib import Path
from typing import Any

import psycopg

from surefoot.postgres.embedded import Server, embedded_bin
from tests.chaos.running import Running
from tests.chaos.table import Row
from tests.support.cheaper import cheaper_passwords, copied
from tests.support.project import SYNC_ENV, Application

WORKERS = 2
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
DRIVERS = ("psycopg", "psycopg2")
LONGEST = 20.0  # seconds from the signal to the end

_SLOW = "op.execute('select pg_sleep(0.05)')\nop.execute('create table {0} (id int)')"
_SWALLOWS = f"try:\n    op.execute('select pg_sleep(0.1)')\nexcept BaseException: pass\n{_SLOW}"


class Stage:
    """A server, and an application whose revisions take a while."""

    def __init__(self) -> None:
        self._numbers = counting()
        self._directory = tempfile.TemporaryDirectory(prefix="surefoot-signals-")
        self.server = Server(embedded_bin(), settings={"fsync": "off"})
        cheaper_passwords(self.server)
        self.each = _application(Path(self._directory.name) / "each", each=True)
        self.together = _application(Path(self._directory.name) / "together", each=False)

    def close(self) -> None:
        self.server.close()
        self._directory.cleanup()

    def database(self) -> str:
        name = f"case_{next(self._numbers)}"
        with psycopg.connect(self.server.conninfo(), autocommit=True) as connection:
            connection.execute(f"create database {name} {copied(connection)}".encode())
        return name

    def query(self, name: str, statement: str) -> list[Any]:
        with psycopg.connect(self.server.conninfo(name), autocommit=True) as connection:
            return connection.execute(statement.encode()).fetchall()

    def drop(self, name: str) -> None:
        with psycopg.connect(self.server.conninfo(), autocommit=True) as connection:
            connection.execute(f"drop database {name} with (force)".encode())


def _application(root: Path, *, each: bool) -> Application:
    made = Application(root)
    made.env(SYNC_ENV, "transaction_per_migration=True" if each else "")
    made.revision("r1", None, body=_SLOW.format("a"))
    made.revision("r2", "r1", body=_SWALLOWS.format("b"))
    made.revision("r3", "r2", body=_SLOW.format("c"))
    made.write("seed.sql", "select pg_sleep(0.05); insert into c values (1);")
    made.config('seeds = ["seed.sql"]\n')
    return made


def perform(stage: Stage, seed: int, longest: float) -> tuple[str, list[str]]:
    """Do it: how it ended, and what is violated. `longest` is what a run takes undisturbed.

    One that was over before its signal is done again, with an earlier one.
    """
    rng = random.Random(seed)
    for sooner in range(6):
        done = _perform(stage, rng, longest / 1.5**sooner)
        if done is not None:
            return done
    return "over", ["every run was over before the signal"]


def _perform(stage: Stage, rng: random.Random, longest: float) -> tuple[str, list[str]] | None:
    application = rng.choice((stage.each, stage.together))
    name = stage.database()
    url = stage.server.url(name, f"postgresql+{rng.choice(DRIVERS)}")
    try:
        run = Running(("up", "--json"), application.root, url, name)
        time.sleep(rng.random() * longest)
        if run.process.poll() is not None:
            run.output()
            return None
        run.process.send_signal(rng.choice(SIGNALS))
        started = time.monotonic()
        output = run.output()
        if (run.process.returncode or 0) < 0:  # Python had not come to our first line yet
            return "before the first line", []
        codes = [finding["code"] for finding in output.findings] if output.out else []
        ended = f"{output.code} {' '.join(codes)}".strip()
        wrong: list[str] = []
        if output.code != 0 and (output.code, codes) != (5, ["interrupted"]):
            wrong.append(f"exit {output.code}: {codes}: {output.err[-1500:]}")
        if time.monotonic() - started > LONGEST:
            wrong.append(f"took {time.monotonic() - started:.0f} s")
        wrong += _claims(stage, name, output.json if output.out else {}, output.code)
        again = Running(("up", "--json"), application.root, url, name).output()
        if again.code != 0 or stage.query(name, "select version_num from alembic_version") != [
            ("r3",)
        ]:
            wrong.append(f"again: {again.code}: {again.err[-1500:]}")
        elif stage.query(name, "select count(*) from c") != [(1,)]:
            wrong.append("the seed has run twice, or not")
        return ended, wrong
    finally:
        stage.drop(name)


def _claims(stage: Stage, name: str, told: dict[str, Any], code: int | None) -> list[str]:
    """Whether the database is as the account says."""
    there = "select to_regclass('alembic_version')"
    rows: list[Any] = []
    if stage.query(name, there) != [(None,)]:
        rows = [row for (row,) in stage.query(name, "select version_num from alembic_version")]
    if code == 0:
        return [] if rows == ["r3"] else [f"0, and the version rows are {rows}"]
    said = " ".join(finding["database"] for finding in told.get("findings", []))
    # The plan was over: the account says that all of it stays, without the rows.
    over = "Every step of the plan was committed" in said or "What was committed stays" in said
    if over:
        wrong = [] if rows == ["r3"] else [f"all is said to be there, and the rows are {rows}"]
    else:
        wrong = [f"at {row}, which isn't said: {said}" for row in rows if row not in said]
    if not rows and "The database is at" in said:
        wrong.append(f"no row, and it's said: {said}")
    left = stage.query(
        name,
        "select query from pg_stat_activity where datname = current_database()"
        " and pid <> pg_backend_pid() and state = 'active' and backend_type = 'client backend'",
    )
    return wrong + [f"still running: {left}" for _ in left[:1]]


def run(seed: int, count: int = 0) -> list[Row]:
    """So many random instants: a thousand."""
    numbers = range(seed, seed + (count or 1_000))
    started = time.monotonic()
    ends: dict[str, int] = {}
    violations = 0
    stage = Stage()
    try:
        longest = _undisturbed(stage)
        with ThreadPoolExecutor(WORKERS) as pool:
            results = pool.map(lambda n: (n, *perform(stage, n, longest)), numbers)
            for number, ended, wrong in results:
                ends[ended] = ends.get(ended, 0) + 1
                violations += len(wrong)
                for told in wrong:
                    print(f"VIOLATED in {number}: {told}", file=sys.stderr, flush=True)
                if sum(ends.values()) % 100 == 0:
                    print(f"ends so far: {ends}", file=sys.stderr, flush=True)
    finally:
        stage.close()
    text = "`up`, SIGTERM, SIGINT or SIGHUP at a random instant"
    told = ", ".join(f"{ended}: {times}" for ended, times in sorted(ends.items()))
    return [Row(text, sum(ends.values()), violations, time.monotonic() - started, told)]


def _undisturbed(stage: Stage) -> float:
    """How long a run takes here, in seconds."""
    took: list[float] = []
    for _ in range(3):
        name = stage.database()
        url = stage.server.url(name, "postgresql+psycopg")
        started = time.monotonic()
        output = Running(("up", "--json"), stage.each.root, url, name).output()
        took.append(time.monotonic() - started)
        stage.drop(name)
        if output.code != 0:
            raise RuntimeError(output.err)
    return sorted(took)[1]


def instants(seed: int, count: int) -> dict[int, list[str]]:
    """What is violated at so many instants, by seed: for the test."""
    stage = Stage()
    try:
        longest = _undisturbed(stage)
        with ThreadPoolExecutor(WORKERS) as pool:
            found = pool.map(
                lambda n: (n, perform(stage, n, longest)[1]), range(seed, seed + count)
            )
            return {number: wrong for number, wrong in found if wrong}
    finally:
        stage.close()
