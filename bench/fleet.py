"""Many databases: `surefoot fleet up` against a loop of `alembic upgrade head`.

Both sides run in one go, on one server, on databases of the same kind; the loop runs on a sample
and is reckoned up to the same number. The history has 30 revisions and a catalogue.

- nothing to do: every database is at head, and an earlier run has seen it there
- three pending: every database lacks the last three revisions, and each side begins with its own
- killed: the leading process is killed at random instants of such a run, again and again, until the
  last run ends by itself; then each revision's row is counted in each database
- stopped: a revision fails on every database, with a canary and waves; how many did it reach?

CPU is what one database costs, in the programs and in the server's processes: on a shared machine
that is steadier than time.

    python bench/fleet.py [--databases 1000] [--pending 200] [--sample 20] [--kills 100]
                          [--rollouts 50]
"""

import argparse
import json
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import psycopg
from run import clean_environment, install, write_history

from surefoot.postgres.embedded import Server, embedded_bin

REVISIONS, PENDING = 30, 3
# Each of the last revisions inserts a row, so that running it twice shows.
COUNTED = "op.execute(\"insert into public.ran values ('{id}')\")"
FIRST = 'op.execute("create table public.ran (id text)")'


class Cost(NamedTuple):
    """The cost of some databases: seconds, and CPU seconds in the programs and in the server."""

    time: float
    programs: float
    server: float

    def each(self, databases: int) -> str:
        """The CPU seconds of one database."""
        both = (self.programs / databases * 1000, self.server / databases * 1000)
        return " + ".join(f"{one:.0f}" for one in both) + " ms"


