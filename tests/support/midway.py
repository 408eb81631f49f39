"""A downgrade that was killed half-way."""

import time

from tests.support.database import Database
from tests.support.going_down import R1
from tests.support.project import Application, Running

DOWN = """\
op.drop_table("extra")
with op.get_context().autocommit_block():
    op.execute("drop index concurrently customers_name")
op.drop_column("customers", "mail")
"""


UP = """\
op.create_table("extra", sa.Column("id", sa.Integer, primary_key=True))
op.add_column("customers", sa.Column("mail", sa.Text))
with op.get_context().autocommit_block():
    op.create_index("customers_name", "customers", ["name"], postgresql_concurrently=True)
"""


HEAD = "surefoot_resumable = True"


def going_back(application: Application, database: Database) -> Running:
    """Begin the downgrade. Data loss is accepted: otherwise the table is locked to count rows."""
    options = ("--to", R1, "--yes", "--accept-data-loss")
    return Running(application, "down", *options, "--database-url", database.url())


def until_waiting(database: Database) -> None:
    deadline = time.monotonic() + 60
    waiting = (
        "select count(*) from pg_stat_activity where datname = current_database()"
        " and wait_event_type = 'Lock' and query ilike 'drop index concurrently%'"
    )
    while database.query(waiting) != [(1,)]:
        assert time.monotonic() < deadline
        time.sleep(0.05)
