"""Downgrades that committed a part of themselves: said by every command, and never done twice."""

import time
from pathlib import Path

import pytest

from surefoot.postgres.embedded import Server
from tests.quick import quick
from tests.support.database import Database
from tests.support.going_down import R1, R2, R3, older, text, up, with_catalogue
from tests.support.midway import going_back
from tests.support.next_steps import next_of, run_next, steps_of
from tests.support.project import Application, Result

ACCOUNTS = "create table accounts (id int primary key, balance int)"
BALANCE = "select balance from accounts"

# The rows are committed; then the column's table is waited for.
BY_STATEMENTS = """\
with op.get_context().autocommit_block():
    op.execute("update accounts set balance = balance + 1")
op.drop_column("others", "more")
"""

# A parameter can't be recorded, so the file is needed.
BY_CODE = """\
import os, signal
with op.get_context().autocommit_block():
    op.get_bind().execute(sa.text("update accounts set balance = balance + :n"), dict(n=1))
if os.environ.get("END") == "fail":
    raise RuntimeError("no")
if os.environ.get("END") == "kill":
    os.kill(os.getpid(), signal.SIGKILL)
op.drop_column("others", "more")
"""

DOWN = ("down", "--to", R1, "--yes", "--accept-data-loss")


def bank(application: Application, downgrade: str, server: Server, database: Database) -> None:
    """At head, with an account of 100."""
    others = "create table others (id int primary key)"
    application.revision(R1, None, ACCOUNTS, others, downgrade="op.drop_table('accounts')")
    application.revision(R2, R1, "alter table others add more int", downgrade=downgrade)
    with_catalogue(application, server)
    up(application, database)
    database.execute("insert into accounts values (1, 100)")


@pytest.fixture
def by_statements(application: Application, server: Server, database: Database) -> Application:
    """A way back by recorded statements, killed after the first, which changed rows alone."""
    bank(application, BY_STATEMENTS, server, database)
    with database.connect() as other:
        other.execute("begin")
        other.execute("select * from others")
        down = going_back(application, database)
        deadline = time.monotonic() + 60
        while database.query(BALANCE) != [(101,)] or not waits(database):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        down.kill()
        other.execute("commit")
    return application


def waits(database: Database) -> bool:
    """Whether the second statement waits: what the first has done is in the journal."""
    waiting = (
        "select count(*) from pg_stat_activity where datname = current_database()"
        " and wait_event_type = 'Lock' and query ilike 'alter table others drop column%'"
    )
    return database.query(waiting) == [(1,)]


def refused(application: Application, database: Database, *command: str) -> Result:
    result = application.run(*command, "--json", url=database.url())
    assert (result.code, result.error) == (4, "interrupted-revision"), result.out + result.err
    return result


def test_rows_alone_are_half_of_it(by_statements: Application, database: Database) -> None:
    """The structure is still head's: every command says so all the same, and names the way on."""
    for command in ("status", "plan", "up", "up"):
        result = refused(by_statements, database, command)
        assert f"Undoing {R2} was interrupted" in text(result) + result.out
        assert steps_of(next_of(result)).lines == (f"surefoot down --to {R1}",)
        assert not quick(by_statements, database.url()).startswith("nothing to do")
    for command in (("adopt",), ("adopt", R2), ("repair",), ("repair", "--finish"), ("cleanup",)):
        refused(by_statements, database, *command, "--yes")
    assert by_statements.run(*DOWN, url=database.url()).code == 0
    assert database.query(BALANCE) == [(101,)]
    up(by_statements, database)


def test_an_older_image_goes_on_with_it(
    by_statements: Application, database: Database, tmp_path: Path, server: Server
) -> None:
    image = older(by_statements, tmp_path / "older", R2, server=server)
    refused(image, database, "up")
    result = image.run(*DOWN, "--trust-journal", url=database.url())
    assert result.code == 0, result.err
    assert database.query(BALANCE) == [(101,)]
    up(image, database)


