"""Going back where it is easily gone wrong: cut off ways, other goals, settings, texts."""

from pathlib import Path

import pytest

from surefoot.postgres.embedded import Server
from tests.support.database import Database
from tests.support.going_down import CATALOGUE, CUSTOMERS, R1, R2, R3, older, text, up
from tests.support.going_down import with_catalogue as catalogued
from tests.support.midway import DOWN, HEAD, UP, going_back, until_waiting
from tests.support.project import Application

ONE = "create table {0} (id int)"


def tables(application: Application, *ids: str) -> None:
    """A linear history: a table each."""
    below: str | None = None
    for id in ids:
        application.revision(id, below, ONE.format(id), downgrade=f"op.drop_table({id!r})")
        below = id


@pytest.fixture
def cut_off(application: Application, database: Database, server: Server) -> Application:
    """A way back that was killed between its transactions: a table is gone, an index half."""
    application.revision(R1, None, CUSTOMERS, downgrade="op.execute('drop table customers')")
    application.revision(R2, R1, body=UP, downgrade=DOWN, head=HEAD)
    catalogued(application, server)
    up(application, database)
    with database.connect() as other:
        other.execute("begin")
        other.execute("select * from customers")
        down = going_back(application, database)
        until_waiting(database)
        down.kill()
        other.execute("commit")
    return application


def test_without_a_catalogue_what_was_cut_off_is_not_called_head(
    cut_off: Application, database: Database
) -> None:
    """The mark stays, and the way back is gone on with once the catalogue is there again."""
    catalogue = (cut_off.root / CATALOGUE).read_text()
    (cut_off.root / CATALOGUE).unlink()
    result = cut_off.run("up", "--json", url=database.url())
    assert (result.code, result.error) == (4, "interrupted-revision"), result.err
    cut_off.write(CATALOGUE, catalogue)
    assert cut_off.run("up", url=database.url()).code == 4
    assert cut_off.run("down", "--to", R1, "--yes", url=database.url()).code == 0


@pytest.mark.parametrize("goal", ["heads", R2])
def test_what_was_cut_off_comes_first(cut_off: Application, database: Database, goal: str) -> None:
    """Another goal would leave it so, and is no success."""
    result = cut_off.run("down", "--to", goal, "--yes", "--json", url=database.url())
    assert (result.code, result.error) == (4, "interrupted-revision"), result.err
    assert f"surefoot down --to {R1}" in text(result)


def test_an_older_image_refuses_what_was_cut_off(
    cut_off: Application, database: Database, tmp_path: Path, server: Server
) -> None:
    """Though all that its code needs is there: a part of the rest is gone."""
    image = older(cut_off, tmp_path / "older", R2, server=server)
    result = image.run("up", "--json", url=database.url())
    assert (result.code, result.error) == (4, "interrupted-revision"), result.err
    assert "was interrupted" in text(result)
    assert image.run("down", "--to", "head", "--yes", url=database.url()).code == 0
    assert image.run("up", url=database.url()).code == 0


@pytest.mark.slow
def test_an_older_image_goes_a_part_of_the_way(
    application: Application, database: Database, tmp_path: Path, server: Server
) -> None:
    """To a revision that it has no file of either."""
    tables(application, "r1", "r2", "r3", "r4")
    catalogued(application, server)
    up(application, database)
    image = older(application, tmp_path / "older", "r2", "r3", "r4", server=server)
    for goal, row in (("-1", "r3"), ("r2", "r2"), ("head", "r1")):
        result = image.run("down", "--to", goal, "--yes", url=database.url())
        assert result.code == 0, result.err
        assert database.query("select version_num from alembic_version") == [(row,)]


@pytest.mark.slow
def test_a_session_s_setting_holds_for_what_comes_behind_it(
    application: Application, database: Database, tmp_path: Path, server: Server
) -> None:
    """Also where that is gone on with: another index of the same name stays."""
    application.revision(
        R1,
        None,
        "create schema tenant",
        "create table public.t (a int)",
        "create table tenant.t (a int)",
        "create index t_a on public.t (a)",
        downgrade="op.execute('drop table public.t; drop schema tenant cascade')",
    )
    application.revision(
        R2,
        R1,
        body="with op.get_context().autocommit_block():\n"
        "    op.execute('create index concurrently if not exists t_a on tenant.t (a)')",
        downgrade="op.execute('set search_path to tenant')\n"
        "with op.get_context().autocommit_block():\n"
        "    op.execute('drop index concurrently t_a')\n"
        "op.execute('set search_path to default')",
        head=HEAD,
    )
    catalogued(application, server)
    indexes = "select schemaname from pg_indexes where indexname = 't_a' order by 1"
    up(application, database)
    image = older(application, tmp_path / "older", R2, server=server)
    result = image.run("down", "--to", R1, "--yes", "--accept-data-loss", url=database.url())
    assert result.code == 0, result.err
    assert database.query(indexes) == [("public",)]
    up(application, database)
    with database.connect() as other:
        other.execute("begin")
        other.execute("select * from tenant.t")
        down = going_back(image, database)
        until_waiting(database)
        down.kill()
        other.execute("commit")
    result = image.run("down", "--to", R1, "--yes", "--accept-data-loss", url=database.url())
    assert result.code == 0, result.err
    assert database.query(indexes) == [("public",)]


