"""Run revisions through the application's env.py, up or down, and account for each."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Engine

from surefoot.application.connection import same_database
from surefoot.application.environment import Environment, upgrade_steps
from surefoot.application.loading import (
    ApplicationFailed,
    place,
    told_as_the_applications,
)
from surefoot.application.raised import cause_of, describe
from surefoot.application.running import Running
from surefoot.application.steps import require_same
from surefoot.application.undoing import Checking, undoing_steps
from surefoot.guards import RequirementNotMet
from surefoot.history import Revision
from surefoot.observation import ServerInfo
from surefoot.progress import Progress
from surefoot.structure.reversal import Reversal
from surefoot.structure.way_back import Undo


class RevisionFailed(Exception):
    """A revision's own code, or the database on its behalf, raised.

    `cause` is what PostgreSQL said, if it was it. `at_end`: all of its statements had run; it was
    the commit, or what env.py does after it. `lack`: what a guard of the revision didn't find, if
    that is why.
    """

    def __init__(
        self, revision: Revision, error: BaseException, root: Path, *, at_end: bool
    ) -> None:
        self.revision = revision
        self.file = place(error, root) or revision.path
        self.lines = describe(error)
        self.cause = cause_of(error)
        self.lost = bool(getattr(error, "connection_invalidated", False))
        self.at_end = at_end
        self.lack = error.lack if isinstance(error, RequirementNotMet) else None
        super().__init__(revision.id)


Steps = Callable[[Any, Any], list[tuple[Revision, Any]]]
"""From the version rows and Alembic's context to revisions, each with Alembic's step of it."""


def upgrade(
    environment: Environment,
    revisions: tuple[Revision, ...],
    *,
    server: ServerInfo,
    running: Running,
    at: Callable[[str], None],
    progress: Progress,
) -> None:
    """Run these revisions. For the rest see `_migrate`."""

    def steps(heads: Any, context: Any) -> list[tuple[Revision, Any]]:
        found = upgrade_steps(context, heads)
        require_same(revisions, found)
        return list(zip(revisions, found, strict=True))

    _migrate(environment, steps, "revision", None, server, running, at, progress)


def downgrade(
    environment: Environment,
    undo: tuple[Undo, ...],
    staying: tuple[Reversal, ...],
    checking: Checking,
    *,
    server: ServerInfo,
    running: Running,
    at: Callable[[str], None],
    progress: Progress,
) -> None:
    """Take these revisions back, in this order; `staying` have no file either, and stay. `checking`
    looks before and behind each, in its transaction. For the rest see `_migrate`.
    """

    def steps(heads: Any, context: Any) -> list[tuple[Revision, Any]]:
        return undoing_steps(context, undo, staying, running, checking)

    _migrate(environment, steps, "down", checking, server, running, at, progress)


def _migrate(
    environment: Environment,
    steps_of: Steps,
    kind: str,
    checking: Checking | None,
    server: ServerInfo,
    running: Running,
    at: Callable[[str], None],
    progress: Progress,
) -> None:
    """Run revisions through env.py, in one run, with its own transaction settings.

    `running` keeps account of them. `at` gets the revision that is run, where it begins and before
    every commit on the application's connection, one in the middle of a revision too; what it
    raises stops the run before that commit. Raises RevisionFailed, or SurefootError where env.py
    itself fails or wants to run anything else.
    """
    together = False
    found: list[tuple[Revision, Any]] = []
    now: Revision | None = None
    at_end = False
    started = 0.0
    commits = 0
    connection: Any = None

    def steps(heads: Any, context: Any) -> Iterator[Any]:
        nonlocal now, started, at_end, together
        found[:] = steps_of(heads, context)
        for revision, step in found:
            progress.begin(kind, revision.id, revision.message)
            at(revision.id)
            now, at_end, started = revision, False, time.monotonic()
            step.migration_fn = running.before(step.migration_fn, context, revision)
            yield step
            # Only here, behind Alembic's own commit (if it commits each), is it done.
            took = time.monotonic() - started
            together = not context._transaction_per_migration
            progress.end(kind, revision.id, revision.message, took, committed=not together)
        at_end = True

    def on_version_apply(*, ctx: Any, **_: Any) -> None:
        nonlocal at_end
        assert now is not None
        if checking is not None:
            checking.behind(ctx.connection, now.id)
        running.behind(ctx, now, time.monotonic() - started)
        at_end = True

    def committing(_: Any) -> None:
        nonlocal commits
        if now is not None:
            at(now.id)
            commits += 1

    def anywhere(committing: Any) -> None:
        if now is not None:
            running.committed(committing)

    def notice(text: str) -> None:
        progress.notice(f"{now.id if now else 'env.py'}: {text}")

    def check(context: Any) -> None:
        nonlocal connection
        same_database(context, server)
        running.on(context.connection)
        event.listen(context.connection, "commit", committing)
        connection = context.connection

    event.listen(Engine, "commit", anywhere)
    try:
        with told_as_the_applications(environment.root):
            environment.run(steps, check, on_version_apply, notice, fresh=checking is not None)
    except BaseException as error:
        running.give_up()
        cause = error.__cause__
        if not isinstance(error, ApplicationFailed) or now is None or cause is None:
            raise
        raise RevisionFailed(now, cause, environment.root, at_end=at_end) from cause
    finally:
        event.remove(Engine, "commit", anywhere)
        if connection is not None:
            event.remove(connection, "commit", committing)
    if running.raised is not None and now is not None:
        # env.py kept it to itself
        running.give_up()
        raise RevisionFailed(now, running.raised, environment.root, at_end=False)
    if together:
        noun = "revision" if len(found) == 1 else "revisions"
        pieces = "several transactions" if commits > 1 else "one transaction"
        back = " taken back" if checking is not None else ""
        progress.committed(f"{len(found)} {noun}{back}, in {pieces}")
