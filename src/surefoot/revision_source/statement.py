"""The effect of one SQL statement on the structure, from its text alone. Pure, and conservative.

For the literals that a revision passes to `op.execute()`. If a statement isn't known to change only
the structure, the result is None.
"""

import re

import msgspec

from surefoot.revision_source.source import Creation, Kind
from surefoot.schema.names import split_name

UNKNOWN = "\N{REPLACEMENT CHARACTER}"  # stands for what the source computes

_TOKEN = re.compile(
    r"""(?P<name>"(?:[^"]|"")*")|(?P<comment>--[^\n\r]*|/\*.*?\*/)"""
    r"""|\b[eE]'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*'|(?<![\w$])\$(?P<tag>\w*)\$.*?\$(?P=tag)\$""",
    re.DOTALL,
)
NAME = r'((?:"(?:[^"]|"")*"|[\w$.])+)'
_IF = r"(if (?:not )?exists )?"

_INDEX = re.compile(rf"create (?:unique )?index (?:concurrently )?{_IF}{NAME} on (?:only )?{NAME}")
_CREATES = re.compile(
    rf"create (?:unlogged |recursive )?(table|view|materialized view|sequence|type|schema) {NAME}"
)
_DROP_INDEX = re.compile(rf"drop index (?:concurrently )?{_IF}{NAME}(?: cascade| restrict)?")
_TABLE = re.compile(rf"create (?:unlogged )?table {_IF}{NAME} ?\(")
_DROP_TABLE = re.compile(rf"drop table {_IF}{NAME}(?: cascade| restrict)?")
_ADD_COLUMN = re.compile(
    rf"alter table (?:if exists )?(?:only )?{NAME} add (?:column )?{_IF}{NAME} "
)
_DROP_COLUMN = re.compile(rf"alter table (?:only )?{NAME} drop column {_IF}{NAME}")
_CONSTRAINT = re.compile(
    rf"alter table (?:only )?{NAME} (add|validate|drop) constraint {_IF}{NAME}"
)
_ADD_VALUE = re.compile(rf"alter type {NAME} add value {_IF}''(?: (?:before|after) '')?")
_COMMON = re.compile(rf"create (extension|schema) {_IF}{NAME}")
# What follows `add` and isn't a column.
_NO_COLUMN = frozenset(("constraint", "primary", "unique", "foreign", "check", "exclude"))

_KINDS = (
    r"(?:unlogged )?table|(?:unique )?index|(?:materialized |recursive )?view|function|procedure"
    r"|aggregate|(?:constraint |event )?trigger|rule|policy|type|domain|sequence|schema|extension"
    r"|statistics|collation|cast|operator(?: class| family)?|text search \w+"
)
_STRUCTURAL = re.compile(
    rf"create (?:or replace )?(?:{_KINDS}) "
    rf"|drop (?:{_KINDS}) "
    rf"|alter (?:{_KINDS}|default privileges) "
    r"|comment on |grant |revoke |reindex |analyze\b|refresh materialized view "
    r"|(?:begin|commit|start transaction|end)(?: transaction| work)?$"
    r"|(?:re)?set (?:local |session )?(?:lock_timeout|statement_timeout|maintenance_work_mem"
    r"|idle_in_transaction_session_timeout|max_parallel_maintenance_workers)\b"
)
# What begins like a change of the structure, but moves rows, computes values, or can't be seen.
_MORE = re.compile(
    r"^create .*?\btable .*\bas ?(?:\(|select|with|values|table|execute)"
    r"|\bpartition of\b|\b(?:attach|detach) partition\b"
    r"|^alter (?:sequence|table) .*\brestart\b"
    r"|^alter (?:table|index|type) .*\brename\b.*\brename\b",
    re.DOTALL,
)
_USING = re.compile(r"\btype\b.*?\busing ([^,]*)", re.DOTALL)
_RENAMES = re.compile(r"^alter .*\brename\b", re.DOTALL)
_RENAMED = re.compile(
    rf"alter table (?:if exists )?(?:only )?{NAME} rename (?:(?:column )?{NAME} )?to {NAME}"
)
_DEFAULT = re.compile(
    r"^alter (?:table|domain|view) .*\b(?:(?:set|drop) default|drop (?:identity|expression))\b",
    re.DOTALL,
)


_UNSEEN = re.compile(
    r"(?:comment on|grant|revoke|reindex|analyze|refresh|alter default privileges)\b"
    r"|alter extension .*\bupdate\b"
    r"|alter .*\b(?:owner to|cluster on|set (?:statistics|storage|compression|tablespace)) ",
    re.DOTALL,
)


class Sql(msgspec.Struct, frozen=True):
    """A statement's effect: see `Statement`. `renames`, `defaults`: see `Source`."""

    kind: Kind = ""
    name: tuple[str, ...] = ()
    drops: bool = False
    passes_over: bool = False
    renames: bool = False
    defaults: bool = False
    unseen: bool = False
    schema: str = ""
    makes: tuple[Creation, ...] = ()


