"""Named queries: one file each, so that they can be read, formatted and run by hand."""

from collections.abc import Callable, Mapping
from functools import cache
from os.path import dirname
from typing import Any, LiteralString, TypeVar, cast

_DIRECTORY = dirname(__file__)

R = TypeVar("R", bound=Mapping[str, Any])

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


def ask_owners(ask: Callable[[LiteralString], list[R]]) -> list[R]:
    """Return the rows of `owners.sql`: each object with its owners.

    `ask` sends a query with that file's parameters, where only pg_catalog is on the search path.
    """
    found = ask(query("owners_plain"))
    if all(row["suspects"] is not None for row in found):
        return found
    return ask(query("owners"))
