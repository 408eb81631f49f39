"""Run revisions through the application's env.py, up or down, and record each."""

import functools
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import event
from sqlalchemy.engine import Engine
from sqlalchemy.pool import Pool

from surefoot.alembic_env.before_configure import BeforeConfigure
from surefoot.alembic_env.connection import same_database
from surefoot.alembic_env.driver import driver_of, has_failed, is_idle, is_in_transaction
from surefoot.alembic_env.environment import (
    Environment,
    around_version_table,
    commit_between,
    upgrade_steps,
)
from surefoot.alembic_env.loading import (
    ApplicationFailed,
    frames,
    place,
    wrap_app_errors,
)
from surefoot.alembic_env.raised import cause_of, describe, of_encoding, whole
from surefoot.alembic_env.running import Running
from surefoot.alembic_env.steps import require_same
from surefoot.alembic_env.tenant import Outside
from surefoot.alembic_env.trust import require_no_new_trigger, require_trusted
from surefoot.alembic_env.undo import Checking, undoing_steps
from surefoot.decision.facts import DatabaseState, VersionTableName
from surefoot.diagnosis.cause import Cause
from surefoot.downgrades.path import DowngradeStep
from surefoot.downgrades.recipe import DowngradeRecipe
from surefoot.errors import SurefootError
from surefoot.guards import RequirementNotMet
from surefoot.model.history import Revision
from surefoot.model.progress import Progress
from surefoot.system import signals


class RevisionFailed(Exception):
    """A revision's own code, or the database on its behalf, raised.

    `cause` is PostgreSQL's error, if it was one. `at_end`: all of its statements had run; the
    commit failed, or what env.py does after it. `lack`: what a guard of the revision didn't find,
    if that is why. `encoding`: the driver could not write or read a text in the session's encoding.
    `frames`: where in the application's own files, `whole`: the traceback.
    """

    def __init__(
        self, revision: Revision, error: BaseException, root: Path, *, at_end: bool
    ) -> None:
        self.revision = revision
        self.file = place(error, root) or revision.path
        self.lines = describe(error)
        self.frames = frames(error, root)
        self.whole = whole(error)
        self.cause = cause_of(error)
        self.encoding = self.cause is None and of_encoding(error)
        self.lost = bool(getattr(error, "connection_invalidated", False))
        self.at_end = at_end
        self.lack = error.lack if isinstance(error, RequirementNotMet) else None
        super().__init__(revision.id)


class VersionTableFailed(SurefootError):
    """Alembic could not create its version table. Nothing that the run does has begun.

    `cause` is PostgreSQL's error.
    """

    def __init__(self, failed: ApplicationFailed, cause: Cause) -> None:
        found = failed.finding
        super().__init__(found.code, found.message, seen=found.seen, next=found.next)
        self.cause = cause


Steps = Callable[[Any, Any], list[tuple[Revision, Any]]]
"""From the version rows and Alembic's context to revisions, each with Alembic's step for it."""


class Server(Protocol):
    """What the server is asked while revisions run, on a connection other than the application's.

    The methods get the current revision. What they raise stops the run.
    """

    def check(self, at: str) -> None:
        """Check before every commit of the application's."""
        ...

    def announce(self, at: str) -> None:
        """Announce that a revision begins, without waiting for the server's answer."""
        ...

    def heard(self) -> None:
        """Wait for the answer to the announcement, after the revision has begun."""
        ...

    def committed(self, transaction: str, at: str) -> bool:
        """Whether the server says that this transaction was committed."""
        ...


class Keeping(Protocol):
    """Looks at the user's own objects before the first revision, and before every commit.

    What `committing` raises rolls back the revisions since the last one; `gone` is called where
    there is nothing to roll back.
    """

    def before(self, connection: Any) -> None: ...
    def committing(self, connection: Any, revisions: Sequence[Revision]) -> None: ...
    def gone(self, connection: Any, revision: Revision) -> None: ...


