"""Run revisions through the application's env.py, and account for each."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from surefoot.application.connection import same_database
from surefoot.application.environment import Environment, upgrade_steps
from surefoot.application.loading import (
    ApplicationFailed,
    place,
    told_as_the_applications,
)
from surefoot.application.raised import cause_of, describe
from surefoot.application.steps import Execute, Noting, executor, require_same
from surefoot.guards import RequirementNotMet
from surefoot.history import Revision
from surefoot.observation import ServerInfo
from surefoot.progress import Progress


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


def upgrade(
    environment: Environment,
    revisions: tuple[Revision, ...],
    *,
    server: ServerInfo,
    applied: Callable[[Execute, Revision, float], None],
    before_commit: Callable[[], None],
    progress: Progress,
    transactions: dict[str, str],
) -> None:
    """Run these revisions through env.py, in one run, with its own transaction settings.

    `applied` gets a function that executes on the application's own connection, the revision
    and its duration in seconds; it is called inside the revision's transaction, after its
    version row. `before_commit` is called where Alembic is about to commit: after each revision
    or after the last, as env.py has it. `transactions` is filled with the id of the transaction
    that each revision began in, to ask the server about afterwards. Raises RevisionFailed, or
    SurefootError where env.py itself fails or wants to run anything else.
    """
    noting = Noting(transactions)
    together = False
    running: Revision | None = None
    at_end = False
    started = 0.0

    def steps(heads: Any, context: Any) -> Iterator[Any]:
        nonlocal running, started, at_end, together
        found = upgrade_steps(context, heads)
        require_same(revisions, found)
        for revision, step in zip(revisions, found, strict=True):
            progress.begin("revision", revision.id, revision.message)
            running, at_end, started = revision, False, time.monotonic()
            step.migration_fn = noting.before(step.migration_fn, context, revision.id)
            yield step
            # Only here, behind Alembic's own commit (if it commits each), is it done.
            took = time.monotonic() - started
            together = not context._transaction_per_migration
            progress.end("revision", revision.id, revision.message, took, committed=not together)
        at_end = True

    def on_version_apply(*, ctx: Any, **_: Any) -> None:
        nonlocal at_end
        assert running is not None
        applied(executor(ctx.connection), running, time.monotonic() - started)
        if running is revisions[-1] or ctx._transaction_per_migration:
            before_commit()
        at_end = True

    def notice(text: str) -> None:
        progress.notice(f"{running.id if running else 'env.py'}: {text}")

    def check(context: Any) -> None:
        same_database(context, server)

    try:
        with told_as_the_applications(environment.root):
            environment.run(steps, check, on_version_apply, notice)
    except ApplicationFailed as failed:
        cause = failed.__cause__
        if running is None or cause is None:
            raise
        raise RevisionFailed(running, cause, environment.root, at_end=at_end) from cause
    if noting.raised is not None and running is not None:
        # env.py kept it to itself
        raise RevisionFailed(running, noting.raised, environment.root, at_end=False)
    if together:
        noun = "revision" if len(revisions) == 1 else "revisions"
        progress.committed(f"{len(revisions)} {noun}, in one transaction")
