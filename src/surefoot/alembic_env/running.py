"""What runs on the application's own connection at the moment: noted, so that it can be asked
after, and stopped.
"""

from collections.abc import Callable
from typing import Any

from surefoot.alembic_env.account import Account, Begun
from surefoot.alembic_env.driver import cut, driver_of, is_idle, is_in_transaction
from surefoot.alembic_env.loading import recursion_limit_kept
from surefoot.alembic_env.settings import Timeouts, settings
from surefoot.alembic_env.steps import executor
from surefoot.model.history import Revision
from surefoot.system import signals, supervisor


class Running:
    """The run of env.py that is under way.

    `transactions` are the ids of those that the revisions began in, by revision; `ends` those in
    which their last statement ran, after the version row; `raised` is what a
    revision raised, whether or not env.py keeps it to itself. `left` are revisions that weren't in
    their transaction when they raised, or during which another connection committed: what became of
    their own transaction says nothing of what they did.
    """

    def __init__(self, account: Account, timeouts: Timeouts) -> None:
        self.transactions: dict[str, str] = {}
        self.ends: dict[str, str] = {}
        self.raised: BaseException | None = None
        self.left: set[str] = set()
        self.uncut = False  # no commit between two revisions: the transaction is env.py's
        self._account, self._timeouts = account, timeouts
        self._settings: str | None = None
        self._begun: Begun | None = None
        self._connection: Any = None

    @property
    def last(self) -> str:
        """The revision that began last, "" where none has."""
        return next(reversed(self.transactions), "")

    def on(self, connection: Any) -> None:
        """The application's connection, once it's known."""
        self._settings = None
        self._connection = connection

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

    def before(self, migrate: Callable[..., None], context: Any, revision: Revision) -> Any:
        """The revision's upgrade(), which is first put on account.

        Before every revision, and not once for those that share a transaction: one that commits by
        itself leaves SQLAlchemy none the wiser.
        """

        @signals.never_here
        def noting(**keywords: Any) -> None:
            connection = context.connection
            with signals.uninterrupted():
                if self._settings is None:  # only here: env.py may have set its own until now
                    self._settings = settings(connection, self._timeouts)
                self._begun = self._account.begin(executor(connection), revision, self._settings)
                self.transactions[revision.id] = self._begun.transaction
                supervisor.tell(begun=(revision.id, self._begun.transaction))
            try:
                with recursion_limit_kept():
                    migrate(**keywords)
            except BaseException as error:
                with signals.uninterrupted():
                    self.raised = error
                    gone = connection.closed or connection.invalidated  # with all it had begun
                    if not gone and is_idle(driver_of(connection)):
                        self.left.add(revision.id)
                raise

        return noting

    def progress(self, context: Any, statements: int) -> None:
        """So many statements of the revision that runs are done, if this is committed."""
        assert self._begun is not None
        self._account.progress(executor(context.connection), self._begun, statements)

    def behind(self, context: Any, revision: Revision, seconds: float) -> None:
        """The revision has run, and its version row is written."""
        assert self._begun is not None
        execute = executor(context.connection)
        self.ends[revision.id] = self._account.done(execute, self._begun, revision, seconds)

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
