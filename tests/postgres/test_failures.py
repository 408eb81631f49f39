"""A revision fails: what is said follows from the cause, on a real server, whatever the driver."""

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from surefoot.postgres.embedded import Server
from tests.support import catalogues
from tests.support.database import Database
from tests.support.next_steps import arrives, next_of, run_next, steps_of
from tests.support.project import ASYNC_ENV, Application, Result

DRIVER = "postgresql+psycopg"
FILE = "migrations/surefoot-catalog.txt"
DRIVERS = ["postgresql+psycopg", "postgresql+psycopg2", "postgresql+asyncpg"]


def history(application: Application) -> None:
    application.revision("r1", None, "create table people (id int primary key, name text)")
    application.revision("r2", "r1", "create table pets (id int primary key, owner int)")


@pytest.fixture
def shop(application: Application, database: Database) -> Application:
    """An application without a catalogue; its database is at r2."""
    history(application)
    application.config("lock_retries = 0\n")
    application.alembic("upgrade", "r2", url=database.url(DRIVER))
    return application


def fail(application: Application, database: Database, *statements: str, **more: Any) -> Result:
    """Run a third revision, which fails."""
    application.revision("r3", "r2", *statements, **more)
    result = application.run("up", "--json", url=database.url())
    assert database.query("select version_num from alembic_version") == [("r2",)]
    return result


def told(result: Result) -> tuple[str, str, str]:
    """What was seen, the database and the next step, of the only finding."""
    (finding,) = result.json["findings"]
    print(result.err)
    return "\n".join(finding["seen"]), finding["database"], finding["next"]


def build(application: Application, server: Server) -> None:
    catalogues.with_catalogue(application, server, "--no-downgrade")


@contextmanager
def holding(database: Database, statement: str, **options: Any) -> Generator[int, None, None]:
    """Another session with a transaction open, in which it has executed this. Gives its pid."""
    with psycopg.connect(database.conninfo, application_name="reports", **options) as other:
        other.execute(statement)  # type: ignore[arg-type]
        yield other.info.backend_pid
        other.rollback()


def url_of(role: str, database: Database) -> str:
    return f"postgresql://{role}:pass-of-{role}@127.0.0.1:{database.server.port}/{database.name}"


@pytest.fixture
def role(database: Database) -> Iterator[str]:
    """A role that may make schemas, the journal's say, and nothing else."""
    name = f"app_{database.name}"
    database.execute(
        f"create role {name} login password 'pass-of-{name}';"
        f"grant create on database {database.name} to {name}"
    )
    yield name
    database.execute(f"drop owned by {name} cascade; drop role {name}")


# --- somebody else is at work


@pytest.mark.provokes("lock-not-available")
@pytest.mark.parametrize("driver", DRIVERS)
def test_a_lock_that_somebody_holds(shop: Application, database: Database, driver: str) -> None:
    """Who holds it, since when, doing what; and how to end it. Literals are not shown."""
    if "asyncpg" in driver:
        shop.env(ASYNC_ENV)
    shop.revision(
        "r3", "r2", "set local lock_timeout = '300ms'", "alter table people add column phone text"
    )
    with holding(database, "select * from people where name = 'secret' -- of\n") as pid:
        result = shop.run("up", "--json", url=database.url(driver))
    assert (result.code, result.error) == (5, "lock-not-available"), result.err
    seen, stands, next = told(result)
    assert "SQLSTATE 55P03" in seen
    assert f"reports (pid {pid}, user postgres, from 127.0.0.1) holds a lock on people" in seen
    assert "idle in transaction; in a transaction for " in seen
    assert "last: select * from people where name = ?" in seen
    assert "secret" not in result.out + result.err
    assert f"select pg_terminate_backend({pid});" in next
    assert "Rolled back, verified." in stands
    assert shop.run("up", url=database.url(driver)).code == 0


