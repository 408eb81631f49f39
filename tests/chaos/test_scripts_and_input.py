"""A small part of what `make chaos` does with scripts and bad input, another seed each time."""

import random
from collections.abc import Callable

import pytest

from tests.chaos import bad_input, scripts
from tests.chaos.table import Row

SUBJECTS: dict[str, tuple[Callable[[int, int], list[Row]], int]] = {
    "scripts": (scripts.run, 250),
    "bad input": (bad_input.run, 63),
}


@pytest.mark.parametrize("subject", SUBJECTS)
def test_nothing_is_violated(subject: str, capfd: pytest.CaptureFixture[str]) -> None:
    """Other cases each time; a violation is told with the command that makes it again."""
    run, count = SUBJECTS[subject]
    seed = random.randrange(1_000_000)
    rows = run(seed, count)
    told = capfd.readouterr().err
    assert rows
    assert all(row.times for row in rows)
    assert not [row for row in rows if row.violations], f"seed {seed}\n{told}"
