"""Killed on the way back, a part of `make chaos`: `python -m tests.chaos.run --only back`."""

import pytest

from tests.chaos.back import Stage, cases, perform


@pytest.mark.slow
def test_wherever_it_is_killed_the_same_command_goes_on() -> None:
    """Nothing of the user's is lost, each revision is taken back once, and `up` leads to head."""
    with Stage() as stage:
        chosen = cases(stage, 10)
        violated = {case: wrong for case in chosen if (wrong := perform(stage, case))}
    assert violated == {}
    assert len(chosen) >= 10
