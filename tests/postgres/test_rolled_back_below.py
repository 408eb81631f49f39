"""A revision that committed on a second connection, while those that it needs were rolled back."""

import pytest

from surefoot.postgres.embedded import Server
from tests.support.database import Database
from tests.support.interruption import half_way, rows, text
from tests.support.next_steps import next_of, run_next, steps_of
from tests.support.project import Application
from tests.support.refusals import refused, seen, with_catalogue

ELSEWHERE = """\
with op.get_bind().engine.begin() as other:
    other.exec_driver_sql("create table {0} (id int)")
{1}
"""
FAILS = "op.execute('select 1 / (n - 101) from people')"
BACKFILL = "update people set n = n + 1"


def history(application: Application) -> None:
    """Add a table, a backfill that the structure doesn't show, and a revision that fails."""
    application.revision("r1", None, "create table people (id int primary key, n int)")
    application.revision("r2", "r1", BACKFILL)
    application.revision("r3", "r2", body=ELSEWHERE.format("side", FAILS))


def at_r1(application: Application, database: Database) -> None:
    application.alembic("upgrade", "r1", url=database.url("postgresql+psycopg"))
    database.execute("insert into people values (1, 100)")


def numbers(database: Database) -> list[tuple[int]]:
    return database.query("select n from people")


@pytest.mark.parametrize("finished", [False, True], ids=["undone", "finished"])
@pytest.mark.parametrize("known", [True, False], ids=["catalogue", "no catalogue"])
def test_what_was_rolled_back_is_not_recorded_with_it(
    application: Application, server: Server, database: Database, known: bool, finished: bool
) -> None:
    """The structure is that of r3, and the backfill of r2 has not run."""
    history(application)
    if known:
        with_catalogue(application, server)
    at_r1(application, database)
    failed = application.run("up", "--json", url=database.url())
    assert (failed.code, failed.error) == (6, "revision-partly-applied"), failed.err
    assert (
        "a part of it may stay. Rolled back: r2. The database is at r1."
        in (failed.json["findings"][0]["database"])
    )
    result = refused(
        application,
        database,
        "interrupted-revision",
        *(("up",), ("repair", "r3", "--yes"), ("repair", "head", "--yes")),
        *(("adopt", "r3", "--yes"), ("repair", "--finish", "--yes")),
    )
    result = application.run("up", "--json", url=database.url())
    assert "what it needs has not run, by the version table: r2" in seen(result)
    ways = ("surefoot repair r1", "surefoot repair r2 r3")
    assert steps_of(next_of(failed)).commands == ways
    assert tuple(c for c in steps_of(next_of(result)).commands if "--" not in c) == ways
    if finished:
        database.execute(BACKFILL)
    else:
        database.execute("drop table side; update people set n = 200")
    run_next(next_of(failed), database, application, only=ways[finished])
    assert rows(database) == ["r3" if finished else "r1"]
    after = application.run("up", "--json", url=database.url())
    assert after.code == 0, after.err
    assert numbers(database) == [(101,) if finished else (201,)]
    assert database.query("select to_regclass('side') is not null") == [(True,)]


def test_more_than_one_would_name_is_only_undone(
    application: Application, database: Database
) -> None:
    """A command that names hundreds of revisions helps nobody."""
    application.revision("r1", None, "create table people (id int primary key, n int)")
    for number in range(2, 10):
        application.revision(f"r{number}", f"r{number - 1}", BACKFILL)
    application.revision("s1", "r9", body=ELSEWHERE.format("side", "op.execute('select 1 / 0')"))
    at_r1(application, database)
    failed = application.run("up", "--json", url=database.url())
    assert "Rolled back: 8 steps, the last r9." in failed.json["findings"][0]["database"]
    assert steps_of(next_of(failed)).commands == ("surefoot repair r1",)


