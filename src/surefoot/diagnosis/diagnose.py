"""Derive what to try from the cause and what else is known."""

from collections.abc import Callable

from surefoot.diagnosis import objects, rows, server, sessions
from surefoot.diagnosis.cause import AGAIN, REPORT, About, Cause, Diagnosis
from surefoot.diagnosis.names import quoted_names, words

_EXPLAINED: dict[str, Callable[[Cause, About], Diagnosis]] = {
    **dict.fromkeys(("42P07", "42701", "42710", "42P06", "42723"), objects.duplicate),
    **dict.fromkeys(("42P01", "42703", "42704", "42883", "3F000"), objects.missing),
    **dict.fromkeys(("2BP01",), objects.dependents),
    **dict.fromkeys(("42501",), objects.privileges),
    **dict.fromkeys(("22P02", "22003", "22001", "22007", "22008"), rows.unconvertible),
    "23505": rows.duplicates,
    "55P04": rows.new_value,
    "23502": rows.nulls,
    "23503": rows.orphans,
    "23514": rows.checked,
    "55P03": sessions.lock_not_available,
    "40P01": sessions.deadlock,
    "57014": sessions.cancelled,
}

_WAITED = frozenset(("55P03", "40P01", "57014"))


def explain(cause: Cause, about: About) -> Diagnosis:
    """Return the diagnosis. If no rule applies, it has PostgreSQL's message and how to continue."""
    if cause.sqlstate == "22001":
        found = server.too_long(cause, about)
        if found is not None:
            return found
    # by the statement, because the server's message may be in another language
    makes_extension = objects.extension_of(cause.statement) is not None
    if cause.sqlstate in ("0A000", "58P01") and (makes_extension or "extension" in cause.message):
        return server.extension_missing(cause, about)
    if cause.sqlstate == "0A000" and ("used by" in cause.message or rows.retypes(cause.statement)):
        return objects.dependents(cause, about)
    rule = _EXPLAINED.get(cause.sqlstate)
    if rule is not None:
        return rule(cause, about)
    found = server.of_server(cause, about)
    if found is not None:
        return found
    return Diagnosis(
        "correct what PostgreSQL names above, in the database or in the revision, and "
        f"{AGAIN}: surefoot continues from the database's current revision. {REPORT}"
    )


def waited(cause: Cause) -> bool:
    """Whether it is worth asking which sessions hold locks."""
    return cause.sqlstate in _WAITED


def is_duplicate(cause: Cause) -> bool:
    """Whether it is worth asking which sequences are behind their rows."""
    return cause.sqlstate == "23505"


def in_the_way(cause: Cause) -> bool:
    """Whether the statement creates something that already exists."""
    return _EXPLAINED.get(cause.sqlstate) is objects.duplicate


def mentioned(cause: Cause) -> tuple[str, ...]:
    """Return every name in the cause: existing objects of these names are worth a look."""
    quoted = [part for name in quoted_names(cause.message) for part in (name, *name.split("."))]
    apart = [name for name in (cause.table, cause.column) if name]
    return tuple(
        dict.fromkeys((*quoted, *apart, *words(cause.message), *words(rows.key(cause)[0])))
    )


def readers_matter(statement: str) -> bool:
    """Whether a session that only reads can block this statement."""
    first = next(iter(words(statement)), "")
    return first not in ("insert", "update", "delete", "merge", "select", "with", "copy", "create")
