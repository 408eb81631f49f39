"""What `surefoot.api.up()` costs an application that has nothing to do.

One application with a revision, at head. Each side is a process of its own; the times are taken
within it, in milliseconds of wall clock:

- import: `from surefoot import api`, in a process that has imported asyncio and logging
- first: the first call
- again: the median of twenty more calls
- command: the whole process `surefoot up`, for comparison

    python bench/api.py [--runs 20]
"""

import argparse
import json
import os
import statistics
import subprocess
import tempfile
from pathlib import Path

from page import put
from run import clean_environment, install, seconds, write_history

from surefoot.postgres.embedded import Server, embedded_bin

_CALLER = """
import asyncio, json, logging, statistics, time
def took(what):
    begun = time.perf_counter()
    what()
    return (time.perf_counter() - begun) * 1000
def load():
    global api
    from surefoot import api
def up():
    assert api.up().done == ()
print(json.dumps([took(load), took(up), statistics.median(took(up) for _ in range(20))]))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=20)
    given = parser.parse_args()
    clean_environment()
    programs = install()
    with Server(embedded_bin()) as server, tempfile.TemporaryDirectory() as temporary:
        directory = Path(temporary) / "application"
        write_history(directory, 10, server.url("postgres", "postgresql+psycopg"))
        os.environ["DATABASE_URL"] = server.url("postgres")
        command = [str(programs / "surefoot"), "up"]
        subprocess.run(command, cwd=directory, check=True, capture_output=True)
        rows: list[list[float]] = []
        for number in range(given.runs + 1):
            caller = [str(programs / "python"), "-c", _CALLER]
            done = subprocess.run(caller, cwd=directory, check=True, stdout=subprocess.PIPE)
            row = [*json.loads(done.stdout), seconds(command, directory) * 1000]
            if number:  # the first round isn't counted
                rows.append(row)
    table = ["| nothing to do | least | median |", "|---|---:|---:|"]
    names = ("import", "first call", "further calls", "`surefoot up`, the process")
    for name, times in zip(names, zip(*rows, strict=True), strict=True):
        table.append(f"| {name} | {min(times):.1f} ms | {statistics.median(times):.1f} ms |")
    print("\n".join(table))
    put("api", table, "python bench/api.py")


if __name__ == "__main__":
    main()
