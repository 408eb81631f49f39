"""`surefoot repair --finish` and `--undo`: SQL from facts, shown, asked for, compared, recorded."""

import pytest

from surefoot.postgres.embedded import Server
from tests.support.database import Database
from tests.support.interruption import (
    at_r1,
    done,
    half_way,
    indexes,
    left_invalid,
    project,
    rows,
    text,
)
from tests.support.project import Application, Result
from tests.support.refusals import seen, with_catalogue

MANY = """\
with op.get_context().autocommit_block():
    op.execute("create type mood as enum ('calm', 'glad')")
    op.execute("alter table people add mood mood not null default 'calm'")
    op.execute("create index concurrently people_mood on people (mood)")
    op.execute("create unique index concurrently people_u on people (u)")
    op.execute("alter table people add constraint people_positive check (n > 0)")
    op.execute("alter table people alter n set not null")
    op.execute("create view glad as select id from people where mood = 'glad'")
    op.execute("create function f() returns trigger language plpgsql as 'begin return new; end'")
    op.execute("create trigger keeps before insert on people for each row execute function f()")
    op.execute("grant select on people to public")
"""
# As far as it came: what an own function would need isn't missing
SOME = (
    "create type mood as enum ('calm', 'glad');"
    "alter table people add mood mood not null default 'calm';"
    "create function f() returns trigger language plpgsql as 'begin return new\\; end'"
)


def repair(application: Application, database: Database, how: str, *options: str) -> Result:
    return application.run("repair", f"--{how}", "--json", *options, url=database.url())


def prepared(
    application: Application,
    server: Server,
    database: Database,
    body: str,
    *statements: str,
    then: bool = False,
) -> None:
    project(application, body, then=then)
    with_catalogue(application, server)
    at_r1(application, database)
    for statement in statements:
        database.execute(statement)
    half_way(application, database)


def as_alembic_makes_it(application: Application, database: Database) -> str:
    """The structure that the whole history makes."""
    application.alembic("upgrade", "head", url=database.url("postgresql+psycopg"))
    return database.dump("--schema-only", "--exclude-schema=surefoot")


def lines(dump: str) -> list[str]:
    return sorted(line.strip(", ") for line in dump.splitlines())


def test_what_is_missing_is_made(
    application: Application, server: Server, database: Database, other_database: Database
) -> None:
    """The structure is that of Alembic's own run, and the rows are as they were."""
    prepared(
        application,
        server,
        database,
        MANY,
        "create type mood as enum ('calm')",
        "create function f() returns trigger language plpgsql as 'begin return new; end'",
        "create table own (id int); create index own_n on people (n)",
    )
    result = application.run("repair", "--finish", url=database.url())
    assert result.code == 2
    assert "alter type public.mood add value 'glad' after 'calm'" in text(result)
    assert "create index concurrently people_mood on public.people USING btree (mood)" in (
        text(result)
    )
    result = repair(application, database, "finish", "--yes")
    assert result.code == 0, result.err + result.out
    assert rows(database) == ["r2"]
    assert database.query("select distinct mood::text from people") == [("calm",)]
    assert database.query("select has_table_privilege('public', 'people', 'select')") == [(True,)]
    assert "nothing to do" in application.run("up", url=database.url()).err
    database.execute("drop table own; drop index own_n")
    expected = lines(as_alembic_makes_it(application, other_database))
    assert lines(database.dump("--schema-only", "--exclude-schema=surefoot")) == expected


