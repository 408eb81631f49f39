"""Whose is it? What surefoot knows by its name alone, made by a role without privileges."""

import re
from collections.abc import Iterator

import psycopg
import pytest

from surefoot.decision.facts import VersionTableName
from surefoot.errors import SurefootError
from surefoot.errors.steps import is_command
from surefoot.look.database import observe_database
from surefoot.postgres.embedded import Server
from surefoot.run.journal import Journal
from surefoot.run.steps.install import executor
from surefoot.sql import query
from tests.support.database import Database
from tests.support.planted import HIT, ROLE, Planted, role_of_a_stranger
from tests.support.project import SYNC_ENV, Application


@pytest.fixture
def stranger(server: Server, database: Database) -> Iterator[Planted]:
    """A role that may create schemas in the database, and tables in public."""
    with role_of_a_stranger(server):
        database.execute(f"grant create on database {database.name} to {ROLE}")
        database.execute(f"grant create on schema public to {ROLE}")
        yield Planted(database)
        database.execute(
            f"reassign owned by {ROLE} to postgres; drop owned by {ROLE} cascade;"
            "drop schema if exists surefoot cascade"
        )


JOURNAL = query("create_journal").replace("if not exists ", "")
FUNCTION = (
    f"create schema {ROLE}; grant usage on schema {ROLE} to public;"
    + HIT.format(schema=ROLE)
    + """
create function mallory.trigger() returns trigger language plpgsql as $$ begin
  perform mallory.hit('trigger'); return new; end $$;
create function mallory.yes(anyelement) returns boolean language plpgsql immutable as $$ begin
  perform mallory.hit('function'); return true; end $$;
create function mallory.value() returns text language plpgsql as $$ begin
  perform mallory.hit('value'); return 'x'; end $$;
"""
)

# By what is planted in schema surefoot; the journal is a table with a part that calls something.
JOURNALS = {
    "nothing but the schema": "create schema surefoot;",
    "an honest table": f"create schema surefoot; {JOURNAL};",
    "a trigger": f"create schema surefoot; {JOURNAL};"
    "create trigger t before insert or update on surefoot.journal for each row"
    " execute function mallory.trigger();",
    "a statement trigger": f"create schema surefoot; {JOURNAL};"
    "create trigger t before insert or update on surefoot.journal"
    " execute function mallory.trigger();",
    "a rule": f"create schema surefoot; {JOURNAL};"
    "create rule r as on insert to surefoot.journal do also select mallory.value();",
    "a default": f"create schema surefoot; {JOURNAL};"
    "alter table surefoot.journal alter evidence set default mallory.value();",
    "a check": f"create schema surefoot; {JOURNAL};"
    "alter table surefoot.journal add check (mallory.yes(run));",
    "an index": f"create schema surefoot; {JOURNAL};"
    "create index on surefoot.journal (id) where mallory.yes(1);",
    "a policy": f"create schema surefoot; {JOURNAL};"
    "alter table surefoot.journal enable row level security;"
    "alter table surefoot.journal force row level security;"
    "create policy p on surefoot.journal using (mallory.yes(run));",
    "a child": f"create schema surefoot; {JOURNAL};"
    "create table surefoot.child () inherits (surefoot.journal);",
    "a domain": "create domain mallory.id as bigint check (mallory.yes(value));"
    f"create schema surefoot; {JOURNAL};"
    "alter table surefoot.journal add extra mallory.id;",
    "a view": "create schema surefoot; create view surefoot.journal as"
    " select 1::bigint as id, mallory.value() as history, 'adopt' as step;",
    "a materialized view": "create schema surefoot; create materialized view surefoot.journal as"
    " select 1::bigint as id, 'x'::text as history, 'adopt' as step;",
    "a sequence": "create schema surefoot; create sequence surefoot.journal;",
}
ALL = (
    "grant usage on schema surefoot to public;"
    "do $$ begin grant all on all tables in schema surefoot to public; end $$;"
)

