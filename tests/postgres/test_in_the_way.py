"""What is in the way of the pending revisions, found before the first of them is begun."""

import re
from typing import Any

import psycopg
import pytest

from surefoot.postgres.embedded import Server
from tests.support.database import Database, fresh_database
from tests.support.next_steps import run_next, steps_of
from tests.support.project import SYNC_ENV, Application, Result
from tests.support.refusals import at, with_catalogue

PEOPLE = "create table people (id int primary key, name text, age int)"
PETS = "create table if not exists pets (id int primary key, name text)"


def behind(application: Application, server: Server, database: Database) -> None:
    """A database at r1, with a catalogue; what is pending was written before."""
    application.revision("r1", None, PEOPLE, "create table gone (id int primary key, x int)")
    with_catalogue(application, server)
    at(application, database, "r1", row=True)


def findings(result: Result, *codes: str) -> list[dict[str, Any]]:
    """The findings of a refusal, which have these codes."""
    found = result.json["findings"]
    assert sorted(f["code"] for f in found) == sorted(codes), result.out
    assert {f["exit_code"] for f in found} == {4}
    return found


def refused(application: Application, database: Database, *codes: str) -> list[dict[str, Any]]:
    """plan and up refuse with these codes, and nothing is changed; the last one's findings."""
    before = database.dump()
    for command in ("plan", "up"):
        result = application.run(command, "--json", url=database.url())
        assert result.code == 4, result.out + result.err
        found = findings(result, *codes)
    assert database.dump() == before
    return found


def ends_at_head(application: Application, database: Database, head: str) -> None:
    """Nothing is in the way any more: up goes to head, and the structure is head's."""
    result = application.run("up", "--json", url=database.url())
    assert (result.code, result.json.get("current")) == (0, [head]), result.out + result.err
    assert application.run("drift", url=database.url()).code == 0


def sql_of(finding: dict[str, Any]) -> str:
    """The statements that a finding's next step names."""
    return " ".join(steps_of(finding["next"]).sql)


# --- objects in the way


@pytest.mark.provokes("wrong-shape-in-the-way")
@pytest.mark.follows("wrong-shape-in-the-way")
def test_a_table_with_the_right_name_and_the_wrong_shape(
    application: Application, server: Server, database: Database
) -> None:
    """Each column is said, those that no revision knows as well; the revision that would have
    passed it over silently isn't begun. What `next` says gets it out of the way.
    """
    application.revision("r2", "r1", "create table toys (id int primary key)")
    application.revision("r3", "r2", PETS, "create index if not exists by_name on pets (name)")
    behind(application, server, database)
    database.execute("create table pets (id int primary key, name varchar(80), mine int not null)")
    (finding,) = refused(application, database, "wrong-shape-in-the-way")
    assert "table public.pets" in finding["message"]
    assert "revision r3 (r3.py)" in finding["message"]
    lines = [line.split() for line in finding["seen"]]
    assert ["r3", "makes", "there", "is"] in lines
    assert ["column", "mine", "nothing", "integer", "not", "null"] in lines
    assert ["column", "name", "text", "character", "varying(80)"] in lines
    assert ["index", "by_name", "USING", "btree", "(name)", "nothing"] in lines
    assert not any("column id" in line for line in finding["seen"])  # that one is as it's made
    status = application.run("status", "--json", url=database.url())
    assert (status.code, status.json["state"]) == (4, "behind")
    findings(status, "wrong-shape-in-the-way")
    database.execute(sql_of(finding))
    ends_at_head(application, database, "r3")
    assert "public.pets_own" in database.tables()


@pytest.mark.follows("wrong-shape-in-the-way")
def test_a_table_is_put_aside_with_the_names_of_its_constraints(
    application: Application, server: Server, database: Database
) -> None:
    """PostgreSQL generates no name that a constraint of the schema has. So the revision's key would
    be called pets_owner_fkey1, and the next release, which drops it by its name, would fail.
    """
    pets = (
        "create table pets (id int primary key, owner int references people, n int check (n > {}),"
        " kind kind)"
    )
    domain = "create domain kind as text check (value <> '{}')"
    application.revision("r2", "r1", domain.format("x"))
    application.revision("r3", "r2", pets.format(0), "alter table people add age2 int not null")
    behind(application, server, database)
    database.execute(domain.format("y"))
    database.execute(pets.format(1).replace("kind kind", "mine int not null"))
    database.execute("alter table people add age2 bigint not null default 0")
    for finding in refused(application, database, *["wrong-shape-in-the-way"] * 3):
        run_next(finding["next"], database)
    ends_at_head(application, database, "r3")
    found = database.query(
        "select conname::text from pg_constraint where connamespace = 'public'::regnamespace"
        " and (conrelid in ('pets'::regclass, 'people'::regclass) or contypid = 'kind'::regtype)"
    )
    names = {name for (name,) in found}
    assert {"pets_owner_fkey", "pets_n_check", "kind_check", "pets_pkey"} <= names
    assert not [name for name in names if name[-1].isdigit()]
    application.revision("r4", "r3", "alter table pets drop constraint pets_owner_fkey")
    with_catalogue(application, server)
    ends_at_head(application, database, "r4")


@pytest.mark.follows("object-in-the-way")
def test_what_the_application_made_too_early_stays_in_the_way_if_it_is_accepted(
    application: Application, server: Server, database: Database
) -> None:
    """create_all made a later release's table at the application's start. Whether the difference
    is accepted or not, the revision would fail: the renaming is the next step at once.
    """
    pets = 'op.create_table("pets", sa.Column("id", sa.Integer, primary_key=True),'
    pets += ' sa.Column("owner", sa.Integer, sa.ForeignKey("people.id")))'
    application.revision("r2", "r1", body=f'{pets}\nop.execute("alter table people add age2 int")')
    application.revision("r3", "r2", "create index pets_owner on pets (owner)")
    behind(application, server, database)
    database.execute(
        "create table pets (id serial primary key, owner int references people);"
        "create index pets_owner on pets (owner)"
    )
    (first,) = refused(application, database, "object-in-the-way")
    assert "accept" not in str(first)
    adopted = application.run("adopt", "r1", "--accept-difference", "--yes", url=database.url())
    assert adopted.code == 0, adopted.err
    (finding,) = refused(application, database, "object-in-the-way")
    assert finding["next"] == first["next"]
    run_next(finding["next"], database)
    ends_at_head(application, database, "r3")


