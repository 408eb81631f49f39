"""What verifiably happened in a run, as a value."""

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

    `rows` is the content of the version table now (None if it couldn't be read again), `state` the
    last state seen, `findings` why the run stopped, if it did. `remarks` are worth knowing but stop
    nothing. `backup` was taken before the first step; `unsaved`: there is none, because the
    configuration turns backups off.
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
        """The gravest exit code of the findings, or 0.

        "Refused" means that nothing was changed; once something is committed, it becomes "failed".
        """
        code = max((f.exit_code for f in self.findings), default=ExitCode.DONE)
        return ExitCode.FAILED if self.done and code is ExitCode.REFUSED else code
