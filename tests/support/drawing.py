"""Draw the tests of one submission, so that it is judged within ten minutes.

`pytest --draw SEED` runs all of `tests/unit`, of the other test functions two thirds, with one case
each, and a tenth of those that are marked `slow`. The seed decides which: `make test` takes the
commit, so that other tests have their turn with each commit, and one commit always has the same.
"""

import random
import re

# So many are drawn of so many.
_OTHERS = 2, 3
_SLOW = 1, 10


def function_of(nodeid: str) -> str:
    """Return the test function's name: the id without the case."""
    return nodeid.partition("[")[0]


def drawn(tests: list[tuple[str, bool]], seed: str) -> set[str]:
    """Return the ids that are run, of ids and whether each is marked `slow`."""
    cases: dict[str, list[str]] = {}
    chosen: set[str] = set()
    slow: set[str] = set()
    for nodeid, is_slow in tests:
        if re.match("tests/unit/", nodeid):
            chosen.add(nodeid)
            continue
        cases.setdefault(function_of(nodeid), []).append(nodeid)
        if is_slow:
            slow.add(function_of(nodeid))
    for function, ids in cases.items():
        # one source for each function: a test that is added changes no other's turn
        chance = random.Random(f"{seed} {function}")
        part, of = _SLOW if function in slow else _OTHERS
        if chance.randrange(of) < part:
            chosen.add(chance.choice(sorted(ids)))
    return chosen
