"""Do what the plan says, step by step, and look after each failure."""

import functools
import time
from typing import TYPE_CHECKING

import msgspec
import psycopg

from surefoot.decision.plan import Downgrade, Plan
from surefoot.errors import SurefootError
from surefoot.look.database import observe_database
from surefoot.model.outcome import Outcome
from surefoot.run.connection_loss import whose_loss
from surefoot.run.context import Run
from surefoot.run.failure_report import Stopped, account, interrupted
from surefoot.run.journal import Direction, executor
from surefoot.run.steps import handler
from surefoot.run.verify import Aftermath, look_after
from surefoot.system import signals, supervisor

if TYPE_CHECKING:
    from surefoot.alembic_env.upgrade import RevisionFailed


def carry_out(plan: Plan, run: Run) -> Outcome:
    """Do the steps in order; stop at the first that fails, and say what is true afterwards.

    Raises nothing that the plan, the application, the database or a signal may cause.
    """
    started = time.monotonic()
    table = run.seen.version_table
    supervisor.tell(run=run.journal.run, version_table=(table.name, table.schema))
    stopped: Stopped | None = None
    failed: RevisionFailed | None = None
    try:
        for step in plan.steps:
            run.lock.check()
            handler(step).carry_out(step, run)
    except Stopped as error:
        stopped = error
        failed = error.failed
    except SurefootError as error:
        stopped = Stopped(error.finding)
    except KeyboardInterrupt:
        stopped = Stopped(interrupted(""))
    if stopped is not None:
        run.progress.stopped()
        if failed is not None:
            run.progress.raised(failed.frames, failed.whole)
        signals.answered()  # its result is read undisturbed
    if stopped is not None and stopped.finding.code == "interrupted":
        run = msgspec.structs.replace(run, connect=functools.partial(run.connect, hurry=True))
    after, lost = _look(run, stopped)
    if stopped is not None and after is not None:
        stopped = whose_loss(stopped, failed, run.seen.server, after, run.lock)
    undoing = next((step for step in plan.steps if isinstance(step, Downgrade)), None)
    outcome = Outcome(
        state=None,
        rows=None if after is None else tuple(str(row) for row in after.rows),
        done=() if after is None else after.done,
        findings=account(stopped, after, lost, table, undoing and (undoing, run.before)),
        seconds=time.monotonic() - started,
    )
    if stopped is not None and after is not None and stopped.left:
        _remember(run, stopped, after, "up" if undoing is None else "down")
    if not outcome.findings or after is None:
        return outcome
    from surefoot.run.diagnose import explained

    return explained(outcome, stopped, run.before, run.env, run.connect)


def _remember(run: Run, stopped: Stopped, after: Aftermath, direction: Direction) -> None:
    """A revision that left its transaction left its mark, too: later runs must know."""
    done = {step.name for step in after.done}
    lost = [
        name
        for name, transaction in stopped.transactions.items()
        if name in stopped.left - done and after.fates[transaction] != "committed"
    ]
    if not lost:
        return  # the mark is there
    try:
        with run.connect() as connection:
            run.journal.found(observe_database(connection, run.seen.version_table))
            with connection.transaction():
                run.journal.left(executor(connection), lost, direction)
    except (SurefootError, psycopg.Error) as error:
        run.progress.notice(f"the journal could not record it: {str(error).strip()}")


def _look(run: Run, stopped: Stopped | None) -> tuple[Aftermath | None, SurefootError | None]:
    asked = stopped.transactions.values() if stopped else ()
    table = run.seen.version_table
    try:
        session = run.connect if stopped else run.look_session
        return look_after(session, run.journal.run, asked, table), None
    except SurefootError as error:
        return None, error
