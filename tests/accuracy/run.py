"""How often surefoot says where a database stands, and is right: docs/evidence/accuracy.md.

    python tests/accuracy/run.py [--only NAME] … [--servers 13,18] [--seed TEXT] [--customised N]
        [--json FILE] [--keep FILE] [--postgres DIRECTORY]

For each history a catalogue is built once, on one server. Then on each server the history is
brought to every revision, in one run and one by one; at each revision the database is looked at as
it is, dumped and restored, customised and damaged at random. Exits with 1 if any answer is wrong,
or if an undamaged database isn't recognised. A complete run writes its tables into
docs/evidence/accuracy.md; one history of it can be measured again: `--only NAME --keep FILE` takes
the others from what a run with `--json FILE` counted. With `--postgres DIRECTORY`, only the server
with these programs is measured, which may have the extensions that a history needs.
"""

import argparse
import contextlib
import difflib
import json
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from histories import SERVERS, names, prepare, programs_of, python_of
from table import Unit, summary, write_document

from surefoot.postgres.embedded import Server, embedded_bin

HERE = Path(__file__).parent
ROOT = HERE.parents[1]

REFERENCE = 16
MEASURED = (13, 15, 16, 17, 18)
COMPARED = (13, 14, 15, 16, 17, 18)
SEED = "surefoot"
PARALLEL = 2


class Broken(Exception):
    """The measurement itself did not come to its end."""


