"""Everything that docs/reliability.md counts, in one run: `make chaos`.

    python -m tests.chaos.run [--seed N] [--only SUBJECT] … [--case CASE] [--quick] [--write]

Exits with 1 if anything is violated. Violations are told as they happen, each with the case; one
case is done again with `--only SUBJECT --case CASE`.
"""

import argparse
import importlib
import sys
import time
from pathlib import Path

import psycopg

from surefoot.server import Server, embedded_bin
from tests.chaos.table import Row, table, write_document

DOCUMENT = Path(__file__).parents[2] / "docs" / "reliability.md"

# A module each, with a function `run(seed, count)`: the count of a complete run and of a quick one.
# Those with a third argument, `case`, do one case again.
SUBJECTS = {"kill": (0, 120), "cuts": (0, 20), "replicas": (100, 5)}
WITH_CASES = ("kill", "cuts", "replicas")

SEED = 20261122


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seed", type=int, default=SEED, help="(%(default)s)")
    parser.add_argument("--only", action="append", choices=list(SUBJECTS), help="repeatable")
    parser.add_argument("--case", default="", help="this case of the subject")
    parser.add_argument("--quick", action="store_true", help="a few cases of each")
    parser.add_argument("--write", action="store_true", help=f"write docs/{DOCUMENT.name}")
    options = parser.parse_args()
    subjects: tuple[str, ...] = tuple(options.only or SUBJECTS)
    if options.case and (len(subjects) != 1 or subjects[0] not in WITH_CASES):
        parser.error(f"--case needs one --only, {' or '.join(WITH_CASES)}")
    if options.write and (options.only or options.case or options.quick):
        parser.error("only a complete run is written")
    started = time.monotonic()
    rows: list[Row] = []
    print(f"seed {options.seed}", file=sys.stderr, flush=True)
    for name in subjects:
        subject = importlib.import_module(f"tests.chaos.{name}")
        if options.case:
            rows += subject.run(options.seed, case=options.case)
        else:
            rows += subject.run(options.seed, SUBJECTS[name][options.quick])
    took = time.monotonic() - started
    print(table(rows))
    if options.write:
        write_document(DOCUMENT, rows, options.seed, _version(), took)
    return 1 if not rows or any(row.violations or not row.times for row in rows) else 0


def _version() -> str:
    with Server(embedded_bin()) as server, psycopg.connect(server.conninfo()) as connection:
        return connection.info.parameter_status("server_version") or ""


if __name__ == "__main__":
    sys.exit(main())
