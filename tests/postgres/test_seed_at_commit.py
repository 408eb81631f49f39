"""A seed script whose deferred constraint fails when it is committed."""

from tests.support.database import Database
from tests.support.next_steps import next_of, steps_of
from tests.support.project import Application


def test_a_deferred_foreign_key(application: Application, database: Database) -> None:
    """The query for the row, as for a revision."""
    application.config('seeds = ["seed.sql"]\n')
    application.revision(
        "r1",
        None,
        "create table people (id int primary key)",
        "create table pets (id int primary key,"
        " owner int references people deferrable initially deferred)",
    )
    application.write("seed.sql", "select 1;")
    assert application.run("up", url=database.url()).code == 0
    application.write("seed.sql", "insert into pets values (5, 99);")
    result = application.run("up", "--json", url=database.url())
    assert (result.code, result.error) == (5, "data-violates-constraint"), result.err
    assert steps_of(next_of(result)).sql == ("select * from public.pets where owner = '99';",)
    application.write(
        "seed.sql", "insert into people values (99); insert into pets values (5, 99);"
    )
    assert application.run("up", url=database.url()).code == 0


def test_a_statement_of_the_script(application: Application, database: Database) -> None:
    """It is in the script: its line says more than a query."""
    application.config('seeds = ["seed.sql"]\n')
    application.revision("r1", None, "create table people (id int primary key)")
    application.write("seed.sql", "insert into people values (1);\ninsert into people values (1);")
    result = application.run("up", "--json", url=database.url())
    assert (result.code, result.error) == (5, "script-failed"), result.err