class Run:
    """One measurement: a copy of the code, catalogues, and what was seen."""

    def __init__(self, options: argparse.Namespace, work: Path) -> None:
        self.options, self.work = options, work
        self.modules = work / "modules"
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / "src" / "surefoot", self.modules / "surefoot", ignore=ignored)
        shutil.copytree(HERE, self.modules / "accuracy", ignore=ignored)
        self.catalogues: dict[str, Path] = {}
        self.pythons: dict[str, Path] = {}
        # those that can't be run one revision a run, and why
        self.stuck: dict[str, str] = {}
        self._lock = threading.Lock()

    def say(self, text: str) -> None:
        """A line of progress."""
        with self._lock:
            print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)

    def reference(self, name: str) -> str:
        """Its catalogue, built on the reference server."""
        started = time.monotonic()
        with _server(self.options.reference) as server:
            text = self._catalogue(name, server)
        self.catalogues[name] = self.work / f"{name}.catalogue"
        self.catalogues[name].write_text(text)
        took = time.monotonic() - started
        size, on = len(text) // 1000, self.options.reference
        self.say(f"{name}: catalogue of {size} kB built on {on} ({took:.0f} s)")
        return text

    def measure(self, name: str, major: int) -> Unit:
        """One history on one server. What doesn't come to its end is a failure."""
        started = time.monotonic()
        unit = Unit(name, major)
        try:
            self._measure(unit)
        except Broken as broken:
            unit.failures.append({"broken": str(broken)})
            self.say(str(broken))
        unit.seconds = time.monotonic() - started
        self.say(f"{name} on {major}: {summary([unit])} ({unit.seconds:.0f} s)")
        return unit

    def _measure(self, unit: Unit) -> None:
        name, major = unit.history, unit.major
        reference = self.catalogues[name].read_text()
        with _server(major) as server:
            if (
                major != self.options.reference
                and (built := self._catalogue(name, server)) != reference
            ):
                unit.differing = _differing(reference, built)
            if major in self.options.servers:
                ways = next(line for line in reference.splitlines() if line.startswith("ways\t"))
                way = "base" if "base" in ways.split("\t") else "init"
                self._child(unit, server, way, "one run")
                if name not in self.stuck:
                    self._child(unit, server, way, "one by one")
                if name in self.stuck:  # by now
                    self._child(unit, server, way, "each committed")

    def _catalogue(self, name: str, server: Server) -> str:
        with self._prepared(name) as prepared:
            command = [prepared.python, "-m", "surefoot", "catalog", "build", "--no-downgrade"]
            done = subprocess.run(
                [*command, "--server", server.url()],
                cwd=prepared.directory,
                env=prepared.variables,
                capture_output=True,
                text=True,
            )
            if done.returncode != 0:
                said = (done.stdout + done.stderr).strip().splitlines()[-30:]
                raise Broken("\n".join([f"catalog build of {name} failed:", *said]))
            return next(prepared.directory.rglob("surefoot-catalog.txt")).read_text()

    @contextlib.contextmanager
    def _prepared(self, name: str) -> Generator[Any, None, None]:
        with tempfile.TemporaryDirectory(prefix="accuracy-") as directory:
            yield prepare(name, self.pythons[name], Path(directory), self.modules)

    def _child(self, unit: Unit, server: Server, way: str, mode: str) -> None:
        orders = {
            "history": unit.history,
            "way": way,
            "mode": mode,
            "parameters": server.parameters(),
            "catalogue": str(self.catalogues[unit.history]),
            "programs": str(embedded_bin()),
            "seed": self.options.seed,
            "customised": self.options.customised,
        }
        with self._prepared(unit.history) as prepared, tempfile.TemporaryFile("w+") as said:
            child = subprocess.Popen(
                [prepared.python, "-m", "accuracy.child"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=said,
                text=True,
                cwd=prepared.directory,
                env=prepared.variables,
            )
            assert child.stdin is not None
            assert child.stdout is not None
            child.stdin.write(json.dumps(orders) + "\n")
            child.stdin.close()
            ended = False
            failures = len(unit.failures)
            for line in child.stdout:
                ended = self._heard(unit, json.loads(line)) or ended
            if unit.history in self.stuck and mode == "one by one":
                del unit.failures[failures:]  # it's all done once more
            if child.wait() != 0 or not ended:
                said.seek(0)
                last = said.read().strip().splitlines()[-40:]
                raise Broken("\n".join([f"{unit.history} on {unit.major}:", *last]))

    def _heard(self, unit: Unit, message: dict[str, Any]) -> bool:
        if "counts" in message:
            unit.counts += Counter(message["counts"])
            return True
        if "stuck" in message:
            self.stuck[unit.history] = message["stuck"]
            self.say(f"{unit.history}: not one revision a run: {message['stuck']}")
            return True
        if "noted" in message:
            unit.notes.append(message["noted"])
            self.say(f"{unit.history} on {unit.major}: {message['noted']}")
            return False
        if "failed" in message:
            unit.failures.append(message)
            self.say(
                f"{unit.history} on {unit.major}: {message['outcome']}: {message['failed']} at "
                f"{message['truth']}: {message['why']}"
                + "".join(f"\n    {statement};" for statement in message["statements"])
            )
        elif message["number"] % 20 == 0:
            place = f"{message['number']} of {message['total']}"
            self.say(f"{unit.history} on {unit.major}: {place} revisions")
        return False


@contextlib.contextmanager
def _server(major: int) -> Generator[Server, None, None]:
    with Server(_own.get(major) or programs_of(major)) as server:
        yield server


_own: dict[int, Path] = {}  # the programs that --postgres names


def _major_of(programs: Path) -> int:
    """The major version: "postgres (PostgreSQL) 15.18 (Debian …)" is 15."""
    command = [programs / "postgres", "--version"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return int(said.split()[2].partition(".")[0])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--only", action="append", metavar="NAME", help="this history; repeatable")
    parser.add_argument("--servers", type=_majors, default=MEASURED, metavar="13,15,…")
    parser.add_argument("--seed", default=SEED, help="of what is random (%(default)s)")
    parser.add_argument("--customised", type=int, default=3, metavar="N", help="at each revision")
    parser.add_argument("--json", type=Path, metavar="FILE", help="everything that was counted")
    parser.add_argument("--keep", type=Path, metavar="FILE", help="the other histories, counted")
    parser.add_argument("--postgres", type=Path, metavar="DIRECTORY", help="this server's programs")
    options = parser.parse_args()
    options.reference = REFERENCE
    if options.postgres:
        options.reference = _major_of(options.postgres)
        _own[options.reference], options.servers = options.postgres, (options.reference,)
    known = names(extensions=bool(options.postgres))
    chosen = [name for name in known if not options.only or name in options.only]
    if unknown := set(options.only or ()) - set(chosen):
        parser.error(f"there is no history {', '.join(sorted(unknown))}")
    kept = json.loads(options.keep.read_text()) if options.keep else {"units": [], "stuck": {}}
    others = [Unit.of_json(one) for one in kept["units"] if one["history"] not in chosen]
    complete = options.servers == MEASURED and {*names()} == {*chosen, *(u.history for u in others)}
    compared = COMPARED if complete else sorted({options.reference, *options.servers})
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="accuracy-") as directory:
        Path(directory).chmod(0o755)
        run = Run(options, Path(directory))
        run.say(f"seed {options.seed!r}, histories {', '.join(chosen)}")
        for name in chosen:
            run.pythons[name] = python_of(name)
        with ThreadPoolExecutor(PARALLEL) as pool:
            list(pool.map(run.reference, chosen))
            measured = [
                pool.submit(run.measure, name, major) for name in chosen for major in compared
            ]
            units = [one.result() for one in measured]
    took = time.monotonic() - started + sum(unit.seconds for unit in others) / PARALLEL
    units = sorted((*others, *units), key=lambda unit: known.index(unit.history))
    stuck = {name: why for name, why in kept["stuck"].items() if name not in chosen} | run.stuck
    if options.json:
        counted = {"units": [unit.as_json() for unit in units], "stuck": stuck}
        options.json.write_text(json.dumps(counted, indent=1))
    if complete:
        versions = {major: SERVERS[major].partition("-")[0] for major in compared}
        document = ROOT / "docs" / "evidence" / "accuracy.md"
        write_document(document, units, versions, stuck, options.seed, took)
    print(summary(units))
    return 1 if any(unit.failures for unit in units) else 0


def _differing(one: str, other: str) -> list[str]:
    lines = difflib.unified_diff(one.split("\n"), other.split("\n"), n=0, lineterm="")
    return [line for line in lines if not line.startswith(("---", "+++", "@@"))]


def _majors(text: str) -> tuple[int, ...]:
    return tuple(int(word) for word in text.split(","))


if __name__ == "__main__":
    sys.exit(main())
