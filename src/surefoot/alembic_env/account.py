"""The interface through which a run of env.py is recorded in the journal."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import msgspec

from surefoot.model.history import Revision

Execute = Callable[[str, Mapping[str, object]], list[tuple[Any, ...]]]
"""Executes a statement with named parameters in psycopg's style, `%(name)s`; returns its rows, if
any.
"""


class Begun(msgspec.Struct, frozen=True):
    """A revision that has begun: its journal row, its transaction's id, its session's pid."""

    row: int
    transaction: str
    pid: int


class Setting(msgspec.Struct, frozen=True):
    """The context in which a revision begins, as SQL.

    Two expressions for its session, and the settings that apply to it, each after a comma. Without
    `session`, the session may be another one each time. `started` is when the session began.
    """

    session: str | None
    settings: str
    started: str | None = None


class Ended(msgspec.Struct, frozen=True):
    """A revision that has run, with its version row and its duration; not recorded yet.

    `restarted`: it rolled back the transaction in which it began, before it had done anything.
    """

    begun: Begun
    revision: Revision
    seconds: float
    restarted: bool = False


class Account(Protocol):
    """Records the revisions, on the application's connection and in their transaction."""

    @property
    def made(self) -> bool:
        """Whether this run has created the journal."""
        ...

    def doubt(self) -> None:
        """Note that a transaction was rolled back: the journal may have been created in it."""
        ...

    def begin(
        self, execute: Execute, revision: Revision, setting: Setting, before: Ended | None
    ) -> Begun:
        """Record that a revision begins, first thing in its transaction.

        `setting` is evaluated there, too. `before` is the revision that has ended in this
        transaction; it is recorded with this one.
        """
        ...

    def progress(self, execute: Execute, begun: Begun, statements: int) -> None:
        """Record how many statements of a downgrade are done."""
        ...

    def done(self, execute: Execute, ended: Ended) -> str:
        """Record that a revision has ended: the last statement, after its version row.

        Returns the transaction in which it ran. Raises SurefootError if the revision has rolled
        back what it began with.
        """
        ...
