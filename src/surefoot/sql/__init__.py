"""Named queries: one file each, so that they can be read, formatted and run by hand."""

from functools import cache
from pathlib import Path
from typing import LiteralString, cast

_DIRECTORY = Path(__file__).parent


@cache
def query(name: str) -> LiteralString:
    """The text of `NAME.sql`. Raises FileNotFoundError for a name that has no file."""
    # What a file of the package says is as fixed as a literal in it.
    return cast("LiteralString", (_DIRECTORY / f"{name}.sql").read_text(encoding="utf-8"))
