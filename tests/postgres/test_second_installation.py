"""Two installations of one application in a database: is this one the empty one beside the real
one?
"""

import pytest

from surefoot.postgres.embedded import Server
from tests.support.database import Database
from tests.support.next_steps import next_of, run_next
from tests.support.project import SYNC_ENV, Application
from tests.support.refusals import refused, seen, with_catalogue

FOLLOWS = SYNC_ENV.replace(
    "as connection:\n",
    "as connection:\n"
    "    connection.exec_driver_sql('set search_path to {schema}')\n"
    "    connection.commit()\n",
)
DRIVER = "postgresql+psycopg"
COMMANDS = (("status",), ("plan",), ("up",))
ROW = "insert into {}.people values (1, 'Ann')"


def lead(application: Application, schema: str, path: str = "") -> None:
    """Let env.py name this schema: for the version table, and first on the search path."""
    options = f"version_table_schema={schema!r}"
    application.env(FOLLOWS.replace("{schema}", path or schema), options)


@pytest.fixture
def shop(application: Application, database: Database) -> Application:
    """An application whose second revision fills a table; there is a second schema."""
    application.revision(
        "r1",
        None,
        "create table people (id int primary key, name text)",
        "create table orders (id int primary key)",
    )
    application.revision(
        "r2", "r1", "create table roles (name text)", "insert into roles values ('admin')"
    )
    application.revision("r3", "r2", "create table notes (id int primary key)")
    lead(application, "public")
    database.execute("create schema app")
    return application


def installed(
    application: Application, database: Database, schema: str, *, used: bool, to: str = "head"
) -> None:
    """Install with Alembic itself into this schema; with a row of the user's, if it's `used`."""
    lead(application, schema)
    application.alembic("upgrade", to, url=database.url(DRIVER))
    if used:
        database.execute(ROW.format(schema))


def goes_on(application: Application, database: Database) -> None:
    """`status` and `up` find head, and nothing to do."""
    for command in ("status", "up"):
        result = application.run(command, "--json", url=database.url())
        assert (result.code, result.json["state"]) == (0, "at-head"), result.out


def beside(application: Application, database: Database) -> None:
    """The other installation is in the schema app, and this one belongs to public."""
    installed(application, database, "app", used=True)
    lead(application, "public")


@pytest.mark.provokes("version-table-elsewhere")
@pytest.mark.follows("version-table-elsewhere")
@pytest.mark.parametrize("catalogue", [True, False])
@pytest.mark.parametrize("real", ["app", "public"])
def test_no_empty_installation_beside_the_data(
    shop: Application, server: Server, database: Database, catalogue: bool, real: str
) -> None:
    """env.py names another schema than the one with the data. Each way of `next` leads to head."""
    if catalogue:
        with_catalogue(shop, server)
    installed(shop, database, real, used=True)
    other = "public" if real == "app" else "app"
    lead(shop, other)
    result = refused(shop, database, "version-table-elsewhere", *COMMANDS)
    assert f"{real}.alembic_version holds r3" in seen(result)
    assert f'version_table_schema="{real}"' in next_of(result)
    lead(shop, real)
    goes_on(shop, database)
    lead(shop, other)
    run_next(next_of(result), database, shop, only="surefoot up --shared")
    goes_on(shop, database)
    assert database.query(f"select count(*) from {real}.people") == [(1,)]
    assert database.query(f"select count(*) from {other}.people") == [(0,)]


@pytest.mark.parametrize("how", ["the configuration", "the environment"])
def test_a_second_installation_that_is_meant(
    shop: Application, database: Database, how: str
) -> None:
    """Said for good: also where the other schema is on the search path."""
    installed(shop, database, "public", used=True)
    lead(shop, "app", "app, public")
    refused(shop, database, "version-table-elsewhere", ("up",))
    env = {"SUREFOOT_SHARED": "true"} if how == "the environment" else None
    if env is None:
        shop.config("shared = true\n")
    result = shop.run("up", "--json", url=database.url(), env=env)
    assert result.code == 0, result.out
    assert database.query("select version_num from app.alembic_version") == [("r3",)]
    assert database.query("select count(*) from public.people") == [(1,)]
    result = shop.run("up", "--json", url=database.url(), env=env)
    assert (result.code, result.json["remarks"]) == (0, [])