@pytest.mark.parametrize(
    ("statement", "held"),
    [
        ("drop index pets_owner", "select from pets"),
        ("drop table pets", "select from people"),  # the other end of its foreign key
        ('alter table "pets" rename to animals', "select from pets"),
        ("update pets set id = 2", "lock table pets in exclusive mode"),
        ("create index on pets (id)", "update pets set id = 3"),
    ],
)
def test_the_tables_that_a_statement_locks(
    shop: Application, database: Database, statement: str, held: str
) -> None:
    database.execute(
        "create index pets_owner on pets (owner); insert into pets values (1, null);"
        "alter table pets add foreign key (owner) references people"
    )
    with holding(database, held) as pid, holding(database, "select from alembic_version"):
        result = fail(shop, database, "set local lock_timeout = '200ms'", statement)
    assert result.error == "lock-not-available", result.err
    seen, _, next = told(result)
    assert seen.count("holds a lock on") == 1
    assert f"pg_terminate_backend({pid})" in next


def test_a_reader_is_in_no_writers_way(shop: Application, database: Database) -> None:
    """An update waits for the one that writes; the one that only reads isn't named."""
    database.execute("insert into pets values (1, 1)")
    with (
        holding(database, "select * from pets"),
        holding(database, "update pets set owner = 2") as pid,
    ):
        result = fail(
            shop, database, "set local lock_timeout = '200ms'", "update pets set owner = 3"
        )
    seen, _, next = told(result)
    assert seen.count("holds a lock on") == 1
    assert f"pg_terminate_backend({pid})" in next


def test_what_another_users_session_does_is_not_shown_to_everybody(
    shop: Application, database: Database, role: str
) -> None:
    """The server doesn't tell it to a role without the right; the session is named all the same."""
    database.execute(
        f"grant all on schema public to {role}; alter table people owner to {role};"
        f"grant all on alembic_version to {role}"
    )
    shop.revision(
        "r3", "r2", "set local lock_timeout = '200ms'", "alter table people add column phone text"
    )
    with holding(database, "select name from people") as pid:
        result = shop.run("up", "--json", url=url_of(role, database))
    seen, _, _ = told(result)
    assert f"(pid {pid}, user postgres) holds a lock on people" in seen
    assert "select name" not in result.out + result.err


OTHER = (
    "import psycopg, threading, time\n"
    "url = op.get_bind().engine.url.set(drivername='postgresql')\n"
    "other = psycopg.connect(url.render_as_string(False), application_name='old release')\n"
)


def test_nobody_holds_it_any_more(shop: Application, database: Database) -> None:
    """The one that held it is gone when surefoot looks: there is nobody to end."""
    body = OTHER + (
        "other.execute('lock table people')\n"
        "op.execute(\"set local lock_timeout = '100ms'\")\n"
        "try:\n    op.execute('alter table people add column phone text')\n"
        "finally:\n    other.close()"
    )
    seen, _, next = told(fail(shop, database, body=body))
    assert "now no other session and no prepared transaction holds a lock" in seen
    assert next.startswith("start again")


def test_a_deadlock(shop: Application, database: Database) -> None:
    """The other session is named from what the server says of the tables."""
    body = OTHER + (
        "other.execute(\"set deadlock_timeout = '10s'\")\n"
        "op.execute(\"set local deadlock_timeout = '100ms'\")\n"
        "other.execute('lock table pets')\n"
        "op.execute('lock table people')\n"
        "threading.Thread(target=lambda: other.execute('lock table people'), daemon=True).start()\n"
        "time.sleep(0.3)\n"
        "globals()['kept'] = other\n"
        "op.execute('alter table pets add column colour text')"
    )
    result = fail(shop, database, body=body)
    assert result.error == "lock-not-available", result.err
    seen, _, next = told(result)
    assert "SQLSTATE 40P01" in seen
    assert "old release (pid " in seen
    assert "start again" in next


