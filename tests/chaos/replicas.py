"""2 to 50 `surefoot up` at once on one database, directly and through PgBouncer.

    python -m tests.chaos.replicas [--seed N] [--rounds N] [--case CASE]

A round is named `WAY/REPLICAS/direct|pooled/VICTIM/SEED`. The victim that is killed is `nobody`,
`any` of them at any moment, the `holder` of the lock at any moment, or (`concurrently`) the holder
while its CREATE INDEX CONCURRENTLY is at work, which then goes on without it.
"""

import argparse
import random
import statistics
import sys
import time
from collections.abc import Sequence
from typing import cast, get_args

from tests.chaos.running import LONGEST
from tests.chaos.stage import WAYS, Stage
from tests.chaos.table import Row, table
from tests.chaos.together import Result, Round, Victim, perform

ROUNDS = 100
SEED = 20261122

# Of a hundred rounds, so many with so many replicas; the others with few.
_SIZES = ((3, (50, 50)), (9, (20, 20)), (28, (5, 12)))
_FEW = (2, 4)
_ONE_IN = 10
_VICTIMS: tuple[Victim, ...] = ("concurrently", "holder", "any")

_MANY, _PAIRS, _TIMED = 20, 5, ("fresh", "upgrade")


def run(seed: int, count: int = ROUNDS, case: str = "") -> list[Row]:
    """So many rounds, and how long twenty replicas take beside one; or this round alone."""
    chosen = [round_of(case)] if case else rounds(seed, count)
    command = f"python -m tests.chaos.run --only replicas --seed {seed}"
    _say(f"replicas: seed {seed}, {len(chosen)} rounds")
    ways = {one.way for one in chosen} | {*_TIMED}
    with Stage(tuple(way for way in WAYS if way in ways), places=False) as s:
        results: list[Result] = []
        for one in chosen:
            results.append(perform(s, one))
            _tell(results[-1])
            if len(results) % 10 == 0:
                _say(f"{len(results)} of {len(chosen)} rounds")
        times = [] if case else [_times(s, way, command) for way in _TIMED]
    return [*_rows(results, command), *times]


def rounds(seed: int, number: int) -> list[Round]:
    """What is done; the same for the same seed."""
    rng = random.Random(seed)
    limits = [limit for times, limit in _SIZES for _ in range(round(times * number / 100))]
    limits += [_FEW] * (number - len(limits))
    ways = tuple(WAYS)
    made = [
        Round(
            ways[index % len(ways)],
            rng.randint(*limit),
            # not in step with the ways, nor with who is killed
            pooled=bool((index + index // _ONE_IN) % 2),
            kill="nobody" if index % _ONE_IN != 4 else _VICTIMS[index // _ONE_IN % len(_VICTIMS)],
            seed=rng.randrange(10**9),
        )
        for index, limit in enumerate(limits)
    ]
    rng.shuffle(made)
    return made


def round_of(name: str) -> Round:
    """The round of this name. Raises ValueError where it is none."""
    way, replicas, path, kill, seed = name.split("/")
    if way not in WAYS or path not in ("direct", "pooled") or kill not in get_args(Victim):
        raise ValueError(f"no round is called {name}")
    return Round(way, int(replicas), path == "pooled", cast("Victim", kill), int(seed))


def _rows(results: Sequence[Result], command: str) -> list[Row]:
    """A row for each way to the server, and one for the rounds in which one was killed."""
    groups = {
        "replicas at once": [r for r in results if r.round.kill == "nobody" and not r.round.pooled],
        "the same through PgBouncer, five connections": [
            r for r in results if r.round.kill == "nobody" and r.round.pooled
        ],
        "replicas at once, one gets SIGKILL": [r for r in results if r.round.kill != "nobody"],
    }
    return [_row(what, group, command) for what, group in groups.items() if group]


def _row(what: str, results: Sequence[Result], command: str) -> Row:
    sizes = [result.round.replicas for result in results]
    half_way = sum(result.half_way for result in results)
    remarks = [
        f"{min(sizes)} to {max(sizes)} replicas, {sum(sizes)} in all",
        *([f"a revision left half-way: {half_way}"] if half_way else []),
    ]
    return Row(
        what,
        len(results),
        sum(len(result.violations) for result in results),
        sum(result.seconds for result in results),
        ", ".join(remarks),
        command,
    )


def _times(stage: Stage, way: str, command: str) -> Row:
    """One replica and twenty in turn, each time on a new database: until the last has ended."""
    began = time.monotonic()
    pairs = [(_seconds(stage, way, 1), _seconds(stage, way, _MANY)) for _ in range(_PAIRS)]
    ratio = statistics.median(many / one for one, many in pairs)
    one, many = (statistics.median(side) for side in zip(*pairs, strict=True))
    return Row(
        f"{_MANY} replicas beside one: {WAYS[way].what}",
        _PAIRS,
        0,
        time.monotonic() - began,
        f"{ratio:.1f} times as long until the last has ended: {many:.1f} s, {one:.1f} s (medians)",
        command,
    )


def _seconds(stage: Stage, way: str, replicas: int) -> float:
    name = stage.database(WAYS[way])
    started = time.monotonic()
    # from nothing and without options, as in a container: with --json there is no quick look
    running = [stage.start(WAYS[way], name, "up", real=True) for _ in range(replicas)]
    outputs = [one.output(LONGEST * 2) for one in running]
    took = time.monotonic() - started
    stage.drop(name)
    if any(output.code != 0 for output in outputs):
        raise RuntimeError(next(output.err for output in outputs if output.code != 0))
    return took


def _tell(result: Result) -> None:
    for violation in result.violations:
        told = violation.told.replace("\n", "\n    ")
        _say(f"VIOLATED {violation.invariant} in {result.round.name}:\n    {told}")


def _say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seed", type=int, default=SEED, help="(%(default)s)")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="(%(default)s)")
    parser.add_argument("--case", default="", help="this round alone")
    options = parser.parse_args()
    rows = run(options.seed, options.rounds, options.case)
    print(table(rows))
    return 1 if any(row.violations for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
