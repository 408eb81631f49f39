"""A fleet on a Dask cluster whose workers are killed at random: `SUREFOOT_CORPORA=all`."""

import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from surefoot.postgres.embedded import Server
from tests.support.fleet import LIST, Fleet, Told, fleet, told
from tests.support.project import Application, Result
from tests.support.tls import Certificates, certificates

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
    """A scheduler and its workers, each a process, in the application's directory; `tls` are the
    variables by which Dask finds its certificates.
    """

    def __init__(
        self, programs: Path, directory: Path, scratch: Path, tls: dict[str, str] | None = None
    ) -> None:
        self.protocol, self._tls = "tls" if tls else "tcp", tls or {}
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.address = f"{self.protocol}://127.0.0.1:{self.port}"
        self._programs, self._directory, self._scratch = programs, directory, scratch
        port = str(self.port)
        local = ("--host", "127.0.0.1", "--no-dashboard", "--protocol", self.protocol)
        worker = ("--nworkers", str(WORKERS), "--nthreads", "1", "--local-directory", str(scratch))
        self._processes = [
            self._start("scheduler", "--port", port, *local),
            self._start("worker", self.address, *local, *worker),
        ]

    def _start(self, *arguments: str) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            [self._programs / "dask", *arguments],
            cwd=self._directory,
            env={**environment_variables(), **self._tls},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def workers(self) -> list[int]:
        """The processes of the workers, which their nanny starts again."""
        threads = Path(f"/proc/{self._processes[1].pid}/task").iterdir()
        listed = [pid for thread in threads for pid in (thread / "children").read_text().split()]
        named = ((int(pid), Path(f"/proc/{pid}/cmdline").read_bytes()) for pid in listed)
        return [pid for pid, command in named if b"spawn_main" in command]

    def up(
        self,
        many: Fleet,
        *,
        kill: random.Random | None = None,
        by: str | None = None,
        certified: bool = True,
    ) -> tuple[Told, int]:
        """Run `surefoot fleet up`; returns what it told, and how many workers were killed. `by` is
        another address of the scheduler; not `certified`: without its certificates.
        """
        started = subprocess.Popen(
            [
                *(self._programs / "python", "-m", "surefoot", "fleet", "up", "--targets", LIST),
                *("--scheduler", by or self.address, "--parallel", str(WORKERS + 1)),
            ],
            cwd=many.application.root,
            env={**environment_variables(), **(self._tls if certified else {})},
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


@contextlib.contextmanager
def running(many: Fleet, scratch: Path, tls: dict[str, str] | None = None) -> Iterator[Cluster]:
    """A cluster whose workers have reported to the scheduler."""
    made = environment("fleet", "dask", sys.executable, PINS, "dask,binary")
    scratch.mkdir()
    root = many.application.root
    with contextlib.closing(Cluster(made / "bin", root, scratch, tls)) as cluster:
        deadline = time.monotonic() + 60
        while len(cluster.workers()) < WORKERS and time.monotonic() < deadline:
            time.sleep(0.2)
        time.sleep(3)
        yield cluster


@pytest.fixture
def cluster(many: Fleet, tmp_path: Path) -> Iterator[Cluster]:
    with running(many, tmp_path / "scratch") as made:
        yield made


class Recorded:
    """A proxy on loopback to a port, which keeps every byte that it passes on."""

    def __init__(self, port: int) -> None:
        self._upstream = ("127.0.0.1", port)
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        self.seen, self._sockets = bytearray(), [self._server]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # it is closed
            while True:
                client, _ = self._server.accept()
                upstream = socket.create_connection(self._upstream)
                self._sockets += [client, upstream]
                for pair in ((client, upstream), (upstream, client)):
                    threading.Thread(target=self._pass_on, args=pair, daemon=True).start()

    def _pass_on(self, one: socket.socket, other: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := one.recv(65536):
                self.seen += data
                other.sendall(data)
            other.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        for one in self._sockets:
            with contextlib.suppress(OSError):  # it isn't connected any more
                one.shutdown(socket.SHUT_RDWR)  # wakes the thread that waits for it
            one.close()


def dask_certificates(made: Certificates) -> dict[str, str]:
    """Dask's variables for a certificate of this authority in each role."""
    certificate, key = made.signed("dask", "localhost")
    prefix = "DASK_DISTRIBUTED__COMM__"
    found = {f"{prefix}REQUIRE_ENCRYPTION": "true", f"{prefix}TLS__CA_FILE": made.file("ca.crt")}
    for role in ("SCHEDULER", "WORKER", "CLIENT"):
        found |= {f"{prefix}TLS__{role}__CERT": certificate, f"{prefix}TLS__{role}__KEY": key}
    return found


def test_an_address_is_sent_in_the_clear_only_without_tls(many: Fleet, tmp_path: Path) -> None:
    """With `tls://`, what is sent through the scheduler holds no password; with `tcp://` it does.
    Without certificates the scheduler is refused in one line, and no database was reached.
    """
    password = many.databases[0].server.parameters("postgres")["password"].encode()
    with certificates() as made:
        tls = dask_certificates(made)
        for number, (variables, visible) in enumerate(((tls, False), (None, True))):
            many.application.revision(
                f"n{number}", f"n{number - 1}" if number else "r3", "select 1"
            )
            with (
                running(many, tmp_path / f"scratch{number}", variables) as cluster,
                contextlib.closing(Recorded(cluster.port)) as proxy,
            ):
                by = f"{cluster.protocol}://127.0.0.1:{proxy.port}"
                if variables:
                    refused, _ = cluster.up(many, by=by, certified=False)
                    assert (refused.code, refused.lines) == (2, []), refused.err
                    assert refused.last["findings"][0]["code"] == "scheduler-unusable"
                done, _ = cluster.up(many, by=by)
            assert (done.code, done.counts) == (0, {"migrated": DATABASES}), done.err
            assert (password in proxy.seen) is visible


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
