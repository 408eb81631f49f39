"""What is missing below head is put back by the SQL that the refusal prints."""

import pytest

from surefoot.postgres.embedded import Server
from tests.support.database import Database
from tests.support.next_steps import Steps, run_next, steps_of
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


ROWS = "insert into people (id, name) values (1, 'a')"
UNSEEN = (
    "drop table surefoot.journal",
    "update surefoot.journal set hash = repeat('0', 64) where name = 'r1b'",
)


@pytest.fixture
def with_rows(application: Application, server: Server, database: Database) -> Application:
    """The same, and a revision that makes a column and a row."""
    application.revision("r1", None, "create table people (id int primary key, name text)")
    application.revision("r1b", "r1", "alter table people add born date", ROWS)
    application.revision("r2", "r1b", "create table pets (id int primary key, name text)")
    done = application.run("up", url=database.url())
    assert done.code == 0, done.err
    with_catalogue(application, server)
    return application


@pytest.mark.parametrize("unseen", UNSEEN)
def test_nothing_is_put_back_below_head_of_a_revision_that_may_have_been_cut_off(
    with_rows: Application, server: Server, database: Database, unseen: str
) -> None:
    """It may have been stamped before it changed rows; or its file was another."""
    with_rows.revision("r3", "r2", "create table toys (id int primary key)")
    with_catalogue(with_rows, server)
    database.execute(f"alter table people drop born; {unseen}")
    refused = with_rows.run("up", "--json", url=database.url())
    assert (refused.code, refused.error) == (4, "structure-contradicts-revision"), refused.out
    assert steps_of(next_of(refused)).sql == ()


@pytest.mark.parametrize("unseen", UNSEEN)
def test_the_rows_are_to_be_checked_at_head(
    with_rows: Application, database: Database, unseen: str
) -> None:
    database.execute(f"alter table people drop born; {unseen}")
    refused = with_rows.run("up", "--json", url=database.url())
    assert (refused.code, refused.error) == (4, "structure-contradicts-revision"), refused.out
    assert "nothing shows that revision r1b ran to its end here" in seen(refused)
    assert "check that the rows are as revision r1b (r1b.py) leaves them" in next_of(refused)
    run_next(next_of(refused), database, with_rows, only="alter table")
    assert with_rows.run("up", url=database.url()).code == 0


FILLS = {
    "a default that was dropped": (
        "alter table people add born date default '2000-01-01'",
        "alter table people alter born drop default",
    ),
    "a generated column's expression that was dropped": (
        "alter table people add born int generated always as (length(name)) stored",
        "alter table people alter born drop expression",
    ),
    "a column that was renamed": ("alter table people rename name to born",),
    "an identity that was dropped": (
        "alter table people add born int generated always as identity",
        "alter table people alter born drop identity",
        "alter table people alter born drop not null",
    ),
}


@pytest.mark.parametrize("fills", FILLS.values(), ids=list(FILLS))
def test_what_a_revision_of_structure_alone_has_filled(
    application: Application, server: Server, database: Database, fills: tuple[str, ...]
) -> None:
    """Stamped, not run: the column by itself would be without the values that it gives."""
    people = "create table people (id int primary key, name text)"
    application.revision("r1", None, people)
    application.revision("r2", "r1", *fills)
    application.revision("r3", "r2", "create table pets (id int primary key)")
    with_catalogue(application, server)
    database.execute(
        f"{people}; create table pets (id int primary key);"
        "create table alembic_version (version_num varchar(32) primary key);"
        "insert into alembic_version values ('r3')"
    )
    refused = application.run("up", "--json", url=database.url())
    assert (refused.code, refused.error) == (4, "structure-contradicts-revision"), refused.out
    assert "check that the rows are as revision r2 (r2.py) leaves them" in next_of(refused)


