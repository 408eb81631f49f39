"""The interface through which a run reports its steps."""

from typing import Protocol

import msgspec


class Session(msgspec.Struct, frozen=True):
    """The server session in which a step runs, so that another session can ask about it.

    `started` is when the session began, if the whole step uses one session; `transaction` is the id
    of the step's transaction. A process id alone may belong to another session by now.
    """

    pid: int
    transaction: str = ""
    started: str | None = None


class Progress(Protocol):
    """The listener of a run. `kind` is install, stamp, revision or seed."""

    def begin(self, kind: str, name: str, message: str) -> None:
        """A step begins."""
        ...

    def prepares(self, what: str) -> None:
        """Something precedes the first step: worth a line only if it takes long."""
        ...

    def works_in(self, session: Session) -> None:
        """The current step works in this session."""
        ...

    def further(self, text: str) -> None:
        """The current step has progressed; `text` says how far."""
        ...

    def end(self, kind: str, name: str, message: str, seconds: float, *, committed: bool) -> None:
        """A step has finished; `committed`: its transaction has been committed too."""
        ...

    def committed(self, what: str) -> None:
        """Everything that ran in one transaction has been committed."""
        ...

    def stopped(self) -> None:
        """The current step has stopped; its outcome isn't known yet."""
        ...

    def raised(self, frames: tuple[str, ...], whole: tuple[str, ...]) -> None:
        """The application's code raised: the frames in its own files, and the whole traceback."""
        ...

    def notice(self, text: str) -> None:
        """Something worth a line."""
        ...
