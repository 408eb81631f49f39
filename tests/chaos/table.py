"""One row of the table in docs/reliability.md."""

import msgspec


class Row(msgspec.Struct, frozen=True):
    """What was done, how often, what was violated; `command` does it again."""

    what: str
    times: int
    violations: int
    seconds: float
    remark: str = ""
    command: str = ""
