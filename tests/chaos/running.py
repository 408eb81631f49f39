"""A run of surefoot in a case, and what is left of a case's processes."""

import os
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from tests import starts
from tests.chaos.invariants import Output

LONGEST = 90.0  # seconds; whoever takes longer hangs

_MARK = "SUREFOOT_CHAOS_CASE"


class Running:
    """A run of surefoot that is under way, in a process group of its own."""

    def __init__(
        self,
        command: tuple[str, ...],
        root: Path,
        url: str,
        mark: str,
        *,
        program: str | None = None,
        environment: Mapping[str, str] | None = None,
        real: bool = False,
    ) -> None:
        """`program` is surefoot in another environment than ours."""
        self._command = command
        self._started = time.monotonic()
        environ = {
            **(clean_environment() if environment is None else environment),
            "SUREFOOT_DATABASE_URL": url,
            # the proxy reads along
            "PGSSLMODE": "disable",
            "PGGSSENCMODE": "disable",
            _MARK: mark,
        }
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "start_new_session": True}
        self.process: starts.Started = (
            starts.start("-m", "surefoot", *command, cwd=root, env=environ, **pipes, real=real)
            if program is None
            else subprocess.Popen([program, *command], cwd=root, env=environ, text=True, **pipes)
        )

    def output(self, longest: float = LONGEST) -> Output:
        """Wait for its end. A run that hangs is killed, and has the code 124."""
        try:
            out, err = self.process.communicate(timeout=longest)
            code = self.process.returncode
        except subprocess.TimeoutExpired:
            self.process.kill()
            out, err = self.process.communicate()
            code = 124
        seconds = time.monotonic() - self._started
        return Output(" ".join(self._command), None if code == -9 else code, out, err, seconds)


def clean_environment() -> dict[str, str]:
    """The machine's, without what may name a database. The application's files don't change here,
    and are compiled once.
    """
    names = ("PG", "POSTGRES_", "DATABASE_URL", "SUREFOOT_DATABASE_URL", "PYTHONDONTWRITE")
    return {name: value for name, value in os.environ.items() if not name.startswith(names)}


def processes_of(mark: str) -> tuple[str, ...]:
    """The commands of the processes that a case has started and that are still there."""
    found: list[str] = []
    wanted = f"{_MARK}={mark}".encode()
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if wanted in (entry / "environ").read_bytes().split(b"\0"):
                command = (entry / "cmdline").read_bytes().rstrip(b"\0")
                found.append(command.replace(b"\0", b" ").decode())
        except OSError:
            continue  # it's gone, or somebody else's
    return tuple(found)
