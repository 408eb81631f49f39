"""Run the whole history on a scratch database, and look after each revision."""

import contextlib
from collections.abc import Callable, Generator, Iterator, Mapping
from typing import Any, Protocol

import msgspec
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from surefoot.alembic_env.connection import same_database
from surefoot.alembic_env.environment import Environment, upgrade_steps
from surefoot.alembic_env.loading import ApplicationFailed, wrap_app_errors
from surefoot.alembic_env.looking import Looking, Row, savepoint
from surefoot.alembic_env.raised import describe
from surefoot.alembic_env.recording import (
    candidates,
    execute,
    recorded,
    search_path,
    with_search_path,
)
from surefoot.alembic_env.tenant import Outside
from surefoot.alembic_env.upgrade import RevisionFailed
from surefoot.catalogue.catalogue import DownStatement
from surefoot.decision.facts import ServerInfo, VersionTableName
from surefoot.diagnosis.names import literal
from surefoot.model.history import Revision


class Watching(Protocol):
    """Follows a replay. `same` says whether two looks saw the same structure."""

    def begin(self, revision: Revision) -> None: ...
    def end(self, revision: Revision, rows: list[Row]) -> None: ...
    def probe_failed(self, revision: Revision, why: str) -> None: ...
    def tried(self, revision: Revision, attempt: "Attempt") -> None: ...
    def same(self, one: list[Row], other: list[Row]) -> bool: ...


Same = Callable[[list[Row], list[Row]], bool]


class Attempt(msgspec.Struct):
    """The result of a downgrade(): its version rows if it ended, otherwise `failure` in a word.

    `untried`: it ends the transaction, or PostgreSQL forbids it in its upgrade's (`failure`).
    `statements` are those that it executed; None if they can't be repeated without its code.
    `again` is the effect of its upgrade after it, if that differs from the first time.
    """

    rows: list[Row] | None = None
    failure: str = ""
    untried: bool = False
    statements: list[DownStatement] | None = None
    again: str = ""


class Ruined(Exception):
    """A downgrade has ruined the scratch database, so it can't be used any more."""

    def __init__(self, revision: Revision, attempt: Attempt) -> None:
        self.revision, self.attempt = revision, attempt
        super().__init__(revision.id)


# A new enum value that is used, events of triggers that are pending, a second connection that waits
# for what the upgrade has locked, a statement that must be alone: impossible in its transaction,
# but perhaps possible in a separate transaction.
_ABORTED = "SQLSTATE 25P02"
_ONLY_TOGETHER = ("55P04", "55006", "55P03", "25001")


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
    probes: Mapping[str, str] | None = None,
) -> None:
    """Upgrade to the heads; `watching` gets each revision, with the structure after it.

    With `wanted` (which includes the parents of each), only these revisions are run. In one run of
    env.py, or (`one_by_one`) in one for each revision. With `downgrades`, each revision's
    downgrade() is tested and rolled back, except for those `passed_over`. `probes` are evidence
    probes, each executed once its revision has run. Raises RevisionFailed,
    Ruined, or SurefootError if env.py itself fails.
    """
    looking = Looking(version_table)
    running: Revision | None = None
    at_end = False
    keywords: dict[str, Any] = {}
    more = True
    path = ""
    outside: Outside | None = None

    def steps(heads: Any, context: Any) -> Iterator[Any]:
        nonlocal running, at_end, more, path, outside
        path = search_path(context.connection)
        tenant = environment.tenant
        outside = None if tenant is None else Outside(tenant, context.connection)
        found = [
            step
            for step in upgrade_steps(context, heads)
            if wanted is None or step.revision.revision in wanted
        ]
        more = len(found) > 1 and one_by_one
        for step in found[:1] if one_by_one else found:
            running, at_end = environment.revision(step.revision), False
            watching.begin(running)
            step.migration_fn = _keeping(environment.upgrade_of(step), keywords)
            yield step
        at_end = True

    def applied(*, ctx: Any, step: Any, **_: Any) -> None:
        nonlocal at_end
        assert running is not None
        if environment.tenant is not None and outside is not None:
            environment.tenant.schema(ctx)
            outside.require_unchanged(ctx.connection, running.id)
        watching.end(running, looking.rows(ctx.connection))
        probe = (probes or {}).get(running.id)
        if probe is not None and (why := _why_not(ctx.connection, probe)):
            watching.probe_failed(running, why)
        if downgrades and running.id not in passed_over:
            module = environment.module(running.id)
            watching.tried(
                running, _try(ctx, running, module, keywords, looking, path, watching.same)
            )
        at_end = True

    while more:
        more = False
        try:
            with wrap_app_errors(environment.root):
                environment.run(
                    steps, lambda context: same_database(context, server), applied, keep=one_by_one
                )
        except ApplicationFailed as failed:
            cause = failed.__cause__
            if isinstance(cause, Ruined):
                raise cause from None
            if running is None or cause is None:
                raise
            raise RevisionFailed(running, cause, environment.root, at_end=at_end) from cause


