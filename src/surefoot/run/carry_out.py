"""Do what the plan says, step by step, and look after each failure.

What runs scripts is imported where there are scripts: most upgrades have none.
"""

import functools
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import psycopg

from surefoot.decision.facts import Facts
from surefoot.decision.plan import (
    Adopt,
    Clear,
    Downgrade,
    DropIndexes,
    Install,
    Plan,
    Record,
    Repair,
    Seed,
    Undone,
    Upgrade,
)
from surefoot.errors import SurefootError
from surefoot.look.database import observe_database
from surefoot.model.outcome import Outcome
from surefoot.model.progress import Progress
from surefoot.project.config import Project
from surefoot.run.connection_loss import whose_loss
from surefoot.run.failure_report import (
    Stopped,
    account,
    interrupted,
)
from surefoot.run.journal import Journal
from surefoot.run.lock import Lock
from surefoot.run.verify import Aftermath, look_after
from surefoot.system import signals, supervisor

if TYPE_CHECKING:
    from surefoot.alembic_env.upgrade import RevisionFailed
    from surefoot.look.survey import Application
    from surefoot.run.one_transaction import OneTransaction
    from surefoot.run.steps.repair import Repairing

Connect = Callable[..., psycopg.Connection[Any]]


class Run:
    """One run of a plan, under the lock.

    The steps run on connections of their own; the lock's does nothing but hold the lock. `before`
    is what the plan was made from; `asked` is None where nobody needed to ask Alembic.
    """

    def __init__(
        self,
        *,
        project: Project,
        before: Facts,
        asked: "Application | None",
        lock: Lock,
        connect: Connect,
        progress: Progress,
        journal: Journal,
    ) -> None:
        self._project = project
        self._before = before
        self._seen = before.database
        self._asked = asked
        self._lock = lock
        self._connect = connect
        self._progress = progress
        self._journal = journal

    def carry_out(self, plan: Plan) -> Outcome:
        """Do the steps in order; stop at the first that fails, and say what is true afterwards.

        Raises nothing that the plan, the application, the database or a signal may cause.
        """
        started = time.monotonic()
        table = self._seen.version_table
        supervisor.tell(run=self._journal.run, version_table=(table.name, table.schema))
        stopped: Stopped | None = None
        failed: RevisionFailed | None = None
        try:
            for step in plan.steps:
                self._lock.check()
                match step:
                    case DropIndexes():
                        self._mending().drop_indexes(step)
                    case Repair():
                        self._mending().mend(step)
                    case Upgrade():
                        self._upgrade(step)
                    case Downgrade():
                        self._downgrade(step)
                    case Install() | Adopt() | Record() | Undone() | Clear() | Seed():
                        self._own().carry_out(step)
        except Stopped as error:
            stopped = error
            failed = error.failed
        except SurefootError as error:
            stopped = Stopped(error.finding)
        except KeyboardInterrupt:
            stopped = Stopped(interrupted(""))
        if stopped is not None:
            signals.answered()  # what became of it is looked at undisturbed
        if stopped is not None and stopped.finding.code == "interrupted":
            self._connect = functools.partial(self._connect, hurry=True)
        after, lost = self._look(stopped)
        if stopped is not None and after is not None:
            stopped = whose_loss(stopped, failed, self._seen.server, after, self._lock)
        outcome = Outcome(
            state=None,
            rows=None if after is None else tuple(str(row) for row in after.rows),
            done=() if after is None else after.done,
            findings=account(stopped, after, lost, self._seen.version_table),
            seconds=time.monotonic() - started,
        )
        if stopped is not None and after is not None and stopped.left:
            self._remember(stopped, after)
        if not outcome.findings or after is None or self._asked is None:
            return outcome
        from surefoot.run.diagnose import explained

        return explained(outcome, stopped, self._before, self._asked, self._connect)

    def _remember(self, stopped: Stopped, after: Aftermath) -> None:
        """A revision that left its transaction left its mark, too: later runs must know."""
        done = {step.name for step in after.done}
        lost = [
            name
            for name, transaction in stopped.transactions.items()
            if name in stopped.left - done and after.fates[transaction] != "committed"
        ]
        if not lost:
            return  # the mark is there
        from surefoot.run.steps.install import executor

        try:
            with self._connect() as connection:
                self._journal.found(observe_database(connection, self._seen.version_table))
                with connection.transaction():
                    self._journal.left(executor(connection), " ".join(lost))
        except (SurefootError, psycopg.Error) as error:
            self._progress.notice(f"the journal could not be told of it: {str(error).strip()}")

    def _own(self) -> "OneTransaction":
        from surefoot.run.one_transaction import OneTransaction

        return OneTransaction(
            project=self._project,
            before=self._before,
            asked=self._asked,
            lock=self._lock,
            connect=self._connect,
            progress=self._progress,
            journal=self._journal,
        )

    def _mending(self) -> "Repairing":
        from surefoot.run.steps.repair import Repairing

        assert self._asked is not None
        assert self._before.interruption is not None
        return Repairing(
            asked=self._asked,
            seen=self._seen,
            before=self._before.interruption,
            lock=self._lock,
            journal=self._journal,
            connect=self._connect,
            in_one_transaction=self._own().run,
            progress=self._progress,
        )

    def _upgrade(self, step: Upgrade) -> None:
        from surefoot.run.steps.upgrade import Upgrading

        assert self._asked is not None
        Upgrading(
            asked=self._asked,
            seen=self._seen,
            config=self._project.config,
            lock=self._lock,
            journal=self._journal,
            connect=self._connect,
            progress=self._progress,
        ).carry_out(step.revisions)

    def _downgrade(self, step: Downgrade) -> None:
        from surefoot.run.steps.downgrade import Downgrading

        assert self._asked is not None
        Downgrading(
            step,
            asked=self._asked,
            seen=self._seen,
            config=self._project.config,
            lock=self._lock,
            journal=self._journal,
            connect=self._connect,
            progress=self._progress,
        ).carry_out_all()

    def _look(self, stopped: Stopped | None) -> tuple[Aftermath | None, SurefootError | None]:
        asked = stopped.transactions.values() if stopped else ()
        table = self._seen.version_table
        try:
            return look_after(self._connect, self._journal.run, asked, table), None
        except SurefootError as error:
            return None, error