def test_what_is_there_is_dropped(
    application: Application, server: Server, database: Database
) -> None:
    """With its rows counted; what is the user's own stays, and the revision is run again."""
    before = None
    project(application, MANY)
    with_catalogue(application, server)
    at_r1(application, database)
    database.execute("create table own (id int); create index own_n on people (n)")
    before = database.dump("--exclude-schema=surefoot")
    for statement in (
        "create type mood as enum ('calm', 'glad')",
        "alter table people add mood mood not null default 'calm'",
        "create unique index people_u on people (u)",
        "alter table people alter n set not null",
        "create view glad as select id from people where mood = 'glad'",
        "create function f() returns trigger language plpgsql as 'begin return new; end'",
        "create trigger keeps before insert on people for each row execute function f()",
    ):
        database.execute(statement)
    left_invalid(database, "create index concurrently people_mood on people (mood)")
    half_way(application, database)
    result = application.run("repair", "--undo", url=database.url())
    assert result.code == 2
    assert "drops column public.people.mood, which has a value in 20 rows" in text(result)
    result = repair(application, database, "undo", "--yes")
    assert result.code == 0, result.err + result.out
    assert done(result)[-1] == ("undone", "r2")
    assert database.dump("--exclude-schema=surefoot") == before
    result = application.run("up", "--json", url=database.url())
    assert result.code == 0, result.err
    assert done(result) == [("revision", "r2")]
    assert indexes(database)["people_mood"]


def test_an_invalid_index_is_made_anew(
    application: Application, server: Server, database: Database
) -> None:
    """Dropped and made concurrently; nothing is in a transaction."""
    body = (
        "op.execute('alter table people add a int')\n"
        + MANY.splitlines()[0]
        + ('\n    op.create_index("people_n", "people", ["n"], postgresql_concurrently=True)')
    )
    prepared(application, server, database, body, "alter table people add a int")
    left_invalid(database, "create index concurrently people_n on people (n)")
    assert application.run("up", url=database.url()).code == 4
    result = repair(application, database, "finish", "--yes")
    assert result.code == 0, result.err + result.out
    assert done(result) == [("mended", "r2"), ("record", "r2")]
    assert indexes(database) == {"people_pkey": True, "people_n": True}


@pytest.mark.provokes("repair-failed")
@pytest.mark.follows("repair-failed")
def test_a_unique_index_that_rows_refuse(
    application: Application, server: Server, database: Database
) -> None:
    """It's told, what it leaves is dropped by the next try, and that one goes through."""
    body = (
        "op.execute('alter table people add a int')\n"
        "with op.get_context().autocommit_block():\n"
        "    op.execute('create unique index concurrently people_u on people (u)')"
    )
    prepared(application, server, database, body, "alter table people add a int")
    database.execute("update people set u = 7 where id < 3")
    result = repair(application, database, "finish", "--yes")
    assert (result.code, result.error) == (5, "repair-failed"), result.err
    assert "Key (u)=(7) is duplicated" in seen(result)
    assert "the revision is still half-way" in result.json["findings"][0]["database"]
    assert indexes(database)["people_u"] is False
    database.execute("update people set u = id")
    result = repair(application, database, "finish", "--yes")
    assert result.code == 0, result.err + result.out
    assert indexes(database)["people_u"] is True


def test_what_hangs_on_it_is_the_users_own(
    application: Application, server: Server, database: Database
) -> None:
    """A view that refuses the drop, an index that would go with the column: nothing is lost."""
    body = (
        "with op.get_context().autocommit_block():\n"
        "    op.execute('alter table people add a int')\n"
        "op.execute('alter table people add b int')"
    )
    prepared(application, server, database, body, "alter table people add a int")
    database.execute("create index own_a on people (a)")
    before = database.dump()
    result = repair(application, database, "undo", "--yes")
    assert (result.code, result.error) == (5, "repair-failed"), result.err
    assert "index public.people.own_a of your own would be lost" in seen(result)
    assert "Rolled back, verified." in result.json["findings"][0]["database"]
    assert database.dump() == before
    database.execute("drop index own_a; create view own_v as select a from people")
    result = repair(application, database, "undo", "--yes")
    assert (result.code, result.error) == (5, "repair-failed"), result.err
    assert "cannot drop column a of table people" in seen(result)