def upgrade(
    environment: Environment,
    revisions: tuple[Revision, ...],
    *,
    seen: DatabaseState,
    running: Running,
    asking: Server,
    progress: Progress,
    keeping: Keeping | None = None,
    cuts: frozenset[str] = frozenset(),
    partly: bool = False,
) -> None:
    """Run these revisions through env.py, in one run, with its own transaction settings.

    `keeping`: the user has objects of their own. A commit precedes each of `cuts`. `partly`: the
    revisions after them get a run of their own.
    `running` records them. Raises RevisionFailed, or SurefootError if env.py itself fails, wants to
    run anything else, or doesn't commit (`env-never-commits`).
    """

    def steps(heads: Any, context: Any) -> list[tuple[Revision, Any]]:
        nonlocal planned
        found = upgrade_steps(context, heads)
        if partly:
            found = found[: len(planned)]
        if running.raised is not None and found:
            planned = planned[-len(found) :]  # env.py tries again, after those that it committed
        require_same(planned, found)
        return list(zip(planned, found, strict=True))

    planned = revisions

    _Migration(environment, "revision", None, seen, running, asking, progress, keeping, cuts).run(
        steps
    )


def downgrade(
    environment: Environment,
    undo: tuple[DowngradeStep, ...],
    staying: tuple[DowngradeRecipe, ...],
    checking: Checking,
    *,
    seen: DatabaseState,
    running: Running,
    asking: Server,
    progress: Progress,
) -> None:
    """Undo these revisions, in this order; `staying` also have no file, and stay applied.

    `checking` looks before and after each, in its transaction. For the rest see `upgrade`.
    """

    def steps(heads: Any, context: Any) -> list[tuple[Revision, Any]]:
        return undoing_steps(context, undo, staying, running, checking)

    _Migration(environment, "down", checking, seen, running, asking, progress).run(steps)


