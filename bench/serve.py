"""What `surefoot up --serve` is held to, measured: probes, and the hand-over of its socket.

- gunicorn, uvicorn: is anybody refused while the socket is handed over? Each time: an upgrade of
  half a second, then the server takes over, and four threads ask all the while. A refusal is a
  connection that wasn't taken, was cut, or an answer other than 200 and 503. The servers must be
  installed here (`pip install gunicorn uvicorn`); gunicorn is no dependency of the project's.
- probe: does a container with a liveness probe live through a migration of 300 periods? The rules
  are the kubelet's, in time lapse: each 0.1 s, after three failures in a row the container would be
  ended.
- stall: after how many periods does a probe fail when the migration waits for a lock that nobody
  gives back, and does it fail from then on?
- first: how long after the process was started is /livez answered?
- start: a start with nothing to do, in turn with the same without --serve; by pairs.

    python bench/serve.py [--times 50] [--requests 200] [gunicorn|uvicorn|probe|stall|first|start …]
"""

import argparse
import http.client
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from run import clean_environment, install, paired, ratio

from surefoot.postgres.embedded import Server, embedded_bin

WSGI = """\
def application(environ, start_response):
    start_response("200 OK", [("Content-Length", "2")])
    return [b"ok"]


async def asgi(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    headers = [(b"content-length", b"2")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"ok"})
"""
ENV = """\
import os
from alembic import context
from sqlalchemy import create_engine, pool
url = os.environ["DATABASE_URL"].replace("postgresql://", "postgresql+psycopg://")
with create_engine(url, poolclass=pool.NullPool).connect() as connection:
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()
"""
REVISION = """\
from alembic import op
revision, down_revision = {id!r}, {down!r}
def upgrade(): op.execute({statement!r})
def downgrade(): pass
"""
COMMANDS = {
    "gunicorn": ("-m", "gunicorn", "app:application", "--log-level", "error"),
    "uvicorn": ("-m", "uvicorn", "app:asgi", "--fd", "3", "--log-level", "error"),
}
# seconds; failures that end the container; length of a migration
PERIOD, FAILURES, PERIODS = 0.1, 3, 300
# Long, and work for the server: it writes and sorts for the given time.
LONG = f"""
create table work (n bigint);
do $$ begin
  while clock_timestamp() < now() + interval '{PERIODS * PERIOD + 1} s' loop
    insert into work select i from generate_series(1, 20000) i;
    perform count(distinct n) from work where n % 7 = 0;
    delete from work;
  end loop;
end $$;
"""


class Bench:
    """An application with one revision, and a server with one database for it."""

    def __init__(self, root: Path, server: Server, programs: Path) -> None:
        self.root, self.server, self.programs = root, server, programs
        (root / "m" / "versions").mkdir(parents=True)
        (root / "alembic.ini").write_text("[alembic]\nscript_location = m\n")
        (root / "m" / "env.py").write_text(ENV)
        (root / "app.py").write_text(WSGI)
        os.environ["DATABASE_URL"] = server.url("serve")

    def revision(self, id: str, down: str | None, statement: str) -> None:
        """A revision that executes this statement."""
        text = REVISION.format(id=id, down=down, statement=statement)
        (self.root / "m" / "versions" / f"{id}.py").write_text(text)

    def fresh(self, name: str = "serve", template: str = "template1") -> None:
        """Create a database of this name from the template."""
        with psycopg.connect(self.server.conninfo(), autocommit=True) as connection:
            connection.execute(f"drop database if exists {name} with (force)".encode())
            connection.execute(f"create database {name} template {template}".encode())

    def up(self) -> None:
        """Bring it to head, without a page."""
        command = self.command(0)[:2]
        subprocess.run(command, cwd=self.root, check=True, capture_output=True)

    def connect(self) -> "psycopg.Connection[tuple[object, ...]]":
        return psycopg.connect(self.server.conninfo("serve"), autocommit=True)

    def command(self, port: int, *after: str) -> list[str]:
        """Return `surefoot up --serve`, as the wheel installs it."""
        return [str(self.programs / "surefoot"), "up", "--serve", f"127.0.0.1:{port}", *after]

    @contextmanager
    def serving(self, port: int, *after: str) -> "Iterator[subprocess.Popen[bytes]]":
        process = subprocess.Popen(
            self.command(port, *after), cwd=self.root, stderr=subprocess.DEVNULL
        )
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def ask(port: int, path: str = "/", timeout: float = 20) -> tuple[str, float]:
    """Return the status, or what went wrong; and after how many seconds."""
    begun = time.monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
        return str(answer.status), time.monotonic() - begun
    except (OSError, http.client.HTTPException) as error:
        return type(error).__name__, time.monotonic() - begun
    finally:
        connection.close()


