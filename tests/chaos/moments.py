"""When a run is killed: what is one class for the database is tried once, as certify has it."""

from collections.abc import Sequence
from typing import get_args

from surefoot.certify.plan import boundaries
from surefoot.certify.proxy import Side, Statement, Stop

_PART, _PART_SENT = 4, 12


def moments(log: Sequence[Statement]) -> tuple[tuple[Stop, ...], tuple[Stop, ...]]:
    """All that differ for the database; and a part of the others, for surefoot may differ there.

    The first are each COMMIT of what was written, sent and answered, and each statement that writes
    outside a transaction, at work and answered. Of the other statements, every fourth answered and
    every twelfth sent: within a transaction all are one class, since the server rolls back.
    """
    every = tuple(Stop(one.number, side) for one, sides in boundaries(log) for side in sides)
    numbers = {stop.number for stop in every}
    others = [one.number for one in log if one.number not in numbers]
    some = [Stop(number, "after") for number in others[::_PART]]
    some += [Stop(number, "before") for number in others[::_PART_SENT]]
    return every, tuple(some)


def side_of(word: str) -> Side:
    """The side that a case's name has. Raises ValueError."""
    return get_args(Side)[get_args(Side).index(word)]
