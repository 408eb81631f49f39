"""Everything that docs/evidence/reliability.md counts, in one run: `make chaos`.

    python -m tests.chaos.run [--seed N] [--only SUBJECT] … [--case CASE] [--quick] [--count N]
        [--write]

Exits with 1 if anything is violated. Violations are told as they happen, each with the case; one
case is done again with `--only SUBJECT --case CASE`.
"""

import argparse
import importlib
import sys
import time
from pathlib import Path

import psycopg

from surefoot.postgres.embedded import Server, embedded_bin
from tests.chaos.table import Row, table, write_document
from tests.support.cheaper import servers_in_memory

DOCUMENT = Path(__file__).parents[2] / "docs" / "evidence" / "reliability.md"

# A module each, with a function `run(seed, count)`: the count of a complete run and of a quick one.
# Those with a third argument, `case`, do one case again.
SUBJECTS = {
    "kill": (0, 120),
    "cuts": (0, 20),
    "back": (0, 20),
    "signals": (800, 48),
    "replicas": (60, 5),
    "histories": (30, 4),
    "scripts": (5_000, 500),
    "bad_input": (1_800, 90),
}
WITH_CASES = ("kill", "cuts", "back", "replicas", "histories")

SEED = 20261122


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seed", type=int, default=SEED, help="(%(default)s)")
    parser.add_argument("--only", action="append", choices=list(SUBJECTS), help="repeatable")
    parser.add_argument("--case", default="", help="this case of the subject")
    parser.add_argument("--quick", action="store_true", help="a few cases of each")
    parser.add_argument("--count", type=int, help="about so many cases of each")
    parser.add_argument("--write", action="store_true", help=f"write docs/{DOCUMENT.name}")
    options = parser.parse_args()
    servers_in_memory()
    subjects: tuple[str, ...] = tuple(options.only or SUBJECTS)
    if options.case and (len(subjects) != 1 or subjects[0] not in WITH_CASES):
        parser.error(f"--case needs one --only, {' or '.join(WITH_CASES)}")
    if options.write and (options.case or options.quick or options.count):
        parser.error("only what a complete run of a subject has shown is written")
    print(f"seed {options.seed}", file=sys.stderr, flush=True)
    good = True
    for name in subjects:
        started = time.monotonic()
        subject = importlib.import_module(f"tests.chaos.{name}")
        rows: list[Row] = (
            subject.run(options.seed, case=options.case)
            if options.case
            else subject.run(options.seed, options.count or SUBJECTS[name][options.quick])
        )
        took = time.monotonic() - started
        print(f"{name}, {took:.0f} s\n\n{table(rows)}\n", flush=True)
        good = good and bool(rows) and all(row.times and not row.violations for row in rows)
        if options.write:
            command = f"python -m tests.chaos.run --only {name} --seed {options.seed}"
            write_document(DOCUMENT, name, rows, command, _version(), took)
    return 0 if good else 1


def _version() -> str:
    with Server(embedded_bin()) as server, psycopg.connect(server.conninfo()) as connection:
        return connection.info.parameter_status("server_version") or ""


if __name__ == "__main__":
    sys.exit(main())
