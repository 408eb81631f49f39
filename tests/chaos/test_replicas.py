"""Replicas on one database, a part of `make chaos`; and what one of them alone must do is seen.

    python -m tests.chaos.run --only replicas --case CASE

does one round again.
"""

from collections.abc import Iterator

import msgspec
import pytest

from tests.chaos import replicas
from tests.chaos.invariants import Output
from tests.chaos.seen import JournalRow, Seen
from tests.chaos.stage import Stage
from tests.chaos.together import done_by_one, effects_as, perform
from tests.support.pgbouncer import NotHere


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    """A server of its own, and what an undisturbed installation looks like."""
    with Stage(("fresh",), places=False) as stage:
        yield stage


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["fresh/6/pooled/nobody/20261122", "fresh/4/direct/concurrently/22"]
)
def test_all_of_them_succeed_and_everything_is_done_once(stage: Stage, name: str) -> None:
    """Through PgBouncer; and when one is killed whose CREATE INDEX CONCURRENTLY goes on."""
    round = replicas.round_of(name)
    try:
        result = perform(stage, round)
    except NotHere as error:
        pytest.skip(str(error))
    assert [f"{v.invariant}: {v.told}" for v in result.violations] == []
    killed = round.kill != "nobody"
    assert (result.killed, result.half_way) == (killed, killed)


def test_two_that_did_something_are_seen() -> None:
    """By the journal's runs, and by what they say themselves."""
    one, other = JournalRow("revision", "r1", "", "1"), JournalRow("revision", "r2", "r1", "2")
    seen = Seen("", journal=(one, msgspec.structs.replace(other, run="1")))
    busy, idle = _done("r1", "r2"), _done()
    assert done_by_one([idle, busy, idle], seen) == []
    assert done_by_one([idle, busy, busy], seen)
    assert done_by_one([idle, idle], seen)
    assert done_by_one([idle, busy], msgspec.structs.replace(seen, journal=(one, other)))


def test_an_effect_too_many_is_seen() -> None:
    """Of a revision that may be run again, too."""
    seen = Seen("", effects=(("r1", 1), ("r2", 1)))
    assert effects_as(seen, seen) == []
    assert effects_as(msgspec.structs.replace(seen, effects=(("r1", 1), ("r2", 2))), seen)
    assert effects_as(msgspec.structs.replace(seen, effects=(("r1", 1),)), seen)


def test_a_hundred_rounds_have_everything_in_them() -> None:
    """Each way, directly and through the pooler, up to fifty replicas, and every victim."""
    rounds = replicas.rounds(7, 100)
    assert rounds == replicas.rounds(7, 100)
    assert len({round.name for round in rounds}) == 100
    assert all(replicas.round_of(round.name) == round for round in rounds)
    assert len({(round.way, round.pooled, round.replicas == 50) for round in rounds}) >= 9
    killed = [round.kill for round in rounds if round.kill != "nobody"]
    assert (len(killed), set(killed)) == (10, {"any", "holder", "concurrently"})
    assert {round.pooled for round in rounds if round.kill == "concurrently"} == {False, True}
    assert (min(r.replicas for r in rounds), max(r.replicas for r in rounds)) == (2, 50)


def _done(*names: str) -> Output:
    done = [{"step": "revision", "name": name} for name in names]
    outcome = msgspec.json.encode({"event": "outcome", "done": done}).decode()
    return Output("up --log json", 0, "", f"{outcome}\n")
