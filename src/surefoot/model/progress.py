"""Who is told of each step as it happens."""

from typing import Protocol


class Progress(Protocol):
    """The listener of a run. `kind` is install, stamp, revision or seed."""

    def begin(self, kind: str, name: str, message: str) -> None:
        """A step begins."""
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

    def notice(self, text: str) -> None:
        """Something worth a line."""
        ...
