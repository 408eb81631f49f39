"""Python's own sockets, and the programs that it starts: Python reports both before they are.

An audit hook can't be taken away again, by the application's code either. It isn't asked about what
an extension module does in C by itself.
"""

import os
import shlex
import socket
import sys
from pathlib import PurePath
from typing import Any, cast

from surefoot.catalogue_build.confinement.drivers import is_checked
from surefoot.catalogue_build.confinement.gate import Gate

_SHELLS = frozenset(("sh", "bash", "dash", "zsh", "ash", "busybox", "cmd.exe"))


def confine_system(gate: Gate) -> None:
    """From here on, until the process ends."""

    def audit(name: str, arguments: tuple[Any, ...]) -> None:
        match name:
            case "socket.connect":
                _connects(gate, arguments[0], arguments[1])
            case "subprocess.Popen":
                _starts(gate, arguments[0], arguments[1])
            case "os.exec" | "os.posix_spawn":
                _starts(gate, arguments[0], arguments[1])
            case "os.system":
                gate.check_program("sh", _first_word(arguments[0]))
            case _:
                pass

    sys.addaudithook(audit)


def _connects(gate: Gate, sock: Any, address: Any) -> None:
    """A stream to somewhere. Datagrams pass: log lines, figures, questions to a name server."""
    if is_checked() or getattr(sock, "type", None) == socket.SOCK_DGRAM:
        return
    gate.check_socket(address)


def _starts(gate: Gate, executable: Any, arguments: Any) -> None:
    words = _words(arguments)
    name = PurePath(os.fsdecode(executable) if executable else words[0] if words else "").name
    shown = ""
    if name in _SHELLS:
        commands = [word for word in words[1:] if not word.startswith("-")]
        shown = _first_word(commands[0]) if commands else ""
    gate.check_program(name, shown)


def _words(arguments: Any) -> list[str]:
    if not isinstance(arguments, list | tuple):
        return [os.fsdecode(arguments)] if arguments else []
    return [os.fsdecode(word) for word in cast("list[Any]", arguments)]


def _first_word(command: Any) -> str:
    """The program that a shell is to start; never an argument, which may hold a password."""
    text = os.fsdecode(command)
    try:
        words = shlex.split(text)
    except ValueError:
        words = text.split()
    found = next((w for w in words if "=" not in w.partition("/")[0]), "")
    return PurePath(found).name
