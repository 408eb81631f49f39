"""What a revision's text suggests as its evidence probe."""

import pytest

from surefoot.revision_source.question import suggested_question

UPDATE = "update orders set total = 0 where total is null"


@pytest.mark.parametrize(
    ("body", "question"),
    [
        (f'op.execute("{UPDATE}")', "select not exists (select from orders where total is null)"),
        (
            f'"""Fill it."""\n    op.execute(sa.text("{UPDATE};"))',
            "select not exists (select from orders where total is null)",
        ),
        (
            """op.execute("DELETE FROM app.old WHERE kind = 'x'")""",
            "select not exists (select from app.old where kind = 'x')",
        ),
        ('op.execute("update orders set total = 0")', ""),
        (f'op.execute("{UPDATE} and id in (select id from more)")', ""),
        ('op.execute("update a set x = b.x from b where b.id = a.id")', ""),
        ('op.execute("delete from a using b where a.id = b.id")', ""),
        ('op.execute(f"delete from {name} where x is null")', ""),
        ('op.execute("update a set x = 1 where y = :y", {"y": 1})', ""),
        (f'op.execute("{UPDATE}")\n    op.execute("{UPDATE}")', ""),
        (f'op.execute("""{UPDATE}; update b set x = 1 where y = 2;""")', ""),
        ('op.execute("update a set x = 1; update b set x = 1 where y = 2")', ""),
        (
            """op.execute("update a set x = '' where x = ';'; ")""",
            "select not exists (select from a where x = ';')",
        ),
        (f'op.execute("""{UPDATE} -- the old\n and id > 1""")', ""),
        ("fill()", ""),
        ("pass", ""),
    ],
)
def test_what_is_suggested(body: str, question: str) -> None:
    """Only where one literal statement says which rows are left behind it: none."""
    assert suggested_question(f"def upgrade():\n    {body}\n") == question


@pytest.mark.parametrize("text", ["", "def upgrade(:", "upgrade = 1", "\0"])
def test_what_is_no_revision(text: str) -> None:
    """Nothing is suggested, and nothing is raised."""
    assert suggested_question(text) == ""
