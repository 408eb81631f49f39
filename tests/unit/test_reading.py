"""What a revision's source is read to do: what is certain, and what nobody can vouch for."""

import pytest

from surefoot.revision_source.read import read_upgrade
from surefoot.revision_source.source import Source
from surefoot.revision_source.statement import structural

HEAD = "from alembic import op\nimport sqlalchemy as sa\nfrom sqlalchemy import text\n"


def read(body: str, before: str = "") -> Source:
    lines = "\n".join(f"    {line}" for line in body.splitlines())
    return read_upgrade(f"{HEAD}{before}\ndef upgrade():\n{lines}\n", "r.py")


STRUCTURAL = [
    'op.create_table("t", sa.Column("id", sa.Integer(), primary_key=True))',
    'op.add_column("t", sa.Column("c", sa.String(length=40), server_default=text("\'x\'")))',
    'op.alter_column("t", "c", existing_type=sa.Text(), nullable=False)',
    'op.alter_column("t", "c", type_=sa.Integer(), postgresql_using="c::integer")',
    'with op.get_context().autocommit_block():\n    op.create_index("i", "t", ["c"])',
    'with op.batch_alter_table("t") as b:\n    b.add_column(sa.Column("c", sa.Text))',
    'op.execute("CREATE INDEX CONCURRENTLY i ON t (c)")',
    'op.execute("COMMIT")\nop.execute("create index concurrently i on t (c)")',
    "op.execute(sa.text(\"alter type mood add value 'calm'\"))",
    "op.execute(\"set lock_timeout = '5s'\")",
    'for t in ("a", "b"):\n    op.execute(f"create index {t}_i on {t} (c)")',
    'for t, c in [("a", "x")]:\n    op.drop_column(t, c)',
    'if op.get_bind().dialect.name == "postgresql":\n    op.execute("create extension citext")',
    'bind = op.get_bind()\nbind.execute(text("create view v as select 1"))',
    'sa.Enum("a", "b", name="mood").create(op.get_bind(), checkfirst=True)',
    "op.execute('''create function f() returns int language sql as $$ select 1; select 2 $$''')",
    "return",
    "pass",
]

DOUBTFUL = [
    'op.execute("update t set c = 1")',
    'op.execute("insert into t values (1)")',
    'op.execute("truncate t")',
    'op.execute("create index i on t (c); update t set c = 1")',
    'op.execute("create table n as select * from t")',
    'op.execute("create table n partition of t for values in (1)")',
    'op.execute("alter table t alter c type int using c * 2")',
    'op.alter_column("t", "c", type_=sa.Integer(), postgresql_using="c * 2")',
    "op.execute(\"select setval('s', 1)\")",
    'op.execute("do $$ begin update t set c = 1; end $$")',
    "op.execute(SOMETHING)",
    "op.execute(sa.insert(t))",
    "op.bulk_insert(t, [])",
    'table = op.create_table("t")\nop.bulk_insert(table, [])',
    'op.get_bind().execute(text("select 1")).scalar()',
    'if sa.inspect(op.get_bind()).has_table("t"):\n    op.drop_table("t")',
    'while True:\n    op.drop_table("t")',
    'try:\n    op.drop_table("t")\nexcept Exception:\n    pass',
    "for t in tables():\n    op.drop_table(t)",
    "elsewhere.helper()",
    "helper()",
    'with op.batch_alter_table("t", recreate="always") as b:\n    b.drop_column("c")',
    'op.create_index("i", "t", [make()])',
    "lambda: 1",
    "op.execute = print",
    "op.execute(\"comment on table \\\"a'b\\\" is ''; delete from t; --'\")",
    "op.execute(\"comment on table t is e'it\\\\'s'; delete from t; --'\")",
]


@pytest.mark.parametrize("body", STRUCTURAL)
def test_it_changes_the_structure_and_nothing_else(body: str) -> None:
    """Each of these is certain from its text."""
    assert read(body).doubtful == ()


@pytest.mark.parametrize("body", DOUBTFUL)
def test_nobody_can_vouch_for_it(body: str) -> None:
    """Each of these does more, or may do more."""
    assert not read(body).structural


