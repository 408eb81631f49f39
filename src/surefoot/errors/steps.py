"""A next step that has something to copy: each statement or command on a line of its own."""

import re
import shlex
from collections.abc import Sequence

from surefoot.errors.masking import hidden

INDENT = "    "


def to_type(text: str, *commands: str, then: str = "") -> str:
    """A text, and below it each command on an indented line of its own.

    `then` follows behind the commands. Reports never wrap an indented line, so what is copied from
    a terminal, a log or JSON is complete.
    """
    # a line break in a name of others would begin a line of its own
    first, *others = (" ".join(one.splitlines()) for one in (text, *commands))
    lines = [f"{first}:" if others else first, *(f"{INDENT}{one}" for one in others)]
    return "\n".join([*lines, then] if then else lines)


_given: list[str] = []
_tenant: list[str] = []

# The commands that run env.py, and so need its arguments.
_NEEDING = re.compile(
    r"\bsurefoot (?:up|status|plan|adopt|repair|down|cleanup|drift|history|dump"
    r"|catalog (?:build|check))\b(?! -x )"
)

# Those that are for one tenant, where the configuration has tenants.
_OF_TENANT = re.compile(
    r"\bsurefoot (?:up|status|plan|adopt|repair|down|cleanup|drift)\b(?! --tenants?\b)"
)


def carry(arguments: Sequence[str], tenant: str | None = None) -> None:
    """From now on, commands in a next step are shown with these arguments of env.py, and for this
    tenant where they are for one.
    """
    _given[:] = arguments
    _tenant[:] = [] if tenant is None else [tenant]


def with_arguments(text: str) -> str:
    """The text, its commands with the arguments that this command line was given."""
    if _given:
        given = " ".join(hidden(f"-x {shlex.quote(argument)}") for argument in _given)
        text = _NEEDING.sub(lambda found: f"{found[0]} {given}", text)
    if _tenant:
        text = _OF_TENANT.sub(lambda found: f"{found[0]} --tenant {_tenant[0]}", text)
    return text


def is_command(line: str) -> bool:
    """Whether a line of a next step is to be copied as it stands."""
    return line.startswith(INDENT)
