"""Record what a downgrade executes, to execute it again without its code."""

import contextlib
import itertools
import re
from collections import Counter
from collections.abc import Generator, Iterable
from typing import Any

from psycopg import sql
from sqlalchemy import event, text
from sqlalchemy.engine import Engine

from surefoot.alembic_env.connection import untouched
from surefoot.alembic_env.driver import driver_of, is_idle
from surefoot.alembic_env.steps import word_for_word
from surefoot.catalogue.catalogue import DownStatement

# Statements among which a transaction begins or ends can't be placed in another one.
_TRANSACTION = re.compile(
    r"(?:^|;)(?:\s|--[^\n]*\n|/\*.*?\*/)*(?:begin|start\s+transaction|commit|end|abort|prepare\s+transaction"
    r"|rollback(?!\s+(?:work\s+|transaction\s+)?to\b))\b",
    re.IGNORECASE | re.DOTALL,
)
# The driver's own question when SQLAlchemy enters and leaves autocommit.
_DRIVERS_OWN = re.compile(r"\s*show\s", re.IGNORECASE)


class Recording:
    """The statements in their order; `complete` only if nothing else was done."""

    def __init__(self) -> None:
        self.statements: list[DownStatement] = []
        self.complete = True


@contextlib.contextmanager
def recorded(connection: Any) -> Generator[Recording, None, None]:
    """Record what is executed in the block.

    Anything that can't be repeated makes it incomplete: parameters, an answer that may decide what
    comes next, the beginning or end of a transaction as text, another connection, a cursor of the
    driver's own.
    """
    found = Recording()
    own = driver_of(connection)
    heard: Counter[str] = Counter()

    def executed(*arguments: Any) -> None:
        cursor, statement, parameters = arguments[1], str(arguments[2]), arguments[3]
        heard[statement] += 1
        if (
            driver_of(arguments[0]) is not own
            or parameters
            or cursor.description is not None
            or _TRANSACTION.search(statement)
        ):
            found.complete = False
        else:
            found.statements.append(DownStatement(statement.strip(), is_idle(own)))

    event.listen(Engine, "after_cursor_execute", executed)
    try:
        with _cursors(own) as sent:
            yield found
    finally:
        event.remove(Engine, "after_cursor_execute", executed)
    if any(not _DRIVERS_OWN.match(statement) for statement in sent - heard):
        found.complete = False


@contextlib.contextmanager
def _cursors(driver: Any) -> Generator[Counter[str], None, None]:
    """Record what the driver's cursors are given, both SQLAlchemy's and the revision's own.

    If the driver offers a hook: psycopg2 and psycopg do.
    """
    sent: Counter[str] = Counter()
    if not hasattr(driver, "cursor_factory"):
        yield sent
        return
    former = driver.cursor_factory
    base: type[Any] = former or type(driver.cursor())  # pyright: ignore[reportUnknownVariableType]

    def noting(name: str) -> Any:
        def note(self: Any, statement: Any = "", *arguments: Any, **keywords: Any) -> Any:
            told = statement.decode() if isinstance(statement, bytes) else str(statement)
            sent[told] += 1
            return getattr(base, name)(self, statement, *arguments, **keywords)

        return note

    names = ("execute", "executemany", "copy", "copy_expert", "copy_from", "callproc")
    own = {name: noting(name) for name in names if hasattr(base, name)}
    driver.cursor_factory = type("Noting", (base,), own)
    try:
        yield sent
    finally:
        driver.cursor_factory = former


def execute(connection: Any, statement: str) -> None:
    """Execute one recorded statement unchanged."""
    word_for_word(connection, statement)


def candidates(connection: Any, statements: list[DownStatement]) -> list[list[DownStatement]]:
    """Return what the server may have been given, the likeliest first: some drivers double each %.

    Not if they are told that there are no parameters: then the statement is executed as it is.
    """
    if connection.dialect.paramstyle not in ("format", "pyformat"):
        return [statements]
    single = [DownStatement(s.sql.replace("%%", "%"), s.alone) for s in statements]
    return [single] if single == statements else [single, statements]


def repeat(context: Any, statements: Iterable[DownStatement]) -> None:
    """Execute the statements as they were: in Alembic's transaction, or outside of it."""
    for alone, together in itertools.groupby(statements, key=lambda s: s.alone):
        with context.autocommit_block() if alone else contextlib.nullcontext():
            for statement in together:
                execute(context.connection, statement.sql)


def search_path(connection: Any) -> str:
    """Return the connection's current search path."""
    statement = "select pg_catalog.current_setting('search_path')"
    with untouched(connection) as reading:
        return str(reading.execute(text(statement)).scalar())


@contextlib.contextmanager
def with_search_path(connection: Any, path: str, *, local: bool) -> Generator[None, None, None]:
    """Use this search path, not one that an earlier revision has set.

    `local`: until the end of the transaction, or of the savepoint.
    """
    now = search_path(connection)
    if now != path:
        set_search_path(connection, path, local=local)
    yield
    if not local and search_path(connection) != now:
        set_search_path(connection, now, local=local)


def set_search_path(connection: Any, path: str, *, local: bool) -> None:
    """Set the search path until the end of the transaction (`local`) or of the session."""
    statement = sql.SQL("select pg_catalog.set_config('search_path', {}, {})").format(
        sql.Literal(path), sql.Literal(local)
    )
    execute(connection, statement.as_string(None))
