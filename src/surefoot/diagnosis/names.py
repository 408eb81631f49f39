"""Names in PostgreSQL's messages and in statements, and names quoted for SQL.

Messages may be in the server's language: names are found by that language's quotes, and by their
order.
"""

import re

from surefoot.diagnosis.cause import Object
from surefoot.errors.printable import quoted_identifier, quoted_literal

_QUOTED = re.compile(r'"([^"]+)"|»([^«»]+)«|«\s?([^«»]+?)\s?»|„([^“]+)“|“([^”]+)”')
_WORD = re.compile(r'"((?:[^"]|"")+)"|([A-Za-z_][\w$]*)')
_PLAIN = re.compile(r"[a-z_][a-z0-9_$]*")
_LITERAL = re.compile(
    r"(?P<tag>\$\w*\$).*?(?:(?P=tag)|$)|[eE]?'(?:[^'\\]|''|\\.)*(?:'|$)|\b\d[\w.]*", re.S
)
RELATIONS = ("table", "view", "materialized view", "foreign table", "index", "sequence")

_READ = 20_000  # characters of a statement that are searched for names

# PostgreSQL's reserved words, of all versions: unquoted, they aren't names.
_RESERVED = re.compile(
    "all|analyse|analyze|and|any|array|as|asc|asymmetric|authorization|binary|both|case|"
    "cast|check|collate|collation|column|concurrently|constraint|create|cross|"
    "current_catalog|current_date|current_role|current_schema|current_time|"
    "current_timestamp|current_user|default|deferrable|desc|distinct|do|else|end|except|"
    "false|fetch|for|foreign|freeze|from|full|grant|group|having|ilike|in|initially|inner|"
    "intersect|into|is|isnull|join|lateral|leading|left|like|limit|localtime|"
    "localtimestamp|natural|not|notnull|null|offset|on|only|or|order|outer|overlaps|"
    "placing|primary|references|returning|right|select|session_user|similar|some|symmetric|"
    "system_user|table|tablesample|then|to|trailing|true|union|unique|user|using|variadic|"
    "verbose|when|where|window|with"
)


def quoted_names(message: str) -> tuple[str, ...]:
    """Return the quoted names in a message, in order."""
    return tuple(next(g for g in found.groups() if g) for found in _QUOTED.finditer(message))


def words(statement: str) -> tuple[str, ...]:
    """Return every word of a statement that may be a name, once, as the server stores names."""
    found = _WORD.finditer(statement[:_READ])
    return tuple(dict.fromkeys((w[1] or "").replace('""', '"') or w[2].lower() for w in found))


def identifier(*names: str) -> str:
    """Return a name for SQL, qualified if several are given, and quoted if necessary."""
    return ".".join(_name(name) for name in names if name)


def _name(name: str) -> str:
    if _PLAIN.fullmatch(name) and not _RESERVED.fullmatch(name):
        return name
    return quoted_identifier(name)


def literal(text: str) -> str:
    """Return a string constant for SQL."""
    return quoted_literal(text)


def without_literals(query: str, width: int) -> str:
    """Return a query's first line, its literals masked, in at most `width` characters."""
    masked = _LITERAL.sub("?", query.strip()).strip()
    first, more, _ = masked.partition("\n")
    return f"{first[:width].rstrip()} …" if more or len(first) > width else first


def sql_name(found: Object) -> str:
    """Return its name in SQL; for a column, a constraint or a trigger, without the table."""
    if found.kind in ("schema", "column", "constraint", "domain constraint", "trigger"):
        return identifier(found.name)
    if found.kind in ("function", "procedure"):
        return f"{identifier(found.schema, found.name)}({found.arguments})"
    return identifier(found.schema, found.name)


def fact_name(found: Object) -> str:
    """Return its name as in facts."""
    match found.kind:
        case "schema":
            return _in_facts(found.name)
        case "function" | "procedure":
            return f"{_in_facts(found.schema, found.name)}({found.arguments})"
        case _:
            return _in_facts(found.schema, found.table, found.name)


def _in_facts(*names: str) -> str:
    """Return an identifier with control characters unchanged, as in facts."""
    doubled = {name: '"' + name.replace('"', '""') + '"' for name in names}
    return ".".join(_name(n) if n.isprintable() else doubled[n] for n in names if n)


def described(found: Object) -> str:
    """Describe it for people: its kind, its name, and the table that it belongs to."""
    name = sql_name(found)
    if found.table:
        return f"{found.kind} {name} of {identifier(found.schema, found.table)}"
    return f"{found.kind} {name}"
