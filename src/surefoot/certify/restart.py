"""Start surefoot after a fault until it is at head, as an orchestrator and then a person would."""

import re
import shlex
from collections.abc import Callable

import msgspec

from surefoot.certify.running import Output

BUSY = 7
_TRIES = 5

# The command in a finding that finishes or undoes a half-applied revision.
_NAMED = re.compile(r"surefoot (repair --(?:finish|undo)(?: --yes)?)")


class Restarted(msgspec.Struct, frozen=True):
    """The last `up`, how often it was busy before, and what a person had to type.

    `repaired` is the output of that command, None if none was named.
    """

    up: Output
    busy: int = 0
    typed: str = ""
    repaired: Output | None = None


def restart(run: Callable[..., Output]) -> Restarted:
    """Start `up` while it is busy; if it refuses and names a command, run that, and `up` again.

    `run` runs surefoot with these words to its end.
    """
    up, busy = run("up"), 0
    while up.code == BUSY and busy < _TRIES:
        busy += 1
        up = run("up")
    command = next((m[1] for f in up.findings if (m := _NAMED.search(f["next"]))), None)
    if up.code == 0 or command is None:
        return Restarted(up, busy)
    words = shlex.split(command)
    repaired = run(*words, *([] if "--yes" in words else ["--yes"]))
    return Restarted(run("up"), busy, command, repaired)