CANNOT = {
    "finish": {
        "rows": (
            "with op.get_context().autocommit_block():\n"
            "    op.execute('alter table people add a int')\n"
            "op.execute('update people set a = n')",
            "select 1",
            "r2.py:17 does, or may do, more: update people set a = n",
        ),
        "a table": (
            "with op.get_context().autocommit_block():\n"
            "    op.execute('alter table people add a int')\n"
            "op.execute('create table pets (name text, id int)')",
            "alter table people add a int",
            "relation public.pets: the order of a table's columns isn't in its facts",
        ),
        "renamed": (
            "with op.get_context().autocommit_block():\n"
            "    op.execute('alter table people add a int')\n"
            "op.alter_column('people', 'u', new_column_name='v')",
            "alter table people add a int",
            "column public.people.u: its file renames something",
        ),
        "a default that goes": (
            "with op.get_context().autocommit_block():\n"
            "    op.execute('alter table people add a int')\n"
            "op.execute('alter table people add b int default 5')\n"
            "op.execute('alter table people alter b drop default')",
            "alter table people add a int",
            "column public.people.b: its file changes defaults",
        ),
        "another's": (
            "with op.get_context().autocommit_block():\n"
            "    op.create_index('people_n', 'people', ['n'], postgresql_concurrently=True)",
            "create index people_n on people (n desc)",
            "index public.people.people_n: it is USING btree (n DESC)",
        ),
    },
    "undo": {
        "rows of what was there": (
            "with op.get_context().autocommit_block():\n"
            "    op.execute('alter table people add a int')\n"
            "    op.execute('update people set a = n, u = 0')",
            "alter table people add a int",
            "r2.py:17 does, or may do, more: update people set a = n, u = 0",
        ),
        "a column that is gone": (
            "with op.get_context().autocommit_block():\n"
            "    op.execute('alter table people drop u')\n"
            "op.execute('alter table people add a int')",
            "alter table people drop u",
            "column public.people.u: its values are gone",
        ),
        "a label": (
            "with op.get_context().autocommit_block():\n"
            "    op.execute(\"alter type mood add value 'b'\")\n"
            "op.execute('alter table people add a int')",
            "alter type mood add value 'b'",
            "enum public.mood: no SQL can be written for it",
        ),
    },
}


@pytest.mark.parametrize(
    ("how", "case"), [(how, case) for how, cases in CANNOT.items() for case in cases]
)
def test_what_facts_do_not_tell_is_refused(
    application: Application, server: Server, database: Database, how: str, case: str
) -> None:
    """It is told which line or which name, and nothing is changed."""
    body, there, why = CANNOT[how][case]
    table = "create table people (id int primary key, n int, u int)"
    project(application, body)
    application.revision("r1", None, "create type mood as enum ('a')", table)
    with_catalogue(application, server)
    at_r1(application, database, there)
    half_way(application, database)
    before = database.dump()
    result = repair(application, database, how, "--yes")
    assert (result.code, result.error) == (4, "interrupted-revision"), result.err
    assert why in seen(result)
    assert database.dump() == before


def test_what_a_backfill_wrote_is_for_a_person(
    application: Application, server: Server, database: Database
) -> None:
    """Undo doesn't drop what rows may have been moved to."""
    body = (
        "with op.get_context().autocommit_block():\n"
        "    op.execute('create table moved (n int)')\n"
        "    op.execute('insert into moved select n from people')\n"
        "    op.execute('delete from people')\n"
        "op.execute('select 1')"
    )
    prepared(
        application, server, database, body, "create table moved (n int)",
        "insert into moved select n from people", "delete from people",
    )  # fmt: skip
    result = repair(application, database, "undo", "--yes")
    assert (result.code, result.error) == (4, "interrupted-revision"), result.err
    assert database.query("select count(*) from moved") == [(20,)]


def test_there_is_nothing_to_mend(
    application: Application, server: Server, database: Database
) -> None:
    """And what was settled isn't settled twice; nor is a revision named."""
    application.linear()
    with_catalogue(application, server)
    assert application.run("up", url=database.url()).code == 0
    result = repair(application, database, "finish", "--yes")
    assert (result.code, result.json["done"]) == (0, [])
    assert application.run("repair", "--undo", "r1", url=database.url()).code == 2
    assert application.run("repair", "--undo", "--finish", url=database.url()).code == 2
