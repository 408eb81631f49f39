"""Measure how fast a script runs, against psql: single-row INSERTs, and one COPY block.

Both sides in one run, on one server started here; prints a Markdown table.

    python bench/script.py [--rows 400000] [--runs 5]
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from surefoot.postgres.embedded import Server, embedded_bin

TABLE = "CREATE TABLE bench (id int, name text, email text, body text, made timestamptz, n numeric)"
RUN = """
import sys, time, psycopg
from pathlib import Path
from surefoot.scripts.run import run_script
from surefoot.scripts.reader import Script, check
script = Script(Path(sys.argv[1]))
with psycopg.connect(sys.argv[2]) as connection, connection.transaction():
    started = time.perf_counter()
    check([script], server_version=connection.info.server_version)
    checked = time.perf_counter()
    run_script(connection, script)
    print(checked - started, time.perf_counter() - checked)
"""


def write_scripts(directory: Path, rows: int) -> tuple[Path, Path]:
    """Write the same rows as INSERTs and as COPY."""
    inserts, copy = directory / "inserts.sql", directory / "copy.sql"
    with inserts.open("w") as one, copy.open("w") as other:
        one.write(f"{TABLE};\n")
        other.write(f"{TABLE};\nCOPY bench FROM stdin;\n")
        for i in range(rows):
            values = (
                *(f"{i}", f"name {i}", f"user{i}@example.com"),
                f"It is a body of text, as long as in many a real table; number {i} {'x' * 80}",
                *("2024-01-01 00:00:00+00", f"{i}.25"),
            )
            one.write(f"INSERT INTO bench VALUES ({', '.join(repr(v) for v in values)});\n")
            other.write("\t".join(values) + "\n")
        other.write("\\.\n")
    return inserts, copy


def run(command: list[str]) -> tuple[float, str]:
    """Return how long a program takes, including its start, and its output."""
    started = time.perf_counter()
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return time.perf_counter() - started, done.stdout


def peak_memory(command: list[str]) -> float:
    """Return a program's own peak of memory, in MiB, from a process that runs only it."""
    measure = (
        "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True);"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024)"
    )
    done = subprocess.run(
        [sys.executable, "-c", measure, *command], check=True, capture_output=True, text=True
    )
    return float(done.stdout.split()[-1])


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--rows", type=int, default=400_000)
    options.add_argument("--runs", type=int, default=5)
    arguments = options.parse_args()
    named = os.environ.get("SUREFOOT_TEST_POSTGRES")
    programs = Path(named) if named else embedded_bin()
    os.environ["PGOPTIONS"] = "-c client_min_messages=warning"
    with tempfile.TemporaryDirectory() as directory, Server(programs) as server:
        conninfo = server.conninfo()
        psql = [str(programs / "psql"), "-X", "-q", "-d", conninfo]
        print("| script | psql -1 | surefoot | ratio | first pass | whole process | peak memory |")
        print("|---|---:|---:|---:|---:|---:|---:|")
        for path in write_scripts(Path(directory), arguments.rows):
            theirs = [*psql, "-1", "-v", "ON_ERROR_STOP=1", "-f", str(path)]
            ours = [sys.executable, "-c", RUN, str(path), conninfo]
            took: dict[str, list[float]] = {"psql": [], "whole": [], "check": [], "run": []}
            for _ in range(arguments.runs):
                run([*psql, "-c", "DROP TABLE IF EXISTS bench"])
                took["psql"].append(run(theirs)[0])
                run([*psql, "-c", "DROP TABLE IF EXISTS bench"])
                whole, parts = run(ours)
                took["whole"].append(whole)
                for part, value in zip(("check", "run"), parts.split(), strict=True):
                    took[part].append(float(value))
            run([*psql, "-c", "DROP TABLE IF EXISTS bench"])
            memory = peak_memory(ours)
            run([*psql, "-c", "DROP TABLE IF EXISTS bench"])
            median = {name: statistics.median(values) for name, values in took.items()}
            size = path.stat().st_size / 1e6
            print(
                f"| {path.stem}, {arguments.rows:,} rows, {size:.0f} MB | {median['psql']:.2f} s "
                f"| {median['run']:.2f} s | {median['psql'] / median['run']:.2f} "
                f"| {median['check']:.2f} s | {median['whole']:.2f} s | {memory:.0f} MiB |",
                flush=True,
            )


if __name__ == "__main__":
    main()