@pytest.mark.follows("wrong-shape-in-the-way")
def test_an_accepted_wrong_shape_stays_in_the_way(
    application: Application, server: Server, database: Database
) -> None:
    """IF NOT EXISTS would skip it, and both revisions would be committed with damage."""
    application.revision("r2", "r1", PETS)
    application.revision("r3", "r2", "alter table pets add price int")
    behind(application, server, database)
    database.execute("create table pets (id serial primary key)")
    refused(application, database, "wrong-shape-in-the-way")
    adopted = application.run("adopt", "r1", "--accept-difference", "--yes", url=database.url())
    assert adopted.code == 0, adopted.err
    (finding,) = refused(application, database, "wrong-shape-in-the-way")
    run_next(finding["next"], database)
    ends_at_head(application, database, "r3")


def test_a_missing_column_is_a_wrong_shape(
    application: Application, server: Server, database: Database
) -> None:
    """IF NOT EXISTS would pass over it."""
    application.revision("r2", "r1", PETS)
    behind(application, server, database)
    database.execute("create table pets (id int primary key)")
    (finding,) = refused(application, database, "wrong-shape-in-the-way")
    assert finding["seen"][1].split() == ["column", "name", "text", "nothing"]


def test_the_same_shape_goes_on_and_is_said(
    application: Application, server: Server, database: Database
) -> None:
    """With IF NOT EXISTS; up ends at head, and has looked at the structure."""
    application.revision("r2", "r1", "create table toys (id int primary key)")
    application.revision("r3", "r2", PETS)
    behind(application, server, database)
    database.execute(PETS + "; create index mine on pets (name)")
    plan = application.run("plan", "--json", url=database.url())
    assert (plan.code, plan.json["state"], plan.json["findings"]) == (0, "behind", [])
    assert (
        "table public.pets exists already, as revision r3 (r3.py) makes it"
        in (plan.json["remarks"][0])
    )
    for command in ("plan", "status"):
        assert "remarks   table public.pets" in application.run(command, url=database.url()).out
    shown = application.run("up", url=database.url())
    assert shown.code == 0, shown.err
    assert "remarks   table public.pets" in shown.err
    assert application.run("drift", url=database.url()).code == 0


def test_the_same_shape_without_if_not_exists_is_rolled_back(
    application: Application, server: Server, database: Database
) -> None:
    application.revision("r2", "r1", "create table toys (id int primary key)")
    application.revision("r3", "r2", "create table pets (id int primary key)")
    behind(application, server, database)
    database.execute("create table pets (id int primary key)")
    result = application.run("up", "--json", url=database.url())
    assert (result.code, result.error) == (5, "revision-failed")
    assert database.query("select version_num from alembic_version") == [("r1",)]
    assert "public.toys" not in database.tables()


def test_columns_indexes_and_views_in_the_way_all_at_once(
    application: Application, server: Server, database: Database
) -> None:
    """Every collision over the whole path is told, whatever it's with; put aside, up goes on."""
    application.revision("r2", "r1", "alter table people add email text")
    application.revision("r3", "r2", "create index people_name on people (name)")
    application.revision("r4", "r3", "create view adults as select id from people where age > 17")
    application.revision("r5", "r4", "create type mood as enum ('good', 'bad')")
    behind(application, server, database)
    database.execute(
        "alter table people add email varchar(200);"
        "create table mine (id int); create index people_name on mine (id);"
        "create view adults as select name from people;"
        "create domain mood as text"
    )
    found = refused(application, database, *["wrong-shape-in-the-way"] * 4)
    told = "\n".join(f["message"] for f in found)
    assert "column public.people.email is in the way of revision r2 (r2.py)" in told
    assert "index public.mine.people_name is in the way of revision r3 (r3.py)" in told
    assert "view public.adults is in the way of revision r4 (r4.py)" in told
    assert "domain public.mood is in the way of revision r5 (r5.py)" in told
    for finding in found:
        database.execute(sql_of(finding))
    ends_at_head(application, database, "r5")


def test_more_than_what_is_in_the_way_is_contradicted_as_before(
    application: Application, server: Server, database: Database
) -> None:
    """A column that is missing is no object in the way; each difference says which pending
    revision is concerned, and the other findings come with it.
    """
    application.revision("r2", "r1", "create table pets (id int primary key)")
    application.revision("r3", "r2", "alter table people alter age type bigint")
    behind(application, server, database)
    database.execute("create table pets (id text); alter table people drop column age")
    found = refused(
        application, database, "structure-contradicts-revision", "wrong-shape-in-the-way"
    )
    seen = found[0]["seen"]
    assert "missing: column public.people.age integer (needed by revision r3 (r3.py))" in seen
    assert any("public.pets" in s and "(made by revision r2 (r2.py))" in s for s in seen)


def test_a_structure_that_is_exactly_another_revisions_stays_contradicted(
    application: Application, server: Server, database: Database
) -> None:
    """Everything of r2 is there: it was stamped too early, and nothing is in anybody's way."""
    application.revision("r2", "r1", PETS)
    application.revision("r3", "r2", "create table toys (id int primary key)")
    behind(application, server, database)
    database.execute("create table pets (id int primary key, name text)")
    database.execute("create view mine as select 1 as one")
    refused(application, database, "structure-contradicts-revision")


# --- customisations


@pytest.mark.provokes("customisation-in-the-way")
@pytest.mark.follows("customisation-in-the-way")
def test_what_depends_on_a_retyped_column(
    application: Application, server: Server, database: Database
) -> None:
    """A view, a view on that, a trigger and a generated column; not an index, which PostgreSQL
    makes anew, and not the application's own view.
    """
    application.revision(
        "r2",
        "r1",
        "drop view if exists adults",
        "alter table people alter age type bigint",
        "create view adults as select id from people where age > 17",
    )
    application.revision("r1", None, PEOPLE, "create view adults as select id from people")
    with_catalogue(application, server)
    at(application, database, "r1", row=True)
    database.execute(
        "create index mine on people (age);"
        "create view ages as select age from people; create view more as select age from ages;"
        "create function f() returns trigger language plpgsql as 'begin return new; end';"
        "create trigger aged before update of age on people for each row execute function f();"
        "alter table people add twice int generated always as (age * 2) stored;"
        "create view names as select name from people"
    )
    found = refused(application, database, *["customisation-in-the-way"] * 4)
    told = {f["message"] for f in found}
    assert told == {
        f"Your own {what} is in the way of revision r2 (r2.py)."
        for what in (
            "view public.ages",
            "view public.more",
            "trigger public.people.aged",
            "column public.people.twice",
        )
    }
    (view,) = [f for f in found if "public.more" in f["message"]]
    assert "gives the column public.people.age another type: bigint" in view["seen"][0]
    assert "pg_get_viewdef('public.more'::regclass)" in view["seen"][1]
    for finding in found:  # in the order in which they are told
        run_next(finding["next"], database)
    ends_at_head(application, database, "r2")


