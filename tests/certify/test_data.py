"""Generated rows, on a real server; and what certify makes of a revision that they don't suit."""

import random
from pathlib import Path

import pytest

from surefoot.certify.data import generate
from surefoot.postgres.embedded import Server
from tests.certify.project import clean
from tests.support.database import Database

CIRCLE = (
    "create table gateways (id int primary key, backend int not null)",
    "create table projects (id int primary key, gateway int references gateways)",
    "create table backends (id int primary key, project int not null references projects)",
    "alter table gateways add foreign key (backend) references backends",
)


def test_tables_in_a_circle_all_get_rows(database: Database) -> None:
    """One of them may do without the other, and is filled first."""
    for statement in CIRCLE:
        database.execute(statement)
    with database.connect() as connection:
        made = generate(connection, random.Random(1), rows=1)
    assert made.left == {}
    assert {row.table for row in made.rows} == {"gateways", "projects", "backends"}


def test_tables_that_need_each_other_are_told(database: Database) -> None:
    for statement in (*CIRCLE, "alter table projects alter gateway set not null"):
        database.execute(statement)
    with database.connect() as connection:
        made = generate(connection, random.Random(1), rows=1)
    assert made.left.keys() == {"public.gateways", "public.projects", "public.backends"}


FROM_ELSEWHERE = """\
op.execute("alter table people add column owner integer")
op.execute("update people set owner = (select id from people where name = 'admin')")
op.execute("alter table people alter column owner set not null")"""


@pytest.mark.slow
def test_a_column_that_is_filled_from_rows_of_the_applications_own_is_a_doubt(
    tmp_path: Path, server: Server
) -> None:
    """No generated row is the application's administrator, who may always be there."""
    application = clean(tmp_path / "application")
    application.revision("r5", "r4", body=FROM_ELSEWHERE)
    words = ["--case", "v2@base/generated/upgrade", "--server", server.url()]
    (case,) = application.run("certify", "--json", *words).json["cases"]
    assert case["outcome"] == "doubtful"
    assert "contains null values" in case["violations"][0]
