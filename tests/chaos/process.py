"""The real command line, started by forking a process that has its modules loaded already.

A start costs most of a second otherwise. What is watched: how it ends, how long it takes, what it
writes, and whether a secret can be seen in the list of processes.
"""

import contextlib
import gc
import importlib
import os
import pkgutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import surefoot

NOBODY = 65534


@dataclass
class Ran:
    """What became of one command. `code` is None where it didn't end by itself."""

    code: int | None
    out: str
    err: str
    seconds: float
    shown: list[str] = field(default_factory=list[str])

    @property
    def written(self) -> str:
        return self.out + self.err


def preload() -> None:
    """Import what any command may import, so that a forked process needn't."""
    for module in pkgutil.walk_packages(surefoot.__path__, "surefoot."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    for name in (
        "alembic.command",
        "sqlalchemy.dialects.postgresql",
        "psycopg2",
        "surefoot.__main__",
    ):
        importlib.import_module(name)
    gc.collect()
    gc.freeze()


def surefoot_command(
    arguments: list[str],
    directory: Path,
    environ: Mapping[str, str],
    *,
    secrets: tuple[str, ...] = (),
    timeout: float = 30,
    user: int | None = None,
) -> Ran:
    """Run `surefoot ARGUMENTS` in a directory, with nothing but `environ` in its environment.

    `secrets` are looked for in the arguments and environments of the processes that it starts.
    """
    started = time.monotonic()
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if not pid:
            _become(arguments, directory, environ, out.fileno(), err.fileno(), user)
        code, shown = _wait(pid, started + timeout, secrets)
        texts: list[str] = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read().decode(errors="replace"))
    return Ran(code, texts[0], texts[1], time.monotonic() - started, shown)


def _become(
    arguments: list[str],
    directory: Path,
    environ: Mapping[str, str],
    out: int,
    err: int,
    user: int | None,
) -> None:
    code = 1
    try:
        os.setsid()
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(out, 1)
        os.dup2(err, 2)
        sys.stdin = os.fdopen(0, closefd=False)
        sys.stdout = os.fdopen(1, "w", closefd=False, encoding="utf-8")
        sys.stderr = os.fdopen(
            2, "w", closefd=False, buffering=1, encoding="utf-8", errors="backslashreplace"
        )
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGPIPE):
            signal.signal(number, signal.SIG_DFL)
        os.chdir(directory)
        if user is not None:
            os.setgroups([])
            os.setgid(user)
            os.setuid(user)
        os.environ.clear()
        os.environ.update(environ)
        sys.argv = ["surefoot", *arguments]
        from surefoot.__main__ import run

        run()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1 if end.code else 0
    finally:
        error = sys.exception()
        if error is not None:
            traceback.print_exception(error, file=sys.__stderr__)
        for stream in (sys.stdout, sys.stderr):
            # the application may have closed them, or taken them away
            with contextlib.suppress(AttributeError, OSError, ValueError):
                stream.flush()
        os._exit(code)


def _wait(pid: int, deadline: float, secrets: tuple[str, ...]) -> tuple[int | None, list[str]]:
    shown: list[str] = []
    while True:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status), shown
        if time.monotonic() > deadline:
            os.killpg(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            return None, shown
        if secrets:
            shown += _seen(pid, secrets)
        time.sleep(0.004)


def _seen(session: int, secrets: tuple[str, ...]) -> list[str]:
    """Processes of a session, but its first, whose arguments or environment hold a secret."""
    found: list[str] = []
    for directory in Path("/proc").glob("[0-9]*"):
        pid = int(directory.name)
        try:
            if pid == session or os.getsid(pid) != session:
                continue
            for name in ("cmdline", "environ"):
                text = (directory / name).read_bytes().decode(errors="replace")
                if any(secret in text for secret in secrets):
                    command = (directory / "cmdline").read_bytes().split(b"\0")[0].decode()
                    found.append(f"{name} of {Path(command).name}")
        except OSError:
            continue
    return found
