"""What is running on the application's own connection, so that it can be observed and stopped."""

import contextlib
import functools
import re
from collections.abc import Callable, Generator
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from surefoot.alembic_env.account import Account, Begun, Ended, Setting
from surefoot.alembic_env.driver import (
    backend_pid,
    commits_each,
    cut,
    driver_of,
    has_failed,
    is_idle,
    is_in_transaction,
)
from surefoot.alembic_env.loading import recursion_limit_kept
from surefoot.alembic_env.raised import cause_of
from surefoot.alembic_env.rolled_back import TransactionWatch, dropped_journal, rolled_back
from surefoot.alembic_env.settings import Timeouts, setting_of
from surefoot.alembic_env.steps import execute_text, executor
from surefoot.errors import Finding, SurefootError
from surefoot.model.history import Revision
from surefoot.model.progress import Session
from surefoot.sql import query
from surefoot.system import signals, supervisor

_NO_TABLE = ("42P01", "3F000")  # no such table, no such schema
_COMMITS = re.compile(r"\s*(?:commit|end)\b", re.IGNORECASE)
# A function that a SELECT calls may write: on a second connection in autocommit, nobody can tell.
_READS = re.compile(
    r"\s*(?:select|values|table|show|set|reset|begin|start|rollback|abort)\b", re.IGNORECASE
)


