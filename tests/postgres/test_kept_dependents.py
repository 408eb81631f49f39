"""What a revision takes from the user's own tables, types and functions, because they depend on
something that it makes anew; and that `next` frees all of it the first time.
"""

import pytest

from surefoot.postgres.embedded import Server
from tests.postgres.test_kept import ANEW, PEOPLE, up
from tests.support.database import Database
from tests.support.next_steps import run_next
from tests.support.project import Application
from tests.support.refusals import at, with_catalogue

WITH_MOOD = (PEOPLE, "create type mood as enum ('good', 'bad')", "alter table people add m mood")
TYPE_ANEW = (
    "alter table people drop column m",
    "drop type mood cascade",
    "create type mood as enum ('good', 'bad')",
    "alter table people add m mood",
)
CHECKED = "create function checked(int) returns int language sql immutable as 'select $1'"
CHECKED_ANEW = ("drop function checked(int) cascade", CHECKED)
PAIR = "create type pair as (a int, b int)"


def behind(
    application: Application,
    server: Server,
    database: Database,
    first: tuple[str, ...],
    second: tuple[str, ...],
    *own: str,
) -> None:
    """A database at r1 with what its user has added; r2 is pending."""
    application.revision("r1", None, *first)
    application.revision("r2", "r1", *second)
    with_catalogue(application, server)
    at(application, database, "r1", row=True)
    database.execute("insert into people values (1, 'Ada'); " + "; ".join(own))


def put_aside(application: Application, database: Database, *named: str) -> None:
    """`up` refuses and changes nothing; what it says is done to the letter, and suffices."""
    before = database.dump()
    result = up(application, database)
    assert (result.code, result.error) == (4, "customisation-in-the-way"), result.out + result.err
    assert database.dump() == before
    (finding,) = result.json["findings"]
    told = " ".join([finding["message"], *finding["seen"]])
    assert all(one in told for one in named), told
    run_next(finding["next"], database)
    result = up(application, database)
    assert (result.code, result.json["current"]) == (0, ["r2"]), result.out + result.err


@pytest.mark.follows("customisation-in-the-way")
def test_columns_of_a_type_that_is_made_anew(
    application: Application, server: Server, database: Database
) -> None:
    """PostgreSQL drops the columns of the user's own tables with it, and their values."""
    behind(
        *(application, server, database, WITH_MOOD, TYPE_ANEW),
        "create table mine (id int, mo mood, arr mood[] default array['bad'::mood])",
        "insert into mine values (1, 'good')",
        "create unique index only_one on mine (mo) where mo = 'good'",
        "create view moods as select mo from mine",
        "create function number(mood) returns int language sql immutable as 'select 7'",
        "alter table mine add n int generated always as (number(mo)) stored",
        'create table "My Table" ("Mo od" mood default \'bad\')',
        "insert into \"My Table\" values ('good')",
        "alter table people add note mood; update people set note = 'bad'",
    )
    put_aside(
        *(application, database, "8 objects of your own", "column public.mine.mo"),
        *("index public.mine.only_one", 'column public."My Table"."Mo od"'),
    )
    assert database.query("select mo, arr, n from mine") == [("good", ["bad"], 7)]
    assert database.query('select "Mo od" from "My Table"') == [("good",)]
    assert database.query("select id, note from people_own") == [(1, "bad")]


@pytest.mark.follows("customisation-in-the-way")
def test_a_domain_and_a_range_of_a_type_that_is_made_anew(
    application: Application, server: Server, database: Database
) -> None:
    """Another schema wouldn't keep them: they are made of it."""
    behind(
        *(application, server, database, WITH_MOOD, TYPE_ANEW),
        "create domain feeling as mood; create type span as range (subtype = mood)",
        "create table mine (f feeling, s span); insert into mine values ('good', '[good,bad]')",
    )
    put_aside(application, database, "domain public.feeling", "range public.span")
    assert database.query("select f, s from mine") == [("good", "[good,bad]")]