@pytest.mark.provokes("version-table-elsewhere")
@pytest.mark.follows("version-table-elsewhere")
@pytest.mark.parametrize("to", ["head", "r2"])
def test_an_unused_installation_beside_the_data(
    shop: Application, database: Database, to: str
) -> None:
    """Something else than surefoot made it. That a revision has filled a table is no use of it."""
    beside(shop, database)
    installed(shop, database, "public", used=False, to=to)
    result = refused(shop, database, "version-table-elsewhere", *COMMANDS)
    assert "app.alembic_version holds r3, and tables that are empty here have rows" in seen(result)
    lead(shop, "app")
    goes_on(shop, database)
    lead(shop, "public")
    if to == "head":
        assert "in surefoot.toml with shared = true" in next_of(result)
        shop.config("shared = true\n")
    else:
        run_next(next_of(result), database, shop, only="surefoot up --shared")
    goes_on(shop, database)


def test_an_unused_installation_on_the_search_path(shop: Application, database: Database) -> None:
    """The same where env.py names no schema."""
    beside(shop, database)
    installed(shop, database, "public", used=False)
    shop.env()
    result = refused(shop, database, "version-table-elsewhere", ("up",))
    run_next(next_of(result), database, only="alter role")
    goes_on(shop, database)


NOT_IN_DOUBT = {
    "both are used": ROW.format("public"),
    "this one has data that the other lacks": "insert into public.orders values (1)",
    "the other is unused, too": "truncate app.people",
    "a table is empty just now": "insert into app.notes values (1);" + ROW.format("public"),
    "the other one's revisions aren't the application's": (
        "update app.alembic_version set version_num = 'other'"
    ),
}


@pytest.mark.parametrize("case", NOT_IN_DOUBT)
def test_an_installation_that_is_not_in_doubt(
    shop: Application, database: Database, case: str
) -> None:
    """It isn't refused, and nothing is remarked upon."""
    beside(shop, database)
    installed(shop, database, "public", used=False)
    database.execute(NOT_IN_DOUBT[case])
    goes_on(shop, database)
    assert shop.run("up", "--json", url=database.url()).json["remarks"] == []


def test_rows_of_another_version_table_that_are_hidden(
    shop: Application, database: Database
) -> None:
    """That is no reason to refuse this one."""
    beside(shop, database)
    installed(shop, database, "public", used=False)
    database.execute(
        "do $$ begin create role surefoot_reader login password 'x'; exception when"
        " duplicate_object then null; end $$;"
        "grant usage on schema app to surefoot_reader;"
        "grant select on all tables in schema public, app to surefoot_reader;"
        "alter table app.alembic_version enable row level security"
    )
    url = database.url()
    url = f"{url[: url.index('postgres:')]}surefoot_reader:x{url[url.index('@') :]}"
    result = shop.run("status", "--json", url=url)
    assert (result.code, result.json["state"]) == (0, "at-head"), result.out


def test_what_surefoot_has_verified_stays_so(shop: Application, database: Database) -> None:
    """That somebody installs elsewhere later is a remark; and a table that is locked there isn't
    waited for.
    """
    lead(shop, "public")
    assert shop.run("up", url=database.url()).code == 0
    beside(shop, database)
    goes_on(shop, database)
    lead(shop, "public", "public, app")  # another env.py: the thorough look
    result = shop.run("up", "--json", url=database.url())
    (remark,) = result.json["remarks"]
    assert "another installation of this application, in the schema app, has rows" in remark
    with database.connect() as other:
        other.execute("begin")
        other.execute("lock table app.alembic_version")
        result = shop.run("status", "--json", url=database.url())
    assert (result.code, result.json["remarks"]) == (0, [])


def test_another_history_is_installed_beside(
    shop: Application, server: Server, database: Database
) -> None:
    """Its version table has none of the application's revisions, though its tables are alike."""
    with_catalogue(shop, server)
    beside(shop, database)
    database.execute("update app.alembic_version set version_num = 'other'")
    plan = shop.run("plan", "--json", url=database.url())
    assert "not touched: app (4)" in plan.json["remarks"][0]
    result = shop.run("up", "--json", url=database.url())
    assert result.code == 0, result.out


def test_tables_here_need_a_catalogue(
    shop: Application, server: Server, database: Database
) -> None:
    """Then --shared alone wouldn't suffice, and isn't offered alone."""
    beside(shop, database)
    installed(shop, database, "public", used=False)
    database.execute("drop table public.alembic_version")
    result = refused(shop, database, "version-table-elsewhere", ("up",))
    assert "surefoot catalog build" in next_of(result)
    with_catalogue(shop, server)
    result = refused(shop, database, "version-table-elsewhere", ("up",))
    run_next(next_of(result), database, shop, only="surefoot up --shared")
    goes_on(shop, database)
