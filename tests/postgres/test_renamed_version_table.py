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
