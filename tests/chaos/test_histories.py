"""The real histories that are killed: `make chaos` does it, here is what needs no environment."""

import pytest

from tests.chaos import histories
from tests.corpora.run import cases


def test_the_same_seed_is_the_same_kills() -> None:
    """Of each history as many, a third of them in a CREATE INDEX CONCURRENTLY; by name again."""
    kills = histories.kills_of(7, 50)
    assert kills == histories.kills_of(7, 50)
    assert kills != histories.kills_of(8, 50)
    assert [histories.kill_of(kill.name) for kill in kills] == kills
    for name in histories.NAMES:
        when = [kill.when for kill in kills if kill.history == name]
        assert (len(when), when.count("concurrently")) == (50, 16)


@pytest.mark.parametrize("name", ["airflow/instant/1", "dstack/now/1", "dstack/instant/x"])
def test_a_name_that_is_no_case(name: str) -> None:
    """Nothing is done for it."""
    with pytest.raises(ValueError):
        histories.kill_of(name)


def test_both_are_among_the_corpora() -> None:
    """With their environments and their own ways."""
    assert set(histories.NAMES) <= {case.name for case in cases()}
