"""Named queries: one file each, so that they can be read, formatted and run by hand.

And the text of ids in the journal, which some of them read.
"""

from collections.abc import Callable, Iterable, Mapping
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


# These rows name a list; a row of any other completed step names one revision, as it is.
_OF_SEVERAL = frozenset(("adopt", "reached", "unchecked", "unreached"))


def ids_text(ids: Iterable[str]) -> str:
    """Return a list of ids as text: separated by spaces; if an id has one itself, each on a line.

    The line's end at the end distinguishes one such id from a list.
    """
    listed = tuple(ids)
    if all(id.split() == [id] for id in listed):
        return " ".join(listed)
    return "".join(f"{id}\n" for id in listed)


def ids_of(text: str) -> tuple[str, ...]:
    """Return the ids of such a text, as journaled.sql does."""
    return tuple(text.removesuffix("\n").split("\n") if "\n" in text else text.split())


def named_in(step: str, name: str) -> tuple[str, ...]:
    """Return the ids that a row of a completed step names."""
    return ids_of(name) if step in _OF_SEVERAL else (name,)
