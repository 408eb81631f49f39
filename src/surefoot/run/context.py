"""One run of a plan: what every step needs, and the transaction that most steps are."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec
import psycopg

from surefoot.decision.facts import DatabaseState, Facts
from surefoot.diagnosis.connection_loss import loses_connection
from surefoot.errors import NOT_CHANGED, Finding, SurefootError
from surefoot.model.progress import Progress, Session
from surefoot.postgres.connect import LookSession
from surefoot.project.config import Project
from surefoot.run.failure_report import Stopped, cause_of, database_error, interrupted
from surefoot.run.journal import Connect, Journal
from surefoot.run.lock import Lock
from surefoot.system import signals, supervisor

if TYPE_CHECKING:
    from surefoot.look.survey import Application


class Run(msgspec.Struct, frozen=True):
    """One run of a plan, under the lock. Each step is carried out with it and with nothing else.

    The steps run on connections of their own; the lock's connection only holds the lock.
    """

    project: Project
    before: Facts
    """What the plan was made from."""
    env: "Application"
    """The application, whose env.py was asked."""
    lock: Lock
    connect: Connect
    """A new connection, for a step or for a look after a failure."""
    look_session: LookSession
    aside: Connect
    """A connection for a look in another thread: no signal concerns it."""
    progress: Progress
    journal: Journal

    @property
    def seen(self) -> DatabaseState:
        """The database before the run."""
        return self.before.database

    def in_transaction(self, step: str, work: Callable[[psycopg.Connection[Any]], None]) -> None:
        """Run `work` in a transaction whose id is known, so that the server can be asked for its
        end. Raises Stopped.
        """
        from surefoot.scripts.run import ScriptFailed

        begun: dict[str, str] = {}
        try:
            with self.connect() as connection, connection.transaction():
                row = connection.execute(
                    "select pg_catalog.pg_current_xact_id()::pg_catalog.text,"
                    " pg_catalog.pg_backend_pid()"
                ).fetchone()
                if row is not None:
                    begun[step] = row[0]
                    supervisor.tell(begun=(step, row[0]))
                    session = Session(row[1], row[0])
                    self.progress.works_in(session)
                work(connection)
                self.lock.check()
            if not all(self.lock.committed(transaction) for transaction in begun.values()):
                raise SurefootError.of(_not_committed(step))
        except (ScriptFailed, SurefootError, psycopg.Error) as error:
            if signals.requested():
                raise Stopped(interrupted(step), step, begun) from error
            raise _stopped(step, begun, error) from error
        except KeyboardInterrupt as error:
            raise Stopped(interrupted(step), step, begun) from error


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


def _not_committed(step: str) -> Finding:
    """A COMMIT that came back without an error commits nothing where its transaction had failed."""
    return Finding(
        "connection-lost-at-commit",
        f"The server answered the COMMIT of {step}, but did not commit.",
        next="read the server's log of this time, then start again",
    )
