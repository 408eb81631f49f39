"""Where surefoot runs: what stands before a command that it prints, or how to give one there."""

import os
from collections.abc import Mapping

from surefoot.errors.steps import INDENT, is_command

# Commands for the place where the application runs; the others are for where it's developed.
_HERE = (
    *("up", "status", "plan", "drift", "explain"),
    *("adopt", "repair", "down", "cleanup", "backup", "backups", "restore"),
)
_run_as: list[str] = []  # as configured, once that is read


def run_commands_as(prefix: str | None) -> None:
    """From now on, commands are printed with these words before them."""
    _run_as[:] = [prefix.strip()] if prefix and prefix.strip() else []


def in_place(command: str) -> str:
    """The command as it is typed where surefoot runs."""
    return " ".join((*_run_as, command)) if _is_for_here(command) else command


def next_in_place(text: str) -> str:
    """A next step, with each command on a line of its own as it is typed where surefoot runs."""
    lines = text.split("\n")
    return "\n".join(
        INDENT + in_place(line.strip()) if is_command(line) else line for line in lines
    )


def _is_for_here(command: str) -> bool:
    return command.startswith(tuple(f"surefoot {verb}" for verb in _HERE))


def container(
    text: str, environ: Mapping[str, str] = os.environ, root: str = "/"
) -> tuple[str, str] | None:
    """How a command of this next step is given to the container that surefoot runs in: a label, and
    one line. None where there is no command, no container, or where that is configured.
    """
    commands = (line.strip() for line in text.split("\n") if is_command(line))
    if _run_as or not any(map(_is_for_here, commands)):
        return None
    name = os.uname().nodename
    if environ.get("KUBERNETES_SERVICE_HOST"):
        how = f"kubectl debug -it {name} --copy-to={name}-surefoot --container=CONTAINER --"
        return "pod", f"{name}: put {_whole(how)} before the command, or set run_as"
    for mark, program in (("run/.containerenv", "podman"), (".dockerenv", "docker")):
        if os.path.exists(os.path.join(root, mark)):
            compose = _whole(f"{program} compose run --rm SERVICE")
            alone = _whole(f"{program} run --rm OPTIONS IMAGE")
            return (
                "container",
                f"{name}: put {compose} before the command (without compose, {alone}), or set "
                "run_as",
            )
    return None


def _whole(words: str) -> str:
    """Words that aren't broken across lines (`terminal.labelled`)."""
    return words.replace(" ", "\N{NO-BREAK SPACE}")
