"""Applications that make tables while they are loaded: their history begins with these."""

import pytest

from surefoot.postgres.embedded import Server
from tests.support.database import Database
from tests.support.next_steps import next_of, steps_of
from tests.support.project import SYNC_ENV, Application

# As Flask-AppBuilder does it, and other factories: whenever the application is loaded.
LOADING = SYNC_ENV.replace(
    "with connectable.connect() as connection:\n",
    "with connectable.begin() as connection:\n"
    "    connection.exec_driver_sql('create table if not exists accounts (id int primary key)')\n"
    "with connectable.connect() as connection:\n",
)


@pytest.fixture
def loading(application: Application, server: Server) -> Application:
    application.env(LOADING)
    application.revision("r1", None, "update accounts set id = id + 1")
    application.revision(
        "r2", "r1", "create table people (id int primary key, account int references accounts)"
    )
    assert application.run("catalog", "build", "--server", server.url()).code == 0
    return application


def test_an_install_from_empty(loading: Application, database: Database) -> None:
    ended = loading.run("up", "--json", url=database.url())
    assert (ended.code, ended.json["current"]) == (0, ["r2"]), ended.out + ended.err
    applied = [one["name"] for one in ended.json["done"] if one["step"] == "revision"]
    assert applied == ["r1", "r2"]
    assert "the application makes 1 table while it is loaded (public.accounts)" in ended.err
    assert loading.run("drift", url=database.url()).code == 0
    assert "nothing to do" in loading.run("up", url=database.url()).err


def test_status_and_plan_leave_nothing_behind(loading: Application, database: Database) -> None:
    tables = "select count(*) from pg_tables where schemaname = 'public'"
    status = loading.run("status", url=database.url())
    assert status.code == 3, status.out + status.err
    planned = loading.run("plan", url=database.url())
    said = " ".join(planned.out.split())
    assert planned.code == 0
    assert "apply 2 revisions" in said
    assert "while it is loaded (public.accounts); it wasn't loaded for this look" in said
    assert database.query(tables) == [(0,)]


def test_with_another_catalogue_it_is_said_beforehand(
    loading: Application, database: Database
) -> None:
    loading.revision("r3", "r2", "create table pets (id int)")
    planned = loading.run("plan", url=database.url())
    said = " ".join(planned.err.split())
    assert "while it is loaded (public.accounts), and they stay in this database" in said
    assert "surefoot catalog build" in said


def test_seen_empty_no_revision_has_run_whatever_it_looks_like(
    loading: Application, database: Database
) -> None:
    """r1 changes only rows: behind the loading, base and r1 look alike. Nothing is skipped."""
    loading.alembic("history", url=database.url("postgresql+psycopg"))  # loads nothing
    ended = loading.run("up", "--json", url=database.url())
    assert [one["name"] for one in ended.json["done"]][:1] == ["r1"], ended.out


def test_what_somebody_else_has_loaded_is_ambiguous_and_never_skipped(
    loading: Application, database: Database
) -> None:
    """Whether r1 has run can't be seen, so nothing is guessed."""
    database.execute("create table accounts (id int primary key)")
    refused = loading.run("up", "--json", url=database.url())
    assert (refused.code, refused.error) == (4, "ambiguous-revision"), refused.out
    assert "adopt base" not in refused.out
    assert "SUREFOOT_AMBIGUOUS=earliest" in steps_of(next_of(refused)).lines
    # which suffices: the next start goes on from there
    env = {"SUREFOOT_AMBIGUOUS": "earliest"}
    ended = loading.run("up", "--json", url=database.url(), env=env)
    assert (ended.code, ended.json["current"]) == (0, ["r2"]), ended.out


@pytest.mark.slow
def test_what_an_earlier_load_has_left_is_gone_on_from(
    loading: Application, server: Server, database: Database
) -> None:
    """Where no revision looks like it."""
    loading.revision("r1", None, "create table places (id int primary key)")
    assert loading.run("catalog", "build", "--server", server.url()).code == 0
    database.execute("create table accounts (id int primary key)")
    planned = loading.run("plan", url=database.url())
    assert planned.code == 0, planned.out + planned.err
    ended = loading.run("up", "--json", url=database.url())
    assert (ended.code, ended.json["current"]) == (0, ["r2"]), ended.out + ended.err
    assert loading.run("drift", url=database.url()).code == 0


def test_another_table_than_the_build_saw_is_refused(
    loading: Application, database: Database
) -> None:
    loading.env(LOADING.replace("id int primary key", "id bigint primary key"))
    refused = loading.run("up", "--json", url=database.url())
    assert (refused.code, refused.error) == (4, "application-changed-database"), refused.out