class _Migration:
    """One run of env.py that runs revisions, up or down."""

    def __init__(
        self,
        environment: Environment,
        kind: str,
        checking: Checking | None,
        seen: DatabaseState,
        running: Running,
        asking: Server,
        progress: Progress,
        keeping: Keeping | None = None,
        cuts: frozenset[str] = frozenset(),
    ) -> None:
        self._keeping, self._cuts = keeping, cuts
        self._uncommitted: list[Revision] = []  # those that ran since the last commit
        self._environment, self._kind, self._checking = environment, kind, checking
        self._server, self._running, self._asking = seen.server, running, asking
        self._version_table = seen.version_table
        self._making = False  # Alembic is creating the version table
        self._guarded = False  # an untrusted role could put a trigger on the version table
        self._progress = progress
        self._found: list[tuple[Revision, Any]] = []
        self._now: Revision | None = None
        self._each = False  # whether each revision is a transaction of its own
        self._at_end = False  # all statements of the current revision have run
        self._started = 0.0
        self._ticked = 0  # revisions that the server has committed, and that were reported so
        self._connection: Any = None
        self._before = BeforeConfigure(environment.root)
        self._outside: Outside | None = None  # what isn't the tenant's

    def run(self, steps_of: Steps) -> None:
        """Run env.py. Nothing is reported as committed before the server has said so."""
        root = self._environment.root

        def steps(heads: Any, context: Any) -> Iterator[Any]:
            # Alembic has created the version table by now, unless another role was quicker
            require_trusted(context.connection, self._version_table)
            if (tenant := self._environment.tenant) is not None:
                self._outside = Outside(tenant, context.connection)
            if self._keeping is not None:
                self._keeping.before(context.connection)
            return self._steps(steps_of(heads, context), context)

        event.listen(Engine, "commit", self._anywhere)
        event.listen(Engine, "rollback", self._running.rolled_back)
        event.listen(Engine, "before_cursor_execute", self._running.executing)
        event.listen(Engine, "after_cursor_execute", self._running.executed)
        event.listen(Pool, "checkout", self._running.taken)
        event.listen(Engine, "before_cursor_execute", self._stop_here)
        try:
            with wrap_app_errors(root), self._before:
                self._environment.run(
                    steps,
                    self._configured,
                    self._applied,
                    self._notice,
                    ready=self._ready,
                    fresh=self._checking is not None,
                    logged=True,
                )
        except BaseException as error:
            self._running.give_up()
            cause = error.__cause__
            answer = cause_of(cause) if cause is not None and self._making else None
            if isinstance(error, ApplicationFailed) and answer is not None:
                raise VersionTableFailed(error, answer) from cause
            if not isinstance(error, ApplicationFailed) or self._now is None or cause is None:
                raise
            at_fault = self._running.at_fault
            if at_fault is not None and not getattr(cause, "connection_invalidated", False):
                raise RevisionFailed(at_fault, cause, root, at_end=False) from cause
            raise RevisionFailed(self._now, cause, root, at_end=self._at_end) from cause
        finally:
            event.remove(Engine, "commit", self._anywhere)
            event.remove(Engine, "rollback", self._running.rolled_back)
            event.remove(Engine, "before_cursor_execute", self._running.executing)
            event.remove(Engine, "after_cursor_execute", self._running.executed)
            event.remove(Pool, "checkout", self._running.taken)
            event.remove(Engine, "before_cursor_execute", self._stop_here)
            if self._connection is not None:
                event.remove(self._connection, "commit", self._committing)
        if self._running.raised is not None and self._now is not None:
            # env.py caught the exception
            self._running.give_up()
            if isinstance(self._running.raised, SurefootError):
                raise self._running.raised
            raise RevisionFailed(self._now, self._running.raised, root, at_end=False)
        self._require_committed()

    def _again(self, found: list[tuple[Revision, Any]]) -> list[tuple[Revision, Any]]:
        """Return the steps of all attempts; env.py tries again by itself what has failed.

        surefoot's own refusals are raised again.
        """
        running, ids = self._running, {revision.id for revision, _ in found}
        raised, now = running.raised, self._now
        if isinstance(raised, SurefootError | RequirementNotMet):
            raise raised
        if raised is None or now is None or now.id not in ids:
            return found
        running.raised = None
        for id in ids:
            running.ends.pop(id, None)
        self._progress.notice(f"{now.id} failed, and env.py tries again: {describe(raised)[0]}")
        return [one for one in self._found if one[0].id not in ids] + found

    def _steps(self, found: list[tuple[Revision, Any]], context: Any) -> Iterator[Any]:
        self._found = self._again(found)
        each = bool(context._transaction_per_migration)
        self._each = each
        following = [revision.id for revision, _ in found[1:]]
        named = False
        for number, (revision, step) in enumerate(found):
            if number and revision.id in self._cuts:
                self._running.uncut = not commit_between(context)
            self._progress.begin(self._kind, revision.id, revision.message)
            if not named:
                self._asking.announce(revision.id)
            self._now, self._at_end, self._started = revision, False, time.monotonic()
            self._uncommitted.append(revision)
            step.migration_fn = self._running.before(
                step.migration_fn, context, revision, self._asking.heard
            )
            if self._guarded:
                step.migration_fn = _guarded(step.migration_fn, context, self._version_table)
            yield step
            # Only here, after Alembic's own commit (if it commits each), can it have ended.
            took = time.monotonic() - self._started
            at = following[number] if number < len(following) else revision.id
            named = each and revision.id in self._running.ends  # the question names the next one
            committed = named and self._is_committed(revision, at)
            self._ticked += committed
            self._progress.end(self._kind, revision.id, revision.message, took, committed=committed)
        self._running.settle(context.connection)
        self._at_end = True

    def _applied(self, *, ctx: Any, **_: Any) -> None:
        """Note that the revision has run and its version row is written."""
        assert self._now is not None
        if self._checking is not None:
            self._checking.behind(ctx.connection, self._now.id)
        self._require_tenant(ctx)
        if self._keeping is not None and is_idle(driver_of(ctx.connection)):
            self._keeping.gone(ctx.connection, self._now)
        self._running.behind(ctx, self._now, time.monotonic() - self._started)
        self._at_end = True

    def _configured(self, context: Any) -> None:
        """Note that env.py has called context.configure()."""
        self._before.over(context.connection)
        same_database(context, self._server)
        self._running.on(context.connection)
        event.listen(context.connection, "commit", self._committing)
        self._connection = context.connection

    def _ready(self, context: Any) -> None:
        """Prepare the run: Alembic is about to read the version table, or to create it."""
        ours = require_trusted(context.connection, self._version_table)
        self._guarded = any(one.open_to_triggers for one in ours)
        tenant = self._environment.tenant
        if tenant is not None:
            tenant.schema(context)
        self._making = False  # env.py may try again what has failed
        around_version_table(context, self._makes_version_table, self._made_version_table)

    def _makes_version_table(self, connection: Any) -> None:
        self._making = True
        self._progress.prepares(f"creating {self._version_table.name}")
        self._running.makes_version_table(connection)

    def _made_version_table(self) -> None:
        self._making = False

    def _require_tenant(self, context: Any) -> None:
        """The revision has left env.py where it was, and changed nothing but the tenant's: the
        latter is asked before what is committed, which may be several revisions.
        """
        tenant, now = self._environment.tenant, self._now
        if tenant is None or now is None:
            return
        tenant.schema(context)
        tenant.require_alone(context.connection, now.id)
        ids = [revision.id for revision, _ in self._found]
        following = ids[ids.index(now.id) + 1 :]
        if self._outside and (self._each or not following or following[0] in self._cuts):
            self._outside.require_unchanged(context.connection, now.id)

    def _stop_here(self, *_: Any) -> None:
        """Stop the application if it executes another statement after it was told to stop."""
        signals.check()
        self._running.check()

    def _committing(self, connection: Any) -> None:
        self._running.check()
        with signals.uninterrupted():
            self._running.settle(connection)
            if self._now is not None:
                self._asking.check(self._now.id)
            driver = driver_of(connection)
            if self._keeping and self._now and is_in_transaction(driver) and not has_failed(driver):
                if self._now in self._uncommitted:
                    self._keeping.committing(connection, self._uncommitted)
                else:  # it has committed by itself, so it can't be rolled back as a whole
                    self._keeping.gone(connection, self._now)
            self._uncommitted.clear()

    def _anywhere(self, committing: Any) -> None:
        signals.check()
        with signals.uninterrupted():
            if self._now is not None:
                self._running.committed(committing)

    def _notice(self, text: str) -> None:
        self._progress.notice(f"{self._now.id if self._now else 'env.py'}: {text}")

    def _is_committed(self, revision: Revision, at: str) -> bool:
        """Whether the server says so; the question names the revision that is `at` work next."""
        transaction = self._running.ends.get(revision.id)
        return transaction is not None and self._asking.committed(transaction, at)

    def _require_committed(self) -> None:
        """Require a commit at the end of env.py: what it left open is never committed."""
        ran = [revision for revision, _ in self._found]
        left = [revision for revision in ran if not self._is_committed(revision, revision.id)]
        if left:
            self._running.give_up()
            seen, next = self._before.explained()
            raise SurefootError(
                "env-never-commits",
                f"The application's env.py ran {_counted(len(left))}, but did not commit.",
                seen=[f"not committed: {_names(left)}", *seen],
                next=next,
            )
        if self._ticked < len(self._found):
            one = self._running
            pieces = len({*one.transactions.values(), *one.ends.values()})
            what = f"{_counted(len(self._found))}{' undone' if self._checking else ''}"
            where = "several transactions" if pieces > 1 else "one transaction"
            self._progress.committed(f"{what}, in {where}")


def _guarded(
    migrate: Callable[..., None], context: Any, version_table: VersionTableName
) -> Callable[..., None]:
    """Wrap the step so that no role can have put a trigger on the version table before it."""

    @functools.wraps(migrate)
    def guarded(**keywords: Any) -> None:
        require_no_new_trigger(context.connection, version_table)
        migrate(**keywords)

    return guarded


def _counted(number: int) -> str:
    return "1 revision" if number == 1 else f"{number} revisions"


def _names(revisions: list[Revision]) -> str:
    shown = ", ".join(revision.id for revision in revisions[:8])
    return shown if len(revisions) <= 8 else f"{shown} … ({len(revisions)} in all)"