VERSION_TABLES = {
    "an honest table": "create table public.alembic_version (version_num varchar(32) primary key);",
    "a row": "create table public.alembic_version (version_num varchar(32) primary key);"
    "insert into alembic_version values ('r3');",
    "a trigger": "create table public.alembic_version (version_num varchar(32) primary key);"
    "create trigger t before insert on public.alembic_version for each row"
    " execute function mallory.trigger();",
    "a view": "create view public.alembic_version as select mallory.value() as version_num;",
    "a cast": "create type mallory.evil as (a int);"
    "create function mallory.text_of(mallory.evil) returns text language plpgsql as"
    " $$ begin perform mallory.hit('cast'); return 'r3'; end $$;"
    "create cast (mallory.evil as text) with function mallory.text_of(mallory.evil);"
    "create table public.alembic_version (version_num mallory.evil);"
    "insert into public.alembic_version values (row(1));",
    "another schema of the search path": "create schema postgres;"
    "create table postgres.alembic_version (version_num varchar(32) primary key);"
    "grant usage on schema postgres to public; grant all on postgres.alembic_version to public;",
}
COMMANDS = (
    ("status",),
    ("plan",),
    ("up",),
    ("adopt", "r3", "--yes"),
    ("repair", "r3", "--yes"),
    ("down", "--to", "r1", "--yes"),
    ("cleanup", "--yes"),
    ("backup",),
)


def says_so(application: Application, planted: Planted, command: tuple[str, ...]) -> str:
    """It is refused for what it is, and nothing of it has run; gives what to do."""
    result = application.run(*command, "--json", url=planted.database.url())
    assert planted.hits() == []
    assert result.code == 4, (command, result.out, result.err)
    (finding,) = result.json["findings"]
    assert finding["code"] == "object-not-trusted", result.out
    assert any(ROLE in line for line in finding["seen"])
    return finding["next"]


def typed(next: str) -> str:
    """The statements of a `next`, as they stand there."""
    return " ".join(line for line in next.splitlines() if is_command(line))


@pytest.mark.provokes("object-not-trusted")
@pytest.mark.parametrize("what", JOURNALS)
@pytest.mark.follows("object-not-trusted")
def test_a_journal_of_a_strangers(
    application: Application, database: Database, stranger: Planted, what: str
) -> None:
    """In an empty database: it is neither read nor written, and what `next` says suffices."""
    application.linear()
    stranger.plant(FUNCTION)
    stranger.plant(JOURNALS[what] + ALL)
    next = says_so(application, stranger, ("status",))
    assert says_so(application, stranger, ("up",)) == next
    assert database.query("select to_regclass('public.alembic_version')") == [(None,)]
    database.execute(typed(next) + f"drop schema {ROLE} cascade")  # else it isn't empty
    assert application.run("up", url=database.url()).code == 0
    assert stranger.hits() == []


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
@pytest.mark.parametrize("what", ["a trigger", "a view", "a check"])
def test_no_command_reads_it(
    application: Application,
    database: Database,
    stranger: Planted,
    what: str,
    command: tuple[str, ...],
) -> None:
    """At head, with the journal replaced since."""
    application.linear()
    assert application.run("up", url=database.url()).code == 0
    database.execute("drop schema surefoot cascade")
    stranger.plant(FUNCTION)
    stranger.plant(JOURNALS[what] + ALL)
    says_so(application, stranger, command)


@pytest.mark.parametrize("what", VERSION_TABLES)
def test_a_version_table_of_a_strangers(
    application: Application, database: Database, stranger: Planted, what: str
) -> None:
    application.linear()
    stranger.plant(FUNCTION)
    stranger.plant(VERSION_TABLES[what])
    next = says_so(application, stranger, ("status",))
    says_so(application, stranger, ("up",))
    assert database.query("select to_regclass('surefoot.journal')") == [(None,)]
    if what in ("an honest table", "a row", "a trigger"):
        database.execute(typed(next))
        result = application.run("status", "--json", url=database.url())
        assert "object-not-trusted" not in result.out
    assert stranger.hits() == []


@pytest.mark.parametrize("what", ["a trigger", "a rule", "a check", "an index", "a default"])
def test_what_a_former_owner_has_left(
    application: Application, database: Database, stranger: Planted, what: str
) -> None:
    """The table was given a trusted owner; its parts still call what isn't trusted."""
    application.linear()
    stranger.plant(FUNCTION)
    stranger.plant(JOURNALS[what] + ALL)
    database.execute(
        "alter schema surefoot owner to postgres; alter table surefoot.journal owner to postgres"
    )
    result = application.run("up", "--json", url=database.url())
    (finding,) = result.json["findings"]
    assert (result.code, finding["code"]) == (4, "object-not-trusted")
    database.execute(typed(finding["next"]) + f"drop schema {ROLE} cascade")
    assert application.run("up", url=database.url()).code == 0
    assert stranger.hits() == []


