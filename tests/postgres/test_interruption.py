"""A revision that an earlier run left half-way: gone on with where that is provably right."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from surefoot.postgres.embedded import Server
from tests import starts
from tests.support.database import Database
from tests.support.interruption import (
    LONG,
    at_r1,
    done,
    half_way,
    indexes,
    left_invalid,
    project,
    rows,
    text,
)
from tests.support.next_steps import next_of, run_next, steps_of
from tests.support.project import Application
from tests.support.refusals import seen, with_catalogue

# As Alembic's own templates have it, where an index is made concurrently.
CONCURRENTLY = """\
with op.get_context().autocommit_block():
    op.create_index("people_n", "people", ["n"], postgresql_concurrently=True)
"""
TWO = """\
with op.get_context().autocommit_block():
    op.execute("create index concurrently{exists} people_n on people (n)")
    op.execute("create unique index concurrently{exists} people_u on people (u)")
"""
COLUMN_TOO = """\
with op.get_context().autocommit_block():
    op.create_index("people_n", "people", ["n"], postgresql_concurrently=True)
op.add_column("people", sa.Column("note", sa.Text))
"""


def test_nothing_of_it_is_there_so_it_is_run(
    application: Application, server: Server, database: Database
) -> None:
    """It only changes the structure, and that is as before it."""
    project(application, CONCURRENTLY, then=True)
    with_catalogue(application, server)
    at_r1(application, database)
    half_way(application, database)
    result = application.run("up", "--json", url=database.url())
    assert result.code == 0, result.err
    assert done(result) == [("revision", "r2"), ("revision", "r3")]
    assert indexes(database) == {"people_pkey": True, "people_n": True}
    assert rows(database) == ["r3"]


def test_all_of_it_is_there_so_it_is_recorded(
    application: Application, server: Server, database: Database
) -> None:
    """Its version row was all that was missing; what is above it is run."""
    project(application, CONCURRENTLY, then=True)
    with_catalogue(application, server)
    at_r1(application, database, "create index people_n on people (n)")
    half_way(application, database)
    plan = application.run("plan", url=database.url())
    assert plan.code == 0, plan.err
    assert "1. record revision r2: it only changes the structure, and all of it" in text(plan)
    result = application.run("up", "--json", url=database.url())
    assert result.code == 0, result.err
    assert done(result) == [("record", "r2"), ("revision", "r3")]
    assert rows(database) == ["r3"]
    ((step, parents, evidence),) = database.query(
        "select step, parents, evidence from surefoot.journal where name = 'r2' and step <> 'begun'"
    )
    assert (step, parents) == ("revision", "r1")
    assert '"by":"structure"' in evidence
    again = application.run("up", url=database.url())
    assert "nothing to do" in again.err


def test_an_invalid_index_is_dropped_and_made_anew(
    application: Application, server: Server, database: Database
) -> None:
    """The SQL is in the plan; the user's own invalid index stays as it is."""
    project(application, CONCURRENTLY)
    with_catalogue(application, server)
    at_r1(application, database)
    left_invalid(database, "create index concurrently people_n on people (n)")
    database.execute(
        "create index people_own on people (u);"
        "update pg_index set indisvalid = false where indexrelid = 'people_own'::regclass"
    )
    half_way(application, database)
    plan = application.run("plan", url=database.url())
    assert "drop the half-made index of revision r2: drop index concurrently public.people_n" in (
        text(plan)
    )
    result = application.run("up", "--json", url=database.url())
    assert result.code == 0, result.err
    assert done(result) == [("drop-indexes", "public.people.people_n"), ("revision", "r2")]
    assert indexes(database) == {"people_pkey": True, "people_n": True, "people_own": False}