def test_what_depends_on_a_dropped_column(
    application: Application, server: Server, database: Database
) -> None:
    """An index and a constraint would go silently with it; the statements put them aside."""
    application.revision("r2", "r1", "alter table people drop column name")
    behind(application, server, database)
    database.execute(
        "create index mine on people (lower(name), age);"
        "alter table people add constraint named check (name <> '' or age > 0);"
        "create statistics together on name, age from people;"
        "create index other on people (age)"
    )
    found = refused(application, database, *["customisation-in-the-way"] * 3)
    index = next(f for f in found if "index" in f["message"])
    assert "revision r2 (r2.py) drops or renames the column public.people.name" in index["seen"][0]
    assert "CREATE INDEX mine ON public.people USING btree (lower(name), age)" in index["seen"][1]
    assert steps_of(index["next"]).sql == ("drop index public.mine;",)
    for finding in found:
        run_next(finding["next"], database)
    ends_at_head(application, database, "r2")
    assert database.query("select 1 from pg_class where relname = 'other'")


def test_a_view_that_is_replaced_is_only_remarked(
    application: Application, server: Server, database: Database
) -> None:
    """Nobody can tell whether the revision drops it first; here it doesn't, and up goes on."""
    application.revision(
        "r2", "r1", "create or replace view adults as select id from people where age > 20"
    )
    application.revision(
        "r1", None, PEOPLE, "create view adults as select id from people where age > 17"
    )
    with_catalogue(application, server)
    at(application, database, "r1", row=True)
    database.execute("create view mine as select * from adults")
    plan = application.run("plan", "--json", url=database.url())
    assert (plan.code, plan.json["findings"]) == (0, []), plan.out
    (remark,) = plan.json["remarks"]
    assert "your own view public.mine depends on view public.adults" in remark
    ends_at_head(application, database, "r2")


def test_what_would_go_with_a_dropped_table_or_type(
    application: Application, server: Server, database: Database
) -> None:
    """The user's column and index on it, a foreign key to it, a column of the type."""
    application.revision("r2", "r1", "drop table gone cascade", "drop type mood cascade")
    application.revision(
        "r1",
        None,
        "create table gone (id int primary key, x int)",
        "create type mood as enum ('good')",
        "create table stays (id int)",
    )
    with_catalogue(application, server)
    at(application, database, "r1", row=True)
    database.execute(
        "alter table gone add note text; create index on gone (x);"
        "create table mine (gone int references gone, felt mood, felt_all mood[]);"
        "alter table stays add own int; create index on stays (own)"
    )
    found = refused(application, database, *["customisation-in-the-way"] * 4)
    told = " ".join(f["message"] for f in found)
    for name in (
        "gone.note",
        "mine.mine_gone_fkey",
        "mine.felt",
        "mine.felt_all",
    ):
        assert f" public.{name} " in told
    assert "stays" not in told
    assert "gone_x_idx" not in told  # an index means nothing without its table


def test_a_table_that_would_go_keeps_its_rows(
    application: Application, server: Server, database: Database
) -> None:
    """A table that inherits from a dropped one: the inheritance ends, and the rows stay."""
    application.revision("r2", "r1", "drop table gone")
    behind(application, server, database)
    database.execute(
        "create table mine () inherits (gone);"
        "insert into mine select n, n from generate_series(1, 100) n"
    )
    (finding,) = refused(application, database, "customisation-in-the-way")
    assert "alter table public.mine no inherit public.gone;" in finding["next"]
    run_next(finding["next"], database)
    ends_at_head(application, database, "r2")
    assert database.query("select count(*) from mine") == [(100,)]


IN_APP = """
create table app.orders (id serial primary key, x int);
insert into app.orders select n from generate_series(1, 1000) n;
create table own (id int, at date) partition by range (at);
create table app.own25 partition of own for values from ('2025-01-01') to ('2026-01-01');
insert into own values (7, '2025-05-05');
create view app.seen as select id from app.orders;
create materialized view app.kept as select id from app.orders;
create sequence app.numbers;
create type app.felt as enum ('good');
create domain app.short as text check (length(value) < 9);
create type app.span as range (subtype = int);
create type app.pair as (a int, b int);
create function app.f(a int, b text[]) returns int language sql as 'select 1';
create procedure app.p(a int) language sql as 'select 1';
create aggregate app.total(int) (sfunc = int4pl, stype = int);
create statistics app.together on id, x from stays;
create collation app.german (locale = 'C');
create conversion app.latin for 'LATIN1' to 'UTF8' from iso8859_1_to_utf8;
create operator app.=== (function = int4eq, leftarg = int, rightarg = int);
create operator family app.family using btree;
create operator class app.class for type int using btree family app.family
    as operator 3 app.===, function 1 btint4cmp(int, int);
create text search configuration app."odd One" (copy = simple);
create text search dictionary app.words (template = simple);
"""


def test_what_lies_in_a_dropped_schema(
    application: Application, server: Server, database: Database
) -> None:
    """DROP SCHEMA … CASCADE would drop it without a word: each object is named, of whatever kind,
    and none of the application's. What `next` says keeps all of it, with the rows.
    """
    application.config('destructive = "refuse"')
    application.revision("r2", "r1", "drop schema app cascade", "create schema app2")
    application.revision(
        "r1",
        None,
        "create schema app",
        "create type app.mine as (x int)",
        "create table app.ours (id int primary key)",
        "create table stays (id int, x int)",
    )
    with_catalogue(application, server)
    at(application, database, "r1", row=True)
    database.execute(IN_APP)
    (finding,) = refused(application, database, "customisation-in-the-way")
    assert "20 objects of your own are in the way of revision r2 (r2.py)" in finding["message"]
    assert "the schema app, in which they lie" in finding["seen"][0]
    shown = " ".join(finding["seen"])
    for what in ("table app.orders", "partition app.own25 of public.own", "view app.seen"):
        assert what in shown
    assert "ours" not in finding["next"]
    assert "app.mine" not in finding["next"]
    assert "orders_id_seq" not in finding["next"]
    run_next(finding["next"], database)
    result = application.run("up", "--accept-data-loss", "--json", url=database.url())
    assert result.code == 0, result.out
    assert database.query("select count(*) from app_own.orders") == [(1000,)]
    assert database.query("select id, tableoid::regclass::text from own") == [(7, "app_own.own25")]
    left = "select app_own.f(1, '{}'), 1 operator(app_own.===) 1, 'a' collate app_own.german"
    assert database.query(left) == [(1, True, "a")]
    assert database.query("select app_own.span(1, 3) @> 2") == [(True,)]