@pytest.mark.parametrize(
    "parent",
    [
        "create table mallory.whole (version_num varchar(32) not null)"
        " partition by list (mallory.yes(version_num));"
        "create table public.alembic_version partition of mallory.whole for values in (true);",
        "create table mallory.whole (version_num varchar(32) not null);"
        "create table public.alembic_version () inherits (mallory.whole);",
    ],
    ids=["a partition", "a child"],
)
def test_what_a_version_table_belongs_to(
    application: Application, database: Database, stranger: Planted, parent: str
) -> None:
    """Writing a row to a partition calls the functions of the whole table's key."""
    application.linear()
    stranger.plant(FUNCTION)
    stranger.plant(parent)
    database.execute("alter table public.alembic_version owner to postgres")
    next = says_so(application, stranger, ("up",))
    database.execute(typed(next))
    assert application.run("up", url=database.url()).code == 0
    assert stranger.hits() == []


def test_a_version_table_elsewhere_is_told_of_and_not_read(
    application: Application, database: Database, stranger: Planted
) -> None:
    application.linear()
    stranger.plant(FUNCTION)
    table = VERSION_TABLES["a cast"].replace("public.", "mallory.")
    stranger.plant(table + "grant all on mallory.alembic_version to public;")
    result = application.run("status", url=database.url())
    assert f"one in the schema {ROLE}, which {ROLE} owns: it is not read" in " ".join(
        result.out.split()
    )
    assert stranger.hits() == []


def test_somebody_is_quicker_to_make_the_journal(
    application: Application, database: Database, stranger: Planted
) -> None:
    """After the look, and before Alembic begins: env.py stands in for whoever is that quick."""
    conninfo = re.sub(r"user=\S+ ", f"user={ROLE} ", database.conninfo)
    conninfo = re.sub(r"password=\S+", f"password={ROLE}", conninfo)
    planted = FUNCTION + JOURNALS["a trigger"] + ALL
    application.env(
        SYNC_ENV.replace("from alembic", "import pathlib, psycopg\nfrom alembic", 1).replace(
            "    with context.begin_transaction():",
            "    if context._proxy._migration_context is not None and not (\n"
            "        context._proxy.context_opts.get('dont_mutate')\n"
            "    ):\n"
            f"        with psycopg.connect({conninfo!r}, autocommit=True) as other:\n"
            f"            other.execute({planted!r}.encode())\n"
            "    with context.begin_transaction():",
        )
    )
    application.linear()
    result = application.run("up", "--json", url=database.url())
    assert result.code == 4, result.out
    assert "object-not-trusted" in result.out
    assert database.query("select to_regclass('public.people')") == [(None,)]
    assert stranger.hits() == []


@pytest.mark.parametrize("what", ["nothing but the schema", "an honest table", "a trigger"])
def test_the_first_row_finds_another_journal(
    database: Database, stranger: Planted, what: str
) -> None:
    """The journal was made between the last look and the first row: it gets none."""
    with database.connect() as connection:
        seen = observe_database(connection, VersionTableName())
        stranger.plant(FUNCTION)
        stranger.plant(JOURNALS[what] + ALL + "grant create on schema surefoot to public;")
        with pytest.raises(SurefootError) as raised, connection.transaction():
            Journal(seen, None).end(executor(connection), "reached", ["r1"], "{}", 0)
    assert raised.value.finding.code == "object-not-trusted"
    assert stranger.hits() == []


def test_a_role_that_surefoot_s_role_is_a_member_of(
    application: Application, database: Database, stranger: Planted
) -> None:
    """To be a superuser isn't to be a member of every role; to be granted one is."""
    application.linear()
    stranger.plant(JOURNALS["an honest table"])
    next = says_so(application, stranger, ("up",))
    assert f"grant {ROLE} to postgres" in next
    database.execute(f"grant {ROLE} to postgres")
    assert application.run("up", url=database.url()).code == 0
    assert application.run("up", url=database.url()).code == 0
    database.execute(f"revoke {ROLE} from postgres")


def test_the_owner_of_the_database_is_trusted(
    application: Application, database: Database, stranger: Planted
) -> None:
    """A superuser looks at what the database's owner has migrated."""
    application.linear()
    database.execute(f"alter database {database.name} owner to {ROLE}")
    url = re.sub(r"//[^@]+@", f"//{ROLE}:{ROLE}@", database.url())
    try:
        assert application.run("up", url=url).code == 0
        assert application.run("status", url=database.url()).code == 0
    finally:
        database.execute(f"alter database {database.name} owner to postgres")


def test_a_role_that_env_py_sets_is_trusted(
    application: Application, database: Database, stranger: Planted
) -> None:
    """Whoever logs in as surefoot does and chooses another role says whose the tables are."""
    application.linear()
    application.env(
        SYNC_ENV.replace(
            "    with context.begin_transaction():",
            f"    connection.exec_driver_sql('set role {ROLE}')\n    connection.commit()\n"
            "    with context.begin_transaction():",
        )
    )
    assert application.run("up", url=database.url()).code == 0
    ((owner,),) = database.query(
        "select relowner::regrole::text from pg_class where relname = 'alembic_version'"
    )
    assert owner == ROLE
    result = application.run("up", url=database.url())
    assert result.code == 0, result.err