def of_children() -> float:
    """The CPU seconds of all finished child processes."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


class Bench:
    """One server, one application, and the programs of both sides."""

    def __init__(self, server: Server, directory: Path, programs: Path) -> None:
        self.server, self.directory, self.programs = server, directory, programs
        with psycopg.connect(server.conninfo()) as connection:
            (data,) = connection.execute("show data_directory").fetchone() or ("",)
        self._postmaster = int(Path(data, "postmaster.pid").read_text().split()[0])
        self.memory = 0  # MB: the most that one process of a fleet's run used
        write_history(directory, REVISIONS, self.url("old"))
        self._count_runs()
        self.make("old", "template0")
        self.loop(["old"], to=f"{REVISIONS - PENDING - 1:012x}")
        command = [str(programs / "surefoot"), "catalog", "build", "--no-downgrade"]
        self.run([*command, "--server", server.url()])

    def _count_runs(self) -> None:
        versions = self.directory / "migrations" / "versions"
        for n in (0, *range(REVISIONS - PENDING, REVISIONS)):
            body = COUNTED.format(id=f"{n:012x}") if n else FIRST
            file = versions / f"{n:012x}.py"
            file.write_text(f"{file.read_text()}    {body}\n")

    def url(self, name: str) -> str:
        return self.server.url(name, "postgresql+psycopg")

    def run(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, cwd=self.directory, check=True, capture_output=True, text=True
        )

    def make(self, name: str, template: str = "old") -> None:
        with psycopg.connect(self.server.conninfo(), autocommit=True) as connection:
            connection.execute(f"create database {name} template {template}".encode())

    def ask(self, question: str) -> int:
        with psycopg.connect(self.server.conninfo()) as connection:
            ((found,),) = connection.execute(question.encode()).fetchall()
        return found

    def fleet(
        self,
        names: list[str],
        *more: str,
        stdout: int = subprocess.DEVNULL,
        start_new_session: bool = False,
    ) -> "subprocess.Popen[str]":
        (self.directory / "list").write_text("".join(f"{self.server.url(n)}\n" for n in names))
        program = [str(self.programs / "surefoot"), "fleet", "up", "--targets", "list"]
        return subprocess.Popen(
            [*program, "-q", *more],
            cwd=self.directory,
            stderr=subprocess.DEVNULL,
            text=True,
            stdout=stdout,
            start_new_session=start_new_session,
        )

    def cost(self, do: Callable[[], None]) -> Cost:
        before = time.perf_counter(), of_children(), self._of_server()
        do()
        took = time.perf_counter() - before[0]
        time.sleep(0.3)  # until the server has reaped its last processes
        return Cost(took, of_children() - before[1], self._of_server() - before[2])

    def _of_server(self) -> float:
        """The CPU seconds of the server and of its ended sessions."""
        fields = Path(f"/proc/{self._postmaster}/stat").read_text().rpartition(")")[2].split()
        return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")

    def lead(self, names: list[str]) -> None:
        """Run surefoot; it must succeed."""
        _, status, usage = os.wait4(self.fleet(names).pid, 0)
        assert status == 0
        self.memory = max(self.memory, usage.ru_maxrss // 1024)

    def loop(self, names: list[str], to: str = "head") -> None:
        """Run `alembic upgrade`, one database after the other."""
        ini = self.directory / "alembic.ini"
        for name in names:
            ini.write_text(
                f"[alembic]\nscript_location = migrations\nsqlalchemy.url = {self.url(name)}\n"
            )
            self.run([str(self.programs / "alembic"), "upgrade", to])


def line(what: str, n: int, ours: Cost, sample: int, theirs: Cost) -> str:
    reckoned = theirs.time / sample * n
    times = f"{n} | {ours.time:.1f} s | {reckoned:.0f} s | {reckoned / ours.time:.1f} ×"
    return f"| {what} | {times} | {ours.each(n)} | {theirs.each(sample)} |"


def nothing(bench: Bench, n: int, sample: int) -> str:
    names = [f"n{i}" for i in range(n)]
    for name in names:
        bench.make(name)
    bench.lead(names)  # to head, with the marks of that look
    ours = min(bench.cost(lambda: bench.lead(names)) for _ in range(3))
    theirs = bench.cost(lambda: bench.loop(names[:sample]))
    return line("nothing to do", n, ours, min(n, sample), theirs)


def pending(bench: Bench, n: int, sample: int) -> str:
    sample = min(n, sample)
    ours, theirs = [f"p{i}" for i in range(n)], [f"q{i}" for i in range(sample)]
    for name in (*ours, *theirs):
        bench.make(name)
    took, loop = bench.cost(lambda: bench.lead(ours)), bench.cost(lambda: bench.loop(theirs))
    return line("three pending", n, took, sample, loop)


def killed(bench: Bench, n: int, kills: int) -> str:
    """Count how often something was done twice, or missed, or left over."""
    chance, rounds, done, met = random.Random(1), 0, 0, 0
    twice = missed = left = 0
    sessions = "select count(*) from pg_stat_activity where datname ~ '^k[0-9]'"
    expected = sorted(f"{n:012x}" for n in range(REVISIONS - PENDING, REVISIONS))
    while done < kills:
        rounds += 1
        names = [f"k{rounds}_{i}" for i in range(n)]
        for name in names:
            bench.make(name)
        while done < kills:
            process = bench.fleet(names, start_new_session=True)
            try:
                process.wait(chance.uniform(0.3, 4.0 + 0.3 * n))
                break  # it finished before it was to be killed
            except subprocess.TimeoutExpired:
                met += bench.ask(sessions) > 0
                process.send_signal(signal.SIGKILL)
                process.wait()
                done += 1
        assert bench.fleet(names).wait() == 0
        for name in names:
            with psycopg.connect(bench.server.conninfo(name)) as connection:
                ran = sorted(id for (id,) in connection.execute("select id from ran"))
            twice += len(ran) - len(set(ran))
            missed += len(set(expected) - set(ran))
        time.sleep(1)
        left += bench.ask(sessions)
    return (
        f"killed {done} times on {n} databases, {met} times with runs at work: "
        f"{twice} revisions run twice, {missed} missed, {left} sessions left"
    )


def stopped(bench: Bench, n: int, rollouts: int) -> str:
    """Count how many databases a revision that fails everywhere was tried on, at most."""
    names = [f"w{i}" for i in range(n)]
    for name in names:
        bench.make(name)
    last, versions = f"{REVISIONS - 1:012x}", bench.directory / "migrations" / "versions"
    failing = versions / "failing.py"
    text = (versions / f"{last}.py").read_text().replace(f"revision = '{last}'", "revision = 'bad'")
    text = text.replace(f"down_revision = '{REVISIONS - 2:012x}'", f"down_revision = {last!r}")
    failing.write_text(f"{text.partition('def upgrade')[0]}def upgrade():\n    raise ValueError\n")
    chance, reached, within = random.Random(1), list[int](), 0
    for _ in range(rollouts):
        chance.shuffle(names)
        parallel = chance.randint(1, 6)
        waves = ("--canary", "1", "--waves", "5%,25%,100%", "--parallel", str(parallel))
        process = bench.fleet(names, *waves, stdout=subprocess.PIPE)
        lines = [json.loads(one) for one in process.communicate()[0].splitlines()]
        counts = {one["result"]: one["databases"] for one in lines[-1]["counts"]}
        assert counts.pop("not-begun") + counts["failed"] == n, counts
        reached.append(counts["failed"])
        within += counts["failed"] <= 1 + parallel
    failing.unlink()
    return (
        f"a revision that fails everywhere, {rollouts} rollouts over {n} databases with a canary "
        f"and waves: reached {max(reached)} at most; {within} within 1 + parallel"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--databases", type=int, default=1000)
    parser.add_argument("--pending", type=int, default=200)
    parser.add_argument("--sample", type=int, default=20)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--killed-databases", type=int, default=12)
    parser.add_argument("--rollouts", type=int, default=50)
    given = parser.parse_args()
    programs = install()
    clean_environment()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # each side compiles the revisions once
    with Server(embedded_bin()) as server, tempfile.TemporaryDirectory() as directory:
        bench = Bench(server, Path(directory), programs)
        print(f"load: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores\n")
        print(
            "| what | databases | `surefoot fleet up` | loop | faster | CPU of each | of the loop |"
        )
        print("|---|---:|---:|---:|---:|---:|---:|", flush=True)
        if given.databases:
            print(nothing(bench, given.databases, given.sample), flush=True)
        if given.pending:
            print(pending(bench, given.pending, given.sample), flush=True)
        print(f"\nthe most memory that one process had: {bench.memory} MB", flush=True)
        if given.kills:
            print(killed(bench, given.killed_databases, given.kills), flush=True)
        if given.rollouts:
            print(stopped(bench, 20, given.rollouts))


if __name__ == "__main__":
    sys.exit(main())