def test_a_view_and_a_table_on_what_goes_with_its_schema(
    application: Application, server: Server, database: Database
) -> None:
    """Both lie in it, too. The view is dropped and the inheritance ended; then the table moves."""
    application.revision("r2", "r1", "drop schema app cascade")
    application.revision("r1", None, "create schema app", "create table app.ours (id int)")
    with_catalogue(application, server)
    at(application, database, "r1", row=True)
    database.execute(
        "create view app.seen as select id from app.ours;"
        "create table app.mine () inherits (app.ours); insert into app.mine values (1)"
    )
    found = refused(application, database, *["customisation-in-the-way"] * 3)
    assert "table app.mine" in found[-1]["message"]
    assert "app.seen" not in str(found[-1])
    for finding in found:
        run_next(finding["next"], database)
    ends_at_head(application, database, "r2")
    assert database.query("select count(*) from app_own.mine") == [(1,)]


def test_what_nobody_knows_whose_it_is_is_remarked(
    application: Application, server: Server, database: Database
) -> None:
    """No fact describes a collation or a partition; some revision makes such objects."""
    application.revision("r2", "r1", "drop schema app cascade")
    application.revision(
        "r1",
        None,
        "create schema app",
        "create collation app.german (locale = 'C')",
        "create table ev (id int) partition by list (id)",
        "create table app.ev1 partition of ev for values in (1)",
    )
    with_catalogue(application, server)
    at(application, database, "r1", row=True)
    plan = application.run("plan", "--json", url=database.url())
    assert plan.code == 0, plan.out
    remarks = " ".join(plan.json["remarks"])
    assert "collation app.german lies in the schema app, which revision r2" in remarks
    assert "partition app.ev1 of public.ev lies in the schema app" in remarks
    ends_at_head(application, database, "r2")


@pytest.mark.parametrize("within", ["create table app.ours (id int)", "select 1"])
def test_a_schema_that_is_renamed_takes_everything_along(
    application: Application, server: Server, database: Database, within: str
) -> None:
    application.revision("r2", "r1", "alter schema app rename to shop")
    application.revision("r1", None, "create schema app", within)
    with_catalogue(application, server)
    at(application, database, "r1", row=True)
    database.execute("create table app.mine (id int); insert into app.mine values (1)")
    ends_at_head(application, database, "r2")
    assert database.query("select count(*) from shop.mine") == [(1,)]


def test_a_later_revision_renames_what_an_earlier_one_altered(
    application: Application, server: Server, database: Database
) -> None:
    """Both are pending. The rename is harmless, and so stops nothing that is the user's."""
    application.revision("r2", "r1", "alter table people add phone text, alter age type bigint")
    application.revision("r3", "r2", body='op.rename_table("people", "persons")')
    behind(application, server, database)
    database.execute(
        "create schema arch; create table arch.people_2025 () inherits (public.people);"
        "insert into arch.people_2025 select n, 'x' from generate_series(1, 1000) n;"
        "create view arch.v as select name from public.people;"
        "create function f() returns trigger language plpgsql as 'begin return new; end';"
        "create trigger mine before insert on people for each row execute function f()"
    )
    plan = application.run("plan", "--json", url=database.url())
    assert (plan.code, plan.json["findings"]) == (0, []), plan.out
    assert "renames to public.persons" in " ".join(plan.json["remarks"])
    ends_at_head(application, database, "r3")
    assert database.query("select count(*) from persons") == [(1000,)]
    assert database.query("select count(*) from arch.v") == [(1000,)]


def test_what_is_the_users_and_in_nobodys_way(
    application: Application, server: Server, database: Database
) -> None:
    """Columns, indexes, views, tables of his own: up goes on, and all of it is still there."""
    application.revision("r2", "r1", "alter table people alter age type bigint")
    application.revision("r3", "r2", "alter table people drop column name", "drop table gone")
    behind(application, server, database)
    database.execute(
        "alter table people add nickname text; create index mine on people (nickname, age);"
        "create view nicknames as select id, nickname from people;"
        "create table notes (person int references people)"
    )
    ends_at_head(application, database, "r3")
    assert database.query("select count(*) from nicknames") == [(0,)]
    assert database.query("select 1 from pg_class where relname = 'mine'")


# --- the role


@pytest.fixture
def role(server: Server) -> Any:
    """A role that owns nothing, with its part of an address."""
    with psycopg.connect(server.conninfo(), autocommit=True) as connection:
        connection.execute("create role preflight_app login password 'secret'")
        yield lambda url: re.sub(r"//[^@]+@", "//preflight_app:secret@", url)
        connection.execute("drop role preflight_app")


@pytest.mark.provokes("privilege-missing")
@pytest.mark.follows("privilege-missing")
def test_a_role_that_may_not_do_all_of_it(
    application: Application, server: Server, pg_bin: Any, role: Any
) -> None:
    """One finding with a line for each privilege, beside what else is in the way; what it says
    to grant is enough. A view of status by such a role isn't refused.
    """
    application.revision("r2", "r1", "alter table people add email text")
    application.revision(
        "r3", "r2", "create schema more", "create table more.pets (owner int references people)"
    )
    with fresh_database(server, pg_bin) as database:
        behind(application, server, database)
        database.execute("create schema surefoot authorization preflight_app")
        database.execute("grant usage on schema public to preflight_app")
        database.execute("grant select on alembic_version to preflight_app")
        url = role(database.url())
        result = application.run("up", "--json", url=url)
        assert result.code == 4, result.err
        (finding,) = findings(result, "privilege-missing")
        assert "table public.people belongs to postgres: revision r2 (r2.py)" in finding["seen"]
        assert "no UPDATE on public.alembic_version: each revision" in finding["seen"]
        assert "no REFERENCES on table public.people: revision r3 (r3.py)" in finding["seen"]
        assert (
            f"no CREATE on database {database.name}, to make schema more: revision r3 (r3.py)"
            in (finding["seen"])
        )
        assert application.run("status", url=url).code == 3
        database.execute(sql_of(finding))
        result = application.run("up", "--json", url=url)
        assert result.code == 0, result.out + result.err


