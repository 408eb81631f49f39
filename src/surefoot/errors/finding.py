"""One thing noticed, and the exception that carries it out of a deep place."""

import msgspec

from surefoot.errors.codes import CODES, ExitCode
from surefoot.errors.masking import hidden

NOT_REACHED = "The database was not reached, so nothing was changed."
NOT_CHANGED = "The database was not changed."


class Finding(msgspec.Struct, frozen=True):
    """One thing noticed that stops the run.

    Read in this order: what happened, what was seen, what state the database is in now, and what
    to type next. The code names the condition and has a page of its own.
    """

    code: str
    message: str
    seen: tuple[str, ...] = ()
    database: str = NOT_CHANGED
    next: str = ""

    def __post_init__(self) -> None:
        if self.code not in CODES:
            raise ValueError(f"no such error code: {self.code}")

    @property
    def exit_code(self) -> ExitCode:
        """What the process returns when this finding ends it."""
        return CODES[self.code]


class SurefootError(Exception):
    """Carries a finding to the edge of the program, where it is reported."""

    def __init__(
        self,
        code: str,
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
        """The exception that carries this finding."""
        return cls(
            finding.code,
            finding.message,
            seen=finding.seen,
            database=finding.database,
            next=finding.next,
        )
