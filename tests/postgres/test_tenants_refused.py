"""Tenants: what is refused, and what the next step then does."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from surefoot.postgres.embedded import Server
from tests.support.catalogues import with_catalogue
from tests.support.database import Database
from tests.support.fleet import told
from tests.support.next_steps import steps_of
from tests.support.planted import HIT, ROLE, Planted, role_of_a_stranger
from tests.support.project import SYNC_ENV, Application
from tests.support.tenants import (
    ELSEWHERE,
    ELSEWHERE_ENV,
    PLAIN,
    explicit,
    rows,
    seals,
    with_history,
    with_shared,
)

PATH = """\
    connection.execute(text(f'set search_path to {PATH}'))
    connection.commit()
    context.configure("""


@contextmanager
def role(database: Database) -> Generator[tuple[str, str]]:
    """A role that may do nothing, and the address with which it logs in."""
    name = f"maker_{database.name}"
    database.execute(f"create role {name} login password 'secret'")
    try:
        place = database.url().partition("@")[2]
        yield name, f"postgresql://{name}:secret@{place}"
    finally:
        database.execute(f"drop owned by {name} cascade; drop role {name}")


@pytest.fixture
def application(tmp_path: Path) -> Application:
    """Two revisions, and no catalogue."""
    application = Application(tmp_path)
    application.config(PLAIN)
    application.revision("r1", None, "create table people (id int primary key)")
    application.revision("r2", "r1", "create table pets (id int primary key)")
    return application


def on_path(path: str) -> str:
    """The usual env.py, with a search path of its own."""
    text = SYNC_ENV.replace("    context.configure(", PATH.replace("{PATH}", path))
    return "from sqlalchemy import text\n" + text


# --- the command line and the configuration


@pytest.mark.provokes("tenant-not-named")
@pytest.mark.follows("tenant-not-named")
def test_no_tenant_was_named(application: Application, database: Database) -> None:
    refused = application.run("up", "--json", url=database.url())
    assert (refused.code, refused.error) == (2, "tenant-not-named")
    assert database.tables() == []
    next = refused.json["findings"][0]["next"].splitlines()[-1].strip()
    status = application.run(*next.split()[1:], url=database.url())
    assert status.code == 3, status.err
    assert len(status.out.splitlines()) == 4  # each tenant, and the last line


@pytest.mark.parametrize(
    ("tenant", "said"),
    [
        ("nobody", "The configuration lists no tenant nobody."),
        ("Acme", "can't be called 'Acme'"),
        ("pg_acme", "can't be called 'pg_acme'"),
        ("public", "can't be called 'public'"),
        ('a"; drop schema acme; --', "can't be called"),
    ],
)
def test_a_tenant_that_is_not_listed(
    application: Application, database: Database, tenant: str, said: str
) -> None:
    refused = application.run("up", "--tenant", tenant, "--json", url=database.url())
    assert (refused.code, refused.error) == (2, "tenant-unknown")
    assert said in refused.json["findings"][0]["message"]
    assert [*seals(database)] == ["public"]


def test_a_word_of_sql_is_no_name(application: Application, database: Database) -> None:
    application.config(PLAIN.replace('"acme"', '"user"'))
    refused = application.run("up", "--tenant", "user", "--json", url=database.url())
    assert (refused.code, refused.error) == (2, "tenant-unknown")
    assert [*seals(database)] == ["public"]


@pytest.mark.slow
def test_names_that_need_quotes_stop_nobody_else(
    application: Application, database: Database
) -> None:
    """Each is refused with a next step that suffices; the other tenants are migrated."""
    names = ("acme", "Acme-1", "1shop", "user")
    asked = "sql:select name from public.customers order by n"
    listed = ", ".join(f"('{name}', {n})" for n, name in enumerate(names))
    database.execute(
        f"create table public.customers (name text, n int); insert into customers values {listed}"
    )
    for name in names:
        database.execute(f'create schema "{name}"')
    application.config(f'[tenants]\nschemas = "{asked}"\nsearch_path = "{{}}"\n')
    url, command = database.url(), ("fleet", "up", "--targets", "tenants:")
    assert application.run("up", "--tenant", "acme", url=url).code == 0
    found = application.run(*command, url=url)
    done = told(found)
    odd = names[1:]
    assert done.results == {"acme": "ready", **dict.fromkeys(odd, "invalid")}
    assert done.codes == {name: ["tenant-unknown"] for name in odd}
    for name, new in zip(odd, ("tenant_acme_1", "tenant_1shop", "tenant_user"), strict=True):
        finding = done.of(name)["findings"][0]
        assert finding["message"] == f"A tenant's schema can't be called {name!r}."
        (statement,) = steps_of(finding["next"]).lines
        assert statement.endswith(f" rename to {new};")
        database.execute(statement)
        database.execute(f"update customers set name = '{new}' where name = '{name}'")
    assert told(application.run(*command, url=url)).counts == {"ready": 1, "migrated": 3}


def test_a_configuration_without_tenants(application: Application, database: Database) -> None:
    application.config("")
    refused = application.run("up", "--tenant", "acme", "--json", url=database.url())
    assert (refused.code, refused.error) == (2, "tenant-unknown")
    done = application.run("fleet", "up", "--targets", "tenants:", url=database.url())
    assert done.code == 2
    assert "knows no tenants" in done.err


@pytest.mark.provokes("tenants-unreadable")
@pytest.mark.follows("tenants-unreadable")
@pytest.mark.parametrize(
    ("schemas", "said"),
    [
        ('"sql:select * from nowhere"', 'relation "nowhere" does not exist'),
        ('"sql:select 1"', "expected one column of text"),
        ('"sql:select null::text"', "expected one column of text"),
        ('"sql:create table x (id int)"', "syntax error"),
        ('"command:false"', "exit code 1"),
        ('"command:/no/such/program"', "No such file"),
    ],
)
def test_a_list_that_cannot_be_read(
    application: Application, database: Database, schemas: str, said: str
) -> None:
    application.config(f'[tenants]\nschemas = {schemas}\nsearch_path = "{{}}"\n')
    refused = application.run("up", "--tenant", "acme", "--json", url=database.url())
    assert (refused.code, refused.error) == (2, "tenants-unreadable")
    assert said in refused.json["findings"][0]["seen"][0]
    assert [*seals(database)] == ["public"]
    # as the next step says
    application.config('[tenants]\nschemas = "command:echo acme"\nsearch_path = "{}"\n')
    assert application.run("up", "--tenant", "acme", url=database.url()).code == 0


def test_a_list_that_a_stranger_has_made(
    application: Application, server: Server, database: Database
) -> None:
    """A view of theirs, and a view of ours that calls their function: neither is run."""
    asked = "sql:select name from public.customers"
    application.config(f'[tenants]\nschemas = "{asked}"\nsearch_path = "{{}}"\n')
    with role_of_a_stranger(server):
        database.execute(
            f"grant create on database {database.name} to {ROLE};"
            f"grant create on schema public to {ROLE}"
        )
        planted = Planted(database)
        planted.plant(
            f"create schema {ROLE}; grant usage on schema {ROLE} to public",
            HIT.format(schema=ROLE),
            f"create function {ROLE}.n() returns text language plpgsql immutable as $$ begin"
            f" perform {ROLE}.hit('list'); return 'acme'; end $$",
            f"create view public.customers as select {ROLE}.n() as name",
            "grant select on public.customers to public",
        )
        for owner in (ROLE, "postgres"):
            database.execute(f"alter view public.customers owner to {owner}")
            for command in (
                ("status", "--tenant", "acme"),
                ("fleet", "status", "--targets", asked),
            ):
                refused = application.run(*command, "--json", url=database.url())
                assert (refused.code, refused.error) == (4, "object-not-trusted"), refused.out
        assert planted.hits() == []
        for statement in steps_of(refused.json["findings"][0]["next"]).sql:
            database.execute(statement)
        assert application.run("up", "--tenant", "acme", url=database.url()).code == 0
        database.execute(f"reassign owned by {ROLE} to postgres; drop owned by {ROLE} cascade")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('schemas = ["a"]', "isn't told the tenant's name"),
        ('schemas = "select 1"\nvariable = "T"', "schemas can't be"),
        ('schemas = ["a"]\nargument = "tenant=a"', "argument can't be"),
        ('schemas = ["a"]\nsearch_path = "a"', "search_path can't be"),
        ('schemas = []\nvariable = "T"', "schemas can't be"),
        ('schemas = ["a"]\nvariable = "T"\nname = "x"', "tenants can't be"),
    ],
)
def test_a_table_that_says_too_little(
    application: Application, database: Database, text: str, said: str
) -> None:
    application.config(f"[tenants]\n{text}\n")
    refused = application.run("up", "--tenant", "a", "--json", url=database.url())
    assert (refused.code, refused.error) == (2, "config-invalid")
    assert said in refused.json["findings"][0]["message"]


@pytest.mark.parametrize("table", ["", 'version_table = "versions"\n'])
def test_one_version_table_for_all(
    application: Application, database: Database, table: str
) -> None:
    application.config(f'{table}version_table_schema = "public"\n{PLAIN}')
    refused = application.run("up", "--tenant", "acme", "--json", url=database.url())
    assert (refused.code, refused.error) == (2, "config-invalid")
    said = refused.json["findings"][0]
    line = 2 if table else 1
    assert said["message"].startswith(
        f"surefoot.toml:{line}: version_table_schema can't be 'public'"
    )
    assert 'version_table = "alembic_version_{}"' in said["seen"][0]
    application.config(table + PLAIN)
    given = {"SUREFOOT_VERSION_TABLE_SCHEMA": "public"}
    refused = application.run("up", "--tenant", "acme", "--json", url=database.url(), env=given)
    assert (refused.code, refused.error) == (2, "config-invalid")


# --- where env.py works


@pytest.mark.provokes("another-schema")
@pytest.mark.follows("another-schema")
@pytest.mark.parametrize("path", ["public", "bolt", "acme, bolt", "nowhere"])
def test_env_works_elsewhere(application: Application, database: Database, path: str) -> None:
    database.execute("create schema acme; create schema bolt")
    application.env(on_path(path))
    before = seals(database)
    for command in ("status", "up"):
        refused = application.run(command, "--tenant", "acme", "--json", url=database.url())
        assert (refused.code, refused.error) == (4, "another-schema"), refused.out
    assert seals(database) == before
    application.env()  # as [tenants] has it
    assert application.run("up", "--tenant", "acme", url=database.url()).code == 0


def test_env_would_take_the_shared_version_table(
    application: Application, database: Database
) -> None:
    """A new tenant has none, and Alembic would take the one that is further on the path."""
    database.execute("create table alembic_version (version_num varchar(32) not null)")
    application.config(PLAIN.replace('"{}"', '"{}, public"'))
    refused = application.run("up", "--tenant", "acme", "--json", url=database.url())
    assert (refused.code, refused.error) == (4, "another-schema")
    assert "version_table_schema" in refused.json["findings"][0]["next"]
    application.env(options="version_table_schema='acme'")
    done = application.run("up", "--tenant", "acme", url=database.url())
    assert done.code == 0, done.err
    assert rows(database, "acme") == ["r2"]


def test_a_revision_that_goes_elsewhere_is_rolled_back(
    application: Application, database: Database
) -> None:
    database.execute("create schema bolt")
    application.env(options="version_table_schema='acme'")
    application.revision("r2", "r1", "set search_path to bolt", "create table pets (id int)")
    refused = application.run("up", "--tenant", "acme", "--json", url=database.url())
    assert refused.error == "another-schema"
    assert rows(database, "acme") == []
    assert not database.query("select to_regclass('bolt.pets')")[0][0]
    application.revision("r2", "r1", "create table pets (id int)")
    assert application.run("up", "--tenant", "acme", url=database.url()).code == 0


@pytest.mark.provokes("tenant-left")
@pytest.mark.follows("tenant-left")
@pytest.mark.parametrize(
    "statement",
    [
        "alter table bolt.people add seen date",
        "drop table bolt.people",
        "create table public.extra (id int)",
        "create function bolt.f() returns int language sql as 'select 1'",
        "create extension citext",
        "insert into bolt.people values (1)",
    ],
)
def test_a_revision_that_changes_what_is_not_the_tenants(
    application: Application, database: Database, statement: str
) -> None:
    database.execute("create schema bolt; create table bolt.people (id int)")
    before = seals(database)
    application.revision("r2", "r1", statement)
    failed = application.run("up", "--tenant", "acme", "--json", url=database.url())
    assert (failed.code, failed.error) == (5, "tenant-left"), failed.err
    assert "Rolled back" in failed.json["findings"][0]["database"]
    assert seals(database) == before  # the schema that was made is gone again, too
    application.revision("r2", "r1", "create table pets (id int)")
    assert application.run("up", "--tenant", "acme", url=database.url()).code == 0
    assert seals(database)["bolt"] == before["bolt"]


@pytest.mark.parametrize(
    ("wrong", "found"),
    [
        ("version_table_schema='public'", "public.alembic_version"),
        ("version_table_schema=tenant", "acme.alembic_version"),
        (
            "version_table='alembic_version_bolt', version_table_schema='public'",
            "public.alembic_version_bolt",
        ),
        ("version_table=f'alembic_version_{tenant}'", "acme.alembic_version_acme"),
    ],
)
def test_env_has_another_version_table_than_the_configuration(
    application: Application, database: Database, wrong: str, found: str
) -> None:
    application.config(ELSEWHERE)
    right = "version_table=f'alembic_version_{tenant}', version_table_schema='public'"
    application.env(ELSEWHERE_ENV.replace(right, wrong))
    database.execute("create table alembic_version_bolt (version_num varchar(32) not null)")
    before = seals(database)
    refused = application.run("up", "--tenant", "acme", "--json", url=database.url())
    assert (refused.code, refused.error) == (4, "another-schema"), refused.out
    (finding,) = refused.json["findings"]
    assert finding["seen"][0] == f"its version table: {found}"
    assert 'version_table="alembic_version_acme"' in finding["next"]
    assert seals(database) == before
    application.env(ELSEWHERE_ENV)  # as the next step says
    assert application.run("up", "--tenant", "acme", url=database.url()).code == 0


def test_a_revision_that_writes_another_tenants_version_table(
    application: Application, database: Database
) -> None:
    application.config(ELSEWHERE)
    application.env(ELSEWHERE_ENV)
    assert application.run("up", "--tenant", "bolt", url=database.url()).code == 0
    application.revision("r3", "r2", "update public.alembic_version_bolt set version_num = 'r1'")
    failed = application.run("up", "--tenant", "acme", "--json", url=database.url())
    assert (failed.code, failed.error) == (5, "tenant-left"), failed.err
    assert "public.alembic_version_bolt" in failed.json["findings"][0]["seen"][0]
    assert database.query("select version_num from alembic_version_bolt") == [("r2",)]


# --- the schema of a new tenant


def test_a_failure_leaves_no_schema(application: Application, database: Database) -> None:
    application.revision("r2", "r1", "select 1/0")
    failed = application.run("up", "--tenant", "acme", url=database.url())
    assert failed.code == 5
    assert "acme" not in seals(database)
    assert "dropped again" in failed.err


def test_a_role_that_may_make_no_schema(application: Application, database: Database) -> None:
    with role(database) as (maker, url):
        database.execute(f"create schema surefoot authorization {maker}")
        refused = application.run("up", "--tenant", "acme", "--json", url=url)
        assert (refused.code, refused.error) == (4, "privilege-missing"), refused.out
        assert "acme" not in seals(database)
        (statement,) = steps_of(refused.json["findings"][0]["next"]).lines
        assert statement == f'create schema acme authorization "{maker}";'
        database.execute(statement)
        done = application.run("up", "--tenant", "acme", url=url)
        assert done.code == 0, done.err


@pytest.mark.provokes("tenant-unknown")
@pytest.mark.follows("tenant-unknown")
def test_a_query_must_list_the_new_schema(application: Application, database: Database) -> None:
    application.config(
        "[tenants]\nschemas = \"sql:select nspname::text from pg_namespace where nspname ~ '^t_'\""
        '\nsearch_path = "{}"\n'
    )
    done = application.run("up", "--tenant", "t_one", url=database.url())
    assert done.code == 0, done.err
    refused = application.run("up", "--tenant", "other", "--json", url=database.url())
    assert (refused.code, refused.error) == (2, "tenant-unknown")
    assert [*seals(database)] == ["public", "t_one"]
    # as the next step says: the name is corrected, or made known
    assert application.run("up", "--tenant", "t_other", url=database.url()).code == 0
    application.config(PLAIN.replace('"acme"', '"other"'))
    assert application.run("up", "--tenant", "other", url=database.url()).code == 0


# --- what can't be built


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("op.create_table(f'{s}_people', sa.Column('id', sa.Integer), schema=s)", "relation"),
        (
            "op.execute(f'create function {s}.f() returns bigint language sql as"
            " $$ select count(*) from {s}.people $$')",
            "function",
        ),
        ("op.create_table('x', sa.Column('id', sa.Integer), schema='public')", "public"),
        ("op.execute('create extension citext')", "extensions"),
        ("op.execute('set search_path to public')", ""),
    ],
)
def test_a_history_that_is_not_the_same_in_every_schema(
    tmp_path: Path, server: Server, body: str, said: str
) -> None:
    application = explicit(tmp_path)
    name = "s = op.get_context().config.attributes['schema']\n"
    application.revision("e3", "e2", body=name + body)
    built = application.run("catalog", "build", "--json", "--server", server.url())
    if not said:  # each name is written with its schema: the search path doesn't matter
        assert built.code == 0, built.err
        return
    assert built.code in (4, 5), built.out
    (finding,) = built.json["findings"]
    assert finding["code"] in ("catalogue-build-failed", "tenant-left")
    assert said in finding["seen"][0]
    assert "e3" in finding["message"] + finding["seen"][0]


@pytest.mark.slow
def test_what_is_shared_must_be_there_when_it_is_built(
    tmp_path: Path, server: Server, database: Database
) -> None:
    tenants, shared = with_shared(tmp_path)
    shared.revision("s3", "s2", "drop table plans")
    built = tenants.run("catalog", "build", "--json", "--server", server.url())
    assert built.code == 4
    shared.revision("s3", "s2", "select 1")
    with_catalogue(tenants, server)
    with_history(tenants)


def test_commands_that_know_no_tenants_refuse(application: Application, server: Server) -> None:
    dump = application.run("dump", "-o", "out.sql", "--json", "--server", server.url())
    assert (dump.code, dump.error) == (2, "tenant-not-named"), dump.err
