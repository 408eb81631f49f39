"""What verifiably happened, as a value."""

import msgspec

from surefoot.errors import ExitCode, Finding
from surefoot.model.states import State


class Done(msgspec.Struct, frozen=True):
    """One thing that was done and committed. `kind`: install, stamp, revision or seed."""

    kind: str
    name: str
    seconds: float
    message: str = ""


class Outcome(msgspec.Struct, frozen=True):
    """How a run of `up` ended.

    `rows` is what the version table says now (None where it couldn't be asked again), `state` the
    state seen last, `findings` why it stopped, if it did. `remarks` is what a person should know
    although nothing is in the way. `backup` is the one that was taken before the first step;
    `unsaved`: there is none, since the configuration wants none.
    """

    state: State | None
    rows: tuple[str, ...] | None
    done: tuple[Done, ...] = ()
    findings: tuple[Finding, ...] = ()
    seconds: float = 0.0
    remarks: tuple[str, ...] = ()
    backup: str | None = None
    unsaved: bool = False

    @property
    def exit_code(self) -> ExitCode:
        """The gravest of the findings' codes, or 0.

        "Refused" says that nothing was changed; once something is committed, it's "failed".
        """
        code = max((f.exit_code for f in self.findings), default=ExitCode.DONE)
        return ExitCode.FAILED if self.done and code is ExitCode.REFUSED else code
