"""The command that replaces this process. This module needs the standard library only."""

import os
import re
import signal
import sys
from collections.abc import Callable, Mapping, Sequence

# On the command line, for words that must not appear in a list of processes: see caller.py.
WORDS = "--words-from-stdin"

# Those that ask a process to end.
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def found(command: str) -> str | None:
    """Return the file that would be started; None if there is no such command."""
    directories = [""] if os.path.dirname(command) else os.get_exec_path()
    files = (os.path.join(directory, command) for directory in directories)
    return next((f for f in files if os.path.isfile(f) and os.access(f, os.X_OK)), None)


def own_arguments(command: Sequence[str]) -> list[str] | None:
    """Return surefoot's arguments if the command is surefoot itself; None if it isn't.

    After an entrypoint `surefoot up --`, a person may name a surefoot command: for example to adopt
    a database that `up` refuses.
    """
    if not command:
        return None
    directory, name = os.path.split(command[0])
    if name == "surefoot" and (not directory or _is_this_program(command[0])):
        return list(command[1:])
    by_module = list(command[1:3]) == ["-m", "surefoot"] and re.fullmatch(r"python[\d.]*", name)
    if by_module and (not directory or _is_same(command[0], sys.executable)):
        return list(command[3:])
    return None


def _is_this_program(path: str) -> bool:
    """Whether the path leads to this program: the started file, or the one installed with this
    Python.
    """
    beside = os.path.join(os.path.dirname(sys.executable), "surefoot")
    return _is_same(path, sys.argv[0]) or _is_same(path, beside)


def _is_same(path: str, other: str) -> bool:
    try:
        return os.path.samefile(path, other)
    except OSError:
        return False


def is_startable(command: str) -> bool:
    """Whether it certainly is a program: a binary, or a script whose interpreter exists."""
    file = found(command)
    if file is None:
        return False
    with open(file, "rb") as program:
        first = program.read(256).partition(b"\n")[0]
    if first.startswith(b"#!"):
        interpreter = first[2:].split(maxsplit=1)[:1]
        return bool(interpreter) and os.access(interpreter[0], os.X_OK)
    return first.startswith(b"\x7fELF")


def become(
    command: list[str], environ: Mapping[str, str], is_stopped: Callable[[], bool]
) -> OSError | None:
    """Replace this program with the command, which gets the signals as without surefoot.

    Returns None if a signal came before, which `is_stopped` may know; otherwise the error why the
    command couldn't be started.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    if is_stopped() or not signal.sigpending().isdisjoint(SIGNALS):
        return None
    # Python ignores SIGPIPE and SIGXFSZ, and a child inherits that
    for number in (*SIGNALS, signal.SIGPIPE, signal.SIGXFSZ):
        if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    try:
        os.execvpe(command[0], command, environ)
    except OSError as error:
        return error
