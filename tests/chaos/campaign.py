"""Many cases, on two workers, each with a server of its own; a row of the table for each group."""

import contextlib
import math
import queue
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor, as_completed

import msgspec

from tests.chaos.case import Case, Result, perform
from tests.chaos.invariants import named
from tests.chaos.stage import WAYS, Known, Stage
from tests.chaos.table import Row

WORKERS = 2

Ways = dict[str, Known]


class Group(msgspec.Struct, frozen=True):
    """Cases that are counted together, by their names."""

    what: str
    cases: tuple[str, ...]


class Subject(msgspec.Struct, frozen=True):
    """`groups` says what is done to these ways, given a seed; `case_of` makes a case of its name.

    Both are the same for the same seed, so a name is enough to do a case again.
    """

    name: str
    groups: Callable[[int, Ways], list[Group]]
    case_of: Callable[[str, Ways], Case]


def campaign(
    subject: Subject, seed: int, *, count: int = 0, only: str = "", ways: Iterable[str] = WAYS
) -> list[Row]:
    """Perform the subject's cases, and say what was violated as it happens.

    `count`: about so many of them, some of each group (0: all). `only`: this case. What breaks in
    the harness itself counts as a violation.
    """
    with contextlib.ExitStack() as stack, ThreadPoolExecutor(WORKERS) as pool:
        # one after the other: a run that takes over two seconds, as two at once may, also looks
        # whether it waits for itself, and what it sends then isn't what every run sends
        stages = [stack.enter_context(Stage(tuple(ways))) for _ in range(WORKERS)]
        known = _same(stages)
        groups = subject.groups(seed, known)
        part = math.ceil(sum(len(group.cases) for group in groups) / count) if count else 1
        chosen = [msgspec.structs.replace(group, cases=group.cases[::part]) for group in groups]
        if only:
            chosen = [Group(f"the case {only}", (only,))]
        _say(f"{subject.name}: seed {seed}, {sum(len(g.cases) for g in chosen)} cases")
        names = dict.fromkeys(name for group in chosen for name in group.cases)
        results = _perform(pool, stages, [subject.case_of(name, known) for name in names])
    command = f"python -m tests.chaos.run --only {subject.name} --seed {seed}"
    return [_row(group, [results[name] for name in group.cases], command) for group in chosen]


def _same(stages: list[Stage]) -> Ways:
    """What the workers know: the same statements, seen in runs of their own."""
    seen = [
        {way: [one.own for one in known.statements] for way, known in stage.known.items()}
        for stage in stages
    ]
    if any(one != seen[0] for one in seen):
        raise RuntimeError("two runs without a fault don't send the same statements")
    return stages[0].known


def _perform(pool: ThreadPoolExecutor, stages: list[Stage], cases: list[Case]) -> dict[str, Result]:
    """The results by the cases' names, told as they come."""
    free: queue.SimpleQueue[Stage] = queue.SimpleQueue()
    for stage in stages:
        free.put(stage)

    def one(case: Case) -> Result:
        stage = free.get()
        try:
            return perform(stage, case)
        finally:
            free.put(stage)

    started = time.monotonic()
    submitted = {pool.submit(one, case): case for case in cases}
    results: dict[str, Result] = {}
    for future in as_completed(submitted):
        case = submitted[future]
        results[case.name] = _of_the_harness(case, future)
        _tell(results[case.name])
        if len(results) % 100 == 0:
            took = time.monotonic() - started
            _say(f"{len(results)} of {len(cases)} cases, {took:.0f} s")
    return results


def _of_the_harness(case: Case, future: "Future[Result]") -> Result:
    """The case's result. A case that the harness did not get done is violated, not left out."""
    error = future.exception()
    if error is not None:
        told = "".join(traceback.format_exception(error))
        return Result(case, tuple(named(harness=[told])))
    result = future.result()
    if not result.missed:
        return result
    missed = named(harness=["every run was over before the fault"])
    return msgspec.structs.replace(result, violations=tuple(missed))


def _tell(result: Result) -> None:
    for violation in result.violations:
        _say(
            f"VIOLATED {violation.invariant} in {result.case.name} ({result.fault};"
            f" {', '.join(result.commands)}):\n    " + violation.told.replace("\n", "\n    ")
        )


def _row(group: Group, results: list[Result], command: str) -> Row:
    counts = Counter(
        {
            "interrupted revisions": sum(result.interrupted for result in results),
            "mended by the command that was named": sum(result.by_command for result in results),
            "busy at first": sum(bool(result.busy) for result in results),
        }
    )
    return Row(
        group.what,
        len(results),
        sum(len(result.violations) for result in results),
        sum(result.seconds for result in results) / WORKERS,
        ", ".join(f"{name}: {count}" for name, count in counts.items() if count),
        command,
    )


def _say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)
