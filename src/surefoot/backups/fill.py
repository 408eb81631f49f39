"""The long part of a restore: make the new database, and verify it. It touches no other."""

import time
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec
import psycopg

from surefoot.backups.new_database import Filling, dropped, filled, marked, prepared, verified
from surefoot.backups.set_aside import observe_properties
from surefoot.errors import SurefootError
from surefoot.model.progress import Progress
from surefoot.system import signals

T = TypeVar("T")


class Restoring:
    """One attempt. `connect` leads to the server, but to none of the databases involved."""

    def __init__(
        self, filling: Filling, connect: Callable[[], psycopg.Connection[Any]], progress: Progress
    ) -> None:
        self._filling, self._connect, self._progress = filling, connect, progress
        self._found = False  # an earlier start had filled it

    def made(self) -> tuple[str | None, ...]:
        """Return the version rows of the new database, which then exists and is verified.

        Raises SurefootError `restore-failed`, `restore-differs`, `restore-in-the-way`,
        `restore-not-possible`, `interrupted`.
        """
        name = self._filling.mark.database
        try:
            return self._attempt()
        except (KeyboardInterrupt, psycopg.Error) as error:
            # a signal cancels the statement that is running, too
            if isinstance(error, KeyboardInterrupt) or signals.requested():
                signals.answered()
                raise SurefootError(
                    "interrupted",
                    "A signal ended the restore.",
                    database=f"{name} was not changed. {self._undone()}",
                    next="start again",
                ) from error
            raise SurefootError(
                "restore-failed",
                "The restore stopped.",
                seen=str(error).strip().splitlines()[:3],
                database=f"{name} was not changed. {self._undone()}",
                next="read the server's log of this time, then start again",
            ) from error
        except SurefootError as error:
            if error.finding.code != "restore-failed":
                raise
            told = f"{error.finding.database} {self._undone()}"
            raise SurefootError.of(msgspec.structs.replace(error.finding, database=told)) from error

    def _attempt(self) -> tuple[str | None, ...]:
        filling = self._filling
        with self._connect() as m:
            like = observe_properties(m, filling.mark.database)
            assert like is not None
            self._found = prepared(m, filling, like)
            if self._found:
                self._progress.notice(f"{filling.name} exists, from an earlier start")
            else:
                self._step("restored", lambda: filled(m, filling, self._progress))
            try:
                rows = self._step("verified", lambda: verified(filling))
            except SurefootError:
                marked(m, filling.name, filling.mark)  # the next start makes it again
                raise
            marked(m, filling.name, msgspec.structs.replace(filling.mark, state="restored"))
            return rows

    def _step(self, what: str, work: Callable[[], T]) -> T:
        started = time.monotonic()
        name = f"{what} in {self._filling.name}"
        self._progress.begin("restore", name, "")
        result = work()
        self._progress.end("restore", name, "", time.monotonic() - started, committed=True)
        return result

    def _undone(self) -> str:
        """Drop the incomplete database if possible, and say in words what became of it."""
        name = self._filling.name
        if self._found:
            return f"{name} stays, restored by an earlier start; the next start continues with it."
        try:
            with self._connect() as m:
                dropped(m, name)
        except (SurefootError, psycopg.Error):
            return f"The incomplete {name} stays; the next start replaces it."
        return f"The incomplete {name} was dropped."
