"""What a database at a release costs a test: pytest's fixture `surefoot_database`.

A history of 100 revisions, with its catalogue. Within one run of pytest, on an embedded server that
the plugin starts, in turn:

- clone: `surefoot_database("head")`, from the call to the database's name
- connected: the same, until a first query on it is answered by psycopg
- asyncpg: the same, by an asynchronous engine of SQLAlchemy's
- replay: CREATE DATABASE and `alembic upgrade head`, by Alembic's own command in this process

Times are wall clock. The first of each isn't counted: it makes the template, or imports.

    python bench/plugin.py [--runs 20] [--revisions 100]
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from run import clean_environment, install, ratio, write_history

from surefoot.postgres.embedded import embedded_bin

_TEST = """\
import asyncio, json, os, time

import psycopg, sqlalchemy
from alembic import command
from alembic.config import Config
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool


def connected(database):
    with psycopg.connect(database.conninfo) as connection:
        assert connection.execute("select count(*) from alembic_version").fetchone() == (1,)


async def asked(database):
    engine = create_async_engine(database.url("postgresql+asyncpg"), poolclass=NullPool)
    async with engine.connect() as connection:
        found = await connection.scalar(sqlalchemy.text("select count(*) from alembic_version"))
    assert found == 1


def replayed(database):
    config = Config("alembic.ini")
    config.set_main_option("sqlalchemy.url", database.url("postgresql+psycopg"))
    command.upgrade(config, "head")


def test_clones(surefoot_database):
    sides = {
        "clone": ("head", lambda database: database.name),
        "connected": ("head", connected),
        "asyncpg": ("head", lambda database: asyncio.run(asked(database))),
        "replay": ("empty", replayed),
    }
    times = {name: [] for name in sides}
    for number in range(int(os.environ["RUNS"]) + 1):
        for name, (release, use) in sides.items():
            begun = time.perf_counter()
            use(surefoot_database(release))
            if number:
                times[name].append(time.perf_counter() - begun)
    with open(os.environ["TIMES"], "w") as file:
        json.dump(times, file)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--revisions", type=int, default=100)
    given = parser.parse_args()
    clean_environment()
    programs = install("pytest", "asyncpg", "greenlet")
    with tempfile.TemporaryDirectory() as temporary:
        directory, times = Path(temporary) / "application", Path(temporary) / "times.json"
        write_history(directory, given.revisions, "postgresql+psycopg://")
        (directory / "test_clones.py").write_text(_TEST)
        build = [str(programs / "surefoot"), "catalog", "build", "--no-stepwise", "--no-downgrade"]
        subprocess.run([*build, "--server", str(embedded_bin())], cwd=directory, check=True)
        command = [str(programs / "python"), "-m", "pytest", "-q"]
        subprocess.run(
            [*command, f"--surefoot-server={embedded_bin()}"],
            cwd=directory,
            env={
                **os.environ,
                "RUNS": str(given.runs),
                "TIMES": str(times),
            },
            stdout=sys.stderr,
            check=True,
        )
        found: dict[str, list[float]] = json.loads(times.read_text())
    print("| a database at head | least | median | a replay takes |\n|---|---:|---:|---:|")
    names = {
        "clone": "`surefoot_database`",
        "connected": "the same, and a query by psycopg",
        "asyncpg": "the same, and a query by an engine with asyncpg",
        "replay": f"`alembic upgrade head`, {given.revisions} revisions",
    }
    for name, what in names.items():
        least, median = min(found[name]) * 1000, statistics.median(found[name]) * 1000
        times_longer = ratio(found["replay"], found[name])
        print(f"| {what} | {least:.0f} ms | {median:.0f} ms | {times_longer:.1f} × |")


if __name__ == "__main__":
    main()
