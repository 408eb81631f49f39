"""Measure from an empty database to head: `surefoot up` against `alembic upgrade heads`.

Both sides run in turn, each in its own process, on one server, each time into an empty database,
with a catalogue next to the revisions; the first round isn't counted. The figures are minima, and
the median of the pairwise ratios: other programs on the machine only add to a time.

    python bench/upgrade.py [--runs 9] [--revisions 100,350]
"""

import argparse
import os
import statistics
import subprocess
import tempfile
from pathlib import Path

import psycopg
from run import clean_environment, install, paired, write_history

from surefoot.postgres.embedded import Server, embedded_bin


def row(server: Server, programs: Path, revisions: int, runs: int) -> str:
    """Measure one length of history: a line of the table."""

    def fresh() -> None:
        with psycopg.connect(server.conninfo(), autocommit=True) as connection:
            connection.execute("drop database if exists bench with (force)")
            connection.execute("create database bench template template0")

    with tempfile.TemporaryDirectory() as temporary:
        directory = Path(temporary)
        write_history(directory, revisions, server.url("bench", "postgresql+psycopg"))
        fresh()
        subprocess.run(
            [str(programs / "surefoot"), "catalog", "build", "--server", server.url()],
            cwd=directory,
            check=True,
            capture_output=True,
        )
        sides = {
            "surefoot": [str(programs / "surefoot"), "up"],
            "alembic": [str(programs / "alembic"), "upgrade", "heads"],
        }
        times = paired(runs, sides, directory, fresh)
    ours, theirs = min(times["surefoot"]), min(times["alembic"])
    pairs = zip(times["surefoot"], times["alembic"], strict=True)
    median = statistics.median(a / b for a, b in pairs)
    return (
        f"| {revisions} revisions | {ours * 1000:.0f} ms | {theirs * 1000:.0f} ms"
        f" | {ours / theirs:.2f} | {median:.2f} | {os.getloadavg()[0]:.1f} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--revisions", default="100,350")
    given = parser.parse_args()
    programs = install()
    clean_environment()
    print(
        "| base to head | `surefoot up`, minimum | `alembic upgrade heads`, minimum"
        " | of it | median of the pairs | load |"
    )
    print("|---|---:|---:|---:|---:|---:|")
    with Server(embedded_bin()) as server:
        for revisions in map(int, given.revisions.split(",")):
            print(row(server, programs, revisions, given.runs), flush=True)


if __name__ == "__main__":
    main()