@pytest.mark.provokes("statement-timeout")
def test_statement_timeout_by_itself_and_behind_a_lock(
    shop: Application, database: Database
) -> None:
    short = "set local statement_timeout = '200ms'"
    result = fail(shop, database, short, "do 'begin perform pg_sleep(10); end'")
    assert result.error == "statement-timeout"
    seen, _, next = told(result)
    assert "took too long by itself" in seen
    assert "the revision or env.py sets statement_timeout" in next
    with holding(database, "select * from people") as pid:
        result = fail(shop, database, short, "drop table people")
    seen, _, next = told(result)
    assert f"pid {pid}" in seen
    assert f"pg_terminate_backend({pid})" in next


SLOW = "do 'begin perform pg_sleep(0.5); end'"


@pytest.mark.follows("statement-timeout")
@pytest.mark.parametrize("where", ["configuration", "address", "revision", "script"])
def test_who_limits_a_statement_is_named(shop: Application, database: Database, where: str) -> None:
    """A statement for the role helps where the role's setting counts, which is in scripts only."""
    url = database.url("postgresql+psycopg")
    if where == "script":
        shop.write("seed.sql", f"{SLOW};\n")
        shop.config('seeds = ["seed.sql"]\n')
        database.execute(f"alter database {database.name} set statement_timeout = '100ms'")
        failed = shop.run("up", "--json", url=url)
    elif where == "configuration":
        shop.config('statement_timeout = "100ms"\n')
        failed = fail(shop, database, SLOW)
    elif where == "address":
        shop.revision("r3", "r2", SLOW)
        failed = shop.run("up", "--json", url=f"{url}?options=-cstatement_timeout%3D100")
    else:
        failed = fail(shop, database, "set local statement_timeout = '100ms'", SLOW)
    assert (failed.code, failed.error) == (5, "statement-timeout"), failed.err
    next = next_of(failed)
    if where == "script":
        arrives(shop, database, failed)
        return
    if where == "configuration":
        assert "raise statement_timeout in surefoot.toml" in next
        shop.config('statement_timeout = "20s"\n')
    elif where == "address":
        assert "take statement_timeout out of the address's options" in next
    else:
        assert "raise it there" in next
        shop.revision("r3", "r2", "set local statement_timeout = '20s'", SLOW)
    assert shop.run("up", url=url).code == 0


def test_a_role_s_limit_does_not_count_for_revisions(shop: Application, database: Database) -> None:
    """surefoot switches it off, which is why no next step tells people to."""
    database.execute(f"alter database {database.name} set statement_timeout = '100ms'")
    shop.revision("r3", "r2", SLOW)
    assert shop.run("up", url=database.url("postgresql+psycopg")).code == 0


@pytest.mark.follows("look-failed")
@pytest.mark.follows("revision-failed")
@pytest.mark.parametrize(
    ("limit", "code"), [("64kB", (4, "look-failed")), ("2MB", (5, "revision-failed"))]
)
def test_a_limit_on_temporary_files(
    shop: Application, database: Database, limit: str, code: tuple[int, str]
) -> None:
    """Surefoot's own looks may reach it, or a revision."""
    database.execute(f"alter database {database.name} set temp_file_limit = '{limit}'")
    database.execute(f"alter database {database.name} set work_mem = '64kB'")
    failed = fail(
        shop,
        database,
        "create table large as select n from generate_series(1, 100000) n order by md5(n::text)",
    )
    assert (failed.code, failed.error) == code, failed.err
    try:
        arrives(shop, database, failed)
    finally:  # `next` names the role, and the tests share theirs
        database.execute("alter role current_user reset temp_file_limit")


# --- rows


