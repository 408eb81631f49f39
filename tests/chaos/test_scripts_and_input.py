"""A small part of what `make chaos` does with scripts and bad input.

The seed is fixed: the same commit gets the same answer. `make chaos` draws others.
"""

from collections.abc import Callable

import pytest

from tests.chaos import bad_input, scripts
from tests.chaos.table import Row

SUBJECTS: dict[str, tuple[Callable[[int, int], list[Row]], int]] = {
    "scripts": (scripts.run, 250),
    "bad input": (bad_input.run, 63),
}

SEED = 916775


@pytest.mark.slow
@pytest.mark.parametrize("subject", SUBJECTS)
def test_nothing_is_violated(subject: str, capfd: pytest.CaptureFixture[str]) -> None:
    """A violation is told with the command that makes it again."""
    run, count = SUBJECTS[subject]
    rows = run(SEED, count)
    told = capfd.readouterr().err
    assert rows
    assert all(row.times for row in rows)
    assert not [row for row in rows if row.violations], told
