"""How far a rollout may go: every property that a person who sets the gates relies on."""

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from surefoot.fleet.rollout import Next, Rollout, SoFar, gates, next_step


@st.composite
def rollouts(draw: st.DrawFn) -> Rollout:
    total = draw(st.integers(0, 200))
    canary = draw(st.none() | st.integers(1, 5))
    waves = sorted(draw(st.sets(st.integers(1, 99), max_size=4)))
    stop_at = draw(st.none() | st.floats(0, 100))
    return Rollout(gates(total, canary, [*waves, 100]), draw(st.integers(1, 20)), stop_at)


class Simulation:
    """A rollout in which databases end in any order, each with the result that it was dealt."""

    def __init__(self, rollout: Rollout, results: list[str], seed: int) -> None:
        self.rollout, self.results, self.random = rollout, results, random.Random(seed)
        self.so_far, self.running = SoFar(), list[int]()
        self.steps: list[tuple[SoFar, Next]] = []

    def run(self) -> "Simulation":
        while True:
            step = next_step(self.rollout, self.so_far)
            self.steps.append((self.so_far, step))
            begun = self.so_far.begun
            self.running += range(begun, begun + step.begin)
            self._count(begun=begun + step.begin)
            if not self.running:
                return self
            # one or several have ended by the next look
            for _ in range(self.random.randint(1, len(self.running))):
                ended = self.running.pop(self.random.randrange(len(self.running)))
                kind = self.results[ended]
                self._count(**{kind: getattr(self.so_far, kind) + 1})

    def _count(self, **counts: int) -> None:
        given = {name: getattr(self.so_far, name) for name in SoFar.__struct_fields__}
        self.so_far = SoFar(**{**given, **counts})


# How many of ten databases fail, and how many say nothing: the rest is migrated.
chances = st.tuples(st.integers(0, 5), st.integers(0, 5))


def dealt(total: int, chance: tuple[int, int], seed: int) -> list[str]:
    failing, silent = chance
    kinds = ["failed"] * failing + ["inconclusive"] * silent
    kinds += ["migrated"] * (10 - len(kinds))
    return random.Random(seed).choices(kinds, k=total)


@settings(deadline=None)
@given(rollouts(), chances, st.integers())
def test_whatever_happens(rollout: Rollout, chance: tuple[int, int], seed: int) -> None:
    done = Simulation(rollout, dealt(rollout.total, chance, seed), seed).run()
    for so_far, step in done.steps:
        # no more at once than allowed, and none that isn't in the list
        assert so_far.running + step.begin <= rollout.parallel
        assert so_far.begun + step.begin <= rollout.total
        # no gate is passed before it is filled
        gate = next((g for g in rollout.gates if so_far.conclusive < g), rollout.total)
        assert so_far.conclusive + so_far.running + step.begin <= max(gate, so_far.conclusive)
        assert not (step.stop and step.begin)
    # what was stopped stays so
    stops = [step.stop for _, step in done.steps]
    assert stops == sorted(stops)
    # and what wasn't has come to its end
    if not stops[-1]:
        assert done.so_far.begun == rollout.total
        assert done.so_far.running == 0


@settings(deadline=None)
@given(rollouts(), chances, st.integers())
def test_it_stops_exactly_when_too_many_have_failed(
    rollout: Rollout, chance: tuple[int, int], seed: int
) -> None:
    done = Simulation(rollout, dealt(rollout.total, chance, seed), seed).run()
    so_far, last = done.steps[-1]
    if rollout.stop_at is None:
        assert not last.stop
        return
    # more may have failed than allowed, but only those that were at work when it stopped
    allowed = math.floor(rollout.total * rollout.stop_at / 100)
    assert so_far.failed <= allowed + rollout.parallel
    if last.stop:
        gate = next((g for g in rollout.gates if so_far.conclusive <= g), rollout.total)
        assert so_far.failed > math.floor(gate * rollout.stop_at / 100)


@settings(deadline=None)
@given(st.integers(1, 500), st.integers(1, 5), st.integers(1, 20), st.integers())
def test_a_release_that_fails_everywhere_reaches_the_canaries_only(
    total: int, canary: int, parallel: int, seed: int
) -> None:
    rollout = Rollout(gates(total, canary, [5, 25, 100]), parallel, 2.0)
    done = Simulation(rollout, ["failed"] * total, seed).run()
    small = math.floor(canary * 0.02) + 1
    assert done.so_far.begun <= max(small, min(canary, total)) + parallel
    assert done.so_far.begun <= canary
    assert done.steps[-1][1].stop


@settings(deadline=None)
@given(rollouts(), st.integers())
def test_refusals_alone_never_stop_it(rollout: Rollout, seed: int) -> None:
    done = Simulation(rollout, ["inconclusive"] * rollout.total, seed).run()
    assert done.so_far.begun == rollout.total


@pytest.mark.parametrize(
    ("total", "canary", "waves", "expected"),
    [
        (0, 1, (5, 100), (0,)),
        (1, 3, (), (1,)),
        (10, None, (), (10,)),
        (10, 1, (5, 25, 100), (1, 3, 10)),
        (1000, 1, (5, 25, 100), (1, 50, 250, 1000)),
    ],
)
def test_gates(total: int, canary: int | None, waves: tuple, expected: tuple) -> None:
    assert gates(total, canary, waves) == expected
