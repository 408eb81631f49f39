"""Write SQL from facts: statements that create, drop or change an object. Pure.

The definitions are canonical, and not exactly what was typed; and some can't be written back (for a
function's body there is only a hash). So the caller must compare the facts afterwards.
"""

import re
from typing import Literal

import msgspec

from surefoot.schema.definitions import DISABLED, INVALID, column, labels, view_columns
from surefoot.schema.expression import parsed, printed, split
from surefoot.schema.fact import Key, relation_kind
from surefoot.schema.kinds import kind_of
from surefoot.schema.names import arguments, quote_name, quoted, split_name

When = Literal["first", "within", "then"]


class Sql(msgspec.Struct, frozen=True):
    """A statement. `when`: `within` the one transaction, or outside it, `first` or `then`."""

    text: str
    when: When = "within"


_SEQUENCE = re.compile(r"(unlogged )?(.*?)(?: (owned by|identity of) (.*))?", re.DOTALL)
_VIEW = re.compile(r"\((?P<columns>.*?)\) as (?P<query>.*?)(?: uses (?P<uses>[^;]*))?", re.DOTALL)

_FIRING = re.compile(r"(?P<head>.*?)(?: (?P<how>disabled|enabled (?:replica|always)))?", re.DOTALL)
_NAME = re.compile(r'"(?:[^"]|"")*"|[\w$]+')
_KEY = re.compile(
    r"(?P<key>.*?)(?P<how>(?: COLLATE \S+)?(?: (?:[\w$]+\.)?[\w$]+_ops(?:\(.*\))?)?"
    r"(?: ASC| DESC)?(?: NULLS (?:FIRST|LAST))?)",
    re.DOTALL,
)


def made(key: Key, definition: str, *, view: str | None = None) -> tuple[Sql, ...] | None:
    """Return the statements that create the object; None if they can't be written from its facts.

    `view` is the fact of kind view, if the relation is one.
    """
    kind, name = key
    found = split_name(name)
    text = _without_places(definition)
    table = quote_name(*found[:2])
    match kind:
        case "index" if not definition.endswith(INVALID):
            unique, using = text.startswith("unique "), text.removeprefix("unique ")
            head = f"create {'unique ' if unique else ''}index concurrently"
            using = _with_brackets(using)
            return (Sql(f"{head} {quoted(found[-1])} on {table} {using}", "then"),)
        case "constraint" if not definition.endswith((DISABLED, INVALID)):
            return (Sql(f"alter table {table} add constraint {quoted(found[-1])} {text}"),)
        case "column" if " not valid" not in text and " no inherit" not in text:
            return (Sql(f"alter table {table} add column {quoted(found[-1])} {text}"),)
        case "relation" if view is not None and definition in ("view", "materialized view"):
            match = _VIEW.fullmatch(_without_places(view))
            columns = _view_columns(view)
            if match is None or columns is None:
                return None
            query = match["query"].rstrip().removesuffix(";")  # pg_get_viewdef ends with one
            return (Sql(f"create {definition} {table} ({columns}) as {query}"),)
        case "enum":
            return (Sql(f"create type {table} as enum ({text})"),)
        case "domain":
            return (Sql(f"create domain {table} as {text}"),)
        case "domain constraint":
            return (Sql(f"alter domain {table} add constraint {quoted(found[-1])} {text}"),)
        case "composite type":
            return (Sql(f"create type {table} as {text}"),)
        case "sequence":
            return _sequence(table, text)
        case "schema" | "extension":
            return (Sql(f"create {kind} {quoted(found[0])}"),)
        case "option":
            return (Sql(f"alter table {table} set ({quoted(found[-1])} = {text})"),)
        case "row security":
            force = [Sql(f"alter table {table} force row level security")]
            return (
                Sql(f"alter table {table} enable row level security"),
                *(force if "forced" in text else ()),
            )
        case "policy":
            restrictive = text.startswith("restrictive ")
            how = " as restrictive" if restrictive else ""
            rest = text.removeprefix("restrictive ")
            return (Sql(f"create policy {quoted(found[-1])} on {table}{how} {rest}"),)
        case "statistics" if len(found) == 3:
            return (Sql(f"create statistics {quote_name(found[0], found[2])} {text}"),)
        case "trigger" | "rule":
            match = _FIRING.fullmatch(text)
            assert match is not None
            head = match["head"].rstrip(";")
            if kind == "trigger":
                constraint = "constraint " if head.startswith("constraint ") else ""
                rest = head.removeprefix("constraint ")
                head = f"create {constraint}trigger {quoted(found[-1])} {rest}"
            how = (match["how"] or "").replace("disabled", "disable").replace("enabled", "enable")
            also = [Sql(f"alter table {table} {how} {kind} {quoted(found[-1])}")] if how else []
            return (Sql(head), *also)
        case _:
            return None


