"""Which changes of rows stay when a revision is undone, and which would be made a second time."""

import pytest

from surefoot.catalogue.catalogue import Change
from surefoot.downgrades.recipe import DowngradeRecipe, Loss
from surefoot.downgrades.rows_stay import rows_that_stay
from surefoot.revision_source.read import read_upgrade

MADE = (
    Change("relation", "public.made", (), ("table",)),
    Change("column", "public.acc.w", (), ("integer",)),
)


def recipe(*texts: str, losses: tuple[Loss, ...] = ()) -> DowngradeRecipe:
    return DowngradeRecipe(
        "r2", ("r1",), (), "", None, "proved", changes=MADE, losses=losses, row_changes=texts
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("update acc set bal = bal*2", True),
        ("UPDATE public.acc SET name = 'x', bal = acc.bal + 1 WHERE id = 1", True),
        ("update acc a set v = a.v || '!'", True),
        ("update acc set bal = 2", False),
        ("update acc set bal = balance*2", False),
        ("delete from acc", False),
        ("insert into acc values (1)", False),
        ("op.bulk_insert(acc, rows)", False),
        ("update acc set w = 1, bal = 2", False),
        ("update acc set w = bal; delete from acc", False),
        ("insert into made values (1)", None),
        ("insert into public.made values (1)", None),
        ("update acc set w = coalesce(bal, 0) where bal > 1", None),
        ("delete from made", None),
        ("truncate table made restart identity", None),
        ("truncate made, acc", False),
        ("truncate made cascade", False),
    ],
)
def test_what_stays(text: str, expected: bool | None) -> None:
    """None: it is dropped with the revision's own table or column."""
    found = rows_that_stay((recipe(text),))
    assert [one.twice for one in found] == ([] if expected is None else [expected])


def test_a_downgrade_that_writes_rows_itself_is_not_judged() -> None:
    """It may restore them, and what it does is listed as a loss."""
    loss = Loss("rows", "update acc set bal = bal/2")
    assert rows_that_stay((recipe("update acc set bal = bal*2", losses=(loss,)),)) == ()


def test_the_source_says_which_lines_may_change_rows() -> None:
    text = (
        "from alembic import op\ndef upgrade():\n"
        "    op.execute('update acc set bal = 1')\n    op.execute('select f()')\n"
        "    op.execute('create table x (id int)')\n    other()\n"
    )
    assert read_upgrade(text, "r2.py").row_changes == ("update acc set bal = 1", "other()")
