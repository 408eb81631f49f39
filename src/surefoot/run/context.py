"""The steps that are one transaction of surefoot's own, each with its row in the journal."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import psycopg

from surefoot.decision.facts import Facts
from surefoot.decision.plan import Adopt, Clear, Install, Record, Seed, Undone
from surefoot.diagnosis.connection_loss import loses_connection
from surefoot.errors import NOT_CHANGED, Finding, SurefootError
from surefoot.model.progress import Progress
from surefoot.project.config import Project
from surefoot.run.failure_report import Stopped, cause_of, database_error, interrupted
from surefoot.run.journal import Journal
from surefoot.run.lock import Lock
from surefoot.system import signals, supervisor

if TYPE_CHECKING:
    from surefoot.look.survey import Application

Own = Install | Adopt | Record | Undone | Clear | Seed


class OneTransaction:
    """Carries such steps out, each on a connection of its own.

    `connect` gives one; the rest is as in `carry_out.Run`.
    """

    def __init__(
        self,
        *,
        project: Project,
        before: Facts,
        asked: "Application | None",
        lock: Lock,
        connect: Callable[[], psycopg.Connection[Any]],
        progress: Progress,
        journal: Journal,
    ) -> None:
        self._project, self._before, self._asked = project, before, asked
        self._seen = before.database
        self._lock, self._connect = lock, connect
        self._progress, self._journal = progress, journal

    def carry_out(self, step: Own) -> None:
        """Do the step. Raises Stopped."""
        match step:
            case Install():
                self._install(step)
            case Adopt():
                self._adopt(step)
            case Record():
                self._record(step)
            case Undone():
                self._undone(step)
            case Clear():
                self._clear(step)
            case Seed():
                self._seed(step)

    def run(self, step: str, work: Callable[[psycopg.Connection[Any]], None]) -> None:
        """Run `work` in a transaction whose id is known, so that its end can be asked for."""
        from surefoot.scripts.run import ScriptFailed

        begun: dict[str, str] = {}
        try:
            with self._connect() as connection, connection.transaction():
                row = connection.execute(
                    "select pg_catalog.pg_current_xact_id()::pg_catalog.text"
                ).fetchone()
                if row is not None:
                    begun[step] = row[0]
                    supervisor.tell(begun=(step, row[0]))
                work(connection)
                self._lock.check()
            if not all(self._lock.committed(transaction) for transaction in begun.values()):
                raise SurefootError.of(_not_committed(step))
        except (ScriptFailed, SurefootError, psycopg.Error) as error:
            if signals.requested():
                raise Stopped(interrupted(step), step, begun) from error
            raise self._stopped(step, begun, error) from error
        except KeyboardInterrupt as error:
            raise Stopped(interrupted(step), step, begun) from error

    @staticmethod
    def _stopped(step: str, begun: dict[str, str], error: Exception) -> Stopped:
        if isinstance(error, SurefootError):
            return Stopped(error.finding, step, begun)
        if isinstance(error, psycopg.Error):
            lost = error.sqlstate is None or loses_connection(error.sqlstate)
            found, cause = database_error(step, error), cause_of(error)
            return Stopped(found, step, begun, lost=lost, cause=cause)
        from surefoot.scripts.run import ScriptFailed

        assert isinstance(error, ScriptFailed)
        return Stopped(error.error(NOT_CHANGED).finding, step, begun, cause=error.cause)

    def _install(self, step: Install) -> None:
        from surefoot.run.steps.install import install

        def work(connection: psycopg.Connection[Any]) -> None:
            install(
                step,
                connection,
                project=self._project,
                version_table=self._seen.version_table,
                journal=self._journal,
                progress=self._progress,
                history=self._before.code.history,
                look=self._asked.installed if self._asked else None,
            )

        self.run(step.scripts[-1].path, work)
        self._progress.committed("the installation, in one transaction")

    def _adopt(self, step: Adopt) -> None:
        from surefoot.run.steps.adopt import adopt

        def work(connection: psycopg.Connection[Any]) -> None:
            adopt(
                step,
                connection,
                version_table=self._seen.version_table,
                journal=self._journal,
            )

        name = " ".join(step.stand.rows)
        self.run(name, work)
        self._progress.end("adopt", name, "the revision that it stands at", 0.0, committed=True)

    def _record(self, step: Record) -> None:
        from surefoot.run.steps.recover import record

        def work(connection: psycopg.Connection[Any]) -> None:
            record(
                step,
                connection,
                version_table=self._seen.version_table,
                journal=self._journal,
            )

        name = step.revision.id
        self.run(name, work)
        self._progress.end("record", name, "it is all there", 0.0, committed=True)

    def _undone(self, step: Undone) -> None:
        from surefoot.run.steps.recover import undone

        def work(connection: psycopg.Connection[Any]) -> None:
            undone(
                step,
                connection,
                version_table=self._seen.version_table,
                journal=self._journal,
            )

        self.run(step.revision, work)
        self._progress.end("undone", step.revision, "to be run again", 0.0, committed=True)

    def _clear(self, step: Clear) -> None:
        from surefoot.run.steps.cleanup import clear

        assert self._asked is not None
        asked, name = self._asked, "the cleanup"

        def work(connection: psycopg.Connection[Any]) -> None:
            clear(
                step,
                connection,
                role=asked.role,
                search_path=asked.search_path,
                version_table=self._seen.version_table,
                journal=self._journal,
            )

        started = time.monotonic()
        self.run(name, work)
        took = time.monotonic() - started
        number = len(step.statements)
        what = "1 statement" if number == 1 else f"{number} statements"
        self._progress.end("cleanup", name, what, took, committed=True)

    def _seed(self, step: Seed) -> None:
        from surefoot.run.steps.install import run_one

        path = step.script.path

        def work(connection: psycopg.Connection[Any]) -> None:
            run_one(
                "seed",
                step.script,
                connection,
                project=self._project,
                journal=self._journal,
                progress=self._progress,
            )

        started = time.monotonic()
        self.run(path, work)
        self._progress.end("seed", path, "", time.monotonic() - started, committed=True)


def _not_committed(step: str) -> Finding:
    """A COMMIT that came back without an error commits nothing where its transaction had failed."""
    return Finding(
        "connection-lost-at-commit",
        f"The server answered the COMMIT of {step}, and did not commit.",
        next="see the server's log for what happened at this time, then start again",
    )
