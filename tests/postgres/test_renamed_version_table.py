"""The name of the version table, its key or its column was changed: `next` brings it back."""

import pytest

from surefoot.postgres.embedded import Server
from tests.support.database import Database
from tests.support.next_steps import arrives
from tests.support.project import Application
from tests.support.refusals import at, refused, seen, with_catalogue


@pytest.mark.provokes("object-in-the-way")
@pytest.mark.follows("object-in-the-way")
@pytest.mark.parametrize("name", ["alembic_version_old", '"Put ""aside"""'])
def test_a_version_table_that_was_renamed(
    application: Application, database: Database, server: Server, name: str
) -> None:
    """Its primary key has kept the name that a new one's would have."""
    application.linear()
    with_catalogue(application, server)
    at(application, database, "r2", row=True)
    database.execute(f"alter table alembic_version rename to {name}")
    result = refused(application, database, "object-in-the-way", ("plan",), ("up",))
    assert f"The version table was renamed: public.{name} holds revisions" in seen(result)
    assert f"public.{name} holds r2" in seen(result)
    told = " ".join(application.run("status", url=database.url()).err.split())
    assert "another application keeps its history" not in told
    arrives(application, database, result)
    assert database.query("select version_num from alembic_version") == [("r3",)]


@pytest.mark.follows("object-in-the-way")
@pytest.mark.parametrize(
    ("statements", "named"),
    [
        (
            "create table copied (version_num text constraint alembic_version_pkc primary key);"
            " insert into copied values ('of_another')",
            "The index public.alembic_version_pkc is in the way of the version table",
        ),
        ("create sequence alembic_version_pkc", "The sequence public.alembic_version_pkc is"),
        ("create view alembic_version_pkc as select 1", "The view public.alembic_version_pkc is"),
        ("create table alembic_version_pkc (a int)", "The table public.alembic_version_pkc is"),
    ],
)
def test_another_object_has_the_name_of_its_key(
    application: Application, database: Database, server: Server, statements: str, named: str
) -> None:
    application.linear()
    with_catalogue(application, server)
    at(application, database, "r2")
    database.execute(statements)
    result = refused(application, database, "object-in-the-way", ("up",))
    assert named in seen(result)
    arrives(application, database, result)


@pytest.mark.provokes("version-table-unreadable")
@pytest.mark.follows("version-table-unreadable")
@pytest.mark.parametrize("name", ["version", '"Version ""of it"""'])
def test_a_column_that_was_renamed(application: Application, database: Database, name: str) -> None:
    application.linear()
    at(application, database, "r2", row=True)
    database.execute(f"alter table alembic_version rename version_num to {name}")
    result = refused(application, database, "version-table-unreadable", ("plan",), ("up",))
    arrives(application, database, result)
    assert database.query("select version_num from alembic_version") == [("r3",)]


def test_a_table_with_several_columns_of_text(application: Application, database: Database) -> None:
    """Which one it may have been isn't known."""
    application.linear()
    database.execute("create table alembic_version (a text, b text)")
    result = refused(application, database, "version-table-unreadable", ("up",))
    assert "rename column" not in result.json["findings"][0]["next"]


@pytest.mark.follows("object-not-trusted")
def test_a_partitioned_version_table_is_put_aside_with_its_row(
    application: Application, database: Database, server: Server
) -> None:
    application.linear()
    with_catalogue(application, server)
    at(application, database, "r2")
    database.execute(
        "create table alembic_version (version_num varchar(32)) partition by list (version_num);"
        " create table the_rest partition of alembic_version default;"
        " insert into alembic_version values ('r2')"
    )
    result = refused(application, database, "object-not-trusted", ("up",))
    arrives(application, database, result)
    assert database.query("select version_num from alembic_version_own") == [("r2",)]
    assert database.query("select version_num from alembic_version") == [("r3",)]


@pytest.mark.parametrize("options", ["", "transaction_per_migration=True"])
@pytest.mark.parametrize("before", [False, True])
@pytest.mark.parametrize(
    "statement", ["drop schema if exists surefoot cascade", "drop table surefoot.journal"]
)
def test_a_revision_that_drops_the_journal(
    application: Application, database: Database, statement: str, before: bool, options: str
) -> None:
    """It is named as the reason, whether the journal is older than the run or not."""
    application.env(options=options)
    application.revision("r1", None, "create table people (id int primary key)")
    if before:
        assert application.run("up", url=database.url()).code == 0
    application.revision("r2", "r1", statement)
    application.revision("r3", "r2", "create table pets (id int primary key)")
    result = application.run("up", "--json", url=database.url())
    assert (result.code, result.error) == (5, "revision-failed"), result.err
    assert "Revision r2 (Revision r2) dropped surefoot's journal" in seen(result)
    assert "r2.py:" in seen(result)
    application.revision("r2", "r1", "select 1")
    assert application.run("up", url=database.url()).code == 0


@pytest.mark.provokes("version-table-corrupted")
@pytest.mark.follows("version-table-corrupted")
def test_views_on_a_column_of_another_type(
    application: Application, database: Database, server: Server
) -> None:
    """They keep the column from getting Alembic's type: they are dropped first, the upper first."""
    application.linear()
    with_catalogue(application, server)
    at(application, database, "r2", row=True)
    database.execute(
        "alter table alembic_version alter version_num type char(32);"
        ' create view "At what" as select version_num as at from alembic_version;'
        " create materialized view above as select at || '; ' as text from \"At what\""
    )
    result = refused(application, database, "version-table-corrupted", ("up",), ("repair",))
    told = seen(result)
    assert 'view public."At what" is built on that column' in told
    assert "materialized view public.above is built on that column" in told
    assert "repair-" not in result.json["findings"][0]["next"]
    arrives(application, database, result)
    assert database.query("select version_num from alembic_version") == [("r3",)]
    assert database.query('select at from "At what"') == [("r3",)]
    assert database.query("select text from above") == [("r2; ",)]


def test_a_view_on_a_column_that_is_wide_enough(
    application: Application, database: Database
) -> None:
    """Nothing needs another type."""
    application.linear()
    at(application, database, "r2", row=True)
    database.execute("create view at as select version_num from alembic_version")
    assert application.run("up", url=database.url()).code == 0
