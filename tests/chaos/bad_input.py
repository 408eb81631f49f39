"""Every command on bad input of every kind: refused, or done right, and never anything else.

Never a traceback, an exit code that isn't documented, a hang, a password in what is printed, in
the database or in the list of processes; and a database that is refused is unchanged. By itself:
`python tests/chaos/bad_input.py --seed 1 --count 2000`; one case again: `--case 17`.
"""

import argparse
import multiprocessing
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# ruff: noqa: E402  the path comes before the imports
sys.path[:0] = [str(ROOT), str(ROOT / "src")]  # by itself, this file's directory stands there

from surefoot.postgres.embedded import Server, embedded_bin
from tests.chaos.bad_addresses import address, parameters
from tests.chaos.bad_cases import ACTING, Case
from tests.chaos.bad_databases import journal, version_table
from tests.chaos.bad_files import catalogue, configuration, script
from tests.chaos.bad_histories import command_line, history
from tests.chaos.bad_texts import read_all
from tests.chaos.bad_world import MARKS, World, make_world
from tests.chaos.process import Ran, preload, surefoot_command
from tests.chaos.table import Row

COMMAND = "python tests/chaos/bad_input.py --seed {seed} --count {count}"
WORKERS = 2
TIMEOUT = 20

AREAS: dict[str, Callable[[World, random.Random], Case]] = {
    "configuration": configuration,
    "catalogue files": catalogue,
    "database addresses": address,
    "variables and service files": parameters,
    "init and seed scripts": script,
    "version tables": version_table,
    "journals": journal,
    "histories and env.py": history,
    "command lines": command_line,
}


@dataclass
class Found:
    """What became of the cases of one area."""

    times: int = 0
    seconds: float = 0.0
    codes: Counter[int | None] = field(default_factory=Counter[int | None])
    violations: list[str] = field(default_factory=list[str])


def judged(world: World, case: Case, ran: Ran) -> list[str]:
    """What is wrong with how a case ended."""
    wrong: list[str] = []
    if ran.code is None:
        wrong.append(f"it hung for {TIMEOUT} s")
    elif ran.code not in case.allowed:
        wrong.append(f"exit code {ran.code}")
    if "surefoot has a bug" in ran.written:
        wrong.append("a traceback")
    if not case.says_it and any(mark in ran.written for mark in MARKS):
        wrong.append("the password is printed")
    wrong += [f"the password is in {place}" for place in ran.shown]
    acts = any(case.arguments[:1] == command[:1] for command in ACTING)
    after = world.content(case.database)
    if any(mark in after for mark in MARKS):
        wrong.append("the password is in the database")
    may_be_changed = acts and (
        ran.code in (0, 6)
        # a step behind others, which were committed: it must say so
        or (ran.code == 5 and "committed" in ran.written.replace("No step was committed", ""))
    )
    if not may_be_changed and after != world.before[case.database]:
        wrong.append("the database was changed")
    world.changed(case.database)
    return wrong


def one(
    world: World, area: str, seed: int, number: int, show: bool = False
) -> tuple[Case, Ran, list[str]]:
    """Try one case."""
    case = AREAS[area](world, random.Random(f"{seed} {area} {number}"))
    secrets = () if case.user_shows_it else MARKS
    ran = surefoot_command(
        case.arguments,
        case.application.root,
        case.environ,
        secrets=secrets,
        timeout=TIMEOUT,
        user=case.user,
    )
    if show:
        print(case, ran.out, ran.err, ran.code, sep="\n")
    return case, ran, judged(world, case, ran)


def _work(task: tuple[World, int, list[tuple[str, int]]]) -> dict[str, Found]:
    world, seed, numbers = task
    preload()
    found: dict[str, Found] = {}
    for area, number in numbers:
        case, ran, wrong = one(world, area, seed, number)
        kept = found.setdefault(area, Found())
        kept.times += 1
        kept.seconds += ran.seconds
        kept.codes[ran.code] += 1
        if wrong:
            words = " ".join(case.arguments)[:100]
            last = (ran.err.strip().splitlines() or [""])[-3:]
            kept.violations.append(
                f"--case {number} --area {area!r}: {case.what!r}, surefoot {words!r}:"
                f" {', '.join(wrong)} {last}"
            )
    world.close()
    return found


def run(seed: int, count: int, areas: list[str] | None = None) -> list[Row]:
    """Try `count` cases, in two processes; a row for each area."""
    root = Path(tempfile.mkdtemp(prefix="surefoot-input-"))
    with Server(embedded_bin()) as server:
        make_world(server, root)
        chosen = areas or list(AREAS)
        numbers = [(area, i) for i in range(count // len(chosen)) for area in chosen]
        admin = f"host={server.socket_directory} port={server.port} user=postgres"
        tasks = [
            (World(server.host, server.port, admin, f"w{i}", root), seed, numbers[i::WORKERS])
            for i in range(WORKERS)
        ]
        found = {area: Found() for area in chosen}
        with multiprocessing.get_context("spawn").Pool(WORKERS) as pool:
            for part in pool.imap_unordered(_work, tasks):
                for area, one_part in part.items():
                    kept = found[area]
                    kept.times += one_part.times
                    kept.seconds += one_part.seconds
                    kept.codes += one_part.codes
                    kept.violations += one_part.violations
    command = COMMAND.format(seed=seed, count=count)
    rows: list[Row] = []
    if areas is None:
        rows, wrong = read_all(root / "application", seed, 2 * count, command)
        for line in wrong:
            print(line, file=sys.stderr)
    shutil.rmtree(root, ignore_errors=True)
    for area, kept in found.items():
        for violation in kept.violations:
            print(f"--seed {seed} {violation}", file=sys.stderr)
        codes = ", ".join(f"{code}: {n:,}" for code, n in sorted(kept.codes.items(), key=str))
        rows.append(
            Row(
                f"bad input: {area}",
                kept.times,
                len(kept.violations),
                kept.seconds,
                f"exit codes {codes}",
                command,
            )
        )
    return rows


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=1800)
    parser.add_argument("--area", choices=list(AREAS))
    parser.add_argument("--case", type=int)
    arguments = parser.parse_args()
    if arguments.case is not None:
        root = Path(tempfile.mkdtemp(prefix="surefoot-input-"))
        with Server(embedded_bin()) as server:
            make_world(server, root)
            preload()
            admin = f"host={server.socket_directory} port={server.port} user=postgres"
            world = World(server.host, server.port, admin, "w0", root)
            _, _, wrong = one(world, arguments.area, arguments.seed, arguments.case, show=True)
            print(wrong)
            world.close()
        return int(bool(wrong))
    began = time.monotonic()
    rows = run(arguments.seed, arguments.count, [arguments.area] if arguments.area else None)
    for row in rows:
        print(
            f"{row.what}: {row.times:,}, violations {row.violations}; {row.remark};"
            f" {row.seconds:.0f} s"
        )
    print(f"seed {arguments.seed}, {time.monotonic() - began:.0f} s")
    return int(any(row.violations for row in rows))


if __name__ == "__main__":
    sys.exit(main())