def test_a_child_that_belongs_to_somebody_else(
    application: Application, server: Server, pg_bin: Any, role: Any
) -> None:
    """ALTER TABLE alters partitions and the tables that inherit, too, at every depth."""
    application.revision("r2", "r1", "alter table logs add text text")
    application.revision("r3", "r2", "alter table people add check (id > 0)")
    application.revision("r4", "r3", "create index logs_at on logs (at)")
    with fresh_database(server, pg_bin) as database:
        application.revision(
            "r1", None, PEOPLE, "create table logs (at int) partition by range (at)"
        )
        with_catalogue(application, server)
        at(application, database, "r1", row=True)
        database.execute(
            "create table of_2025 partition of logs for values from (0) to (9)"
            " partition by range (at);"
            'create table "of May" partition of of_2025 for values from (0) to (3);'
            "create table staff (office text) inherits (people);"
            "create schema surefoot authorization preflight_app;"
            "grant usage, create on schema public to preflight_app;"
            "grant select, insert, update, delete on alembic_version to preflight_app;"
            "alter table logs owner to preflight_app; alter table of_2025 owner to preflight_app;"
            "alter table people owner to preflight_app"
        )
        url = role(database.url())
        result = application.run("up", "--json", url=url)
        assert result.code == 4, result.err
        (finding,) = findings(result, "privilege-missing")
        assert finding["seen"] == [
            'table public."of May", below public.logs, belongs to postgres: revision r2 (r2.py)',
            "table public.staff, below public.people, belongs to postgres: revision r3 (r3.py)",
        ]
        database.execute(sql_of(finding))
        result = application.run("up", "--json", url=url)
        assert result.code == 0, result.out + result.err


def test_env_py_sets_a_role_that_may(
    application: Application, server: Server, database: Database, role: Any
) -> None:
    """Who counts is the role of env.py's connection, not the one that surefoot connects as."""
    application.revision("r2", "r1", "alter table people add email text")
    behind(application, server, database)
    application.env(
        SYNC_ENV.replace(
            "    context.configure(",
            "    connection.exec_driver_sql('set role preflight_app')\n    context.configure(",
        )
    )
    database.execute("grant usage on schema public to preflight_app")
    database.execute("grant select, insert, update, delete on alembic_version to preflight_app")
    result = application.run("plan", "--json", url=database.url())
    (finding,) = findings(result, "privilege-missing")
    assert "preflight_app" in finding["message"]
    database.execute("drop owned by preflight_app")


def test_read_only_and_what_is_in_the_way_come_together(
    application: Application, server: Server, database: Database
) -> None:
    application.revision("r2", "r1", PETS)
    behind(application, server, database)
    database.execute("create table pets (id text)")
    database.execute(f"alter database {database.name} set default_transaction_read_only = on")
    result = application.run("plan", "--json", url=database.url())
    findings(result, "database-read-only", "wrong-shape-in-the-way")


# --- the server


def test_an_extension_that_the_server_does_not_have(
    application: Application, server: Server, database: Database
) -> None:
    """The catalogue was made on a server that has it: here its name is changed in the file."""
    application.revision("r2", "r1", "create extension citext")
    behind(application, server, database)
    file = application.root / "migrations/surefoot-catalog.txt"
    from surefoot.catalogue.catalogue import Change
    from surefoot.catalogue.read import loads
    from surefoot.catalogue.write import dumps

    catalogue = loads(file.read_text(), "catalogue")
    catalogue.ways[0].changes["r2"] = (Change("extension", "elsewhere", (), ("",)),)
    file.write_text(dumps(catalogue))
    (finding,) = refused(application, database, "extension-missing")
    assert "elsewhere" in finding["message"]
    assert "revision r2 (r2.py)" in finding["message"]


@pytest.mark.slow
@pytest.mark.provokes("locks-too-few")
@pytest.mark.follows("locks-too-few")
def test_more_locks_than_the_server_has_room_for(application: Application, pg_bin: Any) -> None:
    """Refused where PostgreSQL fails for certain; with a transaction for each revision it goes."""
    number = 300
    for half, below in (("r2", "r1"), ("r3", "r2")):
        application.revision(
            half,
            below,
            body=f"for n in range({number}):\n"
            f"    op.execute(f'create table {half}_{{n}} (id int primary key)')",
        )
    application.revision("r1", None, "create table people (id int)")
    settings = {"max_locks_per_transaction": "10", "max_connections": "10", "max_wal_senders": "0"}
    with Server(pg_bin) as large:
        with_catalogue(application, large)
    with Server(pg_bin, settings=settings) as small, fresh_database(small, pg_bin) as database:
        at(application, database, "r1", row=True)
        (finding,) = refused(application, database, "locks-too-few")
        assert "about 1,200 objects" in finding["seen"][0]
        with pytest.raises(AssertionError, match="out of shared memory"):
            application.alembic("upgrade", "head", url=database.url("postgresql+psycopg"))
        run_next(finding["next"], database)
        ((written,),) = database.query(
            "select setting from pg_file_settings where name = 'max_locks_per_transaction'"
            " and sourcefile like '%auto.conf'"
        )
        application.env(options="transaction_per_migration=True")
        result = application.run("plan", "--json", url=database.url())
        assert result.code == 0, result.out
        assert "about 600 objects" in result.json["remarks"][0]
    settings["max_locks_per_transaction"] = written
    application.env()
    with Server(pg_bin, settings=settings) as larger, fresh_database(larger, pg_bin) as database:
        at(application, database, "r1", row=True)
        ends_at_head(application, database, "r3")


LONG = "r2_" + "x" * 37


@pytest.mark.provokes("version-column-too-short")
@pytest.mark.follows("version-column-too-short")
def test_an_id_that_the_version_column_has_no_room_for(
    application: Application, database: Database
) -> None:
    """Told without a catalogue as well; what it says to type is enough."""
    application.revision("r1", None, PEOPLE)
    application.revision(LONG, "r1", "create table pets (id int primary key)")
    at(application, database, "r1", row=True)
    (finding,) = refused(application, database, "version-column-too-short")
    assert finding["seen"] == [f"{LONG}: 40 characters"]
    database.execute(sql_of(finding))
    result = application.run("up", "--json", url=database.url())
    assert (result.code, result.json["current"]) == (0, [LONG]), result.err