def test_what_a_later_revision_fills(
    application: Application, server: Server, database: Database
) -> None:
    """The column's own revision does nothing to rows; the one after it does, and nothing else."""
    application.revision("r1", None, "create table people (id int primary key, name text)")
    application.revision("r2", "r1", "alter table people add born date")
    application.revision("r3", "r2", "update people set born = '2000-01-01'")
    application.revision("r4", "r3", "create table pets (id int primary key)")
    with_catalogue(application, server)
    assert application.run("up", url=database.url()).code == 0
    database.execute("alter table people drop born")
    seen_to_run = application.run("up", "--json", url=database.url())
    assert "check that the rows" not in next_of(seen_to_run)
    database.execute("drop table surefoot.journal")
    unseen = application.run("up", "--json", url=database.url())
    assert "check that the rows are as revision r3 (r3.py) leaves them" in next_of(unseen)


@pytest.mark.parametrize("damage", ["alter table people drop born", "alter table pets drop name"])
def test_nobody_is_sent_to_check_rows_without_a_reason(
    with_rows: Application, database: Database, damage: str
) -> None:
    """The revision was seen to run, or does nothing to rows."""
    if "pets" in damage:
        damage += "; drop table surefoot.journal"
    database.execute(damage)
    refused = with_rows.run("up", "--json", url=database.url())
    assert (refused.code, refused.error) == (4, "structure-contradicts-revision"), refused.out
    assert steps_of(next_of(refused)).sql
    assert "check that the rows" not in next_of(refused)


def test_what_a_revision_of_structure_alone_made_is_put_back_though_nobody_saw_it_run(
    people: Application, database: Database
) -> None:
    database.execute("alter table people drop born; drop table surefoot.journal")
    refused = people.run("up", "--json", url=database.url())
    assert steps_of(next_of(refused)).sql == ("alter table public.people add column born date;",)


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


# --- at head: each statement of `next` runs as it is, and the next start arrives

CURIOUS = (
    "create collation public.ci (locale = 'C')",
    "create table t (id int primary key, name text collate public.ci)",
    "create sequence s start 1000 minvalue 1000",
    "create table u (id bigint primary key default nextval('s'))",
    "alter sequence s owned by u.id",
    "create sequence s2",
    "create table w (id text primary key default 'ORD-' || nextval('s2'))",
    "alter sequence s2 owned by w.id",
    "create sequence s3 increment -2",
    "create domain number as int",
    "create table x (id number primary key default nextval('s3'), other int)",
    "create text search configuration public.en (copy = simple)",
    "create table d (id int primary key, body text, words tsvector"
    " generated always as (to_tsvector('public.en'::regconfig, body)) stored)",
    "create table ev24 (id int, at date)",
    "create table parts (id int, at date, primary key (id, at)) partition by range (at)",
    "create index parts_at on parts (at)",
    "create type mood as enum ('sad', 'ok', 'fine')",
    "create table m (id int generated by default as identity (start 500) primary key,"
    " mood mood not null default 'ok', note text not null)",
    "create index m_note on m (note)",
    "create table other (id int primary key, mood mood)",
)
FILLED = (
    "insert into u values (1200); insert into w default values; insert into x values (-7);"
    "insert into ev24 values (1, '2024-05-05'); insert into m (mood, note) values ('sad', 'a')"
)
PARTITIONED = "create table ev (id int, at date{}) partition by range (at);{}"
ATTACHED = " alter table ev attach partition ev24 for values from ('2024-01-01') to ('2025-01-01')"

