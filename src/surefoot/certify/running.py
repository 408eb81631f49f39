"""A run of surefoot in a case, and what is left of a case's processes."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import msgspec

LONGEST = 300.0  # seconds, also where the machine is busy; a run that takes longer hangs

_MARK = "_SUREFOOT_CASE"
_TO_CLOSE = 10.0  # seconds for the outputs of a killed process to end


class Output(msgspec.Struct, frozen=True):
    """What one run of surefoot returned and printed; code None: it was killed."""

    command: str
    code: int | None
    out: str
    err: str
    seconds: float = 0.0

    @property
    def json(self) -> dict[str, Any]:
        """Return the object that the run printed; empty if it printed none."""
        return msgspec.json.decode(self.out) if self.out.strip() else {}

    @property
    def findings(self) -> list[dict[str, Any]]:
        """Return the findings of that object."""
        return self.json.get("findings", [])


class Process(Protocol):
    """A started process, as far as a case needs it."""

    pid: int
    returncode: Any

    def poll(self) -> int | None: ...
    def wait(self, timeout: float | None = None) -> int: ...
    def kill(self) -> None: ...
    def send_signal(self, sig: int, /) -> None: ...
    def communicate(self, input: Any = None, timeout: float | None = None) -> tuple[Any, Any]: ...


Start = Callable[[Sequence[str], Path, Mapping[str, str]], Process]
"""Starts surefoot with these arguments, in this directory, with these variables, in a session of
its own and with pipes for its two outputs.
"""


def start(arguments: Sequence[str], root: Path, environ: Mapping[str, str]) -> Process:
    """Start this environment's surefoot."""
    return start_program([sys.executable, "-P", "-m", "surefoot"], arguments, root, environ)


def start_program(
    program: Sequence[str], arguments: Sequence[str], root: Path, environ: Mapping[str, str]
) -> Process:
    """Start another program in the same way."""
    return subprocess.Popen(
        [*program, *arguments],
        cwd=root,
        env=environ,
        encoding="utf-8",
        errors="replace",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def kill(process: Process) -> None:
    """Send SIGKILL to the process and its group."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def end(process: Process) -> tuple[str, str]:
    """Kill the process and its group; return its outputs, empty if they stay open."""
    kill(process)
    try:
        return process.communicate(timeout=_TO_CLOSE)
    except subprocess.TimeoutExpired:  # a process that left the group still has them
        return "", ""


class Running:
    """A run of surefoot in progress, in its own process group."""

    def __init__(
        self,
        command: Sequence[str],
        root: Path,
        url: str,
        mark: str,
        *,
        environment: Mapping[str, str],
        start: Start = start,
        called: str | None = None,
    ) -> None:
        """Start `surefoot COMMAND` on the database at `url`. `mark` names the case, `called` is the
        command in reports.
        """
        self._called = " ".join(command) if called is None else called
        self._started = time.monotonic()
        environ = {
            **environment,
            "SUREFOOT_DATABASE_URL": url,
            # the proxy reads the protocol
            "PGSSLMODE": "disable",
            "PGGSSENCMODE": "disable",
            _MARK: mark,
        }
        self.process = start(command, root, environ)

    def output(self, longest: float = LONGEST) -> Output:
        """Wait for its end. A run that hangs is killed, and has the code 124."""
        try:
            out, err = self.process.communicate(timeout=longest)
            code = self.process.returncode
        except subprocess.TimeoutExpired:
            out, err = end(self.process)
            code = 124
        seconds = time.monotonic() - self._started
        return Output(self._called, None if code == -9 else code, out, err, seconds)


def clean_environment() -> dict[str, str]:
    """The machine's variables, without those that may name a database.

    The application's files don't change while cases run, and are compiled once.
    """
    names = ("PG", "POSTGRES_", "DATABASE_URL", "SUREFOOT_DATABASE_URL", "PYTHONDONTWRITE")
    return {name: value for name, value in os.environ.items() if not name.startswith(names)}


def processes_of(mark: str) -> tuple[str, ...]:
    """The commands of the processes that a case has started and that are still there.

    Empty on a system without /proc.
    """
    found: list[str] = []
    wanted = f"{_MARK}={mark}".encode()
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if wanted in (entry / "environ").read_bytes().split(b"\0"):
                command = (entry / "cmdline").read_bytes().rstrip(b"\0")
                found.append(command.replace(b"\0", b" ").decode())
        except OSError:
            continue  # it has ended, or belongs to another user
    return tuple(found)