@pytest.mark.parametrize("exists", ["", " if not exists"])
@pytest.mark.parametrize("second", [False, True], ids=["missing", "invalid"])
def test_the_first_of_two_indexes_is_there(
    application: Application, server: Server, database: Database, exists: str, second: bool
) -> None:
    """With IF NOT EXISTS it stays; else it's dropped, too: an index is no data."""
    project(application, TWO.format(exists=exists))
    with_catalogue(application, server)
    at_r1(application, database, "create index people_n on people (n)")
    if second:
        left_invalid(database, "create unique index concurrently people_u on people (u)")
    ((first,),) = database.query("select 'people_n'::regclass::oid")
    half_way(application, database)
    result = application.run("up", url=database.url())
    assert result.code == 0, result.err
    assert indexes(database) == {"people_pkey": True, "people_n": True, "people_u": True}
    same = database.query("select 'people_n'::regclass::oid") == [(first,)]
    assert same is (exists != "")


def test_a_statement_behind_the_commit_is_told_from_it(
    application: Application, server: Server, database: Database
) -> None:
    """The index is there and the column isn't: the index is dropped, and all of it run."""
    project(application, COLUMN_TOO)
    with_catalogue(application, server)
    at_r1(application, database, "create index people_n on people (n)")
    half_way(application, database)
    result = application.run("up", url=database.url())
    assert result.code == 0, result.err
    assert database.query("select count(note) from people") == [(0,)]


BACKFILL = """\
with op.get_context().autocommit_block():
    op.execute("alter table people add column if not exists big bigint")
    op.execute("create index concurrently if not exists people_big on people (big)")
    op.execute("update people set big = n where big is null and id % 2 = 0")
    op.execute("update people set big = n where big is null")
"""


def test_a_resumable_backfill_is_run_again_from_anywhere(
    application: Application, server: Server, database: Database
) -> None:
    """Its author says so; what is there of it is whole, and an invalid index is made anew."""
    project(application, BACKFILL, head="surefoot_resumable = True")
    with_catalogue(application, server)
    at_r1(application, database, "alter table people add big bigint; update people set big = n")
    left_invalid(database, "create index concurrently people_big on people (big)")
    database.execute("update people set big = null where id > 10")
    half_way(application, database)
    result = application.run("up", "--json", url=database.url())
    assert result.code == 0, result.err
    assert done(result) == [("drop-indexes", "public.people.people_big"), ("revision", "r2")]
    assert database.query("select count(*) from people where big is distinct from n") == [(0,)]


def test_a_backfill_that_does_not_say_so_is_for_a_person(
    application: Application, server: Server, database: Database
) -> None:
    """The line that moves rows is named."""
    project(application, BACKFILL)
    with_catalogue(application, server)
    at_r1(application, database, "alter table people add big bigint; update people set big = n")
    half_way(application, database)
    result = application.run("up", "--json", url=database.url())
    assert (result.code, result.error) == (4, "interrupted-revision"), result.err
    told = seen(result)
    assert "of r2, there: column public.people.big" in told
    assert "of r2, not done: index public.people.people_big" in told
    assert "r2.py:18: update people set big = n where big is null and id % 2 = 0, and 1 more" in (
        told
    )
    assert rows(database) == ["r1"]


def test_rows_that_the_index_does_not_allow(
    application: Application, server: Server, database: Database
) -> None:
    """The next start drops the invalid index by itself: what is left to do concerns the rows."""
    project(application, TWO.format(exists=""))
    with_catalogue(application, server)
    at_r1(application, database)
    database.execute("update people set u = 7 where id < 3")
    failed = application.run("up", "--json", url=database.url())
    assert (failed.code, failed.error) == (6, "revision-partly-applied"), failed.err
    assert "surefoot repair" not in next_of(failed)
    assert run_next(next_of(failed), database, application).rows == [[(7, 3)]]
    database.execute("update people set u = id")
    result = application.run("up", "--json", url=database.url())
    assert result.code == 0, result.err
    assert indexes(database) == {"people_pkey": True, "people_n": True, "people_u": True}


