"""Watch what env.py does on its connection before it calls context.configure().

SQLAlchemy 2 begins a transaction with the first statement. When Alembic is configured, it sees that
a transaction is open, leaves the commit to env.py, and says nothing. So a statement there, a lock
or a SET ROLE, is the usual reason why nothing is committed.
"""

import inspect
import weakref
from pathlib import Path
from types import FrameType
from typing import Any, Self

from sqlalchemy import event
from sqlalchemy.engine import Engine

from surefoot.alembic_env.driver import driver_of
from surefoot.alembic_env.loading import is_own_file

_WIDTH = 100


class BeforeConfigure:
    """Listens to executed statements, for a block, until `over` is called."""

    def __init__(self, root: Path) -> None:
        self._root = root
        # by the driver's connection
        self._first: weakref.WeakKeyDictionary[Any, str] = weakref.WeakKeyDictionary()
        self._statement: str | None = None
        self._open = False

    def __enter__(self) -> Self:
        event.listen(Engine, "before_cursor_execute", self._executing)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    def over(self, connection: Any) -> None:
        """Note that env.py has called context.configure() with this connection."""
        self._stop()
        if connection is None:
            return
        self._open = bool(connection.in_transaction())
        self._statement = self._first.get(driver_of(connection))

    def explained(self) -> tuple[list[str], str]:
        """Explain why nothing was committed: what was seen, and the remedy."""
        if self._open and self._statement is not None:
            return (
                [f"executed before context.configure(): {self._statement}"],
                "that statement began a transaction, and Alembic leaves the commit of a "
                "transaction that it didn't begin to env.py. In env.py, put a line "
                "connection.commit() between that statement and context.configure() (with the "
                "name that env.py gives its connection), then start again",
            )
        if self._open:
            return (
                ["a transaction was open when env.py called context.configure()"],
                "Alembic leaves the commit of a transaction that it didn't begin to env.py: have "
                "env.py commit it after context.run_migrations(), or begin none before "
                "context.configure(). Then start again",
            )
        return (
            ["no transaction was open when env.py called context.configure()"],
            "have env.py call context.run_migrations() inside `with "
            "context.begin_transaction():`, and not roll back after it. Then start again",
        )

    def _executing(self, connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        key = driver_of(connection)
        if key not in self._first:
            text = " ".join(statement.split())
            where = self._place(inspect.currentframe())
            text = text if len(text) <= _WIDTH else f"{text[: _WIDTH - 2]} …"
            self._first[key] = f"{where}: {text}" if where else text

    def _place(self, frame: FrameType | None) -> str | None:
        """Return `file:line` of the innermost frame in the application's own files."""
        while frame is not None:
            file = Path(frame.f_code.co_filename)
            if is_own_file(file, self._root):
                shown = file.relative_to(self._root) if file.is_relative_to(self._root) else file
                return f"{shown.as_posix()}:{frame.f_lineno}"
            frame = frame.f_back
        return None

    def _stop(self) -> None:
        if event.contains(Engine, "before_cursor_execute", self._executing):
            event.remove(Engine, "before_cursor_execute", self._executing)
