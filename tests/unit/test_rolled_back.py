"""What ends a transaction is told by the statement."""

import pytest

from surefoot.alembic_env.rolled_back import _END, TransactionWatch
from surefoot.model.history import Revision

REVISION = Revision("r2", (), (), "", None, "versions/r2.py")


@pytest.mark.parametrize(
    ("statement", "lost"),
    [
        ("rollback", True),
        ("ROLLBACK WORK;", True),
        ("-- undo it\n/* all */ abort transaction ; -- so", True),
        ("commit", False),
        ("end", False),
    ],
)
def test_a_rollback_loses_what_ran_before_it(statement: str, lost: bool) -> None:
    watch = TransactionWatch()
    watch.begin(REVISION, shared=True)
    watch.executing(statement, lambda: False)
    watch.executed(None, statement)
    assert (watch.lost is not None, watch.rolled_back) == (lost, lost)


@pytest.mark.parametrize(
    "statement",
    [
        "rollback to savepoint a",
        "create table rollback ()",
        "commit prepared 'x'",
        "/* one */ " * 60 + "create table t ()",  # would never end
    ],
)
def test_what_ends_no_transaction(statement: str) -> None:
    assert _END.fullmatch(statement) is None