BACK = {
    "an enum's label": (
        "alter type mood rename value 'sad' to 'unhappy'",
        "alter type public.mood rename value 'unhappy' to 'sad';",
        "select count(*) from m where mood = 'sad'",
        1,
    ),
    "an enum's label, with others of the user's": (
        "alter type mood add value 'odd'; alter type mood rename value 'ok' to 'okay';",
        "alter type public.mood rename value 'okay' to 'ok';",
        "select count(*) from m where mood = 'sad'",
        1,
    ),
    "a column": (
        "alter table m rename note to remark; alter table m add more int",
        "alter table public.m rename column remark to note;",
        "select count(*) from m where note = 'a'",
        1,
    ),
    "a sequence that begins far on": (
        "delete from u; drop sequence s cascade",
        "select pg_catalog.setval('public.s', greatest((select max(id) + 1 from public.u), 1000),"
        " false);",
        "insert into u values (default) returning id",
        1000,
    ),
    "a sequence with numbers in use": (
        "drop sequence s cascade",
        "create sequence public.s as bigint start 1000 increment 1 minvalue 1000"
        " maxvalue 9223372036854775807 cache 1;",
        "insert into u values (default) returning id",
        1201,
    ),
    "a sequence that counts down, of a domain": (
        "drop sequence s3 cascade",
        "select pg_catalog.setval('public.s3', least((select min(id) - 2 from public.x), -1),"
        " false);",
        "insert into x values (default) returning id",
        -9,
    ),
    "a sequence of texts": (
        "drop sequence s2 cascade",
        "alter sequence public.s2 owned by public.w.id;",
        "select nextval('s2')",
        1,
    ),
    "an identity": (
        "delete from m; alter table m alter id drop identity",
        "alter table public.m alter column id add generated by default as identity"
        " (start 500 increment 1 minvalue 1 maxvalue 2147483647 cache 1);",
        "insert into m (note) values ('b') returning id",
        500,
    ),
    "a table with an identity": (
        "drop table m",
        "create table public.m (id integer not null generated by default as identity"
        " (start 500 increment 1 minvalue 1 maxvalue 2147483647 cache 1),"
        " mood public.mood not null default 'ok', note text not null);",
        "insert into m (note) values ('b') returning id",
        500,
    ),
    "a partition of a user's table": (
        PARTITIONED.format("", ATTACHED),
        "alter table public.ev detach partition public.ev24;",
        "select count(*) from ev24",
        1,
    ),
    "a partition of a user's table with other columns": (
        "alter table ev24 add more int;" + PARTITIONED.format(", more int", ATTACHED),
        "alter table public.ev detach partition public.ev24;",
        "select count(*) from ev24",
        1,
    ),
    "a member of an extension": (
        "create extension hstore; alter extension hstore add table ev24",
        "alter extension hstore drop table public.ev24;",
        "select count(*) from ev24",
        1,
    ),
}


@pytest.fixture
def curious(application: Application, server: Server, database: Database) -> Application:
    """One revision that makes many unusual things, at head, with rows."""
    application.revision("r1", None, *CURIOUS)
    with_catalogue(application, server)
    assert application.run("up", url=database.url()).code == 0
    database.execute(FILLED)
    return application


@pytest.mark.parametrize("which", BACK)
def test_what_is_missing_at_head_comes_back(
    curious: Application, database: Database, which: str
) -> None:
    damage, statement, question, answer = BACK[which]
    database.execute(damage)
    refused = curious.run("up", "--json", url=database.url())
    assert (refused.code, refused.error) == (4, "structure-contradicts-revision"), refused.out
    statements = steps_of(next_of(refused)).sql
    assert statement in statements
    if which != "a sequence of texts":
        assert "begins with its first number" not in next_of(refused)
    run_next(Steps(statements), database)
    done = curious.run("up", "--json", url=database.url())
    assert (done.code, done.json["state"]) == (0, "at-head"), done.err
    assert database.query(question) == [(answer,)]


def test_the_index_of_a_renamed_column_is_left_alone(
    curious: Application, database: Database
) -> None:
    database.execute("alter table m rename note to remark")
    refused = curious.run("up", "--json", url=database.url())
    assert steps_of(next_of(refused)).sql == ("alter table public.m rename column remark to note;",)
    assert "if it isn't that column, create the missing one instead" in next_of(refused)