ROWS = [
    (
        "insert into people values (1, 'ann'), (2, 'ann'), (3, 'bob')",
        "create unique index on people (name)",
        "select name, count(*) from public.people group by name having count(*) > 1;",
        [("ann", 2)],
    ),
    (
        "insert into people values (1, 'O''Neill'), (2, 'O''Neill')",
        "alter table people add constraint once unique (name, id), add constraint u unique (name)",
        "select name, count(*) from public.people group by name having count(*) > 1;",
        [("O'Neill", 2)],
    ),
    (
        "insert into people values (1, 'ann')",
        "insert into people values (1, 'bob')",
        "select * from public.people where id = '1';",
        [(1, "ann")],
    ),
    (
        "insert into people values (1, null), (2, 'bob')",
        "alter table people alter name set not null",
        "select * from public.people where name is null;",
        [(1, None)],
    ),
    (
        "insert into people values (1, 'ann'); insert into pets values (1, 1), (2, 7), (3, null)",
        "alter table pets add constraint pets_owner foreign key(owner) references people (id)",
        "select * from public.pets a where a.owner is not null and not exists "
        "(select from people b where b.id = a.owner);",
        [(2, 7)],
    ),
    (
        "insert into pets values (1, 1), (2, 7)",
        "alter table pets add constraint pets_few check (owner in (1, 2) and (id > 0))",
        "select * from public.pets where not (owner in (1, 2) and (id > 0));",
        [(2, 7)],
    ),
    (
        "insert into people values (1, '12'), (2, 'twelve')",
        "alter table people alter column name type integer using name::integer",
        "select * from people where name::text = 'twelve';",
        [(2, "twelve")],
    ),
    (
        "insert into people values (1, 'ann'), (2, 'annabella')",
        "alter table people alter name type varchar(4)",
        "select * from people order by length(name::text) desc limit 20;",
        [(2, "annabella"), (1, "ann")],
    ),
    (
        "alter table pets alter owner type bigint; insert into pets values (1, 1), (2, 9999999999)",
        "alter table pets alter owner type integer",
        "select * from pets order by owner desc limit 20;",
        [(2, 9999999999), (1, 1)],
    ),
]


@pytest.mark.provokes("data-violates-constraint")
@pytest.mark.parametrize(("rows", "statement", "query", "found"), ROWS)
@pytest.mark.follows("data-violates-constraint")
def test_the_query_that_finds_the_rows(
    shop: Application,
    database: Database,
    rows: str,
    statement: str,
    query: str,
    found: list[tuple[Any, ...]],
) -> None:
    """It is printed whole, and it does find them."""
    database.execute(rows)
    result = fail(shop, database, statement)
    assert (result.code, result.error) == (5, "data-violates-constraint"), result.err
    _, _, next = told(result)
    assert steps_of(next).sql == (query,)
    assert database.query(query) == found
    database.execute("delete from pets; delete from people")  # they may all go
    assert shop.run("up", url=database.url("postgresql+psycopg")).code == 0


def test_names_that_need_quotes_have_them(shop: Application, database: Database) -> None:
    database.execute(
        'create table "Order" ("group" text, "My ""Note""" text);'
        "insert into \"Order\" values ('a', 'x'), ('a', 'x')"
    )
    told_of = fail(shop, database, 'create unique index on "Order" ("group", "My ""Note""")')
    _, _, next = told(told_of)
    (query,) = steps_of(next).sql
    assert database.query(query) == [("a", "x", 2)]


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_new_column_that_must_not_be_null(
    shop: Application, database: Database, driver: str
) -> None:
    """No row is at fault: the column is new, and wants a default."""
    if "asyncpg" in driver:
        shop.env(ASYNC_ENV)
    database.execute("insert into people values (1, 'ann')")
    shop.revision("r3", "r2", "alter table people add column phone text not null")
    result = shop.run("up", "--json", url=database.url(driver))
    seen, _, next = told(result)
    assert result.error == "data-violates-constraint"
    assert "public.people has rows, and phone is new" in seen
    assert "server_default" in next


