"""Split names in facts, and write them as SQL for people to type."""

import itertools
import re
from collections.abc import Container

from surefoot.errors.printable import quoted_identifier
from surefoot.schema.fact import Definition, Key, SchemaFact, table

_PART = re.compile(r'\.?("(?:[^"]|"")*"|[^".(]+)')
_PLAIN = re.compile(r"[a-z_][a-z0-9_]*")
_LONGEST = 63  # bytes of an identifier

# PostgreSQL's reserved words, including those that are allowed as names of functions or types.
_RESERVED = frozenset(
    re.findall(
        r"\w+",
        "all analyse analyze and any array as asc asymmetric authorization binary both case cast "
        "check collate collation column concurrently constraint create cross current_catalog "
        "current_date current_role current_schema current_time current_timestamp current_user "
        "default deferrable desc distinct do else end except false fetch for foreign freeze from "
        "full grant group having ilike in initially inner intersect into is isnull join lateral "
        "leading left like limit localtime localtimestamp natural not notnull null offset on only "
        "or order outer overlaps placing primary references returning right select session_user "
        "similar some symmetric system_user table tablesample then to trailing true union unique "
        "user using variadic verbose when where window with ",
    )
)


def split_name(name: str) -> tuple[str, ...]:
    """Return the identifiers of a fact's name, unquoted, without a routine's arguments."""
    found: list[str] = []
    at = 0
    while match := _PART.match(name, at):
        part, at = match[1], match.end()
        found.append(part[1:-1].replace('""', '"') if part.startswith('"') else part)
    return tuple(found)


def schema_of(kind: str, name: str) -> str:
    """Return the schema that a fact is in, or is; nothing for a kind outside schemas."""
    if kind in ("extension", "event trigger"):
        return ""
    return split_name(name)[0] if '"' in name else name.partition(".")[0]


def arguments(name: str) -> str:
    """Return the types of a routine's arguments, in parentheses; nothing if it has none."""
    at = 0
    while match := _PART.match(name, at):
        at = match.end()
    return name[at:]


def quoted(identifier: str) -> str:
    """Return an identifier as it is typed."""
    if _PLAIN.fullmatch(identifier) and identifier not in _RESERVED:
        return identifier
    return quoted_identifier(identifier)


def quote_name(*identifiers: str) -> str:
    """Return a qualified name as it is typed."""
    return ".".join(map(quoted, identifiers))


def in_a_text(*identifiers: str) -> str:
    """Return a qualified name as PostgreSQL reads it in a string constant, where U&"…" has no
    meaning.
    """
    plain = (quoted(name) if name.isprintable() else _in_quotes(name) for name in identifiers)
    return ".".join(plain)


def _in_quotes(identifier: str) -> str:
    return '"' + identifier.replace('"', '""') + '"'


def renamed_aside(identifier: str, taken: Container[str] = (), suffix: str = "_own") -> str:
    """Return a name for an object that is renamed out of the way, not one of those `taken`."""
    for number in itertools.count(1):
        end = f"{suffix}{number}" if number > 1 else suffix
        name = identifier.encode()[: _LONGEST - len(end)].decode(errors="ignore") + end
        if name not in taken:
            return name
    raise AssertionError


def table_of(key: Key, definition: Definition) -> str | None:
    """Return the table (or view) that a fact belongs to; None if it belongs to none."""
    return table(SchemaFact(*key, definition or ""))
