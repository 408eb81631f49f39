"""Real histories, from published applications: what surefoot makes is what their own way makes.

For each case (a folder beside this file): `surefoot up` on an empty database; again, which must
find nothing to do; the application's own way on another empty database; then the structures and
the version rows of both must be equal. Then `surefoot catalog build`, and `surefoot drift`, by
which the first database must be what the catalogue says.

    python tests/corpora/run.py [--only NAME] … [--postgres BIN_DIRECTORY] [--list] [--write]

A case has `case.toml`, `surefoot.toml` and, if it needs them, modules. In both files {site} is
the environment's site-packages, {bin} its programs, {work} the directory that everything runs in,
{plain} plain_upgrade.py. Within [reference], {url} or {url:postgresql+driver} is the database,
{name} {host} {port} {user} {password} its parts.
"""

import argparse
import difflib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from environments import Failed, NotRun, environment, find_python

from surefoot.postgres.embedded import Server, embedded_bin

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "evidence" / "histories.md"

# Longer than this, "nothing to do" isn't quick: the application itself was loaded, or worse.
QUICK_SECONDS = 30.0


@dataclass(frozen=True)
class Case:
    """One application: what to install, how it's configured, and its own way to migrate."""

    name: str
    about: str
    packages: list[str]
    reference: dict[str, Any]
    python: str = ">=3.11"
    small: bool = False
    extension: str = ""  # which the server must have, and the embedded one doesn't
    makes_tables: bool = False  # while it is loaded: surefoot needs the catalogue first
    environment: dict[str, str] = field(default_factory=dict)
    rolled_back: dict[str, Any] = field(default_factory=dict)  # for rolled_back.py
    former: dict[str, Any] = field(default_factory=dict)  # for former_release.py


@dataclass
class Result:
    """What was seen."""

    revisions: int
    tables: int
    up: float
    again: float
    reference: float
    catalogue: float
    size: int

    def __str__(self) -> str:
        return (
            f"{self.revisions:4} revisions  {self.tables:4} tables  equal  up {self.up:5.1f} s"
            f"  again {self.again:4.1f} s  own way {self.reference:5.1f} s"
            f"  catalogue {self.catalogue:5.1f} s, {self.catalogue / self.up:4.2f} of up,"
            f" {self.size / 1000:4.0f} kB"
        )


def cases() -> list[Case]:
    """Every folder with a case.toml."""
    found: list[Case] = []
    for file in sorted(HERE.glob("*/case.toml")):
        found.append(Case(file.parent.name, **tomllib.loads(file.read_text(encoding="utf-8"))))
    return found


def run_case(case: Case, server: Server) -> Result:
    """Raises Failed where anything differs, NotRun where this machine can't run it."""
    available = f"select 1 from pg_available_extensions where name = '{case.extension}'"
    if case.extension and not psql(server, "postgres", available):
        raise NotRun(f"the server has no extension {case.extension}: name another with --postgres")
    python = find_python(case.python)
    made = environment("corpora", case.name, python, case.packages, "binary")
    with tempfile.TemporaryDirectory(prefix="corpus-") as directory:
        return _run(case, server, made, Path(directory))


def prepare(case: Case, made: Path, work: Path) -> tuple[dict[str, str], dict[str, str]]:
    """The case's files in `work`; what may be filled into texts, and the environment variables."""
    site = next((made / "lib").glob("python3*/site-packages"))
    places = {
        "site": str(site),
        "bin": str(made / "bin"),
        "work": str(work),
        "plain": str(HERE / "plain_upgrade.py"),
    }
    for file in sorted((HERE / case.name).iterdir()):
        if file.suffix == ".toml":
            (work / file.name).write_text(_filled(file.read_text(encoding="utf-8"), places))
        elif file.is_file():
            shutil.copy(file, work)
    variables = {
        "PATH": f"{made / 'bin'}:{os.environ['PATH']}",
        "HOME": str(work),
        "LANG": "C.UTF-8",
        **{name: _filled(value, places) for name, value in case.environment.items()},
    }
    return places, variables


