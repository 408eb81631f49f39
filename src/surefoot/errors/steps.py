"""A next step that has something to copy: each statement or command on a line of its own."""

INDENT = "    "


def to_type(text: str, *commands: str, then: str = "") -> str:
    """A text, and below it each command on an indented line of its own.

    `then` follows behind the commands. Reports never wrap an indented line, so what is copied from
    a terminal, a log or JSON is complete.
    """
    lines = [f"{text}:" if commands else text, *(f"{INDENT}{one}" for one in commands)]
    return "\n".join([*lines, then] if then else lines)


def is_command(line: str) -> bool:
    """Whether a line of a next step is to be copied as it stands."""
    return line.startswith(INDENT)
