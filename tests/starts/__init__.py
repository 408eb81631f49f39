"""How the tests start Python: forked off a process that has the modules loaded, where that is the
same; else, and with SUREFOOT_TEST_STARTS=real everywhere, as anybody starts it.

A start costs up to a second of importing otherwise, and the tests have thousands.
"""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.starts.forked import LONGEST_ORDER, Forked, Stream, order, server

# What a forked run starts with: `python -m` one of these, or a program's text.
_MODULES = ("surefoot", "alembic")
# Read by the interpreter, the C library or a module when it starts: a fork would not see another.
_READ_AT_START = ("PYTHON", "LC_", "LANG", "TZ", "LD_", "GLIBC_", "MALLOC_", "OPENSSL_", "PSYCOPG_")

Started = subprocess.Popen[Any] | Forked


def start(
    *arguments: str,
    cwd: str | Path = ".",
    env: Mapping[str, str] | None = None,
    stdin: Stream = None,
    stdout: Stream = None,
    stderr: Stream = None,
    text: bool = True,
    start_new_session: bool = False,
    real: bool = False,
) -> Started:
    """Start `python ARGUMENTS`. `real`: as a process that has imported nothing."""
    environ = os.environ if env is None else env
    streams: dict[str, Any] = {"stdin": stdin, "stdout": stdout, "stderr": stderr, "text": text}
    if not real and may_be_forked(arguments, Path(cwd), environ):
        told = order(arguments, os.path.abspath(cwd), environ, session=start_new_session)
        if len(told) < LONGEST_ORDER:
            return Forked(told, arguments, **streams)
    command = [sys.executable, *arguments]
    return subprocess.Popen(
        command, cwd=cwd, env=environ, start_new_session=start_new_session, **streams
    )


def run(
    *arguments: str,
    cwd: str | Path = ".",
    env: Mapping[str, str] | None = None,
    input: str | None = None,
    timeout: float | None = None,
    real: bool = False,
) -> "subprocess.CompletedProcess[str]":
    """Run `python ARGUMENTS` to its end."""
    pipe = subprocess.PIPE
    stdin = None if input is None else pipe
    with start(
        *arguments, cwd=cwd, env=env, stdin=stdin, stdout=pipe, stderr=pipe, real=real
    ) as started:
        try:
            out, err = started.communicate(input, timeout=timeout)
        except BaseException:
            started.kill()
            raise
    return subprocess.CompletedProcess(started.args, started.wait(), out, err)


def may_be_forked(arguments: Sequence[str], cwd: Path, environ: Mapping[str, str]) -> bool:
    """Whether a forked run is the same as one that starts from nothing."""
    if os.environ.get("SUREFOOT_TEST_STARTS") == "real" or not hasattr(os, "pidfd_open"):
        return False
    module, text = arguments[:1] == ("-m",), arguments[:1] == ("-c",)
    if not (module and arguments[1] in _MODULES) and not text:
        return False
    if "--" in arguments:  # another program takes its place
        return False
    return _at_start(environ) == _at_start(server().environ) and not _shadows(cwd)


def _at_start(environ: Mapping[str, str]) -> dict[str, str]:
    names = (name for name in environ if name.startswith(_READ_AT_START))
    # which server.py sets
    return {name: environ[name] for name in names if name != "PYTHONDONTWRITEBYTECODE"}


def _shadows(cwd: Path) -> bool:
    """Whether a module there would be imported instead of one that is loaded already."""
    names = {path.stem for path in cwd.glob("*.py")}
    names |= {path.parent.name for path in cwd.glob("*/__init__.py")}
    return not names.isdisjoint(_LOADED)


_LOADED = frozenset(sys.stdlib_module_names) | {
    *("surefoot", "alembic", "sqlalchemy", "psycopg", "psycopg2", "psycopg_binary", "asyncpg"),
    *("mako", "markupsafe", "msgspec", "click", "greenlet", "typing_extensions"),
}
