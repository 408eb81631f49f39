"""Count what the pending revisions destroy, as far as that is quick."""

import re
from collections.abc import Iterable
from typing import Any

import msgspec
import psycopg
from psycopg import sql

from surefoot.catalogue.catalogue import Catalogue
from surefoot.downgrades.recipe import Loss, reversal
from surefoot.look.counting import count_rows
from surefoot.look.preflight import Preparation, path_of_pending
from surefoot.postgres.look import Look, looking
from surefoot.preflight.losses import (
    PendingLoss,
    PendingLosses,
    Sources,
    losses_by_catalogue,
    losses_by_files,
)
from surefoot.preflight.path import UpgradePath
from surefoot.schema.names import split_name
from surefoot.sql import query
from surefoot.system import signals

# For each count. A start must not wait longer for a number, nor block a session that alters the
# table.
_LIMITS = "set local statement_timeout = '2s'; set local lock_timeout = '2s'"
_MANY = 50  # tables and columns that are counted
# A default that is a typed literal; a type without a schema is PostgreSQL's own.
_LITERAL = re.compile(r"'(?:[^'\\]|'')*'::(.+)|-?\d+(?:\.\d+)?|true|false")
_OWN_TYPE = re.compile(r"[a-z_ ]+\d?(?:\(\d+(?:,\d+)?\))?(?: with(?:out)? time zone)?(?:\[\])?")
_IRREVERSIBLE = ("none", "broken")


def observe_losses(
    connection: psycopg.Connection[Any], given: Preparation, sources: Sources
) -> PendingLosses:
    """Return what the pending revisions destroy, with rows; and which can't be undone.

    `sources` is what their files say. Read-only. Raises SurefootError `look-failed`,
    `server-unreachable`.
    """
    path = path_of_pending(given)
    if path is None:
        found = losses_by_files(sources, given.schema)
        return PendingLosses(_counted(connection, found, given.role))
    found = losses_by_catalogue(path, sources)
    assert given.catalogue is not None
    one_way = tuple(_one_way(given.catalogue, path, sources))
    return PendingLosses(_counted(connection, found, given.role), one_way)


def _one_way(
    catalogue: Catalogue, path: UpgradePath, sources: Sources
) -> Iterable[tuple[str, str]]:
    """Return the revisions without a working downgrade, each with the reason."""
    for doing in path.doings:
        source = sources.get(doing.revision)
        nothing = source is not None and source.structural and not source.statements
        if doing.revision not in catalogue.history.revisions or (nothing and not doing.changes):
            continue
        back = reversal(catalogue, doing.revision)
        if back.verdict in _IRREVERSIBLE and doing.revision in catalogue.downgrades:
            yield doing.revision, back.why


def _counted(
    connection: psycopg.Connection[Any], losses: tuple[PendingLoss, ...], role: str
) -> tuple[PendingLoss, ...]:
    """Add the rows.

    Missing tables and columns are left out, and so are columns without own values.
    """
    asked = [one for one in losses if one.loss.kind in ("table", "column") or _is_typed(one.loss)]
    names = [split_name(one.loss.name) for one in asked]
    wanted = {
        "schemas": [name[0] for name in names],
        "names": [name[1] for name in names],
        "parts": [name[2] if len(name) > 2 else "" for name in names],
    }
    if not asked:
        return losses
    with looking(connection) as look:
        look.cursor.execute(_LIMITS)
        rows = look.cursor.execute(query("losses"), wanted).fetchall()
        there = {row["number"] - 1: row for row in rows}
        found: dict[int, PendingLoss] = {}
        for number, one in enumerate(asked):
            row = there.get(number)
            if row is not None and not row["generated"]:
                found[number] = _with_rows(look, one, row, role, count=number < _MANY)
    counted = {id(one): found.get(number) for number, one in enumerate(asked)}
    kept = (counted.get(id(one), one) for one in losses)
    return tuple(one for one in kept if one is not None and one.rows != 0)


def _with_rows(
    look: Look, one: PendingLoss, row: dict[str, Any], role: str, *, count: bool
) -> PendingLoss:
    if count:
        try:
            number = _number(look, role, one.loss, row)
        except (psycopg.errors.QueryCanceled, psycopg.errors.LockNotAvailable):
            signals.check()
        else:
            return msgspec.structs.replace(one, rows=number)
    about = row["about"]
    return msgspec.structs.replace(one, rows=about or None, estimated=bool(about))


def _is_typed(loss: Loss) -> bool:
    """Whether it is a column whose type changes, and not an enum."""
    return loss.kind == "values" and len(split_name(loss.name)) == 3


def _number(look: Look, role: str, loss: Loss, row: dict[str, Any]) -> int | None:
    schema, table, *part = split_name(loss.name)
    if not part:
        return count_rows(look, role, schema, table, sql.SQL("*"))
    what, default = sql.Identifier(*part), _default(loss, row)
    if default is not None:
        # a value that every row got by itself is no loss
        own = sql.SQL("nullif({}, {})").format(what, default)
        try:
            return count_rows(look, role, schema, table, own)
        except psycopg.errors.UndefinedFunction:  # values of this type can't be compared
            pass
    return count_rows(look, role, schema, table, what)


def _default(loss: Loss, row: dict[str, Any]) -> sql.SQL | None:
    """Return a column's default, if it can be evaluated without running others' code."""
    text = row["default_text"]
    found = _LITERAL.fullmatch(text) if text and loss.kind == "column" else None
    if found is None or (
        found[1] and found[1] != row["type"] and not _OWN_TYPE.fullmatch(found[1])
    ):
        return None
    return sql.SQL(text)
