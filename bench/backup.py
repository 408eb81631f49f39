"""Measure a backup: `surefoot backup` against pg_dump alone, and the restore.

Both dump the same database with the same pg_dump, in turn, on one server; the ratio of the times is
the result. surefoot's own peak of memory is measured without and with the programs that it starts.
On a machine with other work, the CPU seconds (without the server's) say more than the time. Then
the backup is restored and verified. It needs three times the size on disk.

    python bench/backup.py [--gb 5] [--runs 2] [--directory /tmp]
"""

import argparse
import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psycopg

from surefoot.postgres.embedded import Server, embedded_bin

TABLES = 12
# Rows as in an application: ids, a time, a name, a text of words, random numbers.
ROWS = """\
insert into t{table}
select n, now() - n * interval '1 second', 'customer ' || n % 5000,
       repeat('order ' || n || ' was sent and ', 3) || md5(n::text), random()
from generate_series({first}, {last}) n
"""
BATCH = 500_000


class Measured:
    """A finished process: its duration, and its peak of memory, without and with its children's."""

    def __init__(self, command: list[str], directory: Path, environment: dict[str, str]) -> None:
        started = time.perf_counter()
        with tempfile.TemporaryFile("w+") as said:
            process = subprocess.Popen(
                command, cwd=directory, env=environment, stdout=said, stderr=said
            )
            own, children = 0, {}
            ended, status, used = os.wait4(process.pid, os.WNOHANG)
            while not ended:
                own = max(own, peak(process.pid))
                for child in children_of(process.pid):
                    children[child] = max(children.get(child, 0), peak(child))
                time.sleep(0.05)
                ended, status, used = os.wait4(process.pid, os.WNOHANG)
            self.seconds = time.perf_counter() - started
            self.processor = used.ru_utime + used.ru_stime  # including its children
            said.seek(0)
            if status != 0:
                raise SystemExit(said.read())
        self.own = own
        self.all = own + max(children.values(), default=0)  # they run one after the other


def peak(pid: int) -> int:
    """Return the peak of memory in kB."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1])
    return 0


def children_of(pid: int) -> list[int]:
    with contextlib.suppress(OSError):
        return [int(n) for n in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def fill(conninfo: str, wanted: int) -> int:
    """Insert rows until the database has so many bytes; returns its size."""
    with psycopg.connect(conninfo, autocommit=True) as connection:
        for table in range(TABLES):
            connection.execute(
                f"create table t{table} (id int primary key, at timestamptz, name text,"
                " body text, amount float)"
            )
        connection.execute("create table alembic_version (version_num varchar(32) primary key)")
        connection.execute("insert into alembic_version values ('b47e0a9d13c8')")
        batch = 0
        while True:
            table, first = batch % TABLES, batch // TABLES * BATCH + 1
            connection.execute(ROWS.format(table=table, first=first, last=first + BATCH - 1))
            batch += 1
            row = connection.execute("select pg_database_size(current_database())").fetchone()
            assert row is not None
            if row[0] >= wanted:
                break
        connection.execute("vacuum analyze")
        connection.execute("checkpoint")
        return row[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gb", type=float, default=5)
    parser.add_argument("--runs", type=int, default=2)
    parser.add_argument("--directory", type=Path, default=None)
    given = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(dir=given.directory) as temporary,
        Server(embedded_bin(), settings={"max_wal_size": "4GB"}) as server,
    ):
        directory = Path(temporary)
        with psycopg.connect(server.conninfo(), autocommit=True) as connection:
            connection.execute("create database shop template template0")
        size = fill(server.conninfo("shop"), round(given.gb * 1e9))
        environment = {**os.environ, "SUREFOOT_DATABASE_URL": server.url("shop")}
        (directory / "surefoot.toml").write_text('backup_directory = "kept"\nbackup_keep = 1\n')
        plain_file = directory / "plain.dump"
        plain = [
            *(str(embedded_bin() / "pg_dump"), "--format=custom", f"--file={plain_file}"),
            *("-d", server.conninfo("shop")),
        ]
        surefoot = [sys.executable, "-m", "surefoot"]
        sides = {"pg_dump": plain, "surefoot": [*surefoot, "backup"]}
        found: dict[str, list[Measured]] = {name: [] for name in sides}
        for number in range(given.runs):
            # in alternating order: the first to read warms the cache for the other
            for name in list(sides)[:: 1 if number % 2 == 0 else -1]:
                found[name].append(Measured(sides[name], directory, environment))
                print(f"{name}: {found[name][-1].seconds:.1f} s", file=sys.stderr)
        pairs = [*zip(found["surefoot"], found["pg_dump"], strict=True)]
        ratio = statistics.median(one.seconds / other.seconds for one, other in pairs)
        busy = statistics.median(one.processor / other.processor for one, other in pairs)
        (dump,) = (directory / "kept").glob("*.dump")
        with psycopg.connect(server.conninfo("shop"), autocommit=True) as connection:
            connection.execute("delete from t0 where id % 2 = 0")
        restored = Measured([*surefoot, "restore", dump.name, "--yes"], directory, environment)
        own = max(one.own for one in found["surefoot"]) / 1024
        every = max(one.all for one in found["surefoot"]) / 1024
        alone = max(one.own for one in found["pg_dump"]) / 1024
        print(f"A database of {size / 1e9:.1f} GB, a dump of {dump.stat().st_size / 1e9:.2f} GB:\n")
        print(
            "| | time | of pg_dump's | processor, of pg_dump's | peak memory | with its programs |"
        )
        print("|---|---:|---:|---:|---:|---:|")
        seconds = {n: statistics.median(m.seconds for m in found[n]) for n in sides}
        print(f"| `pg_dump --format=custom` | {seconds['pg_dump']:.0f} s | | | {alone:.0f} MiB | |")
        print(
            f"| `surefoot backup` | {seconds['surefoot']:.0f} s | {ratio:.2f} | {busy:.2f} |"
            f" {own:.0f} MiB | {every:.0f} MiB |"
        )
        print(
            f"| `surefoot restore`, verified and swapped | {restored.seconds:.0f} s |"
            f" {restored.seconds / seconds['pg_dump']:.2f} | | {restored.own / 1024:.0f} MiB |"
            f" {restored.all / 1024:.0f} MiB |"
        )


if __name__ == "__main__":
    main()
