"""A finding, and the exception that carries it."""

import msgspec

from surefoot.errors.codes import CODES, ErrorCode, ExitCode
from surefoot.errors.masking import hidden

NOT_REACHED = "The database was not reached, so nothing was changed."
NOT_CHANGED = "The database was not changed."


class Finding(msgspec.Struct, frozen=True):
    """A condition that stops the run.

    Its parts, in reading order: what happened, what was seen, the state of the database now, and
    what to do next. The code names the condition and has a page.
    """

    code: ErrorCode
    message: str
    seen: tuple[str, ...] = ()
    database: str = NOT_CHANGED
    next: str = ""

    @property
    def exit_code(self) -> ExitCode:
        """The exit code of a process that this finding ends."""
        return CODES[self.code]


class SurefootError(Exception):
    """Carries a finding to the edge of the program, where it is reported."""

    def __init__(
        self,
        code: ErrorCode,
        message: str,
        *,
        seen: tuple[str, ...] | list[str] = (),
        database: str = NOT_CHANGED,
        next: str = "",
    ) -> None:
        lines = tuple(hidden(line) for line in seen)
        self.finding = Finding(code, hidden(message), lines, database, hidden(next))
        super().__init__(self.finding.message)

    @classmethod
    def of(cls, finding: Finding) -> "SurefootError":
        """Return the exception that carries this finding."""
        return cls(
            finding.code,
            finding.message,
            seen=finding.seen,
            database=finding.database,
            next=finding.next,
        )