SCHEMAS = (
    "create schema crm",
    "create table crm.team (id serial primary key, code text unique)",
    "create table member (id serial primary key, team text references crm.team (code))",
    "alter table member enable row level security",
    "create table crm.note (id serial primary key, body text, at date check (at > '2000-01-01'))",
    "create table crm.sub (more int) inherits (crm.note)",
    "create table crm.alone (id serial primary key)",
    "create view names as select id, team from member",
    "create view few as select id from names where id < 5",
    "insert into crm.team values (1, 'a')",
    "insert into member values (1, 'a')",
    "insert into crm.note (body) values ('b')",
)
MOVED = {
    "a schema": ("alter schema crm rename to sales", ("alter schema sales rename to crm;",)),
    "a table that others refer to": (
        "alter table crm.team set schema public",
        ("alter table public.team set schema crm;",),
    ),
    "a table from which another one inherits": (
        "alter table crm.note set schema public",
        ("alter table public.note set schema crm;",),
    ),
    "a table of which views read": (
        "alter table member set schema crm",
        ("alter table crm.member set schema public;",),
    ),
    "a view's column": (
        "alter view names rename team to squad",
        (
            "alter view public.names rename column squad to team;",
            "create or replace view public.names (id, team) as SELECT id, team FROM public.member;",
        ),
    ),
    "a column that another table inherits": (
        "alter table crm.note drop at",
        (
            "alter table crm.note add column at date;",
            "alter table crm.note add constraint note_at_check CHECK (at > '2000-01-01'::date);",
        ),
    ),
    "no row may be seen meanwhile": (
        "alter table member force row level security",
        ("alter table public.member no force row level security;",),
    ),
}


@pytest.fixture
def schemas(application: Application, server: Server, database: Database) -> Application:
    """One revision that makes tables in two schemas, and views, at head."""
    application.revision("r1", None, *SCHEMAS)
    with_catalogue(application, server)
    assert application.run("up", url=database.url()).code == 0
    return application


@pytest.mark.parametrize("which", MOVED)
def test_what_was_moved_at_head_is_moved_back_with_its_rows(
    schemas: Application, database: Database, which: str
) -> None:
    damage, statements = MOVED[which]
    database.execute(damage)
    refused = schemas.run("up", "--json", url=database.url())
    assert (refused.code, refused.error) == (4, "structure-contradicts-revision"), refused.out
    assert steps_of(next_of(refused)).sql == statements
    run_next(Steps(statements), database)
    done = schemas.run("up", "--json", url=database.url())
    assert (done.code, done.json["state"]) == (0, "at-head"), done.err
    assert database.query("select code, team from crm.team, few, names") == [("a", "a")]
    assert schemas.run("drift", url=database.url()).code == 0


def test_a_table_that_was_moved_and_that_nothing_names_may_be_a_copy(
    schemas: Application, database: Database
) -> None:
    database.execute("alter table crm.alone set schema public")
    refused = schemas.run("up", "--json", url=database.url())
    assert (
        "public.alone: the same columns as the missing crm.alone. If the table was moved, move it"
        " back instead of creating it" in next_of(refused)
    )


def test_a_view_that_others_need_is_not_dropped_by_the_next_step(
    schemas: Application, database: Database
) -> None:
    database.execute(
        "drop view names cascade;"
        " create view names as select id::bigint as id, team from member;"
        " create view own as select id from names; create view few as select id from member"
    )
    refused = schemas.run("up", "--json", url=database.url())
    assert (refused.code, refused.error) == (4, "structure-contradicts-revision"), refused.out
    assert "view public.names, as r1.py makes it" in next_of(refused)
    assert not any("drop view" in text for text in steps_of(next_of(refused)).sql)


BY_HAND = {
    "a collation": (
        "drop collation ci cascade",
        "First make what the catalogue can't give the SQL of: collation public.ci, which r1.py"
        " needs, as the revisions make it. Then:",
        CURIOUS[0],
    ),
    "a text search configuration": (
        "drop text search configuration en cascade",
        "First make what the catalogue can't give the SQL of: text search configuration"
        " public.en, which r1.py needs, as the revisions make it. Then:",
        next(one for one in CURIOUS if "search configuration" in one),
    ),
    "a partitioned table": (
        "drop table parts",
        "make what the catalogue can't give the SQL of: table public.parts with all that belongs"
        " to it, as r1.py makes it; then start again.",
        "; ".join(one for one in CURIOUS if " parts " in one),
    ),
    "a partitioned table, and something else": (
        "drop table parts; alter table x drop other",
        "First make what the catalogue can't give the SQL of: table public.parts with all that"
        " belongs to it, as r1.py makes it. Then:",
        "; ".join(one for one in CURIOUS if " parts " in one),
    ),
}