@pytest.mark.follows("customisation-in-the-way")
def test_parts_of_the_users_own_tables(
    application: Application, server: Server, database: Database
) -> None:
    """The tables stay, and would lack their keys and checks."""
    behind(
        *(application, server, database, (PEOPLE, CHECKED), (*ANEW, *CHECKED_ANEW)),
        "create domain small as int constraint few check (checked(value) < 9)",
        "create table mine (id int constraint positive check (checked(id) > 0), s small,"
        " who int constraint known references people, d int default checked(3))",
        "create policy visible on mine using (checked(id) > 1)",
    )
    put_aside(
        *(application, database, "constraint public.mine.known", "policy public.mine.visible"),
        *("constraint public.mine.positive", "domain constraint public.small.few"),
    )


def test_a_default_that_goes_with_its_function_is_told(
    application: Application, server: Server, database: Database
) -> None:
    behind(
        *(application, server, database, (PEOPLE, CHECKED), CHECKED_ANEW),
        "create table mine (d int default checked(3))",
    )
    result = up(application, database)
    assert result.code == 0, result.out + result.err
    told = " ".join(result.err.split())
    assert told.count("the default of your own column public.mine.d is gone") == 1


@pytest.mark.follows("customisation-in-the-way")
def test_a_table_that_inherits_from_one_that_is_made_anew(
    application: Application, server: Server, database: Database
) -> None:
    behind(
        *(application, server, database, (PEOPLE,), ANEW),
        "create table kid (x int) inherits (people); insert into kid values (7, 'Kid', 9)",
        "create table grandkid () inherits (kid); insert into grandkid values (8, 'Two', 5)",
    )
    put_aside(application, database, "table public.kid", "table public.grandkid")
    assert database.query("select id, x from public_own.kid order by id") == [(7, 9), (8, 5)]


@pytest.mark.follows("customisation-in-the-way")
def test_a_table_of_a_type_that_is_made_anew(
    application: Application, server: Server, database: Database
) -> None:
    behind(
        *(application, server, database, (PEOPLE, PAIR), ("drop type pair cascade", PAIR)),
        "create table pairs of pair; insert into pairs values (1, 2)",
    )
    put_aside(application, database, "Your own table public.pairs")
    assert database.query("select a, b from public_own.pairs") == [(1, 2)]


@pytest.mark.follows("customisation-in-the-way")
def test_views_and_functions_that_need_each_other(
    application: Application, server: Server, database: Database
) -> None:
    behind(
        *(application, server, database, (PEOPLE,), ANEW),
        "create function f(people) returns int language sql immutable as 'select 1'",
        "create view v as select f(p) as y from people p",
        "create function g() returns setof v language sql as 'select * from v'",
        'create view "My View" as select * from g()',
    )
    put_aside(application, database, 'view public."My View"', "function public.f(public.people)")


@pytest.mark.follows("customisation-in-the-way")
def test_a_schema_that_a_revision_finds_and_drops(
    application: Application, server: Server, database: Database
) -> None:
    """It isn't empty, so it gets another name, with all that lies in it."""
    second = ('drop schema if exists "Re ports" cascade',)
    behind(
        *(application, server, database, (PEOPLE,), second),
        'create schema "Re ports"; create table "Re ports".t (a int)',
        'insert into "Re ports".t values (1)',
        'create view "Re ports".v as select a from "Re ports".t',
    )
    put_aside(application, database, 'Your own schema "Re ports"')
    assert database.query('select a from "Re ports_own".v') == [(1,)]


def test_a_function_follows_the_table_that_gets_another_name(
    application: Application, server: Server, database: Database
) -> None:
    """Its name has the types of its arguments, and it is the same function."""
    second = (
        "alter table people rename to persons",
        "alter index people_pkey rename to persons_pkey",
    )
    behind(
        *(application, server, database, (PEOPLE,), second),
        "create function f(people, int) returns int language sql immutable as 'select 1'",
    )
    result = up(application, database)
    assert (result.code, result.json["current"]) == (0, ["r2"]), result.out + result.err
    assert database.query("select f(p, 1) from persons p") == [(1,)]