@pytest.mark.parametrize(
    ("statements", "new"),
    [
        (
            ("alter table people add slug text default ''", "create unique index on people (slug)"),
            "slug of public.people",
        ),
        (
            ("create table t as select 1 as a from people", "alter table t add unique (a)"),
            "public.t",
        ),
    ],
)
def test_values_that_are_the_revisions_own(
    shop: Application, database: Database, statements: tuple[str, ...], new: str
) -> None:
    """What it made is rolled back: no query could find it, and none is printed."""
    database.execute("insert into people values (1, 'ann'), (2, 'bob')")
    result = fail(shop, database, *statements)
    assert result.error == "data-violates-constraint"
    seen, _, next = told(result)
    assert f"{new} is not there now: this run made it" in seen
    assert not steps_of(next).lines
    assert next.startswith("correct the revision")


def test_rows_that_are_still_referred_to(shop: Application, database: Database) -> None:
    database.execute(
        "insert into people values (1, 'ann'); insert into pets values (1, 1);"
        "alter table pets add constraint pets_owner foreign key (owner) references people"
    )
    _, _, next = told(fail(shop, database, "delete from people"))
    assert "it removes rows that public.pets refers to" in next


# --- something is there already


def test_without_a_catalogue_what_is_in_the_way_was_there_before(
    shop: Application, database: Database
) -> None:
    database.execute("create table notes (id int)")
    seen, stands, next = told(fail(shop, database, "create table notes (id int, text text)"))
    assert "in the way: table public.notes; it was there before this revision" in seen
    assert "alter table public.notes rename to notes_before;" in next
    assert "structure" not in stands
    database.execute("alter table public.notes rename to notes_before;")
    assert shop.run("up", url=database.url()).code == 0


def test_what_the_revision_makes_twice(shop: Application, database: Database) -> None:
    """It isn't there when everything is rolled back."""
    seen, _, next = told(
        fail(shop, database, "create table notes (id int)", "create table notes (id int)")
    )
    assert "the revisions themselves created it in this run" in seen
    assert "correct the revision" in next


def test_what_an_earlier_revision_makes(
    shop: Application, database: Database, server: Server
) -> None:
    """The catalogue knows which one."""
    conditional(shop, "create table people (id int)")
    build(shop, server)
    database.execute("create table marker (id int)")
    seen, stands, next = told(shop.run("up", "--json", url=database.url()))
    assert "in the way: table public.people; r1, which is applied, makes it" in seen
    assert next.startswith("correct the revision")
    assert stands.endswith("The structure is exactly that of r2, as before.")


OWN = [
    (
        "create index people_by_name on pets (owner)",
        "create index people_by_name on people (name); drop index people_by_name",
        "index public.people_by_name of public.pets",
        "alter index public.people_by_name rename to people_by_name_before;",
    ),
    (
        "create view staff as select 1 as one",
        "create table staff (id int); drop table staff",
        "view public.staff",
        "alter view public.staff rename to staff_before;",
    ),
    (
        "create type mood as enum ('sad')",
        "create type mood as enum ('ok'); drop type mood",
        "type public.mood",
        "alter type public.mood rename to mood_before;",
    ),
    (
        'alter table people add "Note" text',
        'alter table people add "Note" int; alter table people drop "Note"',
        'column "Note" of public.people',
        'alter table public.people rename column "Note" to "Note_before";',
    ),
    (
        "create function f(a int) returns int language sql as 'select 1'",
        "create function f(b int) returns int language sql as 'select 2'; drop function f(int)",
        "function public.f(integer)",
        "alter function public.f(integer) rename to f_before;",
    ),
    (
        "create schema side",
        "create schema side; drop schema side",
        "schema side",
        "alter schema side rename to side_before;",
    ),
    (
        "alter table people add constraint tall check (id > 0)",
        "alter table people add constraint tall check (id > 1); "
        "alter table people drop constraint tall",
        "constraint tall of public.people",
        "alter table public.people rename constraint tall to tall_before;",
    ),
]