def structural(text: str) -> Sql | None:
    """Return the effect of a statement that certainly changes only the structure; else None."""
    lower = lowered(bare(text))
    if ";" in lower or _STRUCTURAL.match(lower) is None or _MORE.search(lower):
        return None
    if lower.startswith("alter table") and not all(
        is_mere_cast(using[1]) for using in _USING.finditer(lower)
    ):
        return None
    return msgspec.structs.replace(
        _traced(lower),
        renames=_RENAMES.search(lower) is not None,
        defaults=_DEFAULT.search(lower) is not None,
        unseen=_UNSEEN.match(lower) is not None,
        makes=_creations(lower),
    )


def _creations(text: str) -> tuple[Creation, ...]:
    """Return what the statement creates, unless it skips existing objects."""
    if UNKNOWN in text or "if not exists" in text or " or replace " in text:
        return ()
    if found := _INDEX.match(text):
        return (Creation("index", _last(found[2]), _schema(found[3])),)
    if found := _CREATES.match(text):
        return (Creation(found[1], _last(found[2]), _schema(found[2])),)
    if not text.startswith("alter table "):
        return ()
    if (found := _CONSTRAINT.match(text)) and found[2] == "add":
        table = found[1]
        return (Creation("constraint", _last(found[4]), _schema(table), _last(table)),)
    if (found := _ADD_COLUMN.match(text)) and found[3] not in _NO_COLUMN:
        return (Creation("column", _last(found[3]), _schema(found[1]), _last(found[1])),)
    return ()


class Renamed(msgspec.Struct, frozen=True):
    """A table or a column that is renamed, with its rows."""

    name: tuple[str, ...]
    to: str


def renamed(text: str) -> Renamed | None:
    """Return what this statement renames."""
    found = _RENAMED.fullmatch(lowered(bare(text)))
    if found is None:
        return None
    column = (_last(found[2]),) if found[2] else ()
    return Renamed((_last(found[1]), *column), _last(found[3]))


def bare(text: str) -> str:
    """Return it on one line, without comments, literals and the final semicolon."""
    return " ".join(_TOKEN.sub(_without_literals, text).split()).rstrip("; ")


def _without_literals(found: re.Match[str]) -> str:
    return found["name"] or (" " if found["comment"] else "''")


def is_mere_cast(using: str) -> bool:
    """Whether a USING clause only casts to another type, so that repeating it changes nothing."""
    return (
        re.fullmatch(r'"?[\w]+"? ?:: ?"?[\w. ]+"?(?:\(\d+(?:, ?\d+)?\))?', using.strip())
        is not None
    )


def _traced(text: str) -> Sql:
    """Return the object that can be found in the facts afterwards, if it is a single one."""
    if found := _INDEX.match(text):
        name = (_last(found[3]), _last(found[2]))
        return Sql("index", name, passes_over=bool(found[1]), schema=_schema(found[3]))
    if found := _DROP_INDEX.fullmatch(text):
        name, passes = (_last(found[2]),), bool(found[1])
        return Sql("index", name, drops=True, passes_over=passes, schema=_schema(found[2]))
    if found := _TABLE.match(text):
        return Sql("relation", (_last(found[2]),), passes_over=bool(found[1]))
    if found := _DROP_TABLE.fullmatch(text):
        return Sql("relation", (_last(found[2]),), drops=True, passes_over=bool(found[1]))
    if found := _ADD_VALUE.fullmatch(text):
        return Sql("enum", (_last(found[1]),), passes_over=bool(found[2]))
    if found := _COMMON.match(text):
        kind: Kind = "extension" if found[1] == "extension" else "schema"
        return Sql(kind, (_last(found[3]),), passes_over=bool(found[2]))
    if not text.startswith("alter table ") or len(_actions(text)) != 1:
        return Sql()
    if found := _CONSTRAINT.match(text):
        name = (_last(found[1]), _last(found[4]))
        drops = found[2] == "drop"
        return Sql("constraint", name, drops, passes_over=bool(found[3]) or found[2] == "validate")
    if found := _DROP_COLUMN.match(text):
        name = (_last(found[1]), _last(found[3]))
        return Sql("column", name, drops=True, passes_over=bool(found[2]))
    if (found := _ADD_COLUMN.match(text)) and found[3] not in _NO_COLUMN:
        return Sql("column", (_last(found[1]), _last(found[3])), passes_over=bool(found[2]))
    return Sql()


def _actions(text: str) -> list[str]:
    """Return the parts between the commas of an ALTER TABLE, without those in brackets."""
    return _flat(text).split(",")


def _flat(text: str) -> str:
    """Return it without the parts in brackets."""
    while (less := re.sub(r"\([^()]*\)", "", text)) != text:
        text = less
    return text


def _last(name: str) -> str:
    """Return the identifier after the last dot; UNKNOWN if the source computes some of it."""
    return split_name(name)[-1] if UNKNOWN not in name and split_name(name) else UNKNOWN


def _schema(name: str) -> str:
    """Return the part before the dot; "" if there is none."""
    found = split_name(name)
    return found[-2] if UNKNOWN not in name and len(found) > 1 else ""


def lowered(text: str) -> str:
    """Return keywords and plain names in lower case; quoted names unchanged."""
    pieces = re.split(r'("(?:[^"]|"")*")', text)
    return "".join(p if n % 2 else p.lower() for n, p in enumerate(pieces))