def test_an_id_that_alembics_own_table_would_have_no_room_for(
    application: Application, database: Database
) -> None:
    """An empty database: there is no version table yet."""
    application.revision(LONG, None, PEOPLE)
    (finding,) = refused(application, database, "version-column-too-short")
    database.execute(sql_of(finding))
    result = application.run("up", "--json", url=database.url())
    assert (result.code, result.json["current"]) == (0, [LONG]), result.err


# --- without a version row


def test_an_identified_database_has_something_in_the_way(
    application: Application, server: Server, database: Database
) -> None:
    """Nobody stamped it, and a pending revision's index has the name of one of the user's."""
    application.revision("r2", "r1", "create index people_name on people (name)")
    behind(application, server, database)
    database.execute(
        "drop table alembic_version; create table mine (id int);"
        "create index people_name on mine (id)"
    )
    (finding,) = refused(application, database, "wrong-shape-in-the-way")
    assert "index public.mine.people_name" in finding["message"]
    database.execute(sql_of(finding))
    ends_at_head(application, database, "r2")


def test_an_unidentified_database_has_something_in_the_way(
    application: Application, server: Server, database: Database
) -> None:
    """Nearest is r1, but for a column that r2 makes otherwise: refused as unidentified, and why."""
    application.revision(
        "r2", "r1", "alter table people add email text", "create table toys (id int primary key)"
    )
    behind(application, server, database)
    database.execute("drop table alembic_version; alter table people add email varchar(200)")
    found = refused(application, database, "unidentified-structure", "wrong-shape-in-the-way")
    assert "column public.people.email" in found[1]["message"]


def test_an_empty_database_needs_privileges_too(
    application: Application, server: Server, pg_bin: Any, role: Any
) -> None:
    """Nothing is installed, and the role may not make a table."""
    application.revision("r1", None, PEOPLE)
    with_catalogue(application, server)
    with fresh_database(server, pg_bin) as database:
        database.execute("create schema surefoot authorization preflight_app")
        database.execute("revoke create on schema public from public")
        result = application.run("up", "--json", url=role(database.url()))
        (finding,) = findings(result, "privilege-missing")
        assert finding["seen"] == ["no CREATE on schema public: revision r1 (r1.py)"]


@pytest.mark.slow
@pytest.mark.provokes("object-in-the-way")
@pytest.mark.follows("object-in-the-way")
def test_the_version_table_s_name_is_taken(
    application: Application, server: Server, database: Database
) -> None:
    """Alembic would fail there, after all other checks: each kind of object, one by one."""
    behind(application, server, database)
    database.execute("drop table alembic_version")  # it is identified by its structure
    for statement, drop in (
        ("create sequence alembic_version", "sequence"),
        ("create type alembic_version as (a text)", "type"),
        ("create domain alembic_version as text", "domain"),
        ("create table other (id int constraint alembic_version primary key)", "table"),
    ):
        database.execute(statement)
        (finding,) = refused(application, database, "object-in-the-way")
        database.execute(sql_of(finding))
        database.execute(f"drop {drop} {'other' if drop == 'table' else 'alembic_version_own'}")
    database.execute("create sequence alembic_version")
    (finding,) = refused(application, database, "object-in-the-way")
    run_next(finding["next"], database, application)
    ends_at_head(application, database, "r1")


@pytest.mark.slow
@pytest.mark.provokes("object-in-the-way")
@pytest.mark.follows("object-in-the-way")
def test_a_revision_that_commits_midway_is_not_begun(
    application: Application, server: Server, database: Database
) -> None:
    """It would fail at what is there already, and what it had committed would stay, each time."""
    application.revision("r1", None, "create table people (id int primary key, n int)")
    application.revision(
        "r2",
        "r1",
        body="with op.get_context().autocommit_block():\n"
        "    op.execute('update people set n = 2 * n')\n"
        "op.execute('create table pets (id int primary key)')\n"
        "op.execute('create index people_n on people (n)')",
    )
    build = ("catalog", "build", "--no-downgrade", "--server", server.url())
    assert application.run(*build).code == 0
    application.alembic("upgrade", "r1", url=database.url("postgresql+psycopg"))
    database.execute("insert into people values (1, 5); create table pets (id int primary key)")
    result = application.run("up", "--json", url=database.url())
    assert result.code == 4, result.err
    (found,) = [f for f in result.json["findings"] if f["code"] == "object-in-the-way"]
    assert database.query("select n from people") == [(5,)]
    # what is the user's own gets another name, and comes back here for the rest of the test
    statements = steps_of(found["next"]).sql
    run_next(found["next"], database)
    arrived = application.run("up", "--json", url=database.url())
    assert arrived.code == 0, arrived.err
    assert statements[0].startswith("alter table public.pets rename to ")
    database.execute(
        "drop table pets, people, alembic_version cascade; drop schema surefoot cascade;"
    )
    application.alembic("upgrade", "r1", url=database.url("postgresql+psycopg"))
    database.execute("insert into people values (1, 5); create table pets (id int primary key)")
    # who has read the revision may accept what is there
    database.execute("drop table pets; create index people_n on people (n)")
    file = application.root / "migrations/versions/r2.py"
    accepting = file.read_text().replace(
        "create index people_n", "create index if not exists people_n"
    )
    application.write("migrations/versions/r2.py", accepting)
    assert application.run(*build).code == 0
    assert application.run("up", url=database.url()).code == 4
    adopted = application.run("adopt", "r1", "--accept-difference", "--yes", url=database.url())
    assert adopted.code == 0, adopted.err
    result = application.run("up", url=database.url())
    assert result.code == 0, result.err
    assert database.query("select n from people") == [(10,)]


RENAMES = {
    "a table": ("alter table people rename to persons", "persons"),
    "a column": ("alter table people rename name to title", "people"),
}


@pytest.mark.parametrize("what", RENAMES)
def test_a_rename_takes_what_is_the_users_along(
    application: Application, server: Server, database: Database, what: str
) -> None:
    """The catalogue can't tell it for certain, so it's a remark; an index and a view stay."""
    statement, table = RENAMES[what]
    application.revision("r1", None, "create table people (id int primary key, name text)")
    application.revision("r2", "r1", statement)
    build = ("catalog", "build", "--no-downgrade", "--server", server.url())
    assert application.run(*build).code == 0
    application.alembic("upgrade", "r1", url=database.url("postgresql+psycopg"))
    database.execute(
        "create index my_index on people (name); create view my_view as select name from people"
    )
    planned = application.run("plan", "--json", url=database.url())
    assert planned.code == 0, planned.err
    assert "renames to" in " ".join(planned.json["remarks"])
    result = application.run("up", url=database.url())
    assert result.code == 0, result.err
    assert database.query("select tablename from pg_indexes where indexname = 'my_index'") == [
        (table,)
    ]
    assert database.query("select count(*) from my_view") == [(0,)]