def until_answered(port: int, process: "subprocess.Popen[bytes]") -> None:
    while ask(port, "/livez")[0] not in ("200", "503"):
        if process.poll() is not None:
            raise SystemExit(f"surefoot has ended: {process.returncode}")
        time.sleep(0.005)


def hand_over(bench: Bench, name: str, times: int, wanted: int) -> tuple[str, bool]:
    """Ask all the time while the socket is handed over, `times` times."""
    bench.revision("r1", None, "select pg_sleep(0.5)")
    seen: dict[str, int] = {}
    longest = 0.0
    for _ in range(times):
        bench.fresh()
        longest = max(longest, _once(bench, name, wanted, seen))
    refused = {what: n for what, n in seen.items() if what not in ("200", "503")}
    return (
        f"| hand-over to {name} | {times} times, {sum(seen.values()):,} requests | "
        f"{sum(refused.values())} refused; the longest waited {longest:.2f} s |",
        not refused and seen.get("200", 0) > 0,
    )


def _once(bench: Bench, name: str, wanted: int, seen: dict[str, int]) -> float:
    port = free_port()
    lock, stop, longest, own = threading.Lock(), threading.Event(), 0.0, dict[str, int]()

    def asking() -> None:
        nonlocal longest
        while not stop.is_set():
            what, took = ask(port)
            with lock:
                seen[what] = seen.get(what, 0) + 1
                own[what] = own.get(what, 0) + 1
                longest = max(longest, took)

    with bench.serving(port, "--", str(bench.programs / "python"), *COMMANDS[name]) as process:
        until_answered(port, process)
        threads = [threading.Thread(target=asking) for _ in range(4)]
        for thread in threads:
            thread.start()
        while own.get("200", 0) < 20 or sum(own.values()) < wanted:
            if process.poll() is not None:
                break
            time.sleep(0.01)
        stop.set()
        for thread in threads:
            thread.join()
        if process.poll() is not None:
            raise SystemExit(f"{name} has ended: {process.returncode}")
    return longest


def probe(bench: Bench) -> tuple[str, bool]:
    """Run a migration of PERIODS periods, with a probe in each of them."""
    bench.revision("r1", None, LONG)
    bench.fresh()
    port, asked, failed, row, worst = free_port(), 0, 0, 0, 0
    with bench.serving(port) as process:
        until_answered(port, process)
        for what in _probes(port):
            if not what.isdecimal() and _ends(process):
                break  # the page ends shortly before the process
            asked += 1
            row = 0 if what == "200" else row + 1
            failed += row > 0
            worst = max(worst, row)
        code = process.wait()
    return (
        f"| a probe each {PERIOD} s, {FAILURES} failures in a row end the container | "
        f"a migration of {asked} periods | {failed} failed, at most {worst} in a row; "
        f"{'it is at head' if code == 0 else f'exit code {code}'} |",
        code == 0 and worst < FAILURES and asked >= PERIODS,
    )


def _ends(process: "subprocess.Popen[bytes]") -> bool:
    try:
        process.wait(timeout=1)
    except subprocess.TimeoutExpired:
        return False
    return True