def dropped(key: Key, definition: str) -> tuple[Sql, ...] | None:
    """Return the statements that drop the object alone.

    None: it goes with another one, or can't be dropped so.
    """
    kind, name = key
    found = split_name(name)
    table = quote_name(*found[:2])
    match kind:
        case "index":
            text = f"drop index concurrently {quote_name(found[0], found[-1])}"
            return (Sql(text, "first"),)
        case "constraint" | "column":
            return (Sql(f"alter table {table} drop {kind} {quoted(found[-1])}"),)
        case "relation":
            return (Sql(f"drop {relation_kind(definition)} {table}"),)
        case "enum" | "composite type" | "range" | "domain" | "aggregate":
            return (Sql(f"drop {kind_of(kind).sql} {table}{arguments(name)}"),)
        case "domain constraint":
            return (Sql(f"alter domain {table} drop constraint {quoted(found[-1])}"),)
        case "sequence":
            return (Sql(f"drop sequence {table}"),)
        case "function" | "procedure":
            return (Sql(f"drop {kind} {table}{_without_places(arguments(name))}"),)
        case "option":
            return (Sql(f"alter table {table} reset ({quoted(found[-1])})"),)
        case "row security":
            return (
                Sql(f"alter table {table} no force row level security"),
                Sql(f"alter table {table} disable row level security"),
            )
        case "policy" | "trigger" | "rule":
            return (Sql(f"drop {kind} {quoted(found[-1])} on {table}"),)
        case "statistics" if len(found) == 3:
            return (Sql(f"drop statistics {quote_name(found[0], found[2])}"),)
        case _:
            return None


def changed(key: Key, found: str, wanted: str) -> tuple[Sql, ...] | None:
    """Return the statements that change the object from its definition to the wanted one.

    None: that may lose something, or can't be written from its facts.
    """
    kind, name = key
    names = split_name(name)
    table = quote_name(*names[:2])
    match kind:
        case "column":
            return _column(f"alter table {table} alter column {quoted(names[-1])}", found, wanted)
        case "constraint" if found == f"{wanted} NOT VALID":
            return (Sql(f"alter table {table} validate constraint {quoted(names[-1])}"),)
        case "domain":
            return _column(f"alter domain {table}", found, wanted)
        case "enum":
            return _labels(table, labels(found), labels(wanted))
        case "row security" if found.startswith("enabled") and wanted.startswith("enabled"):
            how = "force" if "forced" in wanted else "no force"  # never off meanwhile
            return (Sql(f"alter table {table} {how} row level security"),)
        case "constraint" | "index" | "trigger" | "policy" | "rule" | "row security" | "option":
            away, anew = dropped(key, found), made(key, wanted)
            return None if away is None or anew is None else away + anew
        case _:
            return None


def _with_brackets(using: str) -> str:
    """Return an index's elements with brackets around expressions, as SQL needs them."""
    items = parsed(using)
    at = next((n for n, item in enumerate(items or []) if isinstance(item, list)), None)
    if items is None or at is None:
        return using
    keys = ", ".join(_key(printed(key)) for key in split(list(items[at][1:]), ","))
    behind = printed(items[at + 1 :])
    return f"{printed(items[:at])} ({keys}){' ' if behind else ''}{behind}"


def _key(text: str) -> str:
    match = _KEY.fullmatch(text)
    if match is None or _NAME.fullmatch(match["key"]):
        return text
    return f"({match['key']}){match['how']}"


def _column(head: str, found: str, wanted: str) -> tuple[Sql, ...] | None:
    """Change only what can't lose a value: NOT NULL and the default."""
    one, other = column(found), column(wanted)
    said = [msgspec.structs.replace(c, not_null=False, default=None) for c in (one, other)]
    if said[0] != said[1] or "not valid" in found + wanted or "no inherit" in found + wanted:
        return None
    done: list[Sql] = []
    if one.default != other.default:
        default = "drop default" if other.default is None else f"set default {other.default}"
        done.append(Sql(f"{head} {_without_places(default)}"))
    if one.not_null != other.not_null:
        done.append(Sql(f"{head} {'set' if other.not_null else 'drop'} not null"))
    return tuple(done)


def _labels(name: str, found: tuple[str, ...], wanted: tuple[str, ...]) -> tuple[Sql, ...] | None:
    """Add an enum's missing labels, each at its place; labels can't be removed."""
    if [label for label in wanted if label in found] != list(found):
        return None
    done: list[Sql] = []
    for number, label in enumerate(wanted):
        if label not in found:
            at = f" after {wanted[number - 1]}" if number else f" before {found[0]}"
            # within a transaction it couldn't be used
            done.append(Sql(f"alter type {name} add value {label}{at if found else ''}", "first"))
    return tuple(done)


def _sequence(name: str, text: str) -> tuple[Sql, ...] | None:
    """Create a sequence; that of an identity column comes with its column."""
    match = _SEQUENCE.fullmatch(text)
    if match is None or match[3] == "identity of":
        return None
    return (Sql(f"create {match[1] or ''}sequence {name} as {match[2]}"),)


def owned(key: Key, definition: str) -> tuple[Sql, ...]:
    """Return the statement that gives a sequence to its column, once that exists."""
    match = _SEQUENCE.fullmatch(definition)
    if key[0] != "sequence" or match is None or match[3] != "owned by":
        return ()
    sequence, owner = quote_name(*split_name(key[1])[:2]), quote_name(*split_name(match[4]))
    return (Sql(f"alter sequence {sequence} owned by {owner}"),)


def _view_columns(definition: str) -> str | None:
    """Return a view's columns as they are typed."""
    names = view_columns(definition)
    return ", ".join(_as_typed(name) for name in names) if names else None


def _as_typed(name: str) -> str:
    return name if name.startswith('"') else quoted(name)


def _without_places(text: str) -> str:
    """Leave out the schema of an extension's objects, which the search path finds."""
    return text.replace("<ext>.", "")