def test_a_revision_that_widens_the_version_column(
    application: Application, database: Database
) -> None:
    """Ids behind it have the room that it makes."""
    wide = "r2_an_identifier_of_more_than_thirty_two_characters"
    application.revision(
        "r1", None, "alter table alembic_version alter column version_num type varchar(128)"
    )
    application.revision(wide, "r1", "create table pets (id int)")
    result = application.run("up", url=database.url())
    assert result.code == 0, result.err
    assert database.query("select version_num from alembic_version") == [(wide,)]


def test_a_view_that_refers_to_itself_is_followed_once(
    application: Application, server: Server, database: Database
) -> None:
    """Before PostgreSQL 16, the rule of every view depends on the view; here such a row is made."""
    application.revision("r2", "r1", "drop table gone")
    behind(application, server, database)
    database.execute(
        "create view mine as select x from gone; create view theirs as select x from mine;"
        "insert into pg_depend"
        " select 'pg_rewrite'::regclass, oid, 0, 'pg_class'::regclass, ev_class, 0, 'n'"
        " from pg_rewrite where ev_class in ('mine'::regclass, 'theirs'::regclass)"
    )
    refused(application, database, "customisation-in-the-way", "customisation-in-the-way")


# --- what `next` says about a customisation suffices


def customised(
    application: Application,
    server: Server,
    database: Database,
    customisations: str,
    before: tuple[str, ...],
    *after: str,
) -> None:
    """A database at r1 (`before`) with these customisations; r2 (`after`) is pending.

    What `next` of each finding says is followed in order, and nothing is in the way any more.
    """
    application.revision("r2", "r1", *after)
    application.revision("r1", None, *before)
    with_catalogue(application, server)
    at(application, database, "r1", row=True)
    database.execute(customisations)
    plan = application.run("plan", "--json", url=database.url())
    assert plan.code == 4, plan.out
    for finding in plan.json["findings"]:
        assert finding["code"] == "customisation-in-the-way"
        run_next(finding["next"], database)
    ends_at_head(application, database, "r2")


MOOD = "create type mood as enum ('bad', 'good')"


def test_columns_of_a_dropped_type_keep_their_values(
    application: Application, server: Server, database: Database
) -> None:
    """As text, with a default that is a constant; indexes, checks and views on it don't matter."""
    customised(
        application,
        server,
        database,
        "create table own (id int, felt mood not null default 'good',"
        " all_felt mood[] default '{bad}', check (felt <> 'bad'));"
        "create index on own (felt); insert into own values (1);"
        "create view happy as select id from own where felt > 'bad';"
        "create view felt as select id, felt from own;"
        "create view feelings as select felt, count(*) from felt group by felt",
        (MOOD, "create table t (id int primary key)"),
        "drop type mood",
    )
    database.execute("insert into own (id) values (2)")
    assert database.query("select felt, all_felt from own") == [("good", ["bad"])] * 2


def test_columns_of_a_domain_a_composite_and_a_row_type(
    application: Application, server: Server, database: Database
) -> None:
    """Also the user's own domain and composite type of that type, and the columns of these."""
    customised(
        application,
        server,
        database,
        "create domain dm as mood; create type comp as (m mood, n int);"
        "create table own (d dm, c comp, cs comp[], r gone, z zip); "
        "insert into own values ('bad', row('good', 1), array[row('bad', 2)::comp], row(7), '1')",
        (MOOD, "create table gone (id int)", "create domain zip as text"),
        "drop type mood",
        "drop table gone",
        "drop domain zip",
    )
    assert database.query("select * from own") == [
        ("bad", "(good,1)", ["(bad,2)"], "(7)", "1"),
    ]


def test_a_column_of_the_row_type_of_a_table_that_is_retyped(
    application: Application, server: Server, database: Database
) -> None:
    """In an array and in a composite type, too; a function of such a row isn't in the way."""
    customised(
        application,
        server,
        database,
        "create type pair as (a people, n int);"
        "create table keep (person people, others people[], pairs pair);"
        "create function f(people) returns text language sql as 'select $1.name';"
        "insert into keep values (row(1, 'Ann', 7), array[row(2, 'Bo', 8)::people])",
        (PEOPLE,),
        "alter table people alter age type bigint",
    )
    assert database.query("select person, others, f(p) from keep left join people p on true") == [
        ("(1,Ann,7)", ["(2,Bo,8)"], None)
    ]


def test_what_a_copy_of_a_dropped_table_depends_on(
    application: Application, server: Server, database: Database
) -> None:
    """The table that is copied for the user's column has a column of a type that is dropped too."""
    customised(
        application,
        server,
        database,
        "alter table gone add note text; insert into gone values (1, 'good', 'mine')",
        (MOOD, "create table gone (id int, felt mood)"),
        "drop table gone",
        "drop type mood",
    )
    assert database.query("select id, felt, note from gone_note_own") == [(1, "good", "mine")]


def test_a_table_that_inherits_or_has_a_default_keeps_its_rows(
    application: Application, server: Server, database: Database
) -> None:
    """Nothing of the user's is dropped that can stay."""
    customised(
        application,
        server,
        database,
        "create table kid (own int default helper()) inherits (gone);"
        "insert into kid values (1, 2);"
        "create table typed of pair; insert into typed values (3);"
        "alter table people add twice int generated always as (age * 2) stored;"
        "insert into people values (1, 'Ann', 7)",
        (
            PEOPLE,
            "create table gone (id int)",
            "create type pair as (a int)",
            "create function helper() returns int language sql as 'select 1'",
        ),
        "drop table gone",
        "drop type pair",
        "drop function helper()",
        "alter table people drop column age",
    )
    assert database.query("select kid.*, typed.* from kid, typed") == [(1, 2, 3)]
    assert database.query("select * from people") == [(1, "Ann", 14)]


