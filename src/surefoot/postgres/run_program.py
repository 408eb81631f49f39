"""Run one of PostgreSQL's programs, and watch its progress."""

import subprocess
import tempfile
from collections.abc import Callable
from typing import IO, Any

import msgspec

from surefoot.postgres.programs import Call
from surefoot.system import signals

_INTERVAL = 0.5  # seconds between two looks
_PATIENCE = 5.0  # seconds that a program has to end after it was asked to
_LINES = 6


class Ended(msgspec.Struct, frozen=True):
    """How it ended, and the last lines of its output."""

    code: int
    said: tuple[str, ...]


def run(
    command: list[str],
    call: Call,
    look: Callable[[], None],
    *,
    output: IO[bytes] | int = subprocess.DEVNULL,
) -> Ended:
    """Run it to its end. If anything is raised meanwhile, such as a signal, the program ends first.

    `look` is called twice a second. Raises OSError if it can't be started.
    """
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            command,
            env=call.environment,
            pass_fds=call.pass_fds,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=errors,
        )
        try:
            while True:
                try:
                    code = process.wait(_INTERVAL)
                    break
                except subprocess.TimeoutExpired:
                    signals.check()
                    look()
        except BaseException:
            _end(process)
            raise
        errors.seek(0)
        lines = errors.read().decode(errors="replace").strip().splitlines()
    return Ended(code, tuple(line for line in lines if line.strip())[-_LINES:])


def _end(process: "subprocess.Popen[Any]") -> None:
    process.terminate()
    try:
        process.wait(_PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
