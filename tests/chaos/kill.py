"""surefoot is killed, and so are its sessions: at every statement, and at random.

A case is named `WAY/after/K` (SIGKILL when the K-th statement was answered, before surefoot hears
of it), `WAY/before/K` (when it was sent, before the server hears of it), or by what is done, the
way and its own seed: `instant/WAY/SEED`, `orphan/WAY/SEED`, `terminate/WAY/SEED`, `crash/WAY/SEED`.
"""

import random

from surefoot.certify.proxy import Side, Stop, boundaries
from tests.chaos.campaign import Group, Subject, Ways, campaign
from tests.chaos.case import Case, Does, Whose
from tests.chaos.stage import WAYS
from tests.chaos.table import Row

INSTANTS, ORPHANS, TERMINATED, CRASHED = 500, 30, 100, 100
_SIDES: tuple[Side, ...] = ("before", "while", "after")
_WHOSE: tuple[Whose, ...] = ("all", "application", "surefoot")


def run(seed: int, count: int = 0, case: str = "") -> list[Row]:
    """Everything, or about so many cases of it; or this case."""
    return campaign(SUBJECT, seed, count=count, only=case)


def groups(seed: int, ways: Ways) -> list[Group]:
    """What is done. A statement's "before" is for the database what its predecessor's "after" is,
    and for surefoot not quite; so every "after", and every twelfth "before". Where only env.py is
    another one, those that matter.
    """
    rng = random.Random(seed)
    numbers = {way: range(1, len(known.statements) + 1) for way, known in ways.items()}
    answered = {
        way: boundaries(known.statements) if WAYS[way].each else numbers[way]
        for way, known in ways.items()
    }
    return [
        *(
            Group(
                f"SIGKILL when a statement is answered, {len(answered[way])} of "
                f"{len(numbers[way])}: {WAYS[way].what}",
                tuple(f"{way}/after/{number}" for number in answered[way]),
            )
            for way in ways
        ),
        Group(
            "SIGKILL when a statement is sent, every twelfth one of these",
            tuple(f"{way}/before/{number}" for way in ways for number in numbers[way][::12]),
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
        side: Side = "after" if second == "after" else "before"
        return Case(name, first, "kill", Stop(int(third), side))
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