@pytest.mark.parametrize(("theirs", "statements", "what", "aside"), OWN)
def test_what_is_the_users_own(
    shop: Application,
    database: Database,
    server: Server,
    theirs: str,
    statements: str,
    what: str,
    aside: str,
) -> None:
    """It is named, and put aside by what is printed; then the revision runs."""
    shop.revision("r3", "r2", *statements.split("; "))
    build(shop, server)
    database.execute(theirs)
    result = shop.run("up", "--json", url=database.url())
    assert (result.code, result.error) == (5, "revision-failed"), result.err
    seen, stands, next = told(result)
    assert f"in the way: {what}; it is the user's own: no revision makes it" in seen
    assert aside in next
    assert stands.endswith("The structure is exactly that of r2, as before.")
    database.execute(aside)
    again = shop.run("up", url=database.url())
    assert again.code == 0, again.err


# --- something isn't there


def test_what_no_revision_makes(shop: Application, database: Database, server: Server) -> None:
    """In the database of the catalogue it was there: an extension's, a hand's."""
    conditional(shop, "update peeple set id = 1")
    build(shop, server)
    database.execute("create table marker (id int)")
    seen, _, next = told(shop.run("up", "--json", url=database.url()))
    assert "no revision makes peeple" in seen
    assert "correct the revision" in next


def conditional(
    application: Application, statement: str, id: str = "r3", down: str = "r2", *others: str
) -> None:
    """A revision that does something only where there is a table `marker`, and then the others."""
    body = (
        "if op.get_bind().exec_driver_sql(\"select to_regclass('marker')\").scalar():\n"
        f"    op.execute({statement!r})\n"
    )
    application.revision(id, down, body=body + "\n".join(f"op.execute({s!r})" for s in others))


def test_what_another_branch_makes(shop: Application, database: Database, server: Server) -> None:
    """Whichever branch Alembic runs first needs the other, and doesn't say so."""
    for id, down, needed in (("r3", "r2", "s1"), ("s1", "r1", "r3")):
        conditional(
            shop, f"update toys_{needed} set id = 1", id, down, f"create table toys_{id} (id int)"
        )
    build(shop, server)
    database.execute("create table marker (id int)")
    result = shop.run("up", "--json", url=database.url())
    seen, _, next = told(result)
    failed = "s1" if "Revision s1" in result.json["findings"][0]["message"] else "r3"
    needed = {"s1": "r3", "r3": "s1"}[failed]
    assert f"{needed} makes toys_{needed}, and need not come before this revision" in seen
    assert f'depends_on = "{needed}"' in next


def test_what_an_earlier_revision_removes(
    shop: Application, database: Database, server: Server
) -> None:
    shop.revision("r2b", "r2", "drop table pets")
    conditional(shop, "update pets set id = 1", "r3", "r2b")
    build(shop, server)
    database.execute("create table marker (id int)")
    seen, _, _ = told(shop.run("up", "--json", url=database.url()))
    assert "r2b, which comes before, removes pets" in seen


def test_what_was_dropped_and_accepted(
    shop: Application, database: Database, server: Server
) -> None:
    """The catalogue has it here: somebody dropped it, and it was accepted that it's missing."""
    shop.revision("r3", "r2", "create index pets_owner on pets (owner)")
    build(shop, server)
    database.execute("alter table pets drop owner")
    adopted = shop.run("adopt", "r2", "--accept-difference", "--yes", url=database.url())
    assert adopted.code == 0, adopted.err
    seen, stands, next = told(shop.run("up", "--json", url=database.url()))
    assert "the catalogue has owner here: r2 makes it" in seen
    assert "surefoot drift" in next
    assert "except for the differences that were accepted" in stands


def test_a_table_of_another_schema(shop: Application, database: Database) -> None:
    database.execute("create schema archive; create table archive.old_people (id int)")
    seen, _, next = told(fail(shop, database, "drop table old_people"))
    assert "there is table archive.old_people; names without a schema lead to public" in seen
    assert "if it was removed or renamed, restore it" in next


# --- dependents, privileges, the version table, settings