def own_way(
    own: dict[str, Any],
    places: dict[str, str],
    variables: dict[str, str],
    server: Server,
    database: str,
) -> tuple[list[str], Path, dict[str, str]]:
    """How `own`, a table of a case, migrates this database: command, directory, variables."""
    places = places | _address(server, database)
    extra = {n: _filled(v, places) for n, v in own.get("environment", {}).items()}
    where = Path(_filled(own.get("directory", "{work}"), places))
    return [_filled(word, places) for word in own["command"]], where, {**variables, **extra}


def create_database(server: Server, name: str, template: str = "template0") -> None:
    """Empty, or a copy of `template`, whatever was there."""
    psql(server, "postgres", f'drop database if exists "{name}" with (force)')
    psql(server, "postgres", f'create database "{name}" template "{template}"')


def _run(case: Case, server: Server, made: Path, work: Path) -> Result:
    places, variables = prepare(case, made, work)
    one, other = f"{case.name}_surefoot".replace("-", "_"), f"{case.name}_own".replace("-", "_")
    for database in (one, other):
        create_database(server, database)

    build = [str(made / "bin" / "surefoot"), "catalog", "build", "--no-downgrade"]
    build += ["--server", str(server.bin_directory)]  # which the build may start more than once
    catalogue = timed(build, work, variables)[0] if case.makes_tables else 0.0
    address = {**variables, "SUREFOOT_DATABASE_URL": server.url(one)}
    command = [str(made / "bin" / "surefoot"), "up", "--json"]
    up, text = timed(command, work, address)
    account = json.loads(text)
    revisions = sum(done["step"] == "revision" for done in account["done"])
    again, text = timed(command, work, address)
    account = json.loads(text)
    if account["done"] or account["state"] != "at-head":
        raise Failed(f"the second run was not idle: {text}")
    if again > QUICK_SECONDS:
        raise Failed(f"the second run took {again:.1f} s")

    reference, _ = timed(*own_way(case.reference, places, variables, server, other))
    _require_equal(_structure(server, one), _structure(server, other))

    catalogue = catalogue or timed(build, work, variables)[0]
    size = next(work.rglob("surefoot-catalog.txt")).stat().st_size
    # exit code 0: what `up` has made is the catalogue's structure at head, and nothing else
    timed([str(made / "bin" / "surefoot"), "drift"], work, address)
    return Result(revisions, _number_of_tables(server, one), up, again, reference, catalogue, size)


def with_row(page: str, case: Case, result: Result) -> str:
    """The page with this case's figures in its row of the table; a new case gets the last row."""
    name = re.sub(r"\[.*\]", "", case.packages[0]).replace("==", " ")
    lines = page.splitlines(keepends=True)
    rows = [n for n, line in enumerate(lines) if line.startswith("| ")]
    rows = rows[: next((n for n in range(1, len(rows)) if rows[n] > rows[n - 1] + 2), len(rows))]
    mine = next((n for n in rows if lines[n].startswith(f"| {name}")), None)
    words = lines[mine].split("|")[1:3] if mine is not None else [f" {name} ", f" {case.about} "]
    ratio = f"{result.catalogue / result.up:.2f}"
    figures = (result.revisions, result.tables, "equal", f"{result.size / 1000:.0f} kB", ratio)
    row = "|".join(["", *words, *(f" {figure} " for figure in figures)]) + "|\n"
    if mine is None:
        lines.insert(rows[-1] + 1, row)
    else:
        lines[mine] = row
    return "".join(lines)


def _filled(text: str, places: dict[str, str]) -> str:
    def place(match: re.Match[str]) -> str:
        name, _, driver = match[1].partition(":")
        value = places[name]
        return value.replace("postgresql://", f"{driver}://", 1) if driver else value

    known = "|".join(places)
    return re.sub(rf"\{{((?:{known})(?::[\w+]+)?)\}}", place, text)


