"""Measure the DDL seal: the quick look with and without it, in turn, on one server.

Each look has its own connection, as in a start: connect, look, close. Also the whole process,
`surefoot up` with nothing to do, on the same database. The shapes are those of `bench/facts.py`.

    python bench/seal.py [--tables 100,5000] [--shapes plain,rich] [--runs 15]
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import psycopg
from facts import PLAIN, RICH, make, paired, ratio

from surefoot.decision.facts import VersionTableName
from surefoot.look.database import observe_database
from surefoot.postgres.embedded import Server, embedded_bin

FILES = {
    "alembic.ini": "[alembic]\nscript_location = m\n",
    "m/env.py": """\
import os
from alembic import context
from sqlalchemy import create_engine, pool
url = os.environ["SUREFOOT_DATABASE_URL"].replace("postgresql:", "postgresql+psycopg:")
with create_engine(url, poolclass=pool.NullPool).connect() as connection:
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()
""",
    "m/versions/r1.py": """\
revision = "r1"
down_revision = None
def upgrade(): pass
def downgrade(): pass
""",
}


def row(server: Server, shape: str, tables: int, runs: int, directory: Path) -> str:
    """Measure one line of the table."""
    database = f"{shape}_{tables}"
    with psycopg.connect(server.conninfo(), autocommit=True) as connection:
        connection.execute(f"create database {database} template template0")
    conninfo = server.conninfo(database)
    environment = {**os.environ, "SUREFOOT_DATABASE_URL": server.url(database)}
    up = [sys.executable, "-m", "surefoot", "up"]
    started = {"cwd": directory, "env": environment, "check": True, "capture_output": True}
    subprocess.run(up, **started)
    with psycopg.connect(conninfo, autocommit=True) as connection:
        make(connection, {"plain": PLAIN, "rich": RICH}[shape], tables)
    subprocess.run(up, **started)  # tables were created: look at them once

    def look(*, sealed: bool) -> None:
        with psycopg.connect(conninfo, autocommit=True) as connection:
            observe_database(connection, VersionTableName(), sealed=sealed)

    sides = {
        "with": lambda: look(sealed=True),
        "without": lambda: look(sealed=False),
        "process": lambda: subprocess.run(up, **started),
    }
    t = paired(runs, sides)
    with psycopg.connect(server.conninfo(), autocommit=True) as connection:
        connection.execute(f"drop database {database} with (force)")
    ms = {name: statistics.median(times) * 1000 for name, times in t.items()}
    seal = statistics.median(a - b for a, b in zip(t["with"], t["without"], strict=True)) * 1000
    return (
        f"| {tables:,} {shape} | {ms['without']:.0f} ms | {ms['with']:.0f} ms"
        f" ({ratio(t['with'], t['without']):.2f}) | {seal:.0f} ms | {ms['process']:.0f} ms |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tables", default="100,5000")
    parser.add_argument("--shapes", default="plain,rich")
    parser.add_argument("--runs", type=int, default=15)
    given = parser.parse_args()
    print("| tables | look without the seal | with it (ratio) | the seal | `surefoot up`, whole |")
    print("|---:|---:|---:|---:|---:|")
    with (
        tempfile.TemporaryDirectory() as temporary,
        Server(embedded_bin(), settings={"max_locks_per_transaction": "8192"}) as server,
    ):
        directory = Path(temporary)
        for name, text in FILES.items():
            (directory / name).parent.mkdir(parents=True, exist_ok=True)
            (directory / name).write_text(text)
        for shape in given.shapes.split(","):
            for tables in map(int, given.tables.split(",")):
                print(row(server, shape, tables, given.runs, directory), flush=True)


if __name__ == "__main__":
    main()