@pytest.mark.parametrize(
    "before",
    [
        "op = object()",
        "from somewhere import *",
        "def op(): pass",
        "op.execute = print",
        "if True:\n    from elsewhere import op",
        "def upgrade(): pass",
    ],
)
def test_op_is_alembics_or_nobodys(before: str) -> None:
    """Where it may be something else, nothing is certain."""
    assert not read('op.drop_table("t")', before).structural


def test_a_function_of_the_same_file_is_gone_into() -> None:
    """With what it's given; a doubt in it has its own line."""
    before = 'def index(t, c="n", *, unique=False):\n    op.create_index(f"{t}_{c}", t, [c])\n'
    found = read('index("a")\nindex("b", "m", unique=True)', before)
    assert found.structural
    assert [s.name for s in found.statements] == [("a", "a_n"), ("b", "b_m")]
    found = read("fill()", 'def fill():\n    op.execute("delete from t")\n')
    assert [d.line for d in found.doubtful] == [5]


def test_a_function_that_calls_itself_is_no_end() -> None:
    """It's a doubt, and not an endless loop."""
    assert not read("again()", "def again():\n    again()\n").structural


TRACES = [
    ('op.create_index("i", "t", ["c"], if_not_exists=True)', "index", ("t", "i"), True),
    ('op.drop_index("i", table_name="t")', "index", ("t", "i"), False),
    ('op.drop_index("i", if_exists=True)', "index", ("i",), True),
    ('op.add_column("t", sa.Column("c", sa.Text))', "column", ("t", "c"), False),
    ('op.create_unique_constraint("u", "t", ["c"])', "constraint", ("t", "u"), False),
    ('op.create_table("t", sa.Column("c", sa.Text, comment="x"))', "", ("t",), False),
    ('with op.batch_alter_table("t") as b:\n    b.create_index("i", ["c"])',
     "index", ("t", "i"), False),
    ('op.execute("create unique index concurrently if not exists s.i on only s.t (c)")',
     "index", ("t", "i"), True),
    ('op.execute(\'create index "I i" on t (c)\')', "index", ("t", "I i"), False),
    ('op.execute("DROP INDEX CONCURRENTLY IF EXISTS s.i;")', "index", ("i",), True),
    ('op.execute("alter table t add column c int default 1")', "column", ("t", "c"), False),
    ('op.execute("alter table t add constraint u unique (c, d)")', "constraint", ("t", "u"), False),
    ('op.execute("alter table t add c int, add d int")', "", (), False),
    ('op.execute("alter table t add unique (c)")', "", (), False),
    ('op.execute("grant select on t to public")', "", (), False),
    ('op.execute(f"create index {NAME} on t (c)")', "", (), False),
]  # fmt: skip


@pytest.mark.parametrize(("body", "kind", "name", "passes_over"), TRACES)
def test_what_its_last_statement_is_about(
    body: str, kind: str, name: tuple[str, ...], passes_over: bool
) -> None:
    """The object that can be looked for, and whether one that is there is passed over."""
    found = read(body, "from somewhere import NAME\n")
    assert found.structural, found.doubtful
    assert found.last is not None
    assert (found.last.kind, found.last.name) == (kind, name)
    assert found.last.passes_over is passes_over


def test_renames_and_defaults_are_told() -> None:
    """After these, facts alone can't tell what rows are to have."""
    assert read('op.alter_column("t", "a", new_column_name="b")').renames
    assert read('op.execute("alter table t rename a to b")').renames
    assert read('op.alter_column("t", "a", server_default=None)').defaults
    assert read('op.execute("alter table t alter a drop default")').defaults
    plain = read('op.add_column("t", sa.Column("a", sa.Text, server_default="x"))')
    assert not plain.renames
    assert not plain.defaults


@pytest.mark.parametrize(
    "text", ["vacuum full t", "alter sequence s restart", "alter system set x = 1", "drop role r"]
)
def test_statements_that_are_not_known(text: str) -> None:
    """What isn't on the list is nothing that is vouched for."""
    assert structural(text) is None


def test_what_is_no_python_is_a_doubt() -> None:
    assert not read_upgrade("def upgrade(:", "r.py").structural
    assert not read_upgrade("upgrade = print", "r.py").structural
