"""The example application with a history that has everything in it that a fault may hit.

Behind the example's own revisions come five more: a table, an index made CONCURRENTLY, a value of
an enum added in an autocommit block, a backfill in batches that commits each, and a constraint
that only holds once the backfill has been done. Every revision and every script leaves a row in
public.effects, in its own last transaction: so whoever runs one twice is seen. Only the one that
makes an index doesn't, which so changes nothing but the structure.
"""

import shutil
from pathlib import Path

from tests.support.example import EXAMPLE, HEAD

TABLE, CONCURRENTLY, VALUE, BACKFILL, CHECKED = (
    *("71aa03c95e10", "82bb14d06f21", "93cc25e17032"),
    *("a4dd36f28143", "b5ee47039254"),
)
ROWS, BATCH = 60, 20
INDEX = "ix_archived_messages_body"
INIT, SEED = "sql/00_init.sql", "sql/01_seed_data.sql"

# What commits before its end, and so may be left half-way.
MIDWAY = (CONCURRENTLY, VALUE, BACKFILL)
RESUMABLE = (VALUE, BACKFILL)  # the other is seen to change nothing but the structure

_HEAD = '''\
"""{title}

Revision ID: {id}
Revises: {down}
"""

import sqlalchemy as sa
from alembic import op

revision = "{id}"
down_revision = "{down}"
branch_labels = None
depends_on = None
{more}

def upgrade() -> None:
{body}


def downgrade() -> None:
    pass
'''

_BODIES = {
    TABLE: (
        "Archived messages",
        f"""\
op.create_table(
    "archived_messages",
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("words", sa.Integer),
    sa.Column("counted", sa.Integer, nullable=False, server_default="0"),
)
op.execute(
    "insert into archived_messages (id, body)"
    " select n, repeat('word ', n % 7) || 'end' from generate_series(1, {ROWS}) n"
)""",
    ),
    CONCURRENTLY: (
        "Find archived messages by their text",
        f"""\
with op.get_context().autocommit_block():
    op.create_index(
        "{INDEX}",
        "archived_messages",
        ["body"],
        if_not_exists=True,
        postgresql_concurrently=True,
    )""",
    ),
    VALUE: (
        "Work can be paused",
        """\
with op.get_context().autocommit_block():
    op.execute("alter type work_state add value if not exists 'paused'")""",
    ),
    BACKFILL: (
        "Count the words of archived messages",
        f"""\
batch = sa.text(
    "update archived_messages set counted = counted + 1,"
    " words = array_length(string_to_array(body, ' '), 1)"
    " where id in (select id from archived_messages where words is null order by id limit {BATCH})"
)
with op.get_context().autocommit_block():
    while op.get_bind().execute(batch).rowcount:
        pass""",
    ),
    CHECKED: (
        "Every archived message has its words counted",
        'op.alter_column("archived_messages", "words", nullable=False)',
    ),
}

_EFFECT = """op.execute("insert into public.effects values ('{id}')")"""

_COUNTED = """
from alembic import op as _op

_upgrade = upgrade


def upgrade() -> None:
    _upgrade()
    _op.execute("insert into public.effects values ('{id}')")
"""


def body(id: str) -> str:
    """The body of a further revision's upgrade()."""
    return _BODIES[id][1]


def write_history(root: Path, *, each: bool) -> None:
    """The application's files in a new directory; `each`: env.py commits each revision."""
    shutil.copytree(EXAMPLE, root, ignore=shutil.ignore_patterns("__pycache__"))
    versions = root / "alembic" / "versions"
    down = HEAD
    for id, (title, body) in _BODIES.items():
        more = "surefoot_resumable = True\n" if id in RESUMABLE else ""
        effect = [] if id == CONCURRENTLY else [_EFFECT.format(id=id)]
        written = [*body.splitlines(), *effect]
        lines = "\n".join(f"    {line}" if line else "" for line in written)
        text = _HEAD.format(title=title, id=id, down=down, more=more, body=lines)
        (versions / f"{id}_more.py").write_text(text)
        down = id
    for file in versions.glob("*.py"):
        if "baseline" not in file.name and not file.stem.endswith("_more"):
            id = file.name.partition("_")[0]
            file.write_text(file.read_text() + _COUNTED.format(id=id))
    for script, first in (
        (INIT, "create table public.effects (what text not null);\n"),
        (SEED, ""),
    ):
        file = root / script
        effect = f"insert into public.effects values ('{script}');\n"
        file.write_text(f"{file.read_text()}\n{first}{effect}")
    config = root / "surefoot.toml"
    config.write_text(f'wait = "5s"\n{config.read_text()}')
    if each:
        env = root / "alembic" / "env.py"
        given = "target_metadata=target_metadata)"
        assert env.read_text().count(given) == 1
        own = f"{given[:-1]}, transaction_per_migration=True)"
        env.write_text(env.read_text().replace(given, own))
