"""What is missing below head is put back by the SQL that the refusal prints."""

import pytest

from surefoot.postgres.embedded import Server
from tests.support.database import Database
from tests.support.next_steps import run_next, steps_of
from tests.support.project import Application, Result
from tests.support.refusals import seen, with_catalogue

UPSERT = "insert into people (id, name) values (1, 'a') on conflict (name) do nothing"


@pytest.fixture
def people(application: Application, server: Server, database: Database) -> Application:
    """Three revisions, of which surefoot has run two here. The second one makes a table."""
    application.revision(
        "r1", None, "create table people (id int primary key, name text unique, born date)"
    )
    application.revision("r2", "r1", "create table pets (id int primary key)")
    done = application.run("up", url=database.url())
    assert done.code == 0, done.err
    application.revision("r3", "r2", "create table toys (id int primary key)")
    with_catalogue(application, server)
    return application


def next_of(result: Result) -> str:
    (finding,) = result.json["findings"]
    return finding["next"]


@pytest.mark.parametrize(
    ("damage", "statement"),
    [
        (
            "alter table people drop constraint people_name_key",
            "alter table public.people add constraint people_name_key UNIQUE (name);",
        ),
        ("alter table people drop born", "alter table public.people add column born date;"),
    ],
)
def test_what_is_missing_is_put_back(
    people: Application, database: Database, damage: str, statement: str
) -> None:
    database.execute(damage)
    refused = people.run("up", "--json", url=database.url())
    assert (refused.code, refused.error) == (4, "structure-contradicts-revision"), refused.out
    assert steps_of(next_of(refused)).sql == (statement,)
    run_next(next_of(refused), database, people, only="alter table")
    done = people.run("up", url=database.url())
    assert done.code == 0, done.err
    assert people.run("drift", url=database.url()).code == 0


@pytest.mark.parametrize(
    "damage",
    [
        # it may not have run: SQL for its structure would leave out what it does to rows
        "drop table pets; alter table people add own int",
        # something is otherwise, too
        "alter table people drop born; alter table people alter name type varchar(9)",
    ],
)
def test_nothing_is_put_back_where_more_is_wrong(
    people: Application, database: Database, damage: str
) -> None:
    database.execute(damage)
    refused = people.run("up", "--json", url=database.url())
    assert (refused.code, refused.error) == (4, "structure-contradicts-revision"), refused.out
    assert steps_of(next_of(refused)).sql == ()


@pytest.mark.parametrize(
    "unseen",
    [
        "drop table surefoot.journal",
        "update surefoot.journal set hash = repeat('0', 64) where name = 'r1'",
    ],
)
def test_nothing_is_put_back_of_a_revision_that_nobody_saw_run(
    people: Application, database: Database, unseen: str
) -> None:
    """It may have been cut off before it changed rows, and stamped; or its file was another."""
    database.execute(f"alter table people drop constraint people_name_key; {unseen}")
    refused = people.run("up", "--json", url=database.url())
    assert (refused.code, refused.error) == (4, "structure-contradicts-revision"), refused.out
    assert steps_of(next_of(refused)).sql == ()


def test_a_missing_constraint_that_was_accepted_and_is_needed(
    people: Application, database: Database
) -> None:
    """A seed script that relies on it fails: the cause is named, with the SQL that ends it."""
    people.write("seed.sql", f"{UPSERT};\n")
    people.config('seeds = ["seed.sql"]\n')
    database.execute("alter table people drop constraint people_name_key")
    accepted = people.run("adopt", "r2", "--accept-difference", "--yes", url=database.url())
    assert accepted.code == 0, accepted.err
    failed = people.run("up", "--json", url=database.url())
    assert (failed.code, failed.error) == (5, "script-failed"), failed.out
    assert "accepted by a person:\nmissing: constraint public.people.people_name_key" in seen(
        failed
    )
    run_next(next_of(failed), database, people)
    done = people.run("up", url=database.url())
    assert done.code == 0, done.err
    assert database.query("select name from people") == [("a",)]
