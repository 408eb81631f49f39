"""What runs on the application's own connection at the moment: noted, so that it can be asked
after, and stopped.
"""

import functools
from collections.abc import Callable
from typing import Any

from surefoot.alembic_env.account import Account, Begun, Ended, Setting
from surefoot.alembic_env.driver import backend_pid, cut, driver_of, is_idle, is_in_transaction
from surefoot.alembic_env.loading import recursion_limit_kept
from surefoot.alembic_env.settings import Timeouts, setting_of
from surefoot.alembic_env.steps import executor
from surefoot.errors import Finding, SurefootError
from surefoot.model.history import Revision
from surefoot.model.progress import Session
from surefoot.system import signals, supervisor


class Running:
    """The run of env.py that is under way.

    `transactions` are the ids of those that the revisions began in, by revision; `ends` those in
    which their last statement ran, after the version row; `raised` is what a
    revision raised, whether or not env.py keeps it to itself. `left` are revisions that weren't in
    their transaction when they raised, or during which another connection committed: what became of
    their own transaction says nothing of what they did. `pid` is the server process of env.py's
    connection; `sessions` are those of every connection that SQLAlchemy took from a pool, each with
    what cuts it.
    """

    def __init__(
        self, account: Account, timeouts: Timeouts, works_in: Callable[[Session], None]
    ) -> None:
        self.transactions: dict[str, str] = {}
        self.ends: dict[str, str] = {}
        self.raised: BaseException | None = None
        self.left: set[str] = set()
        self.at_fault: Revision | None = None  # whose end could not be put on account
        self.pid: int | None = None
        self.stopped: Finding | None = None  # why the run is to end
        self.sessions: dict[int, Callable[[], None]] = {}
        self.uncut = False  # no commit between two revisions: the transaction is env.py's
        self._account, self._timeouts, self._works_in = account, timeouts, works_in
        self._setting: Setting | None = None
        self._begun: Begun | None = None
        self._due: Ended | None = None  # what ended, and the account doesn't have yet
        self._connection: Any = None

    @property
    def last(self) -> str:
        """The revision that began last, "" where none has."""
        return next(reversed(self.transactions), "")

    def on(self, connection: Any) -> None:
        """The application's connection, once it's known."""
        self._setting = None
        self._connection = connection
        self.pid = backend_pid(driver_of(connection))

    def stop(self, finding: Finding) -> None:
        """Have the run end at the next statement or commit of the application's, if it doesn't end
        by itself. From another thread.
        """
        self.stopped = finding

    def check(self) -> None:
        """Raises SurefootError where the run is to end."""
        if self.stopped is not None:
            raise SurefootError.of(self.stopped)

    def taken(self, connection: Any, *_: Any) -> None:
        """SQLAlchemy takes a connection from a pool."""
        driver = getattr(connection, "driver_connection", None) or connection
        pid = backend_pid(driver)
        if pid is not None:
            self.sessions[pid] = lambda: cut(driver)

    def committed(self, connection: Any) -> None:
        """A connection of SQLAlchemy's commits, this one or another."""
        own = self._connection
        if (
            own is None
            or own.closed
            or own.invalidated
            or driver_of(own) is not driver_of(connection)
        ):
            self.left.add(self.last)

    def before(
        self,
        migrate: Callable[..., None],
        context: Any,
        revision: Revision,
        begun: Callable[[], None],
    ) -> Any:
        """The revision's upgrade(), which is first put on account; then `begun` is called.

        Before every revision, and not once for those that share a transaction: one that commits by
        itself leaves SQLAlchemy none the wiser.
        """

        @functools.wraps(migrate)  # Alembic logs its name
        @signals.never_here
        def noting(**keywords: Any) -> None:
            connection = context.connection
            with signals.uninterrupted():
                if self._setting is None:  # only here: env.py may have set its own until now
                    self._setting = setting_of(connection, self._timeouts)
                if is_idle(driver_of(connection)):
                    begun()  # what is put on account may be committed at once
                self._begin(connection, revision, self._setting)
                begun()
            try:
                with recursion_limit_kept():
                    migrate(**keywords)
                self.check()
            except BaseException as error:
                with signals.uninterrupted():
                    self.raised = error
                    gone = connection.closed or connection.invalidated  # with all it had begun
                    if not gone and is_idle(driver_of(connection)):
                        self.left.add(revision.id)
                raise

        return noting

    def _begin(self, connection: Any, revision: Revision, setting: Setting) -> None:
        """Put its beginning on account, with the end of the one before it in the same statement.

        None of its own statements has run: if the account can't be kept any more, the revision
        before it is the reason (one that has set another role, say).
        """
        before, self._due = self._due, None
        self.at_fault = before.revision if before is not None else None
        self._begun = self._account.begin(executor(connection), revision, setting, before)
        self.at_fault = None
        if before is not None:
            self.ends[before.revision.id] = self._begun.transaction
        self.transactions[revision.id] = self._begun.transaction
        supervisor.tell(begun=(revision.id, self._begun.transaction))
        session = Session(self._begun.pid, self._begun.transaction, setting.started)
        self._works_in(session)

    def progress(self, context: Any, statements: int) -> None:
        """So many statements of the revision that runs are done, if this is committed."""
        assert self._begun is not None
        self._account.progress(executor(context.connection), self._begun, statements)

    def behind(self, context: Any, revision: Revision, seconds: float) -> None:
        """The revision has run, and its version row is written.

        Its end is put on account with the next revision's beginning, or before the commit: until
        then, nothing of the application's runs. Without a transaction that waits, at once.
        """
        assert self._begun is not None
        self._due = Ended(self._begun, revision, seconds)
        if not is_in_transaction(driver_of(context.connection)):
            self.settle(context.connection)

    def settle(self, connection: Any) -> None:
        """Put on account what has ended: the transaction is about to be."""
        due, self._due = self._due, None
        if due is None:
            return
        self.at_fault = due.revision
        self.ends[due.revision.id] = self._account.done(executor(connection), due)
        self.at_fault = None

    def cancel(self) -> None:
        """Make the server stop what it does for the application. From another thread.

        For a driver that waits in C, where no signal gets through. One that waits in Python, and so
        is interrupted by the signal itself, may have no such function.
        """
        if self._connection is None or self._connection.invalidated:
            return
        cancel = getattr(driver_of(self._connection), "cancel", None)
        if cancel is not None:
            cancel()

    def give_up(self) -> None:
        """env.py has failed, and nobody commits any more what it has left open: the server rolls
        that back once the connection is gone, and can be asked then what became of it.
        """
        own = self._connection
        if own is None or own.closed or own.invalidated:
            return
        if is_in_transaction(driver_of(own)):
            self.cut()

    def cut(self) -> None:
        """End the connection itself, so that its driver returns. From another thread."""
        if self._connection is None or self._connection.invalidated:
            return
        cut(driver_of(self._connection))
