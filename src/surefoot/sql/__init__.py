"""Named queries: one file each, so that they can be read, formatted and run by hand."""

from functools import cache
from os.path import dirname
from typing import LiteralString, cast

_DIRECTORY = dirname(__file__)

# Has the version table's name to be filled in: a quoted identifier.
VERSION_ROWS: LiteralString = "select version_num::text as id from only {} order by 1"


@cache
def query(name: str) -> LiteralString:
    """The text of `NAME.sql`. Raises FileNotFoundError for a name that has no file."""
    with open(f"{_DIRECTORY}/{name}.sql", encoding="utf-8") as file:
        text = file.read()
    if "\n\\ir " in text:  # psql's own word for a file that is a part of this one
        lines = text.splitlines(keepends=True)
        text = "".join(
            query(line[4:].strip().removesuffix(".sql")) if line.startswith("\\ir ") else line
            for line in lines
        )
    # What a file of the package says is as fixed as a literal in it.
    return cast("LiteralString", text)
