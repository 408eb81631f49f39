"""Run the whole history on a scratch database, and look behind each revision."""

import contextlib
from collections.abc import Callable, Generator, Iterator
from typing import Any, Protocol

import msgspec
from sqlalchemy import event, text
from sqlalchemy.exc import DBAPIError

from surefoot.application.connection import same_database
from surefoot.application.environment import Environment, upgrade_steps
from surefoot.application.loading import ApplicationFailed, told_as_the_applications
from surefoot.application.looking import Looking, Row, savepoint
from surefoot.application.steps import plain
from surefoot.application.upgrade import RevisionFailed
from surefoot.history import Revision
from surefoot.observation import ServerInfo, VersionTableName


class Watching(Protocol):
    """Who follows a replay."""

    def begin(self, revision: Revision) -> None: ...
    def end(self, revision: Revision, rows: list[Row]) -> None: ...
    def tried(self, revision: Revision, attempt: "Attempt") -> None: ...


class Attempt(msgspec.Struct):
    """What a downgrade() did: its rows if it came to its end, else `failure` in a word.

    `untried`: it ends the transaction, or PostgreSQL forbids it in its upgrade's (`failure`).
    `statements` are what it executed; None if they can't be executed again without its code.
    """

    rows: list[Row] | None = None
    failure: str = ""
    untried: bool = False
    statements: list[str] | None = None


class DowngradeCommitted(Exception):
    """A downgrade committed by itself: the scratch database is of no further use."""

    def __init__(self, revision: str) -> None:
        self.revision = revision
        super().__init__(revision)


# A new enum value that is used, events of triggers that are pending, a second connection that waits
# for what the upgrade has locked: impossible in its transaction, and fine in one of its own.
_ABORTED = "SQLSTATE 25P02"
_ONLY_TOGETHER = ("55P04", "55006", "55P03")


class _EndsTransaction(Exception):
    pass


def replay(
    environment: Environment,
    *,
    server: ServerInfo,
    version_table: VersionTableName,
    watching: Watching,
    one_by_one: bool = False,
    downgrades: bool = False,
    passed_over: frozenset[str] = frozenset(),
    wanted: frozenset[str] | None = None,
) -> None:
    """Upgrade to the heads; `watching` is told of each revision, with the structure behind it.

    With `wanted` (which holds what each of them needs), only these revisions are run. In one run of
    env.py, or (`one_by_one`) in one for each revision. With `downgrades`, each revision's
    downgrade() is tried and taken back, but for those `passed_over`. Raises RevisionFailed,
    DowngradeCommitted, or SurefootError where env.py itself fails.
    """
    looking = Looking(version_table)
    running: Revision | None = None
    at_end = False
    keywords: dict[str, Any] = {}
    more = True

    def steps(heads: Any, context: Any) -> Iterator[Any]:
        nonlocal running, at_end, more
        found = [
            step
            for step in upgrade_steps(context, heads)
            if wanted is None or step.revision.revision in wanted
        ]
        more = len(found) > 1 and one_by_one
        for step in found[:1] if one_by_one else found:
            running, at_end = environment.revision(step.revision), False
            watching.begin(running)
            step.migration_fn = _keeping(step.migration_fn, keywords)
            yield step
        at_end = True

    def applied(*, ctx: Any, step: Any, **_: Any) -> None:
        nonlocal at_end
        assert running is not None
        watching.end(running, looking.rows(ctx.connection))
        if downgrades and running.id not in passed_over:
            module = environment.module(running.id)
            watching.tried(running, _try(ctx, running, module, keywords, looking))
        at_end = True

    while more:
        more = False
        try:
            with told_as_the_applications(environment.root):
                environment.run(steps, lambda context: same_database(context, server), applied)
        except ApplicationFailed as failed:
            cause = failed.__cause__
            if isinstance(cause, DowngradeCommitted):
                raise cause from None
            if running is None or cause is None:
                raise
            raise RevisionFailed(running, cause, environment.root, at_end=at_end) from cause


