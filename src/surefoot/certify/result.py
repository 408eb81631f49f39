"""What came of a case. Values only."""

from typing import Literal

import msgspec

from surefoot.certify.invariants import Violation
from surefoot.certify.plan import Case

# `missed`: the fault never came, so nothing was proved. `skipped`: there is nothing to try here,
# and the notes say why. `not-run`: the minutes were used up before it. `doubtful`: it failed with
# rows that the application may never write.
Outcome = Literal["passed", "failed", "missed", "skipped", "not-run", "doubtful"]


class Result(msgspec.Struct, frozen=True):
    """What came of a case.

    `fault` is what was seen of the fault, `notes` what is worth knowing and no failure, `commands`
    each run of surefoot with its exit code.
    """

    case: Case
    outcome: Outcome
    violations: tuple[Violation, ...] = ()
    fault: str = ""
    notes: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    seconds: float = 0.0
