"""Format a next step: each statement or command to copy stands on a line of its own."""

import re
import shlex
from collections.abc import Sequence

from surefoot.errors.masking import hidden

INDENT = "    "


def to_type(text: str, *commands: str, then: str = "") -> str:
    """Return a text with each command below it on an indented line.

    `then` follows the commands. Reports never wrap an indented line, so it can be copied whole from
    a terminal, a log or JSON.
    """
    # a line break in a name from elsewhere would begin a line of its own
    first, *others = (" ".join(one.splitlines()) for one in (text, *commands))
    lines = [f"{first}:" if others else first, *(f"{INDENT}{one}" for one in others)]
    return "\n".join([*lines, then] if then else lines)


_given: list[str] = []
_tenant: list[str] = []

# commands that run env.py, and so need its arguments
_NEEDING = re.compile(
    r"\bsurefoot (?:up|status|plan|adopt|repair|down|cleanup|drift|history|dump|certify"
    r"|catalog (?:build|check)|fleet (?:up|status|plan))\b(?! -x )"
)

# Those that are for one tenant, where the configuration has tenants.
_OF_TENANT = re.compile(
    r"\bsurefoot (?:up|status|plan|adopt|repair|down|cleanup|drift)\b(?! --tenants?\b)"
)


def carry(arguments: Sequence[str], tenant: str | None = None) -> None:
    """Add these arguments of env.py, and this tenant, to all commands in next steps from now on."""
    _given[:] = arguments
    _tenant[:] = [] if tenant is None else [tenant]


def with_arguments(text: str) -> str:
    """Add the given env.py arguments and the tenant to the commands in a text."""
    if _given:
        given = " ".join(hidden(f"-x {shlex.quote(argument)}") for argument in _given)
        text = _NEEDING.sub(lambda found: f"{found[0]} {given}", text)
    if _tenant:
        text = _OF_TENANT.sub(lambda found: f"{found[0]} --tenant {_tenant[0]}", text)
    return text


def is_command(line: str) -> bool:
    """Whether a line of a next step is to be copied as it stands."""
    return line.startswith(INDENT)
