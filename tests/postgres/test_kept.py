"""What a revision takes from the user although the catalogue doesn't show it: seen before the
commit, and rolled back.
"""

from typing import Any

import pytest

from surefoot.postgres.embedded import Server
from tests.support.database import Database
from tests.support.next_steps import run_next
from tests.support.project import SYNC_ENV, Application, Result
from tests.support.refusals import at, with_catalogue

PEOPLE = "create table people (id int primary key, name text)"
ANEW = (
    "create table people_new (id int primary key, name text)",
    "insert into people_new select id, name from people",
    "drop table people cascade",
    "alter table people_new rename to people",
    "alter index people_new_pkey rename to people_pkey",
)
WHATEVER_IS_FOUND = """\
import sqlalchemy
for name in sqlalchemy.inspect(op.get_bind()).get_table_names():
    if name not in ("people", "alembic_version"):
        op.drop_table(name)
"""


def behind(application: Application, server: Server, database: Database, *own: str) -> None:
    """A database at r1 with what its user has added."""
    application.revision("r1", None, PEOPLE)
    with_catalogue(application, server)
    at(application, database, "r1", row=True)
    database.execute("insert into people values (1, 'Ada'); " + "; ".join(own))


def up(application: Application, database: Database) -> Result:
    return application.run("up", "--json", url=database.url())


def refused(application: Application, database: Database, *seen: str) -> dict[str, Any]:
    """`up` is refused, once the revision has run, with nothing changed."""
    before = database.dump()
    result = up(application, database)
    assert (result.code, result.error) == (4, "customisation-in-the-way"), result.out + result.err
    assert database.dump() == before
    (finding,) = result.json["findings"]
    assert "Rolled back, verified." in finding["database"]
    told = [finding["message"], *finding["seen"]]
    for one in seen:
        assert any(one in line for line in told), told
    return finding


@pytest.mark.provokes("customisation-in-the-way")
@pytest.mark.follows("customisation-in-the-way")
def test_a_table_that_is_made_anew(
    application: Application, server: Server, database: Database
) -> None:
    """Its structure is the same before and after: no fact tells."""
    application.revision("r2", "r1", *ANEW)
    behind(
        *(application, server, database),
        "alter table people add note text; update people set note = 'keep'",
        "alter table people add constraint short check (length(name) < 40)",
        "create index mine on people (note)",
        "create view names as select name from people",
        "create view more as select name from names",
        "create trigger same before update on people"
        " for each row execute function suppress_redundant_updates_trigger()",
    )
    finding = refused(
        *(application, database),
        "5 objects of your own are in the way of revision r2 (r2.py)",
        "column public.people.note",
        "trigger public.people.same",
        "view public.names",
        "view public.more",
        "constraint public.people.short",
    )
    run_next(finding["next"], database)
    result = up(application, database)
    assert (result.code, result.json["current"]) == (0, ["r2"]), result.out + result.err
    assert "your own index public.people.mine is gone" not in result.err  # it went before
    assert database.query("select id, name, note from people_own") == [(1, "Ada", "keep")]


@pytest.mark.follows("customisation-in-the-way")
def test_types_sequences_and_a_column_with_a_default(
    application: Application, server: Server, database: Database
) -> None:
    """A revision that clears the schema of all that it doesn't know, and gives a new column the
    type of the one that is lost.
    """
    application.revision(
        "r2",
        "r1",
        "drop type if exists mood, pair, span cascade",
        "drop sequence if exists numbers",
        "drop domain if exists short",
        "create table people_new (id int primary key, name text, number int)",
        "insert into people_new select id, name from people",
        "drop table people cascade",
        "alter table people_new rename to people",
        "alter index people_new_pkey rename to people_pkey",
    )
    behind(
        *(application, server, database),
        "create type mood as enum ('good'); create type pair as (a int, b int)",
        "create type span as range (subtype = int4); create sequence numbers",
        "create domain short as text check (length(value) < 9)",
        "alter table people add note serial",
    )
    finding = refused(application, database, "6 objects of your own are in the way")
    run_next(finding["next"], database)
    result = up(application, database)
    assert (result.code, result.json["current"]) == (0, ["r2"]), result.out + result.err
    assert database.query("select note from people_own") == [(1,)]
    assert database.query("select 'good'::public_own.mood::text") == [("good",)]


def test_an_index_goes_with_its_table_and_is_told(
    application: Application, server: Server, database: Database
) -> None:
    application.revision("r2", "r1", *ANEW)
    behind(application, server, database, "create index mine on people (name)")
    result = up(application, database)
    assert result.code == 0, result.out + result.err
    assert "your own index public.people.mine is gone" in " ".join(result.err.split())