class Running:
    """The current run of env.py.

    `transactions` are the ids of those in which the revisions began, by revision; `ends` those in
    which their last statement ran, after the version row; `raised` is what a revision raised, even
    if env.py catches it. `left` are revisions that ran at least partly outside their transaction:
    what became of their own transaction says nothing about what they did. `pid` is the server
    process of env.py's connection; `sessions` are those of every connection that SQLAlchemy took
    from a pool, each with a function that cuts it.
    """

    def __init__(
        self,
        account: Account,
        timeouts: Timeouts,
        works_in: Callable[[Session], None],
        leaves: Callable[[str], None],
    ) -> None:
        """`leaves` is called before a revision commits something outside its transaction."""
        self.transactions: dict[str, str] = {}
        self.ends: dict[str, str] = {}
        self.raised: BaseException | None = None
        self.left: set[str] = set()
        self.at_fault: Revision | None = None  # whose end could not be recorded
        self.pid: int | None = None
        self.stopped: Finding | None = None  # why the run must end
        self.sessions: dict[int, Callable[[], None]] = {}
        self.uncut = False  # no commit between two revisions: the transaction is env.py's
        self._account, self._timeouts, self._works_in = account, timeouts, works_in
        self._leaves = leaves
        self._asking = False  # a statement of surefoot's own is under way on another connection
        self._setting: Setting | None = None
        self._begun: Begun | None = None
        self._due: Ended | None = None  # what has ended and isn't recorded yet
        self._connection: Any = None
        self._watch = TransactionWatch()

    @property
    def last(self) -> str:
        """The revision that began last, "" if none has."""
        return next(reversed(self.transactions), "")

    def on(self, connection: Any) -> None:
        """Note the application's connection."""
        self._setting = None
        if self._connection is not None:  # env.py begins anew, after a failure
            self._account.doubt()
            self._due = None  # its transaction is over
        self._connection = connection
        self.pid = backend_pid(driver_of(connection))

    def stop(self, finding: Finding) -> None:
        """Make the run end at the application's next statement or commit, if it doesn't end by
        itself.

        Called from another thread.
        """
        self.stopped = finding

    def check(self) -> None:
        """Raise SurefootError if the run must end."""
        if self.stopped is not None:
            raise SurefootError.of(self.stopped)

    def taken(self, connection: Any, *_: Any) -> None:
        """Note a connection that SQLAlchemy takes from a pool."""
        driver = getattr(connection, "driver_connection", None) or connection
        pid = backend_pid(driver)
        if pid is not None:
            self.sessions[pid] = lambda: cut(driver)

    def committed(self, connection: Any) -> None:
        """Note a commit by SQLAlchemy that is about to be sent, on this connection or another."""
        if self._is_own(connection):
            self._watch.commits()
        elif self._has_written(connection):
            self._leave()

    def _leave(self) -> None:
        """Note that what the last revision does elsewhere is about to be committed."""
        if self.last and self.last not in self.left:
            self.left.add(self.last)
            with signals.uninterrupted():
                self._leaves(self.last)

    def _has_written(self, connection: Any) -> bool:
        """Whether the transaction on another connection may have written anything."""
        if connection.dialect.name != "postgresql":
            return True
        self._asking = True
        try:
            ((assigned,),) = executor(connection)(
                "select pg_catalog.pg_current_xact_id_if_assigned() is not null", {}
            )
            return bool(assigned)
        except SQLAlchemyError:
            return True
        finally:
            self._asking = False

    def rolled_back(self, connection: Any) -> None:
        """Note a rollback by SQLAlchemy, on this connection or another."""
        if self._is_own(connection):
            self._watch.rolls_back(lambda: self._only_read(connection))
            self._account.doubt()
            self._due = None  # it was in that transaction

    def executing(self, connection: Any, _cursor: Any, statement: Any, *_: Any) -> None:
        """Note a statement that is about to be executed, on this connection or another."""
        if self._is_own(connection):
            self._watch.executing(str(statement), lambda: self._only_read(connection))
        elif not self._asking and self._commits_by_itself(connection, str(statement)):
            self._leave()

    def _commits_by_itself(self, connection: Any, statement: str) -> bool:
        """Whether something is about to be committed on another connection without SQLAlchemy's
        commit.
        """
        if commits_each(connection):
            return _READS.match(statement) is None
        return _COMMITS.match(statement) is not None and self._has_written(connection)

    def _only_read(self, connection: Any) -> bool:
        """Whether the server says that the revision has written nothing in this transaction.

        Not in a failed transaction, which can't be asked.
        """
        if self._begun is None or has_failed(driver_of(connection)):
            return False
        execute = executor(connection)
        try:
            with signals.uninterrupted():
                ((unassigned,),) = execute(
                    "select pg_catalog.pg_current_xact_id_if_assigned() is null", {}
                )
                asked = {"id": self._begun.row}
                return unassigned or execute(query("only_read"), asked) == [(True,)]
        except SQLAlchemyError:  # then the rollback's own account is enough
            return False

    def executed(self, connection: Any, _cursor: Any, statement: Any, *_: Any) -> None:
        """Note a statement that was executed, on this connection or another."""
        if self._is_own(connection):
            self._watch.executed(connection, str(statement))

    def _is_own(self, connection: Any) -> bool:
        own = self._connection
        if own is None or own.closed or own.invalidated:
            return False
        return driver_of(own) is driver_of(connection)

    def makes_version_table(self, connection: Any) -> None:
        """Prepare the session in which Alembic is about to create its version table.

        Another session may have created one that isn't committed: that is waited for as long as a
        revision may wait, and the wait can be observed.
        """
        self._setting = setting = setting_of(connection, self._timeouts)
        ((pid, transaction, *_),) = execute_text(
            connection,
            "select pg_catalog.pg_backend_pid(),"
            f" pg_catalog.pg_current_xact_id()::pg_catalog.text{setting.settings}",
        )
        self._works_in(Session(pid, transaction, setting.started))

    def before(
        self,
        migrate: Callable[..., None],
        context: Any,
        revision: Revision,
        begun: Callable[[], None],
    ) -> Any:
        """Wrap the revision's upgrade(): its beginning is recorded first, then `begun` is called.

        Before every revision, and not once for those that share a transaction: SQLAlchemy doesn't
        notice when one commits by itself.
        """

        @functools.wraps(migrate)  # Alembic logs its name
        @signals.never_here
        def noting(**keywords: Any) -> None:
            connection = context.connection
            with signals.uninterrupted():
                if self._setting is None:  # not earlier: env.py may have set its own until here
                    self._setting = setting_of(connection, self._timeouts)
                if is_idle(driver_of(connection)):
                    begun()  # what is recorded may be committed at once
                self._begin(connection, revision, self._setting)
                begun()
            try:
                with recursion_limit_kept():
                    migrate(**keywords)
                self.check()
                if self._watch.lost is not None:
                    raise rolled_back(revision, self._watch.lost)
            except BaseException as error:
                with signals.uninterrupted():
                    self._failed(connection, revision, error)
                if self.raised is not error and self.raised is not None:
                    raise self.raised from error
                raise
            finally:
                self._watch.over()

        return noting

    def _failed(self, connection: Any, revision: Revision, error: BaseException) -> None:
        """Note what the revision raised, and whether a part of it may stay."""
        watch = self._watch
        ours = isinstance(error, SurefootError) or not isinstance(error, Exception)
        if watch.lost is not None and not ours and not signals.requested():
            error = rolled_back(revision, watch.lost, error)
        self.raised = error
        # with everything it had begun
        gone = connection.closed or connection.invalidated
        idle = not gone and is_idle(driver_of(connection))
        if watch.committed if watch.rolled_back else idle:
            self.left.add(revision.id)

    def _begin(self, connection: Any, revision: Revision, setting: Setting) -> None:
        """Record its beginning, and the end of the previous revision in the same statement.

        None of its own statements has run yet: if this fails, the previous revision is the reason
        (one that has set another role, for example).
        """
        before, self._due = self._due, None
        self.at_fault = before.revision if before is not None else None
        with self._ending(connection, before):
            self._begun = self._account.begin(executor(connection), revision, setting, before)
        self.at_fault = None
        self._watch.begin(revision, shared=before is not None)
        if before is not None:
            self.ends[before.revision.id] = self._begun.transaction
        self.transactions[revision.id] = self._begun.transaction
        supervisor.tell(begun=(revision.id, self._begun.transaction))
        session = Session(self._begun.pid, self._begun.transaction, setting.started)
        self._works_in(session)

    def progress(self, context: Any, statements: int) -> None:
        """Record how many statements of the current revision are done, if this is committed."""
        assert self._begun is not None
        self._account.progress(executor(context.connection), self._begun, statements)

    def behind(self, context: Any, revision: Revision, seconds: float) -> None:
        """Note that the revision has run and its version row is written.

        Its end is recorded with the next revision's beginning, or before the commit: until then,
        nothing of the application's runs. Without a pending transaction, it is recorded at once.
        """
        assert self._begun is not None
        self._due = Ended(self._begun, revision, seconds, self._watch.rolled_back)
        if not is_in_transaction(driver_of(context.connection)):
            self.settle(context.connection)

    def settle(self, connection: Any) -> None:
        """Record what has ended, because the transaction is about to."""
        due, self._due = self._due, None
        if due is None:
            return
        self.at_fault = due.revision
        with self._ending(connection, due):
            self.ends[due.revision.id] = self._account.done(executor(connection), due)
        self.at_fault = None

    @contextlib.contextmanager
    def _ending(self, connection: Any, ended: Ended | None) -> Generator[None, None, None]:
        """Record an end in the block: its revision may have rolled back what it began with.

        The journal, too, where this run made it. Raises SurefootError `revision-failed`.
        """
        try:
            yield
        except SurefootError:
            if ended is not None and is_idle(driver_of(connection)):
                self.left.add(ended.revision.id)  # its version row was committed by itself
            raise
        except Exception as error:
            cause = cause_of(error)
            if ended is None or cause is None or cause.sqlstate not in _NO_TABLE:
                raise
            if self._watch.dropped is not None and "surefoot" in cause.message:
                raise dropped_journal(ended.revision, self._watch.dropped) from error
            if not self._account.made or "surefoot" not in cause.message:
                raise
            raise rolled_back(ended.revision) from error

    def cancel(self) -> None:
        """Make the server cancel the application's statement. Called from another thread.

        For a driver that waits in C, where signals have no effect. A driver that waits in Python is
        interrupted by the signal itself, and may have no such function.
        """
        if self._connection is None or self._connection.invalidated:
            return
        cancel = getattr(driver_of(self._connection), "cancel", None)
        if cancel is not None:
            cancel()

    def give_up(self) -> None:
        """Close the connection after env.py has failed and left a transaction open.

        The server then rolls it back, and can be asked what became of it.
        """
        own = self._connection
        if own is None or own.closed or own.invalidated:
            return
        if is_in_transaction(driver_of(own)):
            self.cut()

    def cut(self) -> None:
        """Close the connection itself, so that its driver returns. Called from another thread."""
        if self._connection is None or self._connection.invalidated:
            return
        cut(driver_of(self._connection))