def _keeping(migrate: Callable[..., None], keywords: dict[str, Any]) -> Any:
    """Wrap the revision's upgrade(), and keep its arguments for its downgrade()."""

    def keeping(**given: Any) -> None:
        keywords.clear()
        keywords.update(given)
        migrate(**given)

    return keeping


def _why_not(connection: Any, probe: str) -> str:
    """Return why an evidence probe can't be executed; "" if it can be.

    The cursor takes one query and nothing else, as where it is executed later. PL/pgSQL's also does
    with a driver that sends several statements at once.
    """
    body = f"""declare c refcursor; begin open c for execute {literal(probe)}; move next from c;
        close c; end"""
    try:
        with savepoint(connection, "surefoot_probe"):
            execute(connection, f"do language plpgsql {literal(body)}")
    except DBAPIError as error:
        return describe(error)[0]
    return ""


def _try(
    context: Any,
    revision: Revision,
    module: Any,
    keywords: dict[str, Any],
    looking: Looking,
    path: str,
    same: Same,
) -> Attempt:
    """Run a downgrade after its upgrade, look, and roll it back."""
    attempt = Attempt()
    downgrade = getattr(module, "downgrade", None)
    if downgrade is None:
        return Attempt(failure="there is none")
    committed = Ruined(revision, Attempt(untried=True, failure="it commits by itself"))
    connection = context.connection
    try:
        with savepoint(connection, "surefoot_down"):
            before = _transaction(connection)
            with recorded(connection) as recording, _no_autocommit(context):
                try:
                    downgrade(**keywords)
                except _EndsTransaction:
                    attempt.untried = True
                except (Exception, SystemExit) as error:  # noqa: BLE001 (the application's own: it's told)
                    attempt.failure = in_a_word(error)
                    # not by itself: only in one transaction with its upgrade
                    attempt.untried = attempt.failure.endswith(_ONLY_TOGETHER)
            if not (attempt.untried or attempt.failure):
                if _transaction(connection) != before:
                    raise committed
                attempt.rows = looking.rows(connection)
        if attempt.rows is not None and recording.complete:
            attempt.statements = _repeatable(
                connection, recording.statements, attempt.rows, looking, path, same
            )
    except DBAPIError as error:
        if in_a_word(error) == _ABORTED:  # it swallowed an error
            return Attempt(failure=_ABORTED)
        raise committed from error
    return attempt


def _repeatable(
    connection: Any,
    statements: list[DownStatement],
    rows: list[Row],
    looking: Looking,
    path: str,
    same: Same,
) -> list[DownStatement] | None:
    """Return the statements if they have the same effect without their code, otherwise None.

    They run with the search path that the connection had at first, as on a later connection.
    """
    for candidate in candidates(connection, statements):
        try:
            with (
                savepoint(connection, "surefoot_again"),
                with_search_path(connection, path, local=True),
            ):
                for statement in candidate:
                    execute(connection, statement.sql)
                if same(looking.rows(connection), rows):
                    # one transaction, as in the test, even if the connection is in autocommit
                    return [DownStatement(statement.sql) for statement in candidate]
        except DBAPIError:
            continue  # it failed and was rolled back: these aren't the statements
    return None


def _transaction(connection: Any) -> str:
    statement = "select pg_catalog.pg_current_xact_id()::text"
    return str(connection.execute(text(statement)).scalar())


@contextlib.contextmanager
def _no_autocommit(context: Any) -> Generator[None, None, None]:
    """Refuse an autocommit_block, which would end the transaction that rolls the downgrade back."""

    @contextlib.contextmanager
    def refused() -> Generator[None, None, None]:
        raise _EndsTransaction
        yield

    context.autocommit_block = refused
    try:
        yield
    finally:
        del context.autocommit_block


def in_a_word(error: BaseException) -> str:
    """Return the name of the SQLSTATE or of the exception: the same on every server."""
    original: Any = getattr(error, "orig", None) or error
    state = getattr(original, "sqlstate", None) or getattr(original, "pgcode", None)
    return f"SQLSTATE {state}" if state else type(error).__name__
