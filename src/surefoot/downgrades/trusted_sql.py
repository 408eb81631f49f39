"""Decide whether a statement from the journal may be executed unread. Pure, and conservative.

The journal keeps the statements that undo a revision, and a role that can write the journal chooses
them. Comparing structures after each revision shows what a statement created or dropped. It doesn't
show roles, grants, owners, rows, or the effects of a function that the statement called.
"""

import re

from surefoot.revision_source.statement import NAME, bare, lowered, structural

# Settings that only limit how long a statement may wait or run, or how much memory it may use.
_SETTINGS = (
    "lock_timeout|statement_timeout|idle_in_transaction_session_timeout|maintenance_work_mem"
    "|max_parallel_maintenance_workers|search_path"
)
_SET = re.compile(rf"(?:re)?set (?:local |session )?(?:{_SETTINGS})\b(.*)")
_SHOW = re.compile(
    r"show \w+$|savepoint \w+$|release (?:savepoint )?\w+$|lock (?:table )?[\w., \"]+$"
)

# What contains code, adds code, or changes what facts don't show.
_CODE = re.compile(
    r"(?:create (?:or replace )?|alter )(?:function|procedure|routine|aggregate|rule|policy"
    r"|(?:constraint |event )?trigger|(?:materialized |recursive )?view|operator|cast|extension"
    r"|event|language|transform|collation|text search|server|foreign|publication|subscription"
    r"|default privileges)\b"
    r"|create type .* as range\b|create type [^ ]+ ?\("
)
# CREATE SCHEMA may contain further statements.
_SCHEMA = re.compile(rf"create schema (?:if not exists )?{NAME}")
_VIEW_RENAMED = re.compile(rf"alter (?:materialized )?view (?:if exists )?{NAME} rename ")
_UNSEEN = re.compile(
    r"(?:grant|revoke|refresh|begin|commit|end|start)\b|alter .*\bowner to\b"
    r"|comment on (?:database|role|tablespace|subscription)\b"
)

_NO_COLUMN = r"(?:constraint|primary|unique|foreign|check|exclude|value|table|generated)\b"
# Words before a bracket that call nothing.
_WORDS = (
    *("and", "or", "not", "in", "any", "all", "some", "values", "check", "unique", "key", "using"),
    *("include", "with", "where", "as", "default", "exclude", "identity", "set", "reset", "only"),
    *("enum", "btree", "hash", "gin", "gist", "brin", "spgist", "range", "list", "by", "distinct"),
    # types with a length
    *("varchar", "char", "character", "varying", "numeric", "decimal", "bit", "varbit", "float"),
    *("time", "timestamp", "timestamptz", "timetz", "interval", "precision", "bpchar"),
)
_PLAIN = frozenset(_WORDS)
# Functions without arguments, or with one of a fixed type: none in another schema fits better.
_SAFE = re.compile(
    r"\b(?:pg_catalog\.)?(?:now|gen_random_uuid|clock_timestamp|statement_timestamp"
    r"|transaction_timestamp)\(\)"
    r"|\b(?:pg_catalog\.)?nextval\('' ?:: ?(?:pg_catalog\.)?regclass\)"
)
_BEFORE_BRACKET = re.compile(r'("(?:[^"]|"")*"|[\w$]+) ?\(')
# A table's or an index's name, followed by the list of its columns.
_LISTS = re.compile(
    rf"\b(?:table (?:if not exists )?|references |on (?:only )?){NAME} ?(?:using \w+ ?)?\("
)
_CAST = re.compile(rf":: ?(?:pg_catalog\.)?{NAME}|\bcast ?\(.*?\bas (?:pg_catalog\.)?{NAME}")
_TYPES = frozenset(
    (
        *("text", "varchar", "character", "char", "bpchar", "name", "boolean", "bool", "integer"),
        *("int", "int2", "int4", "int8", "smallint", "bigint", "numeric", "decimal", "real"),
        *("serial", "bigserial", "smallserial", "double", "float4", "float8", "date", "time"),
        *("timetz", "timestamp", "timestamptz"),
        *("interval", "uuid", "json", "jsonb", "bytea", "inet", "cidr", "regclass", "bit"),
    )
)
_COLUMN_TYPE = re.compile(
    rf"\badd (?:column )?(?:if not exists )?(?!{_NO_COLUMN}){NAME[1:-1]} (?:pg_catalog\.)?{NAME}"
    rf"|\balter (?:column )?{NAME[1:-1]} (?:set data )?type (?:pg_catalog\.)?{NAME}"
)
# An operator between two values, or a row's name with a function's after the dot: the types and the
# search path decide which function is called.
_EXPRESSION = re.compile(
    r"^create (?:unique )?index\b|^create statistics\b"
    r"|\b(?:check|where|using|default|generated|exclude)\b"
)
_OPERATOR = re.compile(
    r"(?<!:)[-+*/<>=~!@#%^&|?]+(?!:)|\boperator ?\(|\b(?:like|ilike|similar|between)\b"
)
_POINT = re.compile(r"(?:^create|\b(?:check|where|generated|exclude))\b.*[\w$\")]\s?\.\s?[\w$\"]")


def unverified(text: str) -> str:
    """Return why comparing structures can't verify this statement; empty if it can."""
    lower = lowered(bare(text))
    if not lower:
        return ""
    if ";" in lower:
        return "it may be several statements"
    if found := _SET.fullmatch(lower):
        named = re.search(r"\bpg_(?:catalog|temp)\b", found[1])
        return "it changes where PostgreSQL looks for functions" if named else ""
    if _SHOW.fullmatch(lower):
        return ""
    if structural(text) is None:
        return "it does more than change the structure"
    if _CODE.match(lower) and not _VIEW_RENAMED.match(lower):
        return "it makes something that runs code"
    if lower.startswith("create schema") and not _SCHEMA.fullmatch(lower):
        return "it may do more than make a schema"
    if _UNSEEN.match(lower):
        return "it changes what the structure doesn't show"
    return _evaluates(lower)


def _evaluates(lower: str) -> str:
    """Whether the statement evaluates an expression that can call a user's function."""
    if lower.startswith("drop "):
        return ""
    bare_lists = _LISTS.sub("only (", _SAFE.sub("", lower))
    for found in _BEFORE_BRACKET.finditer(bare_lists):
        if found[1] not in _PLAIN:
            return f"it calls {found[1]}"
    # a domain's check runs on the existing rows
    for found in (*_CAST.finditer(lower), *_COLUMN_TYPE.finditer(lower)):
        type = next(name for name in found.groups() if name)
        if type not in _TYPES:
            return f"it converts values to {type}"
    if found := _EXPRESSION.search(bare_lists):
        after = re.sub(r"\b(?:btree|hash|gin|gist|brin|spgist)\b", "", bare_lists[found.start() :])
        if _OPERATOR.search(after) or _POINT.search(after):
            return "it evaluates an expression"
    return ""