@pytest.mark.parametrize("which", BY_HAND)
def test_what_is_to_be_made_by_hand_comes_first(
    curious: Application, database: Database, which: str
) -> None:
    damage, text, made = BY_HAND[which]
    database.execute(damage)
    refused = curious.run("up", "--json", url=database.url())
    assert text in next_of(refused)
    assert "parts_at" not in next_of(refused)
    database.execute(made)
    if "Then:" in text:
        run_next(next_of(refused), database, only="alter table")
    done = curious.run("up", "--json", url=database.url())
    assert (done.code, done.json["state"]) == (0, "at-head"), done.err


# --- nothing runs twice


COUNTED = ("create table t (id int primary key, n int)", "insert into t values (1, 0)")
COUNTS = "update t set n = n + 1"


@pytest.mark.parametrize("below", [False, True], ids=["at head", "below head"])
def test_a_revision_that_changed_rows_does_not_run_again(
    application: Application, server: Server, database: Database, below: bool
) -> None:
    """The user has dropped all that it made of the structure."""
    application.revision("r1", None, *COUNTED)
    application.revision("r2", "r1", "alter table t add d text", COUNTS)
    with_catalogue(application, server)
    assert application.run("up", url=database.url()).code == 0
    if below:
        application.revision("r3", "r2", "create table pets (id int)")
        with_catalogue(application, server)
    database.execute("alter table t drop d")
    refused = application.run("up", "--json", url=database.url())
    assert (refused.code, refused.error) == (4, "structure-contradicts-revision"), refused.out
    assert "this has run here, and may have changed rows: r2" in seen(refused)
    assert steps_of(next_of(refused)).sql == ("alter table public.t add column d text;",)
    assert "only if what r2 did to rows is undone, too" in next_of(refused)
    run_next(next_of(refused), database, application, only="alter table")
    assert application.run("up", url=database.url()).code == 0
    assert database.query("select n from t") == [(1,)]


def test_a_revision_that_only_makes_structure_runs_again(
    application: Application, server: Server, database: Database
) -> None:
    application.revision("r1", None, *COUNTED)
    application.revision("r2", "r1", "alter table t add d text")
    with_catalogue(application, server)
    assert application.run("up", url=database.url()).code == 0
    database.execute("alter table t drop d")
    refused = application.run("up", "--json", url=database.url())
    assert steps_of(next_of(refused)).commands == ("surefoot adopt r1",)
    run_next(next_of(refused), database, application, only="surefoot adopt")
    assert application.run("up", url=database.url()).code == 0


def test_a_revision_that_has_just_run_does_not_run_again(
    application: Application, server: Server, database: Database
) -> None:
    """It skips its table here, for a reason that nobody sees, and ends in the structure of r1."""
    application.revision("r1", None, *COUNTED)
    application.revision(
        "r2",
        "r1",
        body="if not op.get_bind().exec_driver_sql('select * from t where n = 7').first():\n"
        "    op.execute('create table z (id int)')\n"
        f"op.execute({COUNTS!r})",
    )
    with_catalogue(application, server)
    application.alembic("upgrade", "r1", url=database.url("postgresql+psycopg"))
    database.execute("update t set n = 7")
    failed = application.run("up", "--json", url=database.url())
    assert (failed.code, failed.error) == (6, "structure-not-reached"), failed.out
    assert steps_of(next_of(failed)).sql == ("create table public.z (id integer);",)
    assert "surefoot adopt r1" not in next_of(failed)
    run_next(next_of(failed), database, only="create table")
    assert application.run("up", url=database.url()).code == 0
    assert database.query("select n from t") == [(8,)]
