"""Decide how each revision is undone, also after an interruption. Pure."""

import re
from collections.abc import Container, Iterable, Mapping

from surefoot.catalogue.catalogue import DownStatement
from surefoot.downgrades.path import DowngradeStep
from surefoot.downgrades.recipe import DowngradeRecipe
from surefoot.revision_source.statement import structural
from surefoot.schema.ddl import dropped
from surefoot.schema.definitions import INVALID
from surefoot.schema.fact import Key
from surefoot.schema.names import split_name

# What a statement sets for the session, and a later one may rely on.
_SESSION = re.compile(
    r"\s*(?:set\s+(?!local\b|transaction\b|constraints\b)|reset\b)", re.IGNORECASE
)


def by_statements(one: DowngradeRecipe, own: Container[str]) -> bool:
    """Whether its statements are executed, and not the downgrade() of its file.

    Also if there is a file, but it commits midway: only with statements is it known how many were
    done before an interruption.
    """
    return one.id not in own or (one.commits_midway and one.without_code)


def prepared(
    undo: Iterable[DowngradeRecipe],
    own: Container[str],
    live: Mapping[Key, str],
    reversing: Container[str],
    done: int | None,
) -> tuple[DowngradeStep, ...] | None:
    """Return how each is undone; None if one was cut off at an unknown place.

    Only recorded statements say how many of them are `done`. A downgrade() that was cut off (None)
    never runs again by itself: the structure doesn't show the rows that it may have changed.
    """
    found: list[DowngradeStep] = []
    for one in undo:
        if one.id not in reversing:
            found.append(DowngradeStep(one, one.statements if by_statements(one, own) else None))
            continue
        if done is None or not by_statements(one, own):
            return None
        rest = resumed(one, done, live)
        if rest is None:
            return None
        found.append(DowngradeStep(one, *rest))
    return tuple(found)


def resumed(
    one: DowngradeRecipe, done: int, live: Mapping[Key, str]
) -> tuple[tuple[DownStatement, ...], int] | None:
    """Return the statements that remain after `done` of them, and how many are done.

    None if it is unknown whether the next one was executed. What is in a transaction is known to be
    done or not. What isn't may be done without a record: an index is looked up, by the name in the
    revision's changes. Session settings are set again.
    """
    again = tuple(s for s in one.statements[:done] if _SESSION.match(s.sql))
    rest = _rest(one, done, live)
    if rest is None:
        return None
    left, done = rest
    return (*again, *left), done - len(again)


def _rest(
    one: DowngradeRecipe, done: int, live: Mapping[Key, str]
) -> tuple[tuple[DownStatement, ...], int] | None:
    left = one.statements[done:]
    if not left or not left[0].alone or _SESSION.match(left[0].sql):
        return left, done
    first = structural(left[0].sql)
    if first is None or first.kind != "index" or not first.name:
        return (left, done) if first is not None and first.passes_over else None
    full = ((first.schema,) if first.schema else ()) + first.name[-1:]
    keys = [c.key for c in one.changes if c.kind == "index" and _is_called(c.name, full)]
    if len(keys) != 1:
        return None
    (key,) = keys
    found = live.get(key)
    if first.drops:
        return (left[1:], done + 1) if found is None else (left, done)
    if found is None:
        return left, done
    if not found.endswith(INVALID):
        return left[1:], done + 1
    away = dropped(key, found) or ()
    return (*(DownStatement(sql.text, alone=True) for sql in away), *left), done - len(away)


def _is_called(name: str, identifiers: tuple[str, ...]) -> bool:
    """Whether an index's fact has this name; it has the table between the schema and the name."""
    found = split_name(name)
    return (found[0], found[-1]) == identifiers or found[-1:] == identifiers
