"""Signals at random instants, a part of `python -m tests.chaos.run --only signals`."""

import pytest

from tests.chaos.run import SEED
from tests.chaos.signals import instants


@pytest.mark.slow
def test_whenever_a_signal_comes_the_account_is_true() -> None:
    """Never exit code 1, no signal lost, and the same command does it, or `up` comes to head."""
    assert instants(SEED, 48) == {}
