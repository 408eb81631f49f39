"""Decide how far a rollout may go, from the results so far. Pure.

A rollout goes through gates. A gate is a number of databases: while it is open, databases are begun
until so many are conclusive, and then the next gate opens. A database is conclusive when it was
migrated or failed. One that was refused, was busy or had nothing to do says nothing about the
release, so another one takes its place.
"""

import math
from collections.abc import Sequence

import msgspec


class Rollout(msgspec.Struct, frozen=True):
    """The rules of one rollout."""

    gates: tuple[int, ...]  # ascending; the last one is the number of databases
    parallel: int  # how many databases may be in progress at once
    # percentage of a gate that may fail; None: failures don't stop the rollout
    stop_at: float | None = None

    @property
    def total(self) -> int:
        """The number of databases."""
        return self.gates[-1]


class SoFar(msgspec.Struct, frozen=True):
    """The results so far, as numbers of databases. They begin in the order of the list."""

    begun: int = 0
    migrated: int = 0
    failed: int = 0
    inconclusive: int = 0

    @property
    def conclusive(self) -> int:
        """Those that say something about the release."""
        return self.migrated + self.failed

    @property
    def running(self) -> int:
        """Those that have begun and not ended."""
        return self.begun - self.conclusive - self.inconclusive


class Next(msgspec.Struct, frozen=True):
    """Begin so many more databases now; `stop`: begin no more, because too many have failed."""

    begin: int = 0
    stop: bool = False


def gates(total: int, canary: int | None, waves: Sequence[float]) -> tuple[int, ...]:
    """Return the gates for `total` databases: first `canary` of them, then each wave's percentage.

    Percentages are of the total, rounded up. The last gate is the total.
    """
    found = [min(canary, total)] if canary else []
    found += [math.ceil(total * wave / 100) for wave in waves]
    return tuple(sorted({*(gate for gate in found if gate > 0), total}))


def next_step(rollout: Rollout, so_far: SoFar) -> Next:
    """Return what the results so far allow."""
    gate = next((g for g in rollout.gates if so_far.conclusive < g), rollout.total)
    if rollout.stop_at is not None and so_far.failed > _may_fail(rollout, so_far):
        return Next(stop=True)
    room = min(
        rollout.parallel - so_far.running,
        gate - so_far.conclusive - so_far.running,
        rollout.total - so_far.begun,
    )
    return Next(begin=max(0, room))


def _may_fail(rollout: Rollout, so_far: SoFar) -> int:
    """Return how many may fail in the gate that is open, or that has just been filled."""
    gate = next((g for g in rollout.gates if so_far.conclusive <= g), rollout.total)
    return math.floor(gate * (rollout.stop_at or 0) / 100)
