"""One line of what was tried, how often, and what went wrong."""

import msgspec


class Row(msgspec.Struct, frozen=True):
    """`violations` must be 0; `command` makes the row again."""

    what: str
    times: int
    violations: int
    seconds: float
    remark: str = ""
    command: str = ""