@pytest.mark.parametrize("end", ["fail", "kill"])
@pytest.mark.parametrize("person", ["finishes", "reverses"])
def test_a_downgrade_by_its_code_takes_a_person(
    application: Application, database: Database, server: Server, end: str, person: str
) -> None:
    """Nothing shows how far it came. What a person says is recorded, and lifts the mark."""
    bank(application, BY_CODE, server, database)
    failed = application.run(*DOWN, "--json", url=database.url(), env={"END": end})
    assert (failed.code, database.query(BALANCE)) == (6, [(101,)]), failed.err
    assert failed.error == "revision-partly-applied"
    ways = (f"surefoot repair {R1}", f"surefoot repair {R2}")
    if end == "fail":
        assert steps_of(next_of(failed)).lines == ways
    else:
        assert steps_of(next_of(failed)).lines == ("surefoot status",)
    for command in (("status",), ("up",), DOWN):
        result = refused(application, database, *command)
        assert steps_of(next_of(result)).lines == ways
    assert database.query(BALANCE) == [(101,)]
    if person == "finishes":
        database.execute("alter table others drop column more")
        run_next(next_of(result), database, application, only=ways[0])
        assert database.query("select version_num from alembic_version") == [(R1,)]
    else:
        database.execute("update accounts set balance = 100")
        run_next(next_of(result), database, application, only=ways[1])
        assert application.run(*DOWN, url=database.url()).code == 0
    up(application, database)
    assert database.query(BALANCE) == [(101,)]


def test_what_a_person_says_must_be_so(
    application: Application, database: Database, tmp_path: Path, server: Server
) -> None:
    """The structure must be that of the row; the older image can say that it is undone."""
    bank(application, BY_CODE, server, database)
    failed = application.run(*DOWN, url=database.url(), env={"END": "fail"})
    assert failed.code == 6
    image = older(application, tmp_path / "older", R2, server=server)
    for one in (application, image):
        result = one.run("repair", R1, "--yes", "--json", url=database.url())
        assert (result.code, result.error) == (4, "unidentified-structure"), result.err
    database.execute("alter table others drop column more")
    result = refused(image, database, *DOWN)
    run_next(next_of(result), database, image, only=f"surefoot repair {R1}")
    up(application, database)
    assert database.query(BALANCE) == [(101,)]


HALF = """\
import os
with op.get_context().autocommit_block():
    op.execute("update accounts set balance = balance * 2")
if os.environ.get("END"):
    raise RuntimeError("no")
op.execute("create table third (id int)")
"""


@pytest.fixture
def newer(application: Application, server: Server, database: Database) -> Application:
    """The newest revision has doubled the account, and failed."""
    application.revision(R1, None, ACCOUNTS, downgrade="op.drop_table('accounts')")
    second = "create table second (id int)"
    application.revision(R2, R1, second, downgrade="op.drop_table('second')")
    application.revision(R3, R2, body=HALF, downgrade="op.drop_table('third')")
    with_catalogue(application, server)
    application.alembic("upgrade", R2, url=database.url("postgresql+psycopg"))
    database.execute("insert into accounts values (1, 100)")
    assert application.run("up", url=database.url(), env={"END": "1"}).code == 6
    return application


def test_an_older_image_writes_nothing_over_a_newer_mark(
    newer: Application, database: Database, tmp_path: Path, server: Server
) -> None:
    """Its seeds may run, and it starts; whatever would hide that a revision is half-way is refused,
    and the newer image doesn't run it again.
    """
    image = older(newer, tmp_path / "older", R3, server=server)
    image.config('seeds = ["seed.sql"]\n')
    image.write("seed.sql", "select 1;\n")
    up(image, database)
    up(image, database)
    for command in (
        ("down", "--to", R1),
        ("adopt",),
        ("adopt", R1, "--accept-difference"),
        ("repair",),
        ("repair", R1, "--accept-difference"),
        ("repair", "--undo"),
        ("cleanup",),
    ):
        result = refused(image, database, *command, "--yes")
        assert steps_of(next_of(result)).lines == ("surefoot up", f"surefoot repair {R2}")
    refused(newer, database, "up")
    refused(newer, database, "down", "--to", R1, "--yes")
    assert database.query(BALANCE) == [(200,)]
    # what a person has undone by hand, any image may record
    database.execute("update accounts set balance = 100")
    assert image.run("repair", R2, "--yes", url=database.url()).code == 0
    up(newer, database)
    assert database.query(BALANCE) == [(200,)]


def test_a_row_about_another_revision_settles_nothing(
    newer: Application, database: Database
) -> None:
    """Whichever program wrote it."""
    columns = "run, history, step, name, parents, direction, milliseconds, host, surefoot"
    for step, name, parents in (
        ("reached", R2, ""),
        ("down", R2, R1),
        ("revision", R2, R1),
        ("seed", "s", ""),
    ):
        database.execute(
            f"insert into surefoot.journal ({columns}) select run, history, '{step}', '{name}',"
            f" '{parents}', direction, 0, host, surefoot from surefoot.journal limit 1"
        )
        refused(newer, database, "up")
