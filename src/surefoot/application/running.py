"""What runs on the application's own connection at the moment: noted, so that it can be asked
after, and stopped.
"""

from collections.abc import Callable
from typing import Any

from surefoot.application.account import Account, Begun
from surefoot.application.settings import Timeouts, settings
from surefoot.application.steps import executor
from surefoot.history import Revision


class Running:
    """The run of env.py that is under way.

    `transactions` are the ids of those that the revisions began in, by revision; `raised` is what a
    revision raised, whether or not env.py keeps it to itself.
    """

    def __init__(self, account: Account, timeouts: Timeouts) -> None:
        self.transactions: dict[str, str] = {}
        self.raised: BaseException | None = None
        self._account, self._timeouts = account, timeouts
        self._settings = ""
        self._begun: Begun | None = None
        self._connection: Any = None

    @property
    def last(self) -> str:
        """The revision that began last, "" where none has."""
        return next(reversed(self.transactions), "")

    def on(self, connection: Any) -> None:
        """The application's connection, once it's known."""
        self._connection = connection
        self._settings = settings(connection, self._timeouts)

    def before(self, migrate: Callable[..., None], context: Any, revision: Revision) -> Any:
        """The revision's upgrade(), which is first put on account.

        Before every revision, and not once for those that share a transaction: one that commits by
        itself leaves SQLAlchemy none the wiser.
        """

        def noting(**keywords: Any) -> None:
            self._begun = self._account.begin(
                executor(context.connection), revision, self._settings
            )
            self.transactions[revision.id] = self._begun.transaction
            try:
                migrate(**keywords)
            except BaseException as error:
                self.raised = error
                raise

        return noting

    def behind(self, context: Any, revision: Revision, seconds: float) -> None:
        """The revision has run, and its version row is written."""
        assert self._begun is not None
        self._account.done(executor(context.connection), self._begun, revision, seconds)

    def cancel(self) -> None:
        """Make the server stop what it does for the application. From another thread.

        For a driver that waits in C, where no signal gets through. One that waits in Python, and so
        is interrupted by the signal itself, may have no such function.
        """
        if self._connection is None:
            return
        pooled = self._connection.connection
        driver = getattr(pooled, "driver_connection", None) or pooled.connection
        cancel = getattr(driver, "cancel", None)
        if cancel is not None:
            cancel()
