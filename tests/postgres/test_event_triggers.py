"""An event trigger of the database that forbids what surefoot, a revision or a script does."""

import pytest

from tests.support.database import Database
from tests.support.project import Application

OWNED = "event trigger no_ddl, which belongs to postgres, executes ops.forbid()"


def forbid(database: Database, tag: str, does: str = "raise exception 'no: %', tg_tag;") -> None:
    database.execute(
        "create schema ops; create function ops.forbid() returns event_trigger language plpgsql as"
        f" $$ begin if tg_tag = '{tag}' then {does} end if; end $$;"
        " create event trigger no_ddl on ddl_command_start execute function ops.forbid()"
    )


STOPPED = {
    "surefoot's schema": ("CREATE SCHEMA", "the statement is one of surefoot's own"),
    "surefoot's table": ("CREATE TABLE", "the statement is one of surefoot's own"),
    "a revision": ("CREATE INDEX", ""),
    "a script": ("CREATE VIEW", ""),
}


@pytest.mark.provokes("event-trigger-in-the-way")
@pytest.mark.follows("event-trigger-in-the-way")
@pytest.mark.parametrize("how", STOPPED)
def test_it_is_named_with_its_owner(application: Application, database: Database, how: str) -> None:
    tag, own = STOPPED[how]
    application.linear()
    url = database.url("postgresql+psycopg")
    application.alembic("upgrade", "r1", url=url)
    application.write("seed.sql", "create view v as select 1;\n")
    application.config('seeds = ["seed.sql"]\n')
    forbid(database, tag)
    result = application.run("up", "--json", url=url)
    assert (result.code, result.error) == (5, "event-trigger-in-the-way"), result.err
    (finding,) = result.json["findings"]
    assert OWNED in finding["seen"]
    assert any("surefoot's own" in line for line in finding["seen"]) == bool(own)
    assert "correct the" not in finding["next"]
    disable, enable = (
        line.strip() for line in finding["next"].splitlines() if "alter event trigger" in line
    )
    database.execute(disable)
    assert application.run("up", url=url).code == 0
    database.execute(enable)
    assert database.query("select evtenabled from pg_event_trigger") == [("O",)]


def test_one_whose_function_fails(application: Application, database: Database) -> None:
    """It doesn't forbid anything, and can't do what it is for."""
    application.linear()
    url = database.url("postgresql+psycopg")
    application.alembic("upgrade", "r1", url=url)
    forbid(database, "CREATE INDEX", "insert into ops.missing values (1);")
    result = application.run("up", "--json", url=url)
    assert result.error == "event-trigger-in-the-way", result.err
    assert OWNED in result.json["findings"][0]["seen"]


def test_one_that_has_nothing_to_do_with_it(application: Application, database: Database) -> None:
    application.linear()
    url = database.url("postgresql+psycopg")
    application.alembic("upgrade", "r1", url=url)
    forbid(database, "CREATE VIEW")
    application.revision("r4", "r3", "do $$ begin raise exception 'its own'; end $$")
    result = application.run("up", "--json", url=url)
    assert result.error == "revision-failed", result.err
