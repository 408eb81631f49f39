"""What the journal and the version rows say was left half-way. No database."""

import pytest

from surefoot.decision.facts import DatabaseState, HalfWay, ServerInfo, VersionTableName
from surefoot.decision.half_way import rows_below, still_half_way
from surefoot.look.half_way import StepRow, left_half_way
from tests.support.histories import history

SERVER = ServerInfo(160004, "16.4", "app", "app", "2026-01-01", "public")
HISTORY = history({"r1": (), "r2": ("r1",), "s2": ("r1",), "r3": ("r2",), "m": ("r3", "s2")})


def row(step: str, name: str, parents: str = "r0", *, down: bool = False, pid: int | None = 1):
    return StepRow(step, name, parents, None, pid, "down" if down else "up", None)


@pytest.mark.parametrize(
    ("later", "left"),
    [
        ([row("down", "r1")], ["r2"]),
        ([row("revision", "s2")], ["r2"]),
        ([row("undone", "r1")], ["r2"]),
        ([row("begun", "r3", "r2")], ["r2", "r3"]),
        ([row("revision", "r2")], []),
        ([row("down", "r2")], []),
        ([row("undone", "r2")], []),
        ([row("revision", "r3", "r2")], []),  # it ran on it
        ([row("revision", "r1", "")], []),  # the history has begun anew
        ([row("adopt", "r1")], []),
        ([row("stamp", "r1")], []),
    ],
)
def test_what_settles_a_mark(later: list[StepRow], left: list[str]) -> None:
    assert [one.id for one in left_half_way([row("begun", "r2"), *later])] == left


def test_marks_of_several() -> None:
    (one, other) = left_half_way([row("begun", "a b", pid=None), row("begun", "b", down=True)])
    assert (one.id, one.direction) == ("a", "up")
    assert (other.id, other.direction) == ("b", "down")
    # what is below a revision isn't ended by it while it is being undone
    assert left_half_way([row("begun", "r2", down=True), row("revision", "r3", "r2")])


def at(*rows: str, half_way: tuple[HalfWay, ...]) -> DatabaseState:
    return DatabaseState(
        SERVER, VersionTableName("alembic_version", None), rows=rows, half_way=half_way
    )


@pytest.mark.parametrize(
    ("rows", "direction", "still"),
    [
        (("r1",), "up", True),
        (("r2",), "up", False),
        (("r3",), "up", False),
        ((), "up", True),
        (("r2",), "down", True),
        (("r1",), "down", False),
        ((), "down", True),  # the rows are lost
    ],
)
def test_the_version_rows(rows: tuple[str, ...], direction: str, still: bool) -> None:
    mark = HalfWay("r2", "up" if direction == "up" else "down")
    assert bool(still_half_way(at(*rows, half_way=(mark,)), HISTORY)) is still


@pytest.mark.parametrize(
    ("rows", "undone", "below"),
    [
        (("r2",), ("r2",), ("r1",)),
        (("r1",), ("r1",), ()),
        (("m",), ("m",), ("r3", "s2")),
        (("r3", "s2"), ("s2",), ("r3",)),
        (("r3",), ("r3", "r2"), ("r1",)),
    ],
)
def test_the_rows_below(
    rows: tuple[str, ...], undone: tuple[str, ...], below: tuple[str, ...]
) -> None:
    marks = tuple(HalfWay(id, "down") for id in undone)
    assert rows_below(at(*rows, half_way=marks), HISTORY) == below