def test_what_is_built_on_a_view_goes_first(
    application: Application, server: Server, database: Database
) -> None:
    """A function that returns its rows, a view on that, a column of its row type."""
    customised(
        application,
        server,
        database,
        'create schema rep; create view rep."V 1" as select id, age from people;'
        'create view rep.v2 as select * from rep."V 1";'
        "create function rep.f() returns setof rep.v2 language sql as 'select * from rep.v2';"
        "create view rep.v3 as select * from rep.f();"
        "create table rep.keep (v rep.v2[]); insert into people values (1, 'Ann', 7);"
        "insert into rep.keep select array_agg(v) from rep.v2 v",
        (PEOPLE,),
        "alter table people alter age type bigint",
    )
    assert database.query("select v from rep.keep") == [(["(1,7)"],)]


def test_casts_and_operators_go_before_their_function(
    application: Application, server: Server, database: Database
) -> None:
    """No facts describe them; that they call the user's own function says whose they are."""
    customised(
        application,
        server,
        database,
        "create function mine(mood) returns int language sql immutable as 'select 1';"
        "create cast (mood as int) with function mine(mood);"
        "create function same(mood, mood) returns boolean language sql immutable as 'select true';"
        "create operator === (leftarg = mood, rightarg = mood, function = same);"
        "create view equal as select 'bad'::mood === 'good'::mood as equal",
        (MOOD, "create table t (id int primary key)"),
        "drop type mood",
    )


def test_a_cast_that_the_revision_drops_is_left_to_it(
    application: Application, server: Server, database: Database
) -> None:
    """It may be the application's: nothing is said about it."""
    application.revision("r2", "r1", "drop cast (mood as int)", "drop function f", "drop type mood")
    application.revision(
        "r1",
        None,
        MOOD,
        "create function f(mood) returns int language sql immutable as 'select 1'",
        "create cast (mood as int) with function f(mood)",
    )
    with_catalogue(application, server)
    at(application, database, "r1", row=True)
    ends_at_head(application, database, "r2")


@pytest.mark.parametrize(
    "statement", ["alter table people alter age type bigint", "alter table people drop column age"]
)
def test_another_sessions_temporary_view(
    application: Application, server: Server, database: Database, statement: str
) -> None:
    """It is dropped from here."""
    with psycopg.connect(database.url()) as other:
        application.revision("r2", "r1", statement)
        application.revision("r1", None, PEOPLE)
        with_catalogue(application, server)
        at(application, database, "r1", row=True)
        other.execute("create temp view ages as select age from people")
        other.commit()
        (finding,) = refused(application, database, "customisation-in-the-way")
        assert "Another session's temporary view pg_temp_" in finding["message"]
        run_next(finding["next"], database)
        ends_at_head(application, database, "r2")


def test_a_publication_of_some_columns_or_rows(
    application: Application, server: Server, database: Database
) -> None:
    """Since 15. A revision that mentions publications is left to it."""
    if database.query("select current_setting('server_version_num')::int >= 150000") == [(False,)]:
        pytest.skip("publications of columns or rows exist since PostgreSQL 15")
    customised(
        application,
        server,
        database,
        "alter table people replica identity full;"
        'create publication "some; rows" for table people where (age > 7);'
        "create publication some_columns for table people (id, name)",
        (PEOPLE,),
        "alter table people alter age type bigint",
        "alter table people drop column name",
    )


# --- objects of which no fact tells

TOYS = "create table {}toys (id int primary key, at date)"
PARENT = "create table ev (id int, at date) partition by range (at)"
RANGE = "for values from ('2025-01-01') to ('2026-01-01')"

UNSEEN = {
    "a partition": (
        f"{PARENT}; create table toys partition of ev (primary key (id)) {RANGE}",
        "The table public.toys is in the way of revision r2 (r2.py): it is a partition of"
        " public.ev.",
        "alter table public.ev detach partition public.toys;",
    ),
    "a partition's index": (
        f"{PARENT}; create table old partition of ev {RANGE}; create index toys on old (id)",
        "The index public.toys is in the way of revision r2 (r2.py): it is part of a partition of"
        " public.ev.",
        "alter index public.toys rename to toys_before;",
    ),
    "an extension's table": (
        "create extension hstore; create table toys (id int); alter extension hstore add table"
        " toys",
        "The table public.toys is in the way of revision r2 (r2.py): it is in extension hstore.",
        "alter table public.toys rename to toys_before;",
    ),
    "an extension's type": (
        "create extension hstore; create type toys as enum ('a'); alter extension hstore add type"
        " toys",
        "The type public.toys is in the way of revision r2 (r2.py): it is in extension hstore.",
        "alter type public.toys rename to toys_before;",
    ),
}


@pytest.mark.follows("object-in-the-way")
@pytest.mark.parametrize("how", ["", "if not exists "], ids=["create", "if not exists"])
@pytest.mark.parametrize("which", UNSEEN)
def test_what_belongs_to_another_object_is_in_the_way(
    application: Application, server: Server, database: Database, which: str, how: str
) -> None:
    """No fact tells of it. With IF NOT EXISTS, the revision would pass it over, and then run again
    at each start.
    """
    made, message, statement = UNSEEN[which]
    application.revision("r2", "r1", TOYS.format(how), "update people set age = age + 1")
    behind(application, server, database)
    database.execute(f"{made}; insert into people values (1, 'a', 1)")
    (finding,) = refused(application, database, "object-in-the-way")
    assert finding["message"] == message
    assert statement in steps_of(finding["next"]).sql
    run_next(finding["next"], database)
    ends_at_head(application, database, "r2")
    assert database.query("select age from people") == [(2,)]


def test_a_partition_that_the_revision_detaches_is_not_in_the_way(
    application: Application, server: Server, database: Database
) -> None:
    """It has a fact only once it is a table of its own."""
    application.revision("r1", None, PARENT, f"create table toys partition of ev {RANGE}")
    application.revision("r2", "r1", "alter table ev detach partition toys")
    with_catalogue(application, server)
    at(application, database, "r1", row=True)
    ends_at_head(application, database, "r2")


@pytest.mark.follows("object-in-the-way")
def test_a_partition_of_the_applications_own_table(
    application: Application, server: Server, database: Database
) -> None:
    application.revision("r1", None, PARENT)
    application.revision("r2", "r1", TOYS.format("if not exists "))
    with_catalogue(application, server)
    at(application, database, "r1", row=True)
    database.execute(f"create table toys partition of ev {RANGE}")
    (finding,) = refused(application, database, "object-in-the-way")
    run_next(finding["next"], database)
    ends_at_head(application, database, "r2")