NOT_GONE_ON_WITH = {
    "beside": (
        CONCURRENTLY,
        "alter table people alter u type bigint",
        "the structure also differs in objects that aren't the revision's",
    ),
    "otherwise": (
        CONCURRENTLY,
        "create index people_n on people (n desc)",
        "index public.people.people_n: neither as before the revision nor as after it",
    ),
    "no trace at the end": (
        CONCURRENTLY + 'op.execute("grant select on people to public")',
        "create index people_n on people (n); drop table if exists nothing",
        "",
    ),
    "not repeatable": (
        'op.add_column("people", sa.Column("a", sa.Integer))\n' + CONCURRENTLY,
        "alter table people add a int",
        "column public.people.a: there already, and its file doesn't say IF NOT EXISTS",
    ),
    "on the way": (
        "with op.get_context().autocommit_block():\n"
        '    op.execute("create unique index concurrently people_uk on people (u)")\n'
        'op.execute("alter table people add constraint people_uc unique using index people_uk")',
        "create unique index people_uk on people (u)",
        "index public.people.people_uk is there, which its file makes only for a while",
    ),
}


@pytest.mark.parametrize("case", [c for c in NOT_GONE_ON_WITH if c != "no trace at the end"])
def test_what_is_not_provably_right_is_for_a_person(
    application: Application, server: Server, database: Database, case: str
) -> None:
    """It is told why, and nothing is changed."""
    body, there, why = NOT_GONE_ON_WITH[case]
    project(application, body)
    with_catalogue(application, server)
    at_r1(application, database, there)
    half_way(application, database)
    before = database.dump()
    result = application.run("up", "--json", url=database.url())
    assert (result.code, result.error) == (4, "interrupted-revision"), result.err
    assert why in seen(result)
    assert database.dump() == before


def test_what_leaves_no_trace_at_the_end_is_done_again(
    application: Application, server: Server, database: Database
) -> None:
    """Nobody can see whether the grant behind the index was made: both are done again."""
    body, there, _ = NOT_GONE_ON_WITH["no trace at the end"]
    project(application, body)
    with_catalogue(application, server)
    at_r1(application, database, there)
    half_way(application, database)
    result = application.run("up", "--json", url=database.url())
    assert result.code == 0, result.err
    assert done(result) == [("drop-indexes", "public.people.people_n"), ("revision", "r2")]
    assert database.query("select has_table_privilege('public', 'people', 'select')") == [(True,)]


def test_a_file_that_was_changed_since_is_for_a_person(
    application: Application, server: Server, database: Database
) -> None:
    """What the other one has done besides, nobody knows."""
    project(application, CONCURRENTLY)
    with_catalogue(application, server)
    at_r1(application, database)
    half_way(application, database)
    database.execute("update surefoot.journal set hash = 'another'")
    result = application.run("up", "--json", url=database.url())
    assert (result.code, result.error) == (4, "interrupted-revision"), result.err
    assert "its file isn't the one that was run" in seen(result)


def test_the_first_revision_of_all(
    application: Application, server: Server, database: Database
) -> None:
    """There is no version row yet, and a half-made table is nobody's evidence."""
    application.revision(
        "r1",
        None,
        body="with op.get_context().autocommit_block():\n"
        '    op.execute("create table if not exists people (id int primary key, n int)")\n'
        '    op.execute("create index concurrently people_n on people (n)")',
    )
    with_catalogue(application, server)
    database.execute("create table people (id int primary key, n int)")
    half_way(application, database, "r1")
    result = application.run("up", "--json", url=database.url())
    assert result.code == 0, result.err
    assert done(result) == [("revision", "r1")]
    assert indexes(database) == {"people_pkey": True, "people_n": True}


# --- without a catalogue


@pytest.mark.parametrize("finished", [True, False])
def test_without_a_catalogue_ones_word_is_taken(
    application: Application, database: Database, finished: bool
) -> None:
    """It's refused with what can be told, and recorded where a person names what is true."""
    project(application, CONCURRENTLY, then=True)
    at_r1(application, database)
    left_invalid(database, "create index concurrently people_n on people (n)")
    half_way(application, database)
    result = application.run("up", "--json", url=database.url())
    assert (result.code, result.error) == (4, "interrupted-revision"), result.err
    assert "invalid: index public.people.people_n" in seen(result)
    assert "drop index concurrently public.people_n" in result.json["findings"][0]["next"]
    refused = application.run("repair", "r2", "--yes", "--json", url=database.url())
    assert (refused.code, refused.error) == (4, "interrupted-revision")
    database.execute("drop index concurrently public.people_n")
    if finished:
        database.execute("create index concurrently people_n on people (n)")
    named = "r2" if finished else "r1"
    assert application.run("repair", named, url=database.url()).code == 2  # it asks
    result = application.run("repair", named, "--yes", url=database.url())
    assert result.code == 0, result.err
    assert "there is no catalogue to compare the structure with" in text(result)
    result = application.run("up", "--json", url=database.url())
    assert result.code == 0, result.err
    ran = [("revision", "r2"), ("revision", "r3")]
    assert done(result) == (ran[1:] if finished else ran)
    assert indexes(database) == {"people_pkey": True, "people_n": True}