@pytest.mark.follows("customisation-in-the-way")
@pytest.mark.parametrize("how", [WHATEVER_IS_FOUND, "op.execute('drop table if exists cache')"])
def test_a_table_that_a_revision_finds_and_drops(
    application: Application, server: Server, database: Database, how: str
) -> None:
    application.revision("r2", "r1", body=how)
    behind(
        *(application, server, database),
        "create table cache (a int); insert into cache values (7)",
    )
    finding = refused(application, database, "Your own table public.cache is in the way")
    run_next(finding["next"], database)
    result = up(application, database)
    assert (result.code, result.json["current"]) == (0, ["r2"]), result.out + result.err
    assert database.query("select a from public_own.cache") == [(7,)]


def test_the_revisions_of_one_transaction_are_named_together(
    application: Application, server: Server, database: Database
) -> None:
    application.revision("r2", "r1", "create table pets (id int)")
    application.revision("r3", "r2", body=WHATEVER_IS_FOUND.replace('"people"', '"people", "pets"'))
    behind(application, server, database, "create table mine (a int)")
    refused(application, database, "in the way of one of 2 revisions, r2 to r3")
    assert database.query("select version_num from alembic_version") == [("r1",)]


def test_what_was_committed_before_stays(
    application: Application, server: Server, database: Database
) -> None:
    """Each revision has a transaction of its own: the one that takes it is rolled back."""
    application.env(SYNC_ENV.replace("{options}", ", transaction_per_migration=True"))
    application.revision("r2", "r1", "create table pets (id int)")
    application.revision("r3", "r2", "drop table if exists mine")
    behind(application, server, database, "create table mine (a int)")
    result = up(application, database)
    assert (result.code, result.error) == (5, "customisation-in-the-way"), result.out + result.err
    (finding,) = result.json["findings"]
    assert "revision r3 (r3.py)" in finding["message"]
    assert database.query("select version_num from alembic_version") == [("r2",)]
    assert {"public.mine", "public.pets"} <= set(database.tables())
    run_next(finding["next"], database)
    assert up(application, database).code == 0


def test_what_is_committed_at_once_is_told(
    application: Application, server: Server, database: Database
) -> None:
    application.revision(
        "r2",
        "r1",
        body="with op.get_context().autocommit_block():\n"
        "    op.execute('drop table if exists mine')",
    )
    behind(application, server, database, "create table mine (a int)")
    result = up(application, database)
    assert result.code == 0, result.out + result.err
    assert "your own table public.mine is gone" in " ".join(result.err.split())


def test_what_gets_another_name_is_kept(
    application: Application, server: Server, database: Database
) -> None:
    """A revision that gives all constraints names by its own rule."""
    application.revision(
        "r2",
        "r1",
        body="for (name,) in op.get_bind().exec_driver_sql(\n"
        "    \"select conname from pg_constraint where conrelid = 'people'::regclass"
        " and contype = 'c'\"\n"
        ").fetchall():\n"
        "    op.execute(f'alter table people rename constraint {name} to ck_{name}')",
    )
    behind(
        *(application, server, database),
        "alter table people add constraint short check (length(name) < 40)",
    )
    result = up(application, database)
    assert (result.code, result.json["current"]) == (0, ["r2"]), result.out + result.err


def test_what_another_session_drops_meanwhile_is_its_own_affair(
    application: Application, server: Server, database: Database
) -> None:
    """An import that makes its tables again all the time."""
    application.revision(
        "r2",
        "r1",
        body="import os, psycopg\n"
        "if 'OTHER' in os.environ:  # not while the catalogue is built\n"
        "    with psycopg.connect(os.environ['OTHER'], autocommit=True) as other:\n"
        "        other.execute('drop table staging')",
    )
    behind(application, server, database, "create table staging (a int)")
    environment = {"OTHER": database.conninfo}
    result = application.run("up", "--json", url=database.url(), env=environment)
    assert (result.code, result.json["current"]) == (0, ["r2"]), result.out + result.err


DROPS = """\
import psycopg, time
with psycopg.connect() as other:
    other.execute("drop view names; drop table staging")
    print(flush=True)
    time.sleep(3)
"""


def test_what_another_session_drops_while_surefoot_looks(
    application: Application, server: Server, database: Database
) -> None:
    """A view is dropped between the snapshot and the moment when its definition is printed."""
    application.revision(
        "r2",
        "r1",
        body="import os, subprocess, sys\n"
        "if 'OTHER' in os.environ:  # not while the catalogue is built\n"
        f"    code = {DROPS!r}.replace('connect()', 'connect(' + repr(os.environ['OTHER']) + ')')\n"
        "    other = subprocess.Popen([sys.executable, '-c', code], stdout=subprocess.PIPE)\n"
        "    other.stdout.readline()",
    )
    behind(
        *(application, server, database),
        "create table staging (a int); create view names as select a from staging",
    )
    environment = {"OTHER": database.conninfo}
    result = application.run("up", "--json", url=database.url(), env=environment)
    assert (result.code, result.json["current"]) == (0, ["r2"]), result.out + result.err
