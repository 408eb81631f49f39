"""Databases that a former release made in its own way, with create_all: learned, and upgraded.

For each case with a [former] table: the former release, in an environment of its own, creates its
database by its own first start. `surefoot catalog learn` then writes its structure, and a second
build makes it an origin. After that, `up` must bring the database to head, a second `up` must find
nothing to do, and `drift` must find no difference. A copy without its version row must be
identified, or be ambiguous with the true revision among those named; it may never be taken for
another. `rows` of the table are added to the learned script: rows that the release makes when it
starts, and that later revisions need.

    python tests/corpora/former_release.py [--only NAME] … [--postgres BIN_DIRECTORY]
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from environments import Failed, NotRun, environment, find_python
from run import Case, cases, create_database, own_way, prepare, psql, timed

from surefoot.postgres.embedded import Server, embedded_bin


def run_case(case: Case, server: Server) -> str:
    """Return what was seen, in a line. Raises Failed where it isn't what it must be."""
    python = find_python(case.python)
    today = environment("corpora", case.name, python, case.packages, "binary")
    former = environment("former", case.name, python, case.former["packages"], "binary")
    with tempfile.TemporaryDirectory(prefix="former-") as directory:
        return _run(case, server, today, former, Path(directory))


def _run(case: Case, server: Server, today: Path, former: Path, work: Path) -> str:
    made, without_row = f"{case.name}_former", f"{case.name}_without_row"
    _make(case, server, former, work / "former", made)
    table = case.former.get("version_table", "public.alembic_version")
    [revision] = psql(server, made, f"select version_num from {table}")
    create_database(server, without_row, template=made)
    psql(server, without_row, f"drop table {table}")

    here = work / "today"
    here.mkdir()
    _, variables = prepare(case, today, here)
    variables["PATH"] = f"{embedded_bin()}:{variables['PATH']}"  # for pg_dump
    surefoot = str(today / "bin" / "surefoot")

    def run(*words: str, database: str = made) -> str:
        address = {**variables, "SUREFOOT_DATABASE_URL": server.url(database)}
        return timed([surefoot, *words], here, address)[1]

    def state(database: str) -> dict[str, Any]:
        address = {**variables, "SUREFOOT_DATABASE_URL": server.url(database)}
        words = [surefoot, "status", "--json"]
        done = subprocess.run(words, cwd=here, env=address, capture_output=True, text=True)
        return json.loads(done.stdout)

    build = ("catalog", "build", "--no-downgrade", "--server", str(server.bin_directory))
    run(*build)
    before = state(made)
    learned = run("catalog", "learn", "--from", server.url(made), "--as", revision)
    entry = learned[learned.index("[[origins]]") :]
    with (here / "surefoot.toml").open("a", encoding="utf-8") as file:
        file.write("\n" + entry)
    if rows := case.former.get("rows"):
        with (here / f"learned-{revision}.sql").open("a", encoding="utf-8") as file:
            file.write(rows)
    run(*build)
    alone = state(without_row)
    found = [one["revisions"] for one in alone["structure"]["exact"]]
    if [revision] not in found or alone["state"] not in ("identified", "ambiguous-revision"):
        raise Failed(f"without its row: {alone['state']}, {found}; it is at {revision}")
    applied = sum(done["step"] == "revision" for done in json.loads(run("up", "--json"))["done"])
    again = json.loads(run("up", "--json"))
    if again["done"] or again["state"] != "at-head":
        raise Failed(f"the second run was not idle: {again}")
    run("drift")
    return (
        f"at {revision}: {before['state']}; learned: up applied {applied} revisions, drift clean;"
        f" without its row: {alone['state']}"
    )


def _make(case: Case, server: Server, former: Path, work: Path, database: str) -> None:
    """Let the former release create its database."""
    create_database(server, database)
    work.mkdir()
    places, variables = prepare(case, former, work)
    timed(*own_way(case.former, places, variables, server, database))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--only", action="append", metavar="NAME", help="this case; repeatable")
    parser.add_argument("--postgres", type=Path, metavar="BIN_DIRECTORY", help="another server")
    options = parser.parse_args()
    failures = 0
    with Server(options.postgres or embedded_bin()) as server:
        for case in cases():
            if not case.former or (options.only and case.name not in options.only):
                continue
            start = time.monotonic()
            try:
                told = run_case(case, server)
            except NotRun as error:
                told = f"NOT RUN: {error}"
            except (Failed, subprocess.TimeoutExpired) as error:
                failures += 1
                told = f"FAILED: {error}"
            print(f"{case.name:16} {told}  ({time.monotonic() - start:.0f} s)", flush=True)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