def test_without_a_catalogue_the_first_revision_of_all(
    application: Application, database: Database
) -> None:
    """What stands for nothing applied is the word `base`."""
    application.revision("r1", None, body="op.execute('commit')\nop.execute('select 1/0')")
    assert application.run("up", "--json", url=database.url()).code in (5, 6)
    database.execute("create table own (id int)")
    half_way(application, database, "r1")
    refused = application.run("up", "--json", url=database.url())
    assert (refused.code, refused.error) == (4, "interrupted-revision")
    result = application.run("repair", "base", "--yes", url=database.url())
    assert result.code == 0, result.err
    application.revision("r1", None, "create table people (id int)")
    result = application.run("up", "--json", url=database.url())
    assert (result.code, result.error) == (4, "unversioned-database")


# --- killed


def killed(
    application: Application,
    database: Database,
    statement: str,
    *command: str,
    orphan: bool = False,
) -> None:
    """Start surefoot, and kill it when its statement (a beginning) waits for another session.
    Unless it's to be an `orphan`, the server's session is ended, too.
    """
    process = starts.start(
        *("-m", "surefoot", *(command or ("up",)), "--database-url", database.url()),
        cwd=application.root,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    waiting = (
        "select pid from pg_stat_activity where datname = current_database()"
        f" and wait_event_type = 'Lock' and query ilike '{statement}%'"
    )
    deadline = time.monotonic() + LONG
    while not (found := database.query(waiting)):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    if not orphan:
        database.query(f"select pg_terminate_backend({found[0][0]})")
        while database.query(f"select from pg_stat_activity where pid = {found[0][0]}"):
            time.sleep(0.02)


@contextmanager
def in_a_transaction(database: Database, statement: str) -> Iterator[None]:
    """Another session has done this, and has not come to its end."""
    with database.connect() as other:
        other.execute("begin isolation level repeatable read")
        other.execute(statement)  # type: ignore[arg-type]
        yield
        other.execute("rollback")


@pytest.mark.parametrize("orphan", [False, True], ids=["killed", "orphaned"])
def test_killed_while_the_index_is_made(
    application: Application, server: Server, database: Database, orphan: bool
) -> None:
    """With the server's session: made anew. Without it: it comes to its end, and is recorded."""
    project(application, CONCURRENTLY, then=True)
    with_catalogue(application, server)
    at_r1(application, database)
    with in_a_transaction(database, "insert into people values (-1)"):
        killed(application, database, "create index concurrently", orphan=orphan)
    result = application.run("up", "--json", url=database.url())
    assert result.code == 0, result.err
    dropped = ("drop-indexes", "public.people.people_n")
    expected = [("record", "r2")] if orphan else [dropped, ("revision", "r2")]
    assert done(result) == [*expected, ("revision", "r3")]
    assert indexes(database) == {"people_pkey": True, "people_n": True}


@pytest.mark.parametrize("orphan", [False, True], ids=["killed", "orphaned"])
def test_killed_while_the_invalid_index_is_dropped(
    application: Application, server: Server, database: Database, orphan: bool
) -> None:
    """It's invalid as before, or gone: either way the next start goes on."""
    project(application, CONCURRENTLY)
    with_catalogue(application, server)
    at_r1(application, database)
    with in_a_transaction(database, "insert into people values (-1)"):
        killed(application, database, "create index concurrently")
    with in_a_transaction(database, "select from people"):
        killed(application, database, "drop index concurrently", orphan=orphan)
    result = application.run("up", "--json", url=database.url())
    assert result.code == 0, result.err
    assert done(result)[-1] == ("revision", "r2")
    assert indexes(database) == {"people_pkey": True, "people_n": True}


FINISHING = """\
with op.get_context().autocommit_block():
    op.execute("alter table people add a int")
    op.execute("alter table people add constraint people_a check (a > 0)")
    op.execute("create index concurrently people_n on people (n)")
"""


@pytest.mark.parametrize("at", ["drop", "alter", "create"])
def test_killed_while_it_is_finished(
    application: Application, server: Server, database: Database, at: str
) -> None:
    """Before the transaction, in it, behind it: the same command goes on."""
    project(application, FINISHING)
    with_catalogue(application, server)
    at_r1(application, database, "alter table people add a int")
    left_invalid(database, "create index concurrently people_n on people (n)")
    half_way(application, database)
    finish = ("repair", "--finish", "--yes")
    statements = {"drop": "drop index", "alter": "alter table", "create": "create index"}
    if at != "drop":
        database.execute("drop index people_n")
    # an older snapshot holds off the index, and no ALTER TABLE
    reads = "select from pg_class" if at == "create" else "select from people"
    with in_a_transaction(database, reads):
        killed(application, database, statements[at], *finish)
    assert application.run("up", url=database.url()).code == 4
    result = application.run(*finish, "--json", url=database.url())
    assert result.code == 0, result.err
    assert done(result)[-1] == ("record", "r2")
    assert indexes(database) == {"people_pkey": True, "people_n": True}
    assert rows(database) == ["r2"]


# --- an index that was left by others


IF_NOT_EXISTS = {
    "sql": (
        "with op.get_context().autocommit_block():\n"
        "    op.execute('create index concurrently if not exists people_n on people (n)')"
    ),
    "operation": (
        "with op.get_context().autocommit_block():\n"
        '    op.create_index("people_n", "people", ["n"], if_not_exists=True,'
        " postgresql_concurrently=True)"
    ),
    "plain": CONCURRENTLY,
}


@pytest.mark.provokes("invalid-index-in-the-way")
@pytest.mark.parametrize("catalogue", [True, False], ids=["catalogue", "no catalogue"])
@pytest.mark.parametrize("said", IF_NOT_EXISTS)
@pytest.mark.follows("invalid-index-in-the-way")
def test_an_invalid_index_is_not_passed_over(
    application: Application, server: Server, database: Database, catalogue: bool, said: str
) -> None:
    """No journal tells of it, since plain Alembic was cut off; it never ends in success."""
    project(application, IF_NOT_EXISTS[said])
    if catalogue:
        with_catalogue(application, server)
    at_r1(application, database)
    left_invalid(database, "create index concurrently people_n on people (n)")
    result = application.run("up", "--json", url=database.url())
    if said == "plain" and not catalogue:
        assert result.code in (5, 6), result.err  # PostgreSQL says that it's there
        return
    assert (result.code, result.error) == (4, "invalid-index-in-the-way"), result.err
    (finding,) = result.json["findings"]
    assert steps_of(finding["next"]).sql == ("drop index concurrently public.people_n;",)
    assert indexes(database) == {"people_pkey": True, "people_n": False}
    run_next(finding["next"], database)
    result = application.run("up", url=database.url())
    assert result.code == 0, result.err
    assert indexes(database) == {"people_pkey": True, "people_n": True}


def test_a_revision_that_drops_the_invalid_index_itself(
    application: Application, database: Database
) -> None:
    """It's in nobody's way; nor is one of another schema, or of a name that nobody makes."""
    project(
        application,
        "with op.get_context().autocommit_block():\n"
        "    op.execute('drop index concurrently if exists people_n')\n"
        "    op.execute('create index concurrently if not exists people_n on people (n)')",
    )
    at_r1(application, database)
    left_invalid(database, "create index concurrently people_n on people (n)")
    database.execute(
        "create schema other; create table other.people (n int);"
        "create index people_n on other.people (n); create index own_u on people (u);"
        "update pg_index set indisvalid = false"
        " where indexrelid in ('other.people_n'::regclass, 'own_u'::regclass)"
    )
    result = application.run("up", url=database.url())
    assert result.code == 0, result.err
    assert indexes(database) == {"people_pkey": True, "people_n": True}
