"""Signals at random instants, a part of `python -m tests.chaos.run --only signals` and `--only
signals_commands`.
"""

from tests.chaos import signals_commands
from tests.chaos.run import SEED
from tests.chaos.signals import instants


def test_whenever_a_signal_comes_the_account_is_true() -> None:
    """Never exit code 1, no signal lost, and the next start comes to head."""
    assert instants(SEED, 40) == {}


def test_whenever_a_signal_comes_to_another_command() -> None:
    """Two instants of each: `down`, `adopt`, `repair`, `cleanup`, `backup`, `restore`, `fleet`,
    `up --serve`.
    """
    assert signals_commands.instants(SEED, 16) == {}
