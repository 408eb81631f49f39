"""A next step that has something to copy: each statement or command on a line of its own."""

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


def is_command(line: str) -> bool:
    """Whether a line of a next step is to be copied as it stands."""
    return line.startswith(INDENT)