@pytest.mark.parametrize("known", [True, False], ids=["catalogue", "no catalogue"])
def test_an_empty_database(
    application: Application, server: Server, database: Database, known: bool
) -> None:
    """There is no version row, and r1's own table doesn't exist."""
    application.revision("r1", None, "create table people (id int primary key, n int)")
    application.revision("r2", "r1", body=ELSEWHERE.format("side", ""))
    if known:
        with_catalogue(application, server)
    database.execute("create table own (id int)")
    database.execute("create table side (id int)")
    half_way(application, database, "r2")
    result = refused(application, database, "interrupted-revision", ("repair", "r2", "--yes"))
    assert steps_of(next_of(result)).commands[-2:] == (
        "surefoot repair base",
        "surefoot repair r1 r2",
    )
    if known:  # it isn't undone yet, and that is seen
        refused(application, database, "interrupted-revision", ("repair", "base", "--yes"))
    database.execute("drop table side")
    run_next(next_of(result), database, application, only="surefoot repair base")
    status = application.run("status", "--json", url=database.url())
    assert status.json["state"] != "interrupted-revision"


@pytest.mark.parametrize("finished", [False, True], ids=["undone", "finished"])
@pytest.mark.parametrize("known", [True, False], ids=["catalogue", "no catalogue"])
def test_several_at_once(
    application: Application, server: Server, database: Database, known: bool, finished: bool
) -> None:
    """Each has committed on a second connection, and their own transaction was rolled back."""
    application.revision("r1", None, "create table people (id int primary key, n int)")
    filling = f"op.execute({BACKFILL!r})"
    application.revision("r2", "r1", body=ELSEWHERE.format("one", filling))
    application.revision("r3", "r2", body=ELSEWHERE.format("two", FAILS))
    if known:
        with_catalogue(application, server)
    at_r1(application, database)
    failed = application.run("up", "--json", url=database.url())
    assert (failed.code, failed.error) == (6, "revision-partly-applied"), failed.err
    result = application.run("up", "--json", url=database.url())
    assert result.error == "interrupted-revision"
    assert "Revisions r2, r3 were only partly applied" in seen(result)
    assert "several revisions were left half-way" in seen(result)
    refused(application, database, "interrupted-revision", ("repair", "r3", "--yes"))
    if finished:
        database.execute(BACKFILL)
    else:
        database.execute("drop table one; drop table two; update people set n = 200")
    way = "surefoot repair r2 r3" if finished else "surefoot repair r1"
    for one in (failed, result):
        assert way in steps_of(next_of(one)).commands
    run_next(next_of(result), database, application, only=way)
    after = application.run("up", "--json", url=database.url())
    assert after.code == 0, after.err
    assert numbers(database) == [(101,) if finished else (201,)]
    if finished and not known:
        recorded = "select name from surefoot.journal where step = 'revision' order by id"
        assert database.query(recorded) == [("r2",), ("r3",)]


def test_one_that_this_code_does_not_have(application: Application, database: Database) -> None:
    """Only its own release can finish it; that it is undone can be recorded here."""
    application.revision("r1", None, "create table people (id int primary key, n int)")
    at_r1(application, database)
    half_way(application, database, "r9")
    result = refused(application, database, "interrupted-revision", ("up",))
    assert "surefoot does not continue by itself: this code doesn't have revision r9" in (
        seen(result)
    )
    assert "with the image that has r9" in next_of(result)
    assert steps_of(next_of(result)).commands == ("surefoot up", "surefoot repair r1")
    run_next(next_of(result), database, application, only="surefoot repair")
    assert application.run("up", url=database.url()).code == 0


def test_a_revision_that_nothing_shows_is_named_before_it_is_recorded(
    application: Application, server: Server, database: Database
) -> None:
    """Nothing is half-way: a person names a later revision, and is told what that implies."""
    application.revision("r1", None, "create table people (id int primary key, n int)")
    application.revision("r2", "r1", BACKFILL)
    application.revision("r3", "r2", BACKFILL)
    with_catalogue(application, server)
    at_r1(application, database)
    told = "neither the version table, the journal nor the structure shows that r2, r3 has run"
    asked = application.run("adopt", "r3", url=database.url())
    assert asked.code == 2
    assert told in text(asked)
    assert rows(database) == ["r1"]