def test_default_privileges_put_no_trigger_on_the_journal(
    application: Application, database: Database, stranger: Planted
) -> None:
    """What is granted on every new table is more than the journal needs."""
    application.linear()
    database.execute(f"alter default privileges grant all on tables to {ROLE}")
    assert application.run("up", url=database.url()).code == 0
    assert application.run("status", url=database.url()).code == 0
    database.execute("grant usage on schema surefoot to public")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        stranger.plant(
            FUNCTION + "create trigger t before insert on surefoot.journal for each row"
            " execute function mallory.trigger();"
        )
    database.execute(f"alter default privileges revoke all on tables from {ROLE}")


def test_a_trigger_that_a_grant_allowed_on_the_version_table(
    application: Application, database: Database, stranger: Planted
) -> None:
    """TRIGGER is a part of ALL: the table is the application's, and the trigger isn't."""
    application.linear()
    assert application.run("up", url=database.url()).code == 0
    database.execute(f"grant all on alembic_version to {ROLE}")
    application.revision("r4", "r3", "create table more (id int primary key)")
    assert application.run("status", url=database.url()).code == 3
    stranger.plant(
        FUNCTION + "create trigger t before update on public.alembic_version for each row"
        " execute function mallory.trigger();"
    )
    next = says_so(application, stranger, ("up",))
    assert "    drop trigger t on public.alembic_version;" in next.splitlines()
    database.execute(typed(next))
    assert application.run("up", url=database.url()).code == 0
    assert stranger.hits() == []


def test_a_journal_that_others_may_write_is_no_proof(
    application: Application, database: Database, stranger: Planted
) -> None:
    """`reached` can be written by anybody then: so each start looks at the structure itself."""
    application.linear()
    assert application.run("up", url=database.url()).code == 0
    assert "not looked at" not in application.run("status", url=database.url()).err
    database.execute(
        f"grant usage on schema surefoot to {ROLE}; grant insert on surefoot.journal to {ROLE}"
    )
    (application.root / "migrations/env.py").write_text("raise SystemExit('env.py was run')")
    assert application.run("up", url=database.url()).code != 0


# What owners.sql finds on a table, each in a transaction of its own.
ODD = {
    "a default": "alter table t alter version_num set default mallory.value()",
    "a generated column": "alter table t add g bool generated always as (mallory.yes(1)) stored",
    "a check": "alter table t add check (mallory.yes(version_num))",
    "a check of no column": "alter table t add check (mallory.yes(1))",
    "an index of a function": "create index on t ((mallory.yes(version_num)))",
    "a condition of no column": "create unique index on t (version_num) where mallory.yes(1)",
    "an exclusion": "alter table t add exclude ((mallory.yes(1)) with =)",
    "a trigger": "create trigger x after truncate on t execute function mallory.trigger()",
    "a policy": "create policy x on t using (mallory.yes(version_num))",
    "a rule": "create rule x as on insert to t do nothing",
    "a child": "create table child () inherits (t)",
    "a parent": "create table parent (); alter table t inherit parent",
    "a domain": "create domain mallory.word as text; alter table t add w mallory.word",
    "an array": "create domain mallory.word as text; alter table t add w mallory.word[]",
    "a grant": "grant insert on t to public",
    "a grant of a column": "grant update (version_num) on t to mallory",
    "a grant of triggers": "grant trigger on t to mallory",
}


def test_a_plain_answer_is_the_full_one(stranger: Planted) -> None:
    """The short query leaves nothing out: where it answers, it says what owners.sql says."""
    stranger.plant(FUNCTION)
    asked = {"tables": ["t"], "role": None, "trusted": [10], "only": None}
    wrong = []
    with stranger.database.connect() as connection:
        connection.execute("create table public.t (version_num varchar(32) primary key)")
        connection.execute("grant select on public.t to public")
        for name, oddity in {"nothing": "", **ODD}.items():
            connection.execute("begin")
            connection.execute(oddity.encode())
            connection.execute(query("pin"))
            (short,) = connection.execute(query("owners_plain"), asked).fetchall()
            (long,) = connection.execute(query("owners"), asked).fetchall()
            connection.execute("rollback")
            same, answered = short == long, "[]" in short
            if (same, answered) != (name == "nothing", name == "nothing"):
                wrong.append(f"{name}: {short}, {long}")
    assert wrong == []