@pytest.mark.parametrize(
    "statement", ["alter table people alter name type varchar(99)", "alter table people drop name"]
)
def test_a_view_of_the_users_own_depends_on_it(
    shop: Application, database: Database, server: Server, statement: str
) -> None:
    """What the catalogue can't know of beforehand: the revision decides by what it finds."""
    conditional(shop, statement)
    build(shop, server)
    database.execute("create table marker (id int)")
    database.execute("create view names as select name from people")
    seen, _, next = told(shop.run("up", "--json", url=database.url()))
    assert "the user's own: view public.names" in seen
    assert "select pg_get_viewdef('public.names'::regclass);" in next
    assert "drop view public.names;" in next
    database.execute("drop view public.names; drop table marker")
    assert shop.run("up", url=database.url()).code == 0


def test_a_view_depends_on_it_and_there_is_no_catalogue(
    shop: Application, database: Database
) -> None:
    database.execute("create view names as select name from people")
    seen, _, next = told(fail(shop, database, "alter table people drop name"))
    assert "view names depends on column name of table people" in seen
    assert next.startswith("if your own object depends on it")


def test_privileges(shop: Application, database: Database, role: str) -> None:
    """The role, the owner, and what gives the right."""
    database.execute(
        f"grant usage on schema public to {role}; grant all on alembic_version to {role};"
        "revoke create on schema public from public"
    )
    url = url_of(role, database)

    def next_of(statement: str) -> str:
        shop.revision("r3", "r2", statement)
        seen, _, next = told(shop.run("up", "--json", url=url))
        assert f"the role is {role}" in seen
        return next

    assert f"alter table public.people owner to {role};" in next_of("alter table people add x int")
    assert f"grant all on public.people to {role};" in next_of("delete from people")
    grant = f"grant usage, create on schema public to {role};"
    assert grant in next_of("create table t (id int)")
    assert "let a superuser make it:\n    create extension file_fdw;" in next_of(
        "create extension file_fdw"
    )


@pytest.mark.parametrize("fresh", [False, True])
def test_an_id_that_the_version_table_cannot_take(
    application: Application, database: Database, fresh: bool
) -> None:
    """What is printed makes room for it, and the next run goes through."""
    history(application)
    if not fresh:
        application.alembic("upgrade", "r2", url=database.url(DRIVER))
    id = "a_revision_whose_id_is_a_whole_sentence_of_words"
    # one that speaks of the column may well make room for itself
    application.revision(id, "r2", "create table t (id int) /* version_num */")
    result = application.run("up", "--json", url=database.url())
    assert result.error == "revision-failed"
    seen, _, next = told(result)
    assert "the revision's id has 48 characters, more than alembic_version takes" in seen
    assert "varchar(64)" in next
    run_next(next, database)
    again = application.run("up", url=database.url())
    assert again.code == 0, again.err


def test_an_extension_that_the_server_does_not_have(shop: Application, database: Database) -> None:
    _, _, next = told(fail(shop, database, "create extension nosuch"))
    assert next.startswith("install the package of the extension")


def test_what_only_can_be_read(shop: Application, database: Database) -> None:
    seen, _, next = told(fail(shop, database, "set transaction read only", "create table t ()"))
    assert "SQLSTATE 25006" in seen
    assert "connect to the primary" in next


def test_pythons_own_error_has_its_line(shop: Application, database: Database) -> None:
    seen, _, next = told(fail(shop, database, body="raise ValueError('no such thing')"))
    assert "at migrations/versions/r3.py:15" in seen
    assert "ValueError: no such thing" in seen
    assert next.startswith("correct the revision at that line")


# --- the statement, and the structure afterwards


def test_a_long_statement_is_cut(shop: Application, database: Database) -> None:
    lines = ",\n".join(f"        column_{n} int" for n in range(20))
    statement = f"create table wide (\n{lines},\n        broken nosuchtype\n)"
    seen, _, _ = told(fail(shop, database, statement))
    shown = seen[seen.index("statement:") :].splitlines()
    assert shown[:3] == ["statement: create table wide (", "    column_0 int,", "    column_1 int,"]
    assert shown[6] == "    … 17 more lines"


