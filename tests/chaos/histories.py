"""Two real histories, killed: the next start converges to what a run without a fault makes.

    python -m tests.chaos.histories [--seed N] [--kills N] [--case CASE]

Both have many revisions that make an index CONCURRENTLY. A case is named `HISTORY/instant/SEED`
(SIGKILL at a random instant), or `HISTORY/concurrently/SEED`: while a CREATE INDEX CONCURRENTLY
waits for the snapshot of another session, which goes some time later.
"""

import argparse
import functools
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from surefoot.postgres.embedded import Server, embedded_bin
from tests.chaos.killed import Kill, Result, perform
from tests.chaos.real import History, Place
from tests.chaos.table import Row, table

sys.path.insert(0, str(Path(__file__).parents[1] / "corpora"))
from tests.corpora.environments import NotRun, environment, find_python
from tests.corpora.run import cases, own_way, prepare

NAMES = ("dstack", "prefect")
KILLS = 50  # of each
SEED = 20261122
_WORKERS = 2
_ONE_IN = 3  # is while a CREATE INDEX CONCURRENTLY waits


def run(seed: int, count: int = KILLS, case: str = "") -> list[Row]:
    """So many kills of each history; or this one case."""
    kills = [kill_of(case)] if case else kills_of(seed, count)
    command = f"python -m tests.chaos.run --only histories --seed {seed}"
    _say(f"histories: seed {seed}, {len(kills)} kills")
    rows: list[Row] = []
    with Server(embedded_bin(), settings={"synchronous_commit": "on"}) as server:
        for name in dict.fromkeys(kill.history for kill in kills):
            chosen = [kill for kill in kills if kill.history == name]
            try:
                with _history(server, name) as history:
                    rows += _rows(history, _perform(history, chosen), command)
            except NotRun as error:
                rows.append(Row(f"{name}, killed", 0, 0, 0.0, f"not run: {error}", command))
    return rows


def kills_of(seed: int, count: int) -> list[Kill]:
    """What is done; the same for the same seed."""
    rng = random.Random(seed)
    return [
        Kill(name, "concurrently" if number % _ONE_IN == 2 else "instant", rng.randrange(10**9))
        for name in NAMES
        for number in range(count)
    ]


def kill_of(name: str) -> Kill:
    """The case of this name. Raises ValueError where there is none."""
    history, moment, seed = name.split("/")
    if history not in NAMES or moment not in ("instant", "concurrently"):
        raise ValueError(f"no case is called {name}")
    return Kill(history, "instant" if moment == "instant" else "concurrently", int(seed))


@contextmanager
def _history(server: Server, name: str) -> Generator[History]:
    """Raises NotRun where this machine can't run it."""
    (case,) = (case for case in cases() if case.name == name)
    python = find_python(case.python)
    made = environment("corpora", name, python, case.packages, "binary")
    with tempfile.TemporaryDirectory(prefix="history-") as directory:
        places = Path(directory, "with"), Path(directory, "without")
        for place in places:
            place.mkdir()
        filled = [prepare(case, made, place) for place in places]
        one, other = (Place(root, of[1]) for root, of in zip(places, filled, strict=True))
        program, package = made / "bin" / "surefoot", case.packages[0]

        def own(database: str) -> tuple[list[str], Path, dict[str, str]]:
            return own_way(case.reference, *filled[1], server, database)

        yield History(name, package, program, server, (one, other), own)


def _perform(history: History, kills: Sequence[Kill]) -> list[Result]:
    """The results, told as they come."""
    results: list[Result] = []
    with ThreadPoolExecutor(_WORKERS) as pool:
        for result in pool.map(functools.partial(perform, history), kills):
            results.append(result)
            for violation in result.violations:
                told = violation.told.replace("\n", "\n    ")
                _say(f"VIOLATED {violation.invariant} in {result.kill.name}:\n    {told}")
            if len(results) % 10 == 0:
                _say(f"{len(results)} of {len(kills)} kills of {history.name}")
    return results


def _rows(history: History, results: Sequence[Result], command: str) -> list[Row]:
    """One for each kind of kill, and one for the starts without a catalogue."""
    kinds = {
        "killed at a random instant": [r for r in results if r.kill.when == "instant"],
        f"killed in one of {len(history.concurrently)} CREATE INDEX CONCURRENTLY": [
            r for r in results if r.kill.when == "concurrently"
        ],
    }
    package = history.package
    rows = [_row(f"{package}, {kind}", some, command) for kind, some in kinds.items() if some]
    alone = Counter(result.alone for result in results if result.alone)
    if alone:
        told = ", ".join(f"{what}: {times}" for what, times in sorted(alone.items()))
        what = f"{package}, left half-way, started without a catalogue"
        rows.append(Row(what, alone.total(), 0, 0.0, told, command))
    return rows


def _row(what: str, results: Sequence[Result], command: str) -> Row:
    counts = {
        "a revision left half-way": sum(result.half_way for result in results),
        "with an invalid index": sum(result.invalid for result in results),
        **{f"mended {how}": n for how, n in Counter(r.mended for r in results if r.mended).items()},
        "its own way fails there, too": sum(result.stuck for result in results),
        "busy at first": sum(bool(result.busy) for result in results),
    }
    return Row(
        what,
        len(results),
        sum(len(result.violations) for result in results),
        sum(result.seconds for result in results) / _WORKERS,
        ", ".join(f"{name}: {count}" for name, count in counts.items() if count),
        command,
    )


def _say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seed", type=int, default=SEED, help="(%(default)s)")
    parser.add_argument("--kills", type=int, default=KILLS, help="of each history (%(default)s)")
    parser.add_argument("--case", default="", help="this one alone")
    options = parser.parse_args()
    rows = run(options.seed, options.kills, options.case)
    print(table(rows))
    return 1 if any(row.violations or not row.times for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
