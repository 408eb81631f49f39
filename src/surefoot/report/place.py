"""Where surefoot runs: the prefix of the commands that it prints, or how to give it one."""

import os
from collections.abc import Mapping

from surefoot.errors.steps import INDENT, is_command

# Commands that are typed where the application runs; others, where it is developed.
_HERE = (
    *("up", "status", "plan", "drift", "explain"),
    *("adopt", "repair", "down", "cleanup", "backup", "backups", "restore"),
)
_run_as: list[str] = []  # as configured, once the configuration is read


def run_commands_as(prefix: str | None) -> None:
    """Prefix printed commands with these words from now on."""
    _run_as[:] = [prefix.strip()] if prefix and prefix.strip() else []


def in_place(command: str) -> str:
    """Return a command as it is typed where surefoot runs."""
    return " ".join((*_run_as, command)) if _is_for_here(command) else command


def next_in_place(text: str) -> str:
    """Return a next step, with each command on its own line as it is typed where surefoot runs."""
    lines = text.split("\n")
    return "\n".join(
        INDENT + in_place(line.strip()) if is_command(line) else line for line in lines
    )


def _is_for_here(command: str) -> bool:
    return command.startswith(tuple(f"surefoot {verb}" for verb in _HERE))


def container(
    text: str, environ: Mapping[str, str] = os.environ, root: str = "/"
) -> tuple[str, str] | None:
    """Return how to give this next step's command to the container in which surefoot runs.

    A label and one line; None if there is no command or no container, or the prefix is configured.
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
            # what it depends on may be a migration that is refused as well
            compose = _whole(f"{program} compose run --rm --no-deps SERVICE")
            alone = _whole(f"{program} run --rm OPTIONS IMAGE")
            return (
                "container",
                f"{name}: put {compose} before the command (without compose, {alone}), or set "
                "run_as",
            )
    return None


def _whole(words: str) -> str:
    """Keep words on one line (`terminal.labelled`)."""
    return words.replace(" ", "\N{NO-BREAK SPACE}")
