"""Estimate the locks that a path takes in one transaction, and the server's room for them."""

from collections.abc import Iterable

from surefoot.errors import Finding
from surefoot.errors.steps import to_type
from surefoot.preflight.check import Found, Given
from surefoot.preflight.path import PathChange, UpgradePath
from surefoot.preflight.surroundings import Locks
from surefoot.schema.fact import Definition, Key
from surefoot.schema.names import split_name, table_of

# PostgreSQL finds more room than it guarantees: lock tables grow into free shared memory. So only a
# clear excess is refused, and more than the guaranteed number is reported.
CLEARLY = 3

_ABSENT: tuple[Definition, ...] = (None,)
_WITH_INDEX = ("PRIMARY KEY", "UNIQUE", "EXCLUDE")
_WITHOUT_LIMIT = ("text", "jsonb", "json", "bytea", "xml", "tsvector", "character varying")


CODES = ("locks-too-few",)


def check(given: Given) -> Found:
    """Return a finding for a clear excess, a remark for more than the server guarantees."""
    locks = given.around.locks
    if given.path is None or locks is None:
        return Found()
    findings, remarks = room(given.path, locks, given.pieces)
    return Found(findings, remarks=remarks)


def transactions(
    path: UpgradePath, *, each: bool, committing: frozenset[str]
) -> tuple[tuple[PathChange, ...], ...]:
    """Split the path into transactions.

    `each`: every revision is one; otherwise all are one, except for what the init scripts do, and
    for revisions that commit by themselves midway.
    """
    found: list[list[PathChange]] = [[]]
    for doing in path.doings:
        found[-1].append(doing)
        if each or not doing.revision or doing.revision in committing:
            found.append([])
    return tuple(tuple(piece) for piece in found if piece)


def estimate(path: UpgradePath, pieces: Iterable[tuple[PathChange, ...]]) -> int:
    """Return the most locks that one of these transactions takes.

    Relations count: tables with their TOAST tables, indexes, sequences, views; those created,
    altered or dropped.
    """
    there: dict[Key, str] = {key: found[0] or "" for key, found in path.start.items()}
    return max((_locks_of(piece, there) for piece in pieces), default=0)


def _locks_of(piece: tuple[PathChange, ...], there: dict[Key, str]) -> int:
    taken: set[tuple[str, str]] = set()
    for doing in piece:
        for change in doing.changes:
            after = next((d for d in change.after if d is not None), "")
            before = change.before[0] if change.before else there.get(change.key, "")
            for definition in {after, before} - {""}:
                taken |= _taken(change.key, definition)
                table = table_of(change.key, definition)
                if table is not None:
                    taken.add(("relation", table))
            if change.after == _ABSENT:
                there.pop(change.key, None)
            else:
                there[change.key] = after
    return len(taken)


def _taken(key: Key, definition: str) -> set[tuple[str, str]]:
    kind, name = key
    if kind in ("relation", "sequence"):
        return {(kind, name)}
    if kind == "index" or (kind == "constraint" and definition.startswith(_WITH_INDEX)):
        return {("index", name)}
    if kind == "column" and _has_toast(definition):
        table = ".".join(split_name(table_of(key, definition) or name)[:2])
        return {("toast", table), ("toast index", table)}
    return set()


def _has_toast(definition: str) -> bool:
    """Whether a table with such a column certainly has a TOAST table."""
    return definition.startswith(_WITHOUT_LIMIT) and not definition.startswith("character varying(")


def room(
    path: UpgradePath, locks: Locks, pieces: tuple[tuple[PathChange, ...], ...]
) -> tuple[tuple[Finding, ...], tuple[str, ...]]:
    """Compare the estimate with the server's room; returns findings and remarks."""
    wanted = estimate(path, pieces)
    if wanted <= locks.room:
        return (), ()
    setting = -(-wanted * locks.setting // locks.room)
    seen = (
        f"about {wanted:,} objects are locked in one transaction",
        f"the server guarantees room for {locks.room:,} locks "
        f"(max_locks_per_transaction = {locks.setting})",
    )
    statement = f"alter system set max_locks_per_transaction = {setting};"
    if wanted <= CLEARLY * locks.room:
        return (), (f"{seen[0]}, and {seen[1]}; if it runs out of it: {statement}",)
    finding = Finding(
        "locks-too-few",
        "The server has too little room for the locks of the plan.",
        seen,
        next=to_type("as a superuser", statement, then="then restart the server, and start again"),
    )
    return (finding,), ()
