"""Measure the figures of docs/evidence/performance.md, and write them there: `make bench`.

surefoot is built as a wheel and installed into its own environment, with bytecode compiled,
together with the Alembic that it is compared with. Both sides of a ratio run in turn, on one
server, and the median of the pairwise ratios counts: times on shared machines are noisy, ratios
less so.

    python bench/run.py [--only start,seal,upgrade,script,catalogue,plugin]
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import page

ROOT = Path(__file__).parent.parent
ENVIRONMENT = ROOT / ".cache" / "bench"

INI = "[alembic]\nscript_location = migrations\nsqlalchemy.url = {url}\n"
ENV = """\
from alembic import context
from sqlalchemy import engine_from_config, pool

config = context.config
connectable = engine_from_config(
    config.get_section(config.config_ini_section), prefix="sqlalchemy.", poolclass=pool.NullPool
)
with connectable.connect() as connection:
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()
"""
REVISION = '''\
"""Revision {number}"""
from alembic import op
import sqlalchemy as sa

revision = {id!r}
down_revision = {down!r}


def upgrade():
    {body}
'''
BODIES = (
    'op.create_table("t{n}", sa.Column("id", sa.Integer, primary_key=True),'
    ' sa.Column("name", sa.String(80), nullable=False, index=True),'
    ' sa.Column("at", sa.DateTime(timezone=True)))',
    'op.add_column("t{t}", sa.Column("c{n}", sa.Text))',
    'op.create_index("i{n}", "t{t}", ["at"])',
)


def install(*packages: str) -> Path:
    """Create an environment with surefoot's wheel, the drivers and these packages; returns its
    programs.
    """
    programs = ENVIRONMENT / "bin"
    pip = [str(programs / "python"), "-m", "pip", "install", "--quiet"]
    if not programs.exists():
        subprocess.run([sys.executable, "-m", "venv", str(ENVIRONMENT)], check=True)
        subprocess.run([*pip, f"{ROOT}[binary]"], check=True)
    else:
        subprocess.run([*pip, "--force-reinstall", "--no-deps", str(ROOT)], check=True)
    if packages:
        subprocess.run([*pip, *packages], check=True)
    return programs


def write_history(directory: Path, revisions: int, url: str) -> None:
    """Write a history of tables, columns and indexes; env.py is Alembic's template."""
    versions = directory / "migrations" / "versions"
    versions.mkdir(parents=True)
    (directory / "alembic.ini").write_text(INI.format(url=url))
    (directory / "migrations" / "env.py").write_text(ENV)
    for n in range(revisions):
        text = REVISION.format(
            number=n,
            id=f"{n:012x}",
            down=f"{n - 1:012x}" if n else None,
            body=BODIES[n % 3].format(n=n, t=n - n % 3),
        )
        (versions / f"{n:012x}.py").write_text(text)


def seconds(command: list[str], directory: Path) -> float:
    """Return how long a process takes, from start to end. It must succeed."""
    started = time.perf_counter()
    subprocess.run(command, cwd=directory, check=True, capture_output=True)
    return time.perf_counter() - started


def paired(
    runs: int, sides: dict[str, list[str]], directory: Path, prepare: Callable[[], None]
) -> dict[str, list[float]]:
    """Return every side's times, run in turn, each after `prepare`; without the first round."""
    times: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(runs + 1):
        for name, command in sides.items():
            prepare()
            took = seconds(command, directory)
            if number:
                times[name].append(took)
    return times


def ratio(one: list[float], other: list[float]) -> float:
    """Return the median of the pairwise ratios."""
    return statistics.median(a / b for a, b in zip(one, other, strict=True))


def ms(times: list[float]) -> str:
    return f"{statistics.median(times) * 1000:.0f} ms"


def clean_environment() -> None:
    """Return the environment without variables that name a database."""
    for name in list(os.environ):
        if name.startswith(("PG", "POSTGRES_", "DATABASE_URL", "SUREFOOT_")):
            del os.environ[name]


# What `make bench` runs, and the places in the page for its tables, in order.
PARTS: dict[str, tuple[list[str], tuple[str, ...]]] = {
    "start": (["start.py"], ("start",)),
    "seal": (["seal.py"], ("seal",)),
    "upgrade": (["upgrade.py"], ("upgrade",)),
    "script": (["script.py", "--runs", "3"], ("script",)),
    "catalogue": (["catalogue.py"], ("identify", "making")),
    "plugin": (["plugin.py"], ("plugin",)),
}


def publish(part: str) -> None:
    """Run a part, print its output, and write its tables into the page."""
    (name, *options), places = PARTS[part]
    command = [sys.executable, str(ROOT / "bench" / name), *options]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    print(done.stdout, flush=True)
    for place, table in zip(places, page.tables(done.stdout), strict=True):
        page.put(place, table, " ".join(["python", f"bench/{name}", *options]))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", default=",".join(PARTS))
    given = parser.parse_args()
    for part in given.only.split(","):
        publish(part)


if __name__ == "__main__":
    main()