def _keeping(migrate: Callable[..., None], keywords: dict[str, Any]) -> Any:
    """The revision's upgrade(); what it's called with is kept for its downgrade()."""

    def keeping(**given: Any) -> None:
        keywords.clear()
        keywords.update(given)
        migrate(**given)

    return keeping


def _try(
    context: Any, revision: Revision, module: Any, keywords: dict[str, Any], looking: Looking
) -> Attempt:
    """Run a downgrade behind its upgrade, look, and take it back."""
    attempt = Attempt()
    downgrade = getattr(module, "downgrade", None)
    if downgrade is None:
        return Attempt(failure="there is none")
    connection = context.connection
    try:
        with savepoint(connection, "surefoot_down"):
            before = _transaction(connection)
            with _recorded(connection) as statements, _no_autocommit(context):
                try:
                    downgrade(**keywords)
                except _EndsTransaction:
                    attempt.untried = True
                except (Exception, SystemExit) as error:  # noqa: BLE001 (the application's own: it's told)
                    attempt.failure = _in_a_word(error)
                    # not by itself, only behind its upgrade in one transaction
                    attempt.untried = attempt.failure.endswith(_ONLY_TOGETHER)
            if not (attempt.untried or attempt.failure):
                if _transaction(connection) != before:
                    raise DowngradeCommitted(revision.id)
                attempt.rows = looking.rows(connection)
        if attempt.rows is not None and None not in statements:
            attempt.statements = _repeatable(connection, statements, attempt.rows, looking)
    except DBAPIError as error:
        if _in_a_word(error) == _ABORTED:  # it kept a failure to itself
            return Attempt(failure=_ABORTED)
        raise DowngradeCommitted(revision.id) from error
    return attempt


def _repeatable(
    connection: Any, statements: list[str | None], rows: list[Row], looking: Looking
) -> list[str] | None:
    """The statements, if they do the same without their code; None if they don't.

    Some drivers are given each % twice, and a driver's own cursor is not seen: so it's tried.
    """
    recorded = [statement for statement in statements if statement is not None]
    for candidate in (recorded, [statement.replace("%%", "%") for statement in recorded]):
        try:
            with savepoint(connection, "surefoot_again"):
                for statement in candidate:
                    connection.execute(plain(statement))
                if looking.rows(connection) == rows:
                    return candidate
        except DBAPIError:
            continue  # it failed, and was taken back: these aren't the statements
    return None


def _transaction(connection: Any) -> str:
    statement = "select pg_catalog.pg_current_xact_id()::text"
    return str(connection.execute(text(statement)).scalar())


@contextlib.contextmanager
def _no_autocommit(context: Any) -> Generator[None, None, None]:
    """An autocommit_block would end the transaction that takes the downgrade back."""

    @contextlib.contextmanager
    def refused() -> Generator[None, None, None]:
        raise _EndsTransaction
        yield

    context.autocommit_block = refused
    try:
        yield
    finally:
        del context.autocommit_block


@contextlib.contextmanager
def _recorded(connection: Any) -> Generator[list[str | None], None, None]:
    """Every statement that is executed meanwhile; None for one that needs its code.

    That is: one with parameters, or one whose answer may decide what comes next.
    """
    statements: list[str | None] = []

    def executed(*arguments: Any) -> None:
        cursor, statement, parameters = arguments[1], str(arguments[2]).strip(), arguments[3]
        answers = cursor.description is not None
        statements.append(None if parameters or answers else statement)

    event.listen(connection, "after_cursor_execute", executed)
    try:
        yield statements
    finally:
        event.remove(connection, "after_cursor_execute", executed)


def _in_a_word(error: BaseException) -> str:
    """The SQLSTATE's name or the exception's: the same on every server."""
    original: Any = getattr(error, "orig", None) or error
    state = getattr(original, "sqlstate", None) or getattr(original, "pgcode", None)
    return f"SQLSTATE {state}" if state else type(error).__name__