def test_a_part_that_stayed_is_shown(shop: Application, database: Database, server: Server) -> None:
    """A revision that committed by itself half-way: what differs now is named."""
    body = (
        "op.execute('create table toys (id int)')\n"
        "with op.get_context().autocommit_block():\n"
        "    op.execute('create index concurrently pets_owner on pets (owner)')\n"
        "if op.get_bind().exec_driver_sql(\"select to_regclass('marker')\").scalar():\n"
        "    op.execute('select 1/0')"
    )
    shop.revision("r3", "r2", body=body)
    build(shop, server)
    database.execute("create table marker (id int)")
    result = shop.run("up", "--json", url=database.url())
    assert (result.code, result.error) == (6, "revision-partly-applied"), result.err
    seen, stands, _ = told(result)
    assert "unexpected: table public.toys, with all that belongs to it" in seen
    assert "unexpected: index public.pets.pets_owner" in seen
    assert "The structure differs from that of r2" in stands
    assert "as before" not in stands


KEEPS_ITS_CONNECTION = """\
from alembic import context
from sqlalchemy import engine_from_config

config = context.config
engine = engine_from_config(config.get_section(config.config_ini_section), prefix="sqlalchemy.")
connection = engine.connect()
transaction = connection.begin()
context.configure(connection=connection, target_metadata=None)
try:
    context.run_migrations()
except ValueError:
    {then}
else:
    transaction.commit()
"""


ASYNC_AND_KEEPS_IT = """\
import asyncio
from alembic import context
from sqlalchemy.ext.asyncio import async_engine_from_config

config = context.config

def do_run(connection):
    context.configure(connection=connection, target_metadata=None)
    context.run_migrations()

async def run():
    section = config.get_section(config.config_ini_section)
    connection = await async_engine_from_config(section, prefix="sqlalchemy.").connect()
    await connection.begin()
    await connection.run_sync(do_run)
    await connection.commit()

asyncio.run(run())
"""


@pytest.mark.parametrize("driver", ["postgresql+psycopg", "postgresql+asyncpg"])
def test_an_asynchronous_env_py_that_keeps_its_connection(
    shop: Application, database: Database, driver: str
) -> None:
    """The same, though its event loop is closed."""
    shop.config(f'driver = "{driver}"\n')
    shop.write("migrations/env.py", ASYNC_AND_KEEPS_IT)
    body = "op.execute('create table toys (id int)')\nraise ValueError('too many toys')"
    result = fail(shop, database, body=body)
    assert (result.code, result.error) == (5, "revision-failed")
    assert told(result)[1].startswith("Rolled back, verified. No step was committed.")


@pytest.mark.parametrize("driver", ["postgresql+psycopg", "postgresql+psycopg2"])
@pytest.mark.parametrize("then", ["raise", "print('never mind')"])
def test_an_env_py_that_keeps_its_connection(
    shop: Application, database: Database, driver: str, then: str
) -> None:
    """And its transaction with it: nobody will commit that, so it is ended, and then asked for."""
    shop.config(f'driver = "{driver}"\n')
    shop.write("migrations/env.py", KEEPS_ITS_CONNECTION.format(then=then))
    body = "op.execute('create table toys (id int)')\nraise ValueError('too many toys')"
    result = fail(shop, database, body=body)
    assert (result.code, result.error) == (5, "revision-failed")
    seen, state, _ = told(result)
    assert "too many toys" in seen
    assert state.startswith("Rolled back, verified. No step was committed.")


@pytest.mark.parametrize("limit", range(40, 72, 4))
def test_a_revision_that_leaves_python_little_room(
    shop: Application, database: Database, limit: int
) -> None:
    """What is called behind it, to roll back, say, has as much as before."""
    body = f"import sys\nsys.setrecursionlimit({limit})\nraise ValueError('too deep')"
    result = fail(shop, database, body=body)
    assert (result.code, result.error) == (5, "revision-failed")
    assert told(result)[1].startswith("Rolled back, verified. No step was committed.")