def _address(server: Server, database: str) -> dict[str, str]:
    parts = server.parameters(database)
    return {
        **{name: parts[name] for name in ("host", "port", "user", "password")},
        "name": database,
        "url": server.url(database),
    }


def timed(command: list[str], directory: Path, variables: dict[str, str]) -> tuple[float, str]:
    """How long the command took, and what it printed. Raises Failed if it failed."""
    start = time.monotonic()
    done = subprocess.run(
        command, cwd=directory, env=variables, capture_output=True, text=True, timeout=1200
    )
    if done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()[-30:]
        program = f"{Path(command[0]).name} {' '.join(command[1:])}"
        raise Failed("\n".join([f"{program} ended with {done.returncode}:", *said]))
    return time.monotonic() - start, done.stdout


def psql(server: Server, database: str, statement: str) -> list[str]:
    """The rows of a query's result, as text."""
    # the embedded clients: they read every older server
    words = ["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", server.conninfo(database)]
    return _client([*words, "-c", statement])


def _client(words: list[str]) -> list[str]:
    done = subprocess.run(
        [embedded_bin() / words[0], *words[1:]], capture_output=True, text=True, timeout=300
    )
    if done.returncode != 0:
        raise Failed(f"{words[0]}: {done.stderr.strip()}")
    return done.stdout.splitlines()


def _structure(server: Server, database: str) -> list[str]:
    """`pg_dump`'s text without what differs from run to run, then the rows of version tables."""
    options = ("--schema-only", "--no-owner", "--exclude-schema=surefoot")
    dump = _client(["pg_dump", *options, "-d", server.conninfo(database)])
    noise = ("\\restrict", "\\unrestrict", "-- Dumped ")
    lines = [line for line in dump if not line.startswith(noise)]
    tables = psql(
        server,
        database,
        "select format('%I.%I', table_schema, table_name) from information_schema.columns"
        " where column_name = 'version_num' order by 1",
    )
    for table in tables:
        rows = psql(server, database, f"select version_num from {table} order by 1")
        lines.append(f"{table}: {', '.join(rows)}")
    return lines


def _number_of_tables(server: Server, database: str) -> int:
    statement = (
        "select count(*) from pg_tables"
        " where schemaname !~ '^pg_' and schemaname not in ('information_schema', 'surefoot')"
    )
    return int(psql(server, database, statement)[0])


def _require_equal(ours: list[str], theirs: list[str]) -> None:
    if not theirs or ours == theirs:
        return
    difference = list(difflib.unified_diff(theirs, ours, "own way", "surefoot", n=2, lineterm=""))
    raise Failed("\n".join([f"the structures differ ({len(difference)} lines):", *difference[:60]]))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--only", action="append", metavar="NAME", help="this case; repeatable")
    parser.add_argument("--postgres", type=Path, metavar="BIN_DIRECTORY", help="another server")
    parser.add_argument("--list", action="store_true", help="the cases, and no more")
    parser.add_argument("--write", action="store_true", help=f"the figures, into {PAGE.name}")
    options = parser.parse_args()
    chosen = [c for c in cases() if not options.only or c.name in options.only]
    unknown = set(options.only or ()) - {c.name for c in chosen}
    if unknown:
        parser.error(f"there is no case {', '.join(sorted(unknown))}")
    if options.list:
        for case in chosen:
            print(f"{case.name:16} {case.about}")
        return 0
    failures = 0
    with Server(options.postgres or embedded_bin()) as server:
        for case in chosen:
            start = time.monotonic()
            try:
                result = run_case(case, server)
                told = str(result)
                if options.write:
                    PAGE.write_text(with_row(PAGE.read_text(), case, result))
            except NotRun as error:
                told = f"NOT RUN: {error}"
            except (Failed, subprocess.TimeoutExpired) as error:
                failures += 1
                told = f"FAILED: {error}"
            print(f"{case.name:16} {told}  ({time.monotonic() - start:.0f} s)", flush=True)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
