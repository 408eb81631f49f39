"""Do what the plan says, step by step, and look after each failure.

What runs scripts is imported where there are scripts: most upgrades have none.
The steps run on connections of their own; the lock's connection does nothing but hold the lock.
"""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import psycopg

from surefoot.act.account import (
    Stopped,
    account,
    database_error,
    interrupted,
    revision_failed,
)
from surefoot.act.journal import Journal
from surefoot.act.lock import Lock
from surefoot.act.verify import Aftermath, look_after
from surefoot.config import Project
from surefoot.errors import NOT_CHANGED, SurefootError
from surefoot.observation import Observation
from surefoot.outcome import Outcome
from surefoot.plan import Install, Plan, Seed, Upgrade
from surefoot.progress import Progress

if TYPE_CHECKING:
    from surefoot.application.environment import Environment

Connect = Callable[[], psycopg.Connection[Any]]


class Run:
    """One run of a plan, under the lock."""

    def __init__(
        self,
        *,
        project: Project,
        seen: Observation,
        environment: "Environment | None",
        lock: Lock,
        connect: Connect,
        progress: Progress,
    ) -> None:
        self._project = project
        self._seen = seen
        self._environment = environment
        self._lock = lock
        self._connect = connect
        self._progress = progress
        self._journal = Journal(seen)

    def carry_out(self, plan: Plan) -> Outcome:
        """Do the steps in order; stop at the first that fails, and say what is true afterwards."""
        started = time.monotonic()
        stopped: Stopped | None = None
        try:
            for step in plan.steps:
                self._lock.check()
                match step:
                    case Install():
                        self._install(step)
                    case Upgrade():
                        self._upgrade(step)
                    case Seed():
                        self._seed(step)
        except Stopped as stop:
            stopped = stop
        except SurefootError as error:
            stopped = Stopped(error.finding, "", None)
        after, lost = self._look(stopped)
        findings = account(stopped, after, lost, self._seen.version_table)
        return Outcome(
            state=None,
            rows=None if after is None else tuple(str(row) for row in after.rows),
            done=() if after is None else after.done,
            findings=findings,
            seconds=time.monotonic() - started,
        )

    def _install(self, step: Install) -> None:
        from surefoot.act.install import install

        def work(connection: psycopg.Connection[Any]) -> None:
            install(
                step,
                connection,
                project=self._project,
                version_table=self._seen.version_table,
                journal=self._journal,
                progress=self._progress,
            )

        self._in_one_transaction(step.scripts[-1].path, work)

    def _seed(self, step: Seed) -> None:
        from surefoot.act.run_script import run_script

        script = step.script

        def work(connection: psycopg.Connection[Any]) -> None:
            started = time.monotonic()
            self._progress.begin("seed", script.path, "")
            result = run_script(connection, self._project.script(script))
            seconds = time.monotonic() - started
            for warning in result.warnings:
                self._progress.notice(warning)

            def execute(statement: str, parameters: Any) -> None:
                connection.execute(statement, parameters or None)  # pyright: ignore[reportArgumentType]

            self._journal.script(execute, "seed", script, seconds)
            self._progress.end("seed", script.path, "", seconds)

        self._in_one_transaction(script.path, work)

    def _in_one_transaction(
        self, step: str, work: Callable[[psycopg.Connection[Any]], None]
    ) -> None:
        """Run `work` in a transaction whose id is known, so that its end can be asked for."""
        from surefoot.act.run_script import ScriptFailed

        transaction: str | None = None
        with self._connect() as connection:
            try:
                with connection.transaction():
                    row = connection.execute(
                        "select pg_catalog.pg_current_xact_id()::text"
                    ).fetchone()
                    transaction = row[0] if row else None
                    work(connection)
                    self._lock.check()
            except ScriptFailed as error:
                raise Stopped(error.error(NOT_CHANGED).finding, step, transaction) from error
            except SurefootError as error:
                raise Stopped(error.finding, step, transaction) from error
            except KeyboardInterrupt as error:
                raise Stopped(interrupted(step), step, transaction) from error
            except psycopg.Error as error:
                raise Stopped(database_error(step, error), step, transaction) from error

    def _upgrade(self, step: Upgrade) -> None:
        from surefoot.application.environment import RevisionFailed

        assert self._environment is not None
        transactions: dict[str, str] = {}

        try:
            self._environment.upgrade(
                step.revisions,
                server=self._seen.server,
                applied=self._journal.revision,
                before_commit=self._lock.check,
                progress=self._progress,
                transactions=transactions,
            )
        except RevisionFailed as failed:
            transaction = transactions.get(failed.revision.id)
            raise Stopped(revision_failed(failed), failed.revision.id, transaction) from failed
        except KeyboardInterrupt as error:
            name, transaction = next(reversed(transactions.items()), ("", None))
            raise Stopped(interrupted(name), name, transaction) from error
        except SurefootError as error:
            name, transaction = next(reversed(transactions.items()), ("", None))
            raise Stopped(error.finding, name, transaction) from error

    def _look(self, stopped: Stopped | None) -> tuple[Aftermath | None, SurefootError | None]:
        asked = [stopped.transaction] if stopped and stopped.transaction else []
        table = self._seen.version_table
        try:
            return look_after(self._connect, self._journal.run, asked, table), None
        except SurefootError as error:
            return None, error
