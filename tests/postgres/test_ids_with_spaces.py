"""Alembic takes spaces in a revision's id; the journal separates ids by them."""

import pytest

from surefoot.postgres.embedded import Server
from tests.quick import quick
from tests.support import catalogues
from tests.support.database import Database
from tests.support.project import Application

FIRST, SECOND, OTHER = "the first one", "the second one", "beside it"


@pytest.fixture
def spaced(application: Application, server: Server) -> Application:
    """Two branches, so that there are two version rows, and a catalogue."""
    application.revision(FIRST, None, "create table people (id int primary key)")
    application.revision(
        SECOND, FIRST, "create table pets (id int)", downgrade="op.drop_table('pets')"
    )
    application.revision(
        OTHER, FIRST, "create table cars (id int)", downgrade="op.drop_table('cars')"
    )
    catalogues.with_catalogue(application, server)
    return application


def test_the_next_start_is_quick(spaced: Application, database: Database) -> None:
    assert spaced.run("up", url=database.url()).code == 0
    assert quick(spaced, database.url()) == f"nothing to do {OTHER} {SECOND}"


def test_without_the_version_row(spaced: Application, database: Database) -> None:
    """The journal knows what has run, and adopts several under their names."""
    assert spaced.run("up", url=database.url()).code == 0
    database.execute("drop table alembic_version")
    result = spaced.run("status", "--json", url=database.url())
    assert result.json["state"] == "identified", result.json
    result = spaced.run("adopt", SECOND, OTHER, "--yes", url=database.url())
    assert result.code == 0, result.err
    assert database.query("select version_num from alembic_version order by 1") == [
        (OTHER,),
        (SECOND,),
    ]
    again = spaced.run("up", "--json", url=database.url())
    assert (again.code, again.json["done"]) == (0, []), again.out
    database.execute("drop table alembic_version, cars")
    result = spaced.run("up", "--json", url=database.url())
    assert result.code != 0
    assert OTHER in result.out


def test_going_back(spaced: Application, database: Database) -> None:
    """The recipes in the journal know their places by `parents`."""
    assert spaced.run("up", url=database.url()).code == 0
    for id in (SECOND, OTHER):
        (spaced.root / "migrations" / "versions" / f"{id}.py").unlink()
    result = spaced.run("down", "--to", FIRST, "--yes", "--accept-data-loss", url=database.url())
    assert result.code == 0, result.err
    assert database.query("select version_num from alembic_version") == [(FIRST,)]
    assert not {"public.cars", "public.pets"} & set(database.tables())


def test_one_that_commits_midway(application: Application, database: Database) -> None:
    application.revision(FIRST, None, "create table people (id int primary key)")
    application.revision(
        SECOND,
        FIRST,
        body="with op.get_context().autocommit_block():\n"
        '    op.execute("create table pets (id int)")\n'
        "op.execute('select 1 / 0')",
    )
    application.env(options="transaction_per_migration=True")
    assert application.run("up", url=database.url()).code == 6
    result = application.run("up", "--json", url=database.url())
    assert result.error == "interrupted-revision"
    (finding,) = result.json["findings"]
    assert f"surefoot repair '{SECOND}'" in finding["next"]
    assert application.run("repair", SECOND, "--yes", url=database.url()).code == 0
    assert database.query("select version_num from alembic_version") == [(SECOND,)]


def test_what_failed_outside_its_transaction(application: Application, database: Database) -> None:
    """The marks of two revisions are written afterwards, in one row."""
    application.revision(FIRST, None, "create table people (id int primary key)")
    application.revision(
        SECOND,
        FIRST,
        body="engine = sa.create_engine(op.get_bind().engine.url)\n"
        "with engine.begin() as other:\n"
        "    other.exec_driver_sql('create table pets (id int)')\n"
        "op.execute('select 1 / 0')",
    )
    assert application.run("up", url=database.url()).code == 6
    rows = database.query("select step, name from surefoot.journal order by id desc limit 1")
    assert rows == [("begun", f"{SECOND}\n")]
    result = application.run("up", "--json", url=database.url())
    assert result.error == "interrupted-revision", result.out
    assert SECOND in result.json["findings"][0]["message"]
