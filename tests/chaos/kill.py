"""surefoot is killed, and so are its sessions: at every commit, at other statements, and at random.

A case is named `WAY/SIDE/K` (SIGKILL at this side of the K-th statement: `before` the server hears
of it, `while` it is at work, `after` it was answered, before surefoot hears of it), or by what is
done, the way and its own seed: `instant/WAY/SEED`, `orphan/WAY/SEED`, `terminate/WAY/SEED`,
`crash/WAY/SEED`.
"""

import random
from collections.abc import Iterable

from surefoot.certify.proxy import Side, Stop
from tests.chaos.campaign import Group, Subject, Ways, campaign
from tests.chaos.case import Case, Does, Whose
from tests.chaos.moments import moments, side_of
from tests.chaos.stage import WAYS
from tests.chaos.table import Row

INSTANTS, ORPHANS, TERMINATED, CRASHED = 200, 30, 100, 100
_SIDES: tuple[Side, ...] = ("before", "while", "after")
_WHOSE: tuple[Whose, ...] = ("all", "application", "surefoot")


def run(seed: int, count: int = 0, case: str = "") -> list[Row]:
    """Everything, or about so many cases of it; or this case."""
    return campaign(SUBJECT, seed, count=count, only=case)


def groups(seed: int, ways: Ways) -> list[Group]:
    """What is done."""
    rng = random.Random(seed)
    chosen = {way: moments(known.statements) for way, known in ways.items()}
    return [
        *(
            Group(
                "SIGKILL at each commit and each statement outside a transaction: "
                f"{WAYS[way].what}",
                _named(way, every),
            )
            for way, (every, _) in chosen.items()
        ),
        *(
            Group(
                f"SIGKILL at a part of the {len(ways[way].statements)} statements: "
                f"{WAYS[way].what}",
                _named(way, some),
            )
            for way, (_, some) in chosen.items()
        ),
        Group("SIGKILL at a random instant", names("instant", INSTANTS, rng, ways)),
        Group(
            "SIGKILL while CREATE INDEX CONCURRENTLY waits, and goes on",
            names("orphan", ORPHANS, rng, ways),
        ),
        Group(
            "sessions ended with pg_terminate_backend", names("terminate", TERMINATED, rng, ways)
        ),
        Group(
            "a backend killed with kill -9, the server recovers", names("crash", CRASHED, rng, ways)
        ),
    ]


def _named(way: str, stops: Iterable[Stop]) -> tuple[str, ...]:
    return tuple(f"{way}/{stop.side}/{stop.number}" for stop in stops)


def names(does: str, times: int, rng: random.Random, ways: Ways) -> tuple[str, ...]:
    """So many names of cases, each with a seed, the ways in turn."""
    return tuple(
        f"{does}/{way}/{rng.randrange(10**9)}"
        for way, _ in zip(list(ways) * times, range(times), strict=False)
    )


def case_of(name: str, ways: Ways) -> Case:
    """The case of this name."""
    first, second, third = name.split("/")
    if first in ways:
        return Case(name, first, "kill", Stop(int(third), side_of(second)))
    rng = random.Random(int(third))
    known = ways[second]
    if first == "instant":
        number, pause = known.moment(rng.random())
        stop = Stop(number, "while")
        return Case(name, second, "kill", stop, at_once=rng.random() < 0.5, pause=pause)
    if first == "orphan":
        (number,) = (
            one.number
            for one in known.statements
            if one.text.startswith("CREATE INDEX CONCURRENTLY")
        )
        stop, pause, stays = Stop(number, "while"), rng.random() * 0.2, rng.random() * 2
        return Case(name, second, "kill", stop, at_once=True, pause=pause, bystander=stays)
    does: Does = "crash" if first == "crash" else "terminate"
    stop = Stop(rng.randrange(len(known.statements)) + 1, rng.choice(_SIDES))
    pause = rng.random() * 0.003 if stop.side == "while" else 0.0
    return Case(name, second, does, stop, rng.choice(_WHOSE), pause=pause)


SUBJECT = Subject("kill", groups, case_of)
