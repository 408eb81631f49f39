"""A test's database from the pytest fixture, against replaying the history.

One test in one process takes both in turn, each time a database of its own: `surefoot_database()`
at head, and `alembic upgrade heads` on an empty database, with Python and all modules loaded. The
template is made before, once. The figures are medians, and the median of the pairwise ratios.

    python bench/fixture.py [--runs 15] [--revisions 100]
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from run import clean_environment, write_history

from surefoot.postgres.embedded import Server, embedded_bin

_TEST = """
import json, time
from pathlib import Path

from alembic import command
from alembic.config import Config


def took(what):
    started = time.perf_counter()
    what()
    return (time.perf_counter() - started) * 1000


def test_times(surefoot_database):
    surefoot_database()
    rows = []
    for _ in range({runs} + 1):
        ours = took(surefoot_database)
        config = Config("alembic.ini")
        url = surefoot_database("empty").url("postgresql+psycopg")
        config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
        rows.append((ours, took(lambda: command.upgrade(config, "heads"))))
    Path("times.json").write_text(json.dumps(rows[1:]))  # a first round isn't counted
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--revisions", type=int, default=100)
    given = parser.parse_args()
    clean_environment()
    with Server(embedded_bin()) as server, tempfile.TemporaryDirectory() as temporary:
        directory = Path(temporary) / "application"
        write_history(directory, given.revisions, server.url("postgres", "postgresql+psycopg"))
        (directory / "test_times.py").write_text(_TEST.format(runs=given.runs))
        python = [sys.executable, "-m"]
        build = [*python, "surefoot", "catalog", "build", "--no-downgrade"]
        subprocess.run(
            [*build, "--server", server.url()], cwd=directory, check=True, capture_output=True
        )
        test = [*python, "pytest", "-q", "-p", "no:cacheprovider", "test_times.py"]
        subprocess.run(
            [*test, "--surefoot-server", server.url()], cwd=directory, check=True, stdout=sys.stderr
        )
        rows = json.loads((directory / "times.json").read_text())
    ours, theirs = (statistics.median(row[side] for row in rows) for side in (0, 1))
    ratio = statistics.median(row[1] / row[0] for row in rows)
    print("| a database at head | fixture | replay | the fixture is faster | load |")
    print("|---|---:|---:|---:|---:|")
    print(
        f"| {given.revisions} revisions | {ours:.0f} ms | {theirs:.0f} ms | {ratio:.0f} × |"
        f" {os.getloadavg()[0]:.1f} |"
    )


if __name__ == "__main__":
    main()