def test_autocommit_is_refused_beforehand(
    application: Application, database: Database, server: Server
) -> None:
    """What fails half-way could not be rolled back."""
    tables(application, "r1", "r2")
    catalogued(application, server)
    up(application, database)
    env = (application.root / "migrations/env.py").read_text()
    connect = "connectable.connect()"
    assert connect in env
    isolated = f'{connect}.execution_options(isolation_level="AUTOCOMMIT")'
    application.write("migrations/env.py", env.replace(connect, isolated))
    before = database.dump()
    result = application.run("down", "--to", "r1", "--yes", "--json", url=database.url())
    assert (result.code, result.error) == (4, "no-way-back"), result.err
    assert "autocommit" in text(result)
    assert database.dump() == before


def test_a_downgrade_that_takes_away_more_is_no_way_back(
    application: Application, database: Database, server: Server
) -> None:
    """An older revision's index would be gone behind it: told before the first step."""
    application.revision(
        R1,
        None,
        CUSTOMERS,
        "create index customers_name on customers (name)",
        downgrade="op.drop_table('customers')",
    )
    application.revision(
        R2,
        R1,
        "alter table customers add phone text",
        downgrade="op.drop_column('customers', 'phone')\nop.drop_index('customers_name')",
    )
    catalogued(application, server)
    up(application, database)
    before = database.dump()
    result = application.run("down", "--to", R1, "--yes", "--json", url=database.url())
    assert (result.code, result.error) == (4, "no-way-back"), result.err
    assert "removes or changes objects that were there before it" in text(result)
    assert database.dump() == before


@pytest.mark.slow
@pytest.mark.parametrize("driver", ["psycopg", "psycopg2", "asyncpg"])
def test_statements_are_executed_word_for_word(
    application: Application, database: Database, tmp_path: Path, server: Server, driver: str
) -> None:
    """Colons, backslashes, percent signs and dollars are the server's to read."""
    values = (":smile: hi", r"x\:b", "100 % sure, %s and %(name)s", "a::b :c :d:")
    quoted = ", ".join("'" + value.replace("'", "''") + "'" for value in values)
    application.config(f'driver = "postgresql+{driver}"\n')
    if driver == "asyncpg":
        from tests.support.project import ASYNC_ENV

        application.env(ASYNC_ENV)
    application.revision(R1, None, "create table said (v text)", downgrade="op.drop_table('said')")
    sql = f"insert into said select unnest(array[{quoted}])"
    application.revision(
        R2,
        R1,
        downgrade=f"op.get_bind().exec_driver_sql({sql!r}, execution_options=WORD_FOR_WORD)",
        head="WORD_FOR_WORD = {'no_parameters': True}",
    )
    application.revision(R3, R2, ONE.format("more"), downgrade="op.drop_table('more')")
    catalogued(application, server)
    up(application, database)
    image = older(application, tmp_path / "older", R2, R3, server=server)
    leave = ("--yes", "--accept-data-loss", "--trust-journal")
    result = image.run("down", "--to", "head", *leave, url=database.url())
    assert result.code == 0, result.err
    assert sorted(v for (v,) in database.query("select v from said")) == sorted(values)


@pytest.mark.slow
def test_a_journal_of_before_is_gone_on_with(
    application: Application, database: Database, server: Server
) -> None:
    """One that has no column for ways back gets it with the next row."""
    tables(application, "r1")
    catalogued(application, server)
    up(application, database)
    database.execute("alter table surefoot.journal drop column down")
    tables(application, "r1", "r2")
    catalogued(application, server)
    up(application, database)
    assert database.query("select name from surefoot.journal where down is not null") == [("r2",)]
    assert application.run("down", "--to", "r1", "--yes", url=database.url()).code == 0
