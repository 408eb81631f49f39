"""Find rows that a revision has changed and that stay changed when it is undone. Pure.

A downgrade that was proved restores the structure. Rows are restored only by its own statements,
which are listed as losses; without such statements, going up again changes the same rows again.
"""

import re
from collections.abc import Iterable, Iterator

import msgspec

from surefoot.downgrades.downgrade_sql import Name, pieces
from surefoot.downgrades.recipe import DowngradeRecipe
from surefoot.revision_source.statement import NAME, bare, lowered
from surefoot.schema.names import split_name

_CHANGE = re.compile(
    r"(?:insert into|(update)(?: only)?|delete from(?: only)?|truncate(?: table)?|merge into|copy) "
    rf"{NAME}"
)
_ALONE = r"(?: (?:restart identity|continue identity|restrict))*"
_SET = re.compile(r" set (.*?)(?: from | where | returning |$)")
_COLUMN = re.compile(rf"{NAME} ?=")
# A value is computed from the one before: two times is another value than once.
_TWICE = re.compile(r'("?\w+"?) ?= ?\(?(?:[\w"]+\.)*\1 ?(?:[*/+-]|\|\|)')


class StayingRows(msgspec.Struct, frozen=True):
    """A change of rows that stays. `twice`: applied again, it certainly changes them further."""

    text: str
    twice: bool


def rows_that_stay(undone: Iterable[DowngradeRecipe]) -> tuple[StayingRows, ...]:
    """Return what stays changed once these revisions are undone."""
    undone = tuple(undone)
    gone = frozenset(split_name(name) for one in undone for name in _taken_back(one))
    return tuple(
        _staying(one.id, text)
        for one in undone
        if all(loss.kind != "rows" for loss in one.losses)
        for text in one.row_changes
        if not _goes_along(text, gone, one.schema)
    )


def _staying(id: str, text: str) -> StayingRows:
    sql = lowered(bare(text))
    found = _CHANGE.match(sql)
    if found is None:
        told = f"rows that {id} may have changed stay as they are; surefoot up runs this again"
        return StayingRows(f"{told}: {text}", twice=False)
    values = _SET.search(sql, found.end()) if found[1] else None
    twice = values is not None and any(map(_TWICE.match, pieces(values[1])))
    again = "a second time" if twice else "again"
    told = f"rows that {id} changed stay changed; surefoot up changes them {again}: {text}"
    return StayingRows(told, twice)


def _taken_back(one: DowngradeRecipe) -> Iterator[str]:
    """Return the tables and columns that the revision made and that are dropped with it."""
    stays = {change.key for change in one.left}
    for change in one.changes:
        if change.kind in ("relation", "column") and not change.before and change.key not in stays:
            yield change.name


def _goes_along(text: str, gone: frozenset[Name], schema: str) -> bool:
    """Whether the statement certainly changes only rows, or values, that are dropped as well."""
    sql = lowered(bare(text))
    found = None if ";" in sql else _CHANGE.match(sql)
    if found is None:
        return False
    name = split_name(found[2])
    table = name if len(name) == 2 else (schema, *name)
    if sql.startswith("truncate") and not re.fullmatch(_ALONE, sql[found.end() :]):
        return False  # other tables as well
    if table in gone:
        return True
    values = _SET.search(sql, found.end()) if found[1] and not text.endswith("…") else None
    columns = [_COLUMN.match(piece) for piece in pieces(values[1])] if values else [None]
    return all(one is not None and (*table, split_name(one[1])[-1]) in gone for one in columns)
