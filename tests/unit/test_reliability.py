"""docs/evidence/reliability.md and reliability-method.md: invariants, commands, figures."""

import re
from pathlib import Path

import pytest

from tests.chaos import invariants, run
from tests.chaos.history import BACKFILL, MIDWAY, body
from tests.chaos.table import Row, marks, table, write_document
from tests.support.example import EXAMPLE

TEXT = run.DOCUMENT.read_text(encoding="utf-8")
METHOD = run.DOCUMENT.with_name("reliability-method.md").read_text(encoding="utf-8")
RESUMABLE = run.DOCUMENT.parents[1] / "guides" / "resumable.md"


def test_every_invariant_is_described_and_no_other() -> None:
    """By the name that a violation is told with."""
    assert sorted(re.findall(r"^\| `(\w+)` \|", METHOD, re.M)) == sorted(invariants.NAMES)


def test_a_violation_has_one_of_these_names() -> None:
    """Anything else is a mistake of ours."""
    with pytest.raises(AssertionError):
        invariants.named(another=[])


def test_the_example_is_as_described() -> None:
    """Sixteen revisions of its own; what commits midway comes behind them."""
    names = [file.name for file in (EXAMPLE / "alembic" / "versions").glob("*.py")]
    assert len(names) == 16
    assert "sixteen revisions" in METHOD
    assert not any(name.startswith(MIDWAY) for name in names)


def test_the_commands_are_those_that_there_are() -> None:
    """Options and subjects."""
    for words in re.findall(r"python -m tests\.chaos\.run ([^`|\n]*)", TEXT):
        subject = re.search(r"--only (\w+)", words)
        assert subject is None or subject[1] in run.SUBJECTS
        assert set(re.findall(r"--\w+", words)) <= {"--only", "--seed", "--case", "--write"}


def test_a_table_is_written_between_its_marks(tmp_path: Path) -> None:
    """Its figures and its date are new, everything else stays."""
    for subject in run.SUBJECTS:
        file = tmp_path / "reliability.md"
        file.write_text(TEXT, encoding="utf-8")
        rows = [Row("killed", 1200, 0, 61.4, "busy at first: 2"), Row("cut", 3, 1, 2.0)]
        write_document(file, subject, rows, "make it", "18.6", 120.0)
        written = file.read_text(encoding="utf-8")
        assert "in 2 minutes on two cores, PostgreSQL 18.6:" in written
        assert "| killed | 1,200 | 0 | 61 | busy at first: 2 |" in written
        assert "| all | 1,203 | 1 | | |" in table(rows)
        begin, end = marks(subject)
        assert written.startswith(TEXT.partition(begin)[0])
        assert written.endswith(TEXT.partition(end)[2])


def test_every_subject_has_its_table() -> None:
    """And nothing is shown that isn't run."""
    shown = re.findall(r"<!-- (\w+): written by", TEXT)
    assert sorted(shown) == sorted(run.SUBJECTS)


def test_the_example_of_a_revision_that_can_be_resumed_is_one_that_is_killed() -> None:
    """But for the column by which the tests see a row that was filled twice."""
    (shown,) = re.findall(r"^```python\n(batch.*?)^```", RESUMABLE.read_text("utf-8"), re.M | re.S)
    killed = body(BACKFILL).replace(" set counted = counted + 1,", " set")
    assert shown.rstrip() == killed
