"""What a revision costs beside its own work: statements, each of which is a round trip.

Counted in the server's log, so no clock has a part in it.
"""

import re
from pathlib import Path

import pytest

from surefoot.postgres.turn import CLASS, LOCK
from tests.support.database import Database, fresh_database
from tests.support.project import ASYNC_ENV, SYNC_ENV, Application

DRIVERS = ("postgresql+psycopg", "postgresql+psycopg2", "postgresql+asyncpg")
MODES = {"one transaction": "", "each": "transaction_per_migration=True"}

_FEW, _MANY = 3, 8
_ENTRY = re.compile(r"^\S+ \S+ \S+ \[(\d+)\] ", re.MULTILINE)
_SENT = re.compile(r"LOG:  (?:statement|execute [^:]*): (.*)", re.DOTALL)


def _history(application: Application, length: int) -> None:
    for number in range(length):
        down = f"r{number - 1}" if number else None
        application.revision(f"r{number}", down, f"create table t{number} (id int)")


def _sessions(database: Database, log: Path, start: int) -> dict[str, list[str]]:
    """The statements that were sent from this place in the log on, by server process."""
    with log.open("rb") as file:
        file.seek(start)
        text = file.read().decode(errors="replace")
    pieces = _ENTRY.split(text)[1:]
    found: dict[str, list[str]] = {}
    for pid, entry in zip(pieces[::2], pieces[1::2], strict=True):
        sent = _SENT.match(entry)
        if sent is not None:
            found.setdefault(pid, []).append(sent[1])
    return found


def _with(words: str, sessions: dict[str, list[str]]) -> list[str]:
    """All statements of the one session that has sent these words."""
    (found,) = (all for all in sessions.values() if any(words in one for one in all))
    return found


def _sent(database: Database, application: Application, driver: str) -> tuple[int, int]:
    """How many statements `up` sends on the application's connection, and on the lock's."""
    database.execute(f"alter database {database.name} set log_statement = 'all'")
    log = database.server._log  # pyright: ignore[reportPrivateUsage]
    start = log.stat().st_size
    result = application.run("up", url=database.url(driver))
    assert result.code == 0, result.err
    sessions = _sessions(database, log, start)
    application_s = _with("create table if not exists surefoot.journal", sessions)
    lock_s = _with(f"pg_try_advisory_xact_lock({CLASS}::int, {LOCK}::int)", sessions)
    return len(application_s), len(lock_s)


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize(
    ("mode", "on_the_applications", "on_the_locks"),
    [
        # the statement that ends the revision before and begins this one; the revision's own
        # statement; the version row. On the lock's: the question that names the revision.
        ("one transaction", 1 + 1 + 1, 1),
        # BEGIN, the mark, the revision's own statement, the version row, the end, COMMIT. On the
        # lock's: whether it is there, before the commit; whether that was committed, after it,
        # which names the next revision.
        ("each", 6, 2),
    ],
)
def test_statements_of_a_revision(
    application: Application,
    database: Database,
    driver: str,
    mode: str,
    on_the_applications: int,
    on_the_locks: int,
) -> None:
    """One statement more for each revision, on either connection, and this fails."""
    pytest.importorskip(driver.partition("+")[2])
    application.env(ASYNC_ENV if "asyncpg" in driver else SYNC_ENV, MODES[mode])
    _history(application, _FEW)
    few = _sent(database, application, driver)
    _history(application, _MANY)
    with fresh_database(database.server, database.pg_bin) as other:
        many = _sent(other, application, driver)
    more = _MANY - _FEW
    grown = [(b - a) / more for a, b in zip(few, many, strict=True)]
    assert grown == [on_the_applications, on_the_locks]


def test_the_account_is_sent_with_the_next_revision(
    application: Application, database: Database
) -> None:
    """Of revisions in one transaction: one mark, one end, and between two the one statement."""
    _history(application, _FEW)
    database.execute(f"alter database {database.name} set log_statement = 'all'")
    log = database.server._log  # pyright: ignore[reportPrivateUsage]
    start = log.stat().st_size
    assert application.run("up", url=database.url()).code == 0
    sent = _with("create table if not exists surefoot.journal", _sessions(database, log, start))
    account = [
        one.split(maxsplit=1)[0] if "surefoot.journal" in one else ""
        for one in (re.sub(r"--[^\n]*\n", "", one) for one in sent)
        if "'begun'" in one
    ]
    assert account == ["insert", *["with"] * (_FEW - 1), "update"]
