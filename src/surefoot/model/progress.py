"""Who is told of each step as it happens."""

from typing import Protocol

import msgspec


class Session(msgspec.Struct, frozen=True):
    """The server's session in which a step runs, so that another session can ask about it.

    `started` is when the session began, where it stays the same one for the whole step;
    `transaction` is the id of the step's transaction. A process id alone may be somebody else's.
    """

    pid: int
    transaction: str = ""
    started: str | None = None


class Progress(Protocol):
    """The listener of a run. `kind` is install, stamp, revision or seed."""

    def begin(self, kind: str, name: str, message: str) -> None:
        """A step begins."""
        ...

    def works_in(self, session: Session) -> None:
        """The step that has begun works in this session."""
        ...

    def further(self, text: str) -> None:
        """The step that has begun is further on: how far, in words."""
        ...

    def end(self, kind: str, name: str, message: str, seconds: float, *, committed: bool) -> None:
        """A step has run to its end; `committed`: its transaction too."""
        ...

    def committed(self, what: str) -> None:
        """What ran together is committed together."""
        ...

    def stopped(self) -> None:
        """The step that had begun has stopped; what became of it isn't known yet."""
        ...

    def raised(self, frames: tuple[str, ...], whole: tuple[str, ...]) -> None:
        """The application's code raised: where in its own files, and the whole traceback."""
        ...

    def notice(self, text: str) -> None:
        """Something worth a line."""
        ...
