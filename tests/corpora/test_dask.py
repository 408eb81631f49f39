"""A fleet on a Dask cluster whose workers are killed at random: `SUREFOOT_CORPORA=all`."""

import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from surefoot.postgres.embedded import Server
from tests.support.fleet import LIST, Fleet, Told, fleet, told
from tests.support.project import Application, Result

sys.path.insert(0, str(Path(__file__).parent))
from environments import environment, environment_variables

pytestmark = [
    pytest.mark.network,
    pytest.mark.skipif(
        os.environ.get("SUREFOOT_CORPORA") != "all", reason="installs Dask: see make matrix"
    ),
]
DATABASES, WORKERS, SEED = 20, 3, 20261130
PINS = ["distributed==2026.8.0", "dask==2026.8.0"]


class Cluster:
    """A scheduler and its workers, each a process, in the application's directory."""

    def __init__(self, programs: Path, directory: Path, scratch: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
        self._programs, self._directory, self._scratch = programs, directory, scratch
        port = self.address.rpartition(":")[2]
        local = ("--host", "127.0.0.1", "--no-dashboard")
        worker = ("--nworkers", str(WORKERS), "--nthreads", "1", "--local-directory", str(scratch))
        self._processes = [
            self._start("scheduler", "--port", port, *local),
            self._start("worker", self.address, *local, *worker),
        ]

    def _start(self, *arguments: str) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            [self._programs / "dask", *arguments],
            cwd=self._directory,
            env=environment_variables(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def workers(self) -> list[int]:
        """The processes of the workers, which their nanny starts again."""
        threads = Path(f"/proc/{self._processes[1].pid}/task").iterdir()
        listed = [pid for thread in threads for pid in (thread / "children").read_text().split()]
        named = ((int(pid), Path(f"/proc/{pid}/cmdline").read_bytes()) for pid in listed)
        return [pid for pid, command in named if b"spawn_main" in command]

    def up(self, many: Fleet, *, kill: random.Random | None = None) -> tuple[Told, int]:
        """Run `surefoot fleet up`; returns what it told, and how many workers were killed."""
        started = subprocess.Popen(
            [
                *(self._programs / "python", "-m", "surefoot", "fleet", "up", "--targets", LIST),
                *("--scheduler", self.address, "--parallel", str(WORKERS + 1)),
            ],
            cwd=many.application.root,
            env=environment_variables(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        killed = 0
        while kill is not None and started.poll() is None:
            time.sleep(kill.uniform(0.3, 2))
            with contextlib.suppress(OSError, IndexError):
                os.kill(kill.choice(self.workers()), signal.SIGKILL)
                killed += 1
        out, err = started.communicate(timeout=300)
        return told(Result(started.returncode, out, err)), killed

    def close(self) -> None:
        for process in reversed(self._processes):
            process.terminate()
            process.wait()


@pytest.fixture
def many(application: Application, server: Server, pg_bin: Path) -> Iterator[Fleet]:
    application.linear()
    with fleet(application, server, pg_bin, DATABASES) as made:
        yield made


@pytest.fixture
def cluster(many: Fleet, tmp_path: Path) -> Iterator[Cluster]:
    made = environment("fleet", "dask", sys.executable, PINS, "dask,binary")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    with contextlib.closing(Cluster(made / "bin", many.application.root, scratch)) as running:
        deadline = time.monotonic() + 60
        while len(running.workers()) < WORKERS and time.monotonic() < deadline:
            time.sleep(0.2)
        time.sleep(3)  # until they have reported to the scheduler
        yield running


def test_workers_are_killed_and_nothing_is_done_twice_or_missed(
    many: Fleet, cluster: Cluster
) -> None:
    done, _ = cluster.up(many)
    assert (done.code, done.counts) == (0, {"migrated": DATABASES}), done.err
    many.application.revision(
        "r4", "r3", "create table once (id int primary key); select pg_sleep(0.5)"
    )
    many.application.revision("r5", "r4", "insert into once values (1)")
    chance, killed = random.Random(SEED), 0
    for _ in range(5):
        done, more = cluster.up(many, kill=chance)
        killed += more
        if done.code == 0:
            break
    done, _ = cluster.up(many)  # what a killed worker had begun was to be waited for
    assert done.code == 0, (done.lines, done.err)
    assert killed > WORKERS
    assert [many.rows(one) for one in many.databases] == [["r5"]] * DATABASES
    ran = "select count(*) from surefoot.journal where name = 'r5' and step = 'revision'"
    assert [one.query(ran) for one in many.databases] == [[(1,)]] * DATABASES
    left = "select count(*) from pg_locks where locktype = 'advisory'"
    assert many.databases[0].query(left) == [(0,)]
