"""Who keeps account of the revisions that env.py runs."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import msgspec

from surefoot.model.history import Revision

Execute = Callable[[str, Mapping[str, object]], list[tuple[Any, ...]]]
"""Executes a statement with named parameters, written as psycopg writes them: `%(name)s`; gives
its rows, if it returns any."""


class Begun(msgspec.Struct, frozen=True):
    """A revision's beginning: its row in the journal, its transaction's id, its session's pid."""

    row: int
    transaction: str
    pid: int


class Setting(msgspec.Struct, frozen=True):
    """What a revision begins in, as SQL: two expressions for its session, and the settings that
    hold for it, each behind a comma. No `session`: it may be another one each time. `started` is
    when that session began.
    """

    session: str | None
    settings: str
    started: str | None = None


class Ended(msgspec.Struct, frozen=True):
    """A revision that has run, with its version row, in so many seconds; not yet on account."""

    begun: Begun
    revision: Revision
    seconds: float


class Account(Protocol):
    """Who keeps account of the revisions, on the application's connection, in their transaction."""

    def begin(
        self, execute: Execute, revision: Revision, setting: Setting, before: Ended | None
    ) -> Begun:
        """The first thing in the revision's transaction. `setting` is evaluated there, too.
        `before` is the revision that has ended in this transaction, and is put on account with it.
        """
        ...

    def progress(self, execute: Execute, begun: Begun, statements: int) -> None:
        """So many statements of a way back are done."""
        ...

    def done(self, execute: Execute, ended: Ended) -> str:
        """The last statement, after its version row. Returns the transaction that it ran in."""
        ...
