"""Many cases, on two workers, each with a server of its own; a row of the table for each group."""

import queue
import sys
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterable

import msgspec

from tests.chaos.case import Case, Result, perform
from tests.chaos.invariants import Violation
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
    subject: Subject, seed: int, *, part: int = 1, only: str = "", ways: Iterable[str] = WAYS
) -> list[Row]:
    """Perform the subject's cases, and say what was violated as it happens.

    `part`: only one case of so many. `only`: this case. What breaks in the harness itself counts
    as a violation.
    """
    stages = _stages(tuple(ways))
    try:
        known = _same(stages)
        chosen = [
            msgspec.structs.replace(group, cases=group.cases[::part])
            for group in subject.groups(seed, known)
        ]
        if only:
            chosen = [Group(f"the case {only}", (only,))]
        _say(f"{subject.name}: seed {seed}, {sum(len(g.cases) for g in chosen)} cases")
        results = _perform(subject, stages, known, chosen)
    finally:
        for stage in stages:
            stage.close()
    command = f"python -m tests.chaos.run --only {subject.name} --seed {seed}"
    return [_row(group, [results[name] for name in group.cases], command) for group in chosen]


def _stages(ways: tuple[str, ...]) -> list[Stage]:
    made: list[Stage | BaseException] = []

    def make() -> None:
        try:
            made.append(Stage(ways))
        except BaseException as error:
            made.append(error)

    threads = [threading.Thread(target=make) for _ in range(WORKERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stages = [one for one in made if isinstance(one, Stage)]
    failed = [one for one in made if not isinstance(one, Stage)]
    if failed:
        for stage in stages:
            stage.close()
        raise failed[0]
    return stages


def _same(stages: list[Stage]) -> Ways:
    """What the first worker knows; the others must have seen as many statements."""
    numbers = [{way: len(k.statements) for way, k in stage.known.items()} for stage in stages]
    if any(number != numbers[0] for number in numbers):
        raise RuntimeError(f"the workers don't count the same statements: {numbers}")
    return stages[0].known


def _perform(
    subject: Subject, stages: list[Stage], known: Ways, groups: list[Group]
) -> dict[str, Result]:
    names: queue.SimpleQueue[str] = queue.SimpleQueue()
    total = 0
    for name in dict.fromkeys(name for group in groups for name in group.cases):
        names.put(name)
        total += 1
    results: dict[str, Result] = {}
    started = time.monotonic()

    def work(stage: Stage) -> None:
        while True:
            try:
                name = names.get_nowait()
            except queue.Empty:
                return
            results[name] = _one(subject, stage, known, name)
            _tell(results[name])
            if len(results) % 100 == 0:
                _say(f"{len(results)} of {total} cases, {time.monotonic() - started:.0f} s")

    threads = [threading.Thread(target=work, args=(stage,)) for stage in stages]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def _one(subject: Subject, stage: Stage, known: Ways, name: str) -> Result:
    case = subject.case_of(name, known)
    try:
        result = perform(stage, case)
    except Exception:
        broken = Violation("harness", traceback.format_exc())
        return Result(case, (broken,))
    if result.missed:
        broken = Violation("harness", "every run was over before the fault")
        return msgspec.structs.replace(result, violations=(broken,))
    return result


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


_saying = threading.Lock()


def _say(text: str) -> None:
    with _saying:
        print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)