def _probes(port: int) -> Iterator[str]:
    """Return what a probe of each period gets, the first one after one period."""
    due = time.monotonic()
    while True:
        due += PERIOD
        time.sleep(max(0.0, due - time.monotonic()))
        yield ask(port, "/livez", timeout=1.0)[0]


def stall(bench: Bench, times: int) -> tuple[str, bool]:
    """Count after how many periods of waiting for the lock a probe fails, and keeps failing."""
    bench.revision("r1", None, "create table held (id int)")
    bench.fresh()
    bench.up()
    bench.fresh("before", template="serve")
    bench.revision("r2", "r1", "alter table held add x int")
    periods: list[int] = []
    stayed = 0
    for _ in range(times):
        bench.fresh(template="before")
        port = free_port()
        with bench.connect() as holder, bench.connect() as watching, bench.serving(port) as process:
            holder.execute("begin")
            holder.execute("lock table held in access share mode")
            until_answered(port, process)
            while watching.execute("select 1 from pg_locks where not granted").fetchone() is None:
                time.sleep(0.01)
            probes = _probes(port)
            periods.append(next(n for n, what in enumerate(probes, 1) if what == "503" or n > 99))
            stayed += [next(probes) for _ in range(FAILURES)] == ["503"] * FAILURES
    (bench.root / "m" / "versions" / "r2.py").unlink()
    within = sum(n <= 2 for n in periods)
    return (
        f"| a lock that nobody gives back | {times} times | red within two periods "
        f"{within} times, after at most {max(periods)}; red from then on {stayed} times |",
        within == stayed == times,
    )


def first(bench: Bench, times: int) -> tuple[str, bool]:
    """Measure from the start of the process to the first answer on /livez, with something to do."""
    bench.revision("r1", None, "select pg_sleep(1)")
    took: list[float] = []
    for _ in range(times):
        bench.fresh()
        port = free_port()
        begun = time.monotonic()
        with bench.serving(port) as process:
            while ask(port, "/livez")[0] != "200":
                if process.poll() is not None:
                    raise SystemExit(f"surefoot has ended: {process.returncode}")
                time.sleep(0.002)
            took.append(time.monotonic() - begun)
            process.wait()
    slow = max(took)
    return (
        f"| the first answer on /livez | {times} starts | after {statistics.median(took):.2f} s "
        f"(median), at most {slow:.2f} s |",
        slow <= 0.3,
    )


def start(bench: Bench, times: int) -> tuple[str, bool]:
    """Measure a start with nothing to do, with --serve and without it, in turn."""
    bench.revision("r1", None, "create table t (id int)")
    bench.fresh()
    bench.up()
    served = bench.command(free_port())
    plain = served[:2]
    sides = paired(times, {"served": served, "plain": plain}, bench.root, lambda: None)
    of = ratio(sides["served"], sides["plain"])
    return (
        f"| a start with nothing to do | {times} pairs | {of:.2f} of one without --serve "
        f"(median of the pairs) |",
        of <= 1.02,
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--times", type=int, default=50)
    parser.add_argument("--requests", type=int, default=200, help="at least so many each time")
    measures = {
        **{name: lambda bench, name=name: hand_over(bench, name, *counts()) for name in COMMANDS},
        "probe": probe,
        "stall": lambda bench: stall(bench, options.times),
        "first": lambda bench: first(bench, options.times),
        "start": lambda bench: start(bench, options.times),
    }
    parser.add_argument("measures", nargs="*", choices=list(measures), default=list(measures))
    options = parser.parse_args()

    def counts() -> tuple[int, int]:
        return options.times, options.requests

    clean_environment()
    programs = install("gunicorn==27.0.1", "uvicorn==0.54.0")
    good = True
    print("| what | how often | what was seen |\n|---|---|---|")
    with tempfile.TemporaryDirectory() as directory, Server(embedded_bin()) as server:
        bench = Bench(Path(directory), server, programs)
        for name in options.measures:
            line, held = measures[name](bench)
            good = good and held
            print(line, flush=True)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
