"""TCP connections are cut: at COMMIT, and at any other statement.

A case is named by what is done, the way and its own seed: `unsent/WAY/SEED` (at a COMMIT, before
it reaches the server), `unheard/WAY/SEED` (at a COMMIT that the server has answered),
`cut/WAY/SEED` (at any statement), `down/WAY/SEED` (the same, and no new connection is made for the
rest of that run).
"""

import random
from collections.abc import Iterable

from surefoot.certify.proxy import Side, Statement, Stop
from tests.chaos.campaign import Group, Subject, Ways, campaign
from tests.chaos.case import Case, Whose
from tests.chaos.kill import names
from tests.chaos.table import Row

UNSENT, UNHEARD, CUT, DOWN = 25, 25, 130, 20
_SIDES: tuple[Side, ...] = ("before", "while", "after")
_WHOSE: tuple[Whose, ...] = ("all", "application", "surefoot")


def run(seed: int, count: int = 0, case: str = "") -> list[Row]:
    """Everything, or about so many cases of it; or this case."""
    return campaign(SUBJECT, seed, count=count, only=case)


def groups(seed: int, ways: Ways) -> list[Group]:
    """What is done."""
    rng = random.Random(seed)
    return [
        Group(what, names(does, times, rng, ways))
        for what, does, times in (
            ("TCP cut at COMMIT, before it reaches the server", "unsent", UNSENT),
            ("TCP cut at COMMIT, once the server has answered", "unheard", UNHEARD),
            ("TCP cut at a random statement", "cut", CUT),
            ("TCP cut, and no new connection in that run", "down", DOWN),
        )
    ]


def case_of(name: str, ways: Ways) -> Case:
    """The case of this name."""
    does, way, seed = name.split("/")
    rng = random.Random(int(seed))
    statements = ways[way].statements
    down = does == "down"
    if does in ("unsent", "unheard"):
        commit = rng.choice(writing_commits(statements))
        stop = Stop(commit.number, "before" if does == "unsent" else "after")
        whose = rng.choice(("all", "surefoot" if commit.own else "application"))
        return Case(name, way, "cut", stop, whose)
    whose = rng.choice(_WHOSE)
    stop = Stop(rng.randrange(len(statements)) + 1, rng.choice(_SIDES))
    pause = rng.random() * 0.003 if stop.side == "while" else 0.0
    return Case(name, way, "cut", stop, whose, down=down, pause=pause)


def writing_commits(statements: Iterable[Statement]) -> list[Statement]:
    """The COMMITs of transactions that have written something."""
    found: list[Statement] = []
    wrote = {True: False, False: False}
    for statement in statements:
        word = statement.text.partition(" ")[0].upper()
        if word == "COMMIT" and wrote[statement.own]:
            found.append(statement)
        if word in ("BEGIN", "COMMIT", "ROLLBACK"):
            wrote[statement.own] = False
        elif word in ("INSERT", "UPDATE", "DELETE", "CREATE", "ALTER"):
            wrote[statement.own] = True
    return found


SUBJECT = Subject("cuts", groups, case_of)
