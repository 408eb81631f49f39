"""Named queries: one file each, so that they can be read, formatted and run by hand."""

from functools import cache
from os.path import dirname
from typing import LiteralString, cast

_DIRECTORY = dirname(__file__)

# The version table's name, a quoted identifier, must be filled in.
VERSION_ROWS: LiteralString = "select version_num::text as id from only {} order by 1"


@cache
def query(name: str) -> LiteralString:
    """Return the text of `NAME.sql`. Raises FileNotFoundError if there is no such file."""
    with open(f"{_DIRECTORY}/{name}.sql", encoding="utf-8") as file:
        text = file.read()
    if "\n\\ir " in text:  # psql's own word for a file that is a part of this one
        lines = text.splitlines(keepends=True)
        text = "".join(
            query(line[4:].strip().removesuffix(".sql")) if line.startswith("\\ir ") else line
            for line in lines
        )
    # the package's files are as fixed as a literal
    return cast("LiteralString", text)
