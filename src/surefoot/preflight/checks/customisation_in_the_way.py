"""User objects that depend on what a pending revision drops, retypes or replaces."""

from collections.abc import Iterable, Mapping

from surefoot.errors import Finding
from surefoot.errors.printable import quoted_literal
from surefoot.errors.steps import to_type
from surefoot.preflight.check import Found, Given
from surefoot.preflight.path import Removal, UpgradePath
from surefoot.preflight.surroundings import Dependent
from surefoot.schema.fact import Key, relation_kind
from surefoot.schema.kinds import kind_of
from surefoot.schema.names import (
    arguments,
    in_a_text,
    quote_name,
    quoted,
    renamed_aside,
    split_name,
    table_of,
)

# Objects that keep PostgreSQL from altering a column's type; it rebuilds indexes itself.
_HOLDS_THE_TYPE = frozenset(("relation", "rule", "trigger", "policy", "function", "procedure"))

_SHOWN = 200  # characters of a definition


CODES = ("customisation-in-the-way",)


def check(given: Given) -> Found:
    """Return a finding for what would be lost or break a revision; a remark for what might."""
    if given.path is None:
        return Found()
    return customisations(given.path, given.live, given.around.dependents)


def customisations(
    path: UpgradePath, live: Mapping[Key, str], dependents: Iterable[Dependent]
) -> Found:
    """Return every user object that is in the way; `dependents` are those of `path.ends`."""
    concerned: dict[Key, list[Removal]] = {}  # would be lost, or is in the way
    definitions: dict[Key, str] = {}
    depths: dict[Key, int] = {}
    remarks: list[str] = []
    for end in path.ends:
        if end.key[0] == "relation" and end.how == "drops":
            for key, definition in live.items():
                if key in path.known or table_of(key, definition) != end.key[1]:
                    continue
                if end.renamed or kind_of(key[0]).goes_along:
                    remarks.append(_perhaps(key, live, end))
                else:
                    concerned.setdefault(key, []).append(end)
    for found in dependents:
        end = path.ends[found.end]
        key: Key = found.kind, found.name
        if key in path.known or key not in live or _is_part(key, live, end):
            continue
        if end.how == "drops" and end.renamed:
            remarks.append(_perhaps(key, live, end))
        elif end.how == "replaces":
            remarks.append(
                f"your own {_called(key, live)} depends on {end.key[0]} {end.key[1]}, which "
                f"{end.by.text} replaces; if it drops that first, it will fail"
            )
        elif end.how == "drops" or _holds(found):
            definitions.setdefault(key, found.definition)
            depths[key] = max(found.depth, depths.get(key, 0))
            ends = concerned.setdefault(key, [])
            if end not in ends:
                ends.append(end)
    findings = [
        _finding(key, live, ends, definitions.get(key, ""))
        # a view that is built on another must be dropped first
        for key, ends in sorted(concerned.items(), key=lambda one: (-depths.get(one[0], 0), one[0]))
        if not _goes_with(key, live, concerned)
    ]
    return Found(tuple(findings), remarks=tuple(dict.fromkeys(remarks)))


def _perhaps(key: Key, live: Mapping[Key, str], end: Removal) -> str:
    on = f"{end.key[0]} {end.key[1]}"
    what = f"your own {_called(key, live)} depends on {on}, which {end.by.text}"
    if end.renamed:
        return f"{what} renames to {end.renamed}, or drops: if it drops it, it may fail"
    return f"{what} drops: it goes with it"


def _is_part(key: Key, live: Mapping[Key, str], end: Removal) -> bool:
    """Whether it belongs to a table that is dropped, and so is known already."""
    return end.key[0] == "relation" and table_of(key, live[key]) == end.key[1]


def _holds(found: Dependent) -> bool:
    return found.kind in _HOLDS_THE_TYPE or found.detail == "generated"


def _goes_with(key: Key, live: Mapping[Key, str], concerned: Mapping[Key, list[Removal]]) -> bool:
    """Whether it is part of a reported object, such as a view's rule."""
    table = table_of(key, live[key])
    return key[0] != "relation" and table is not None and ("relation", table) in concerned


def _called(key: Key, live: Mapping[Key, str]) -> str:
    kind = relation_kind(live[key]) if key[0] == "relation" else key[0]
    return f"{kind} {key[1]}"


def _finding(key: Key, live: Mapping[Key, str], ends: list[Removal], definition: str) -> Finding:
    seen = [f"{end.by.text} {_done(end)}, on which it depends" for end in ends]
    definition = definition or _column_definition(key, live)
    if definition:
        seen.append(f"it is: {definition[:_SHOWN]}{'…' if len(definition) > _SHOWN else ''}")
    again = _read_by(key, live)
    if again:
        seen.append(f"its definition: {again}")
    return Finding(
        "customisation-in-the-way",
        f"Your own {_called(key, live)} is in the way of {ends[0].by.text}.",
        tuple(seen),
        next=to_type(
            "save its definition and its rows, and drop it"
            if _is_table(key, live)
            else "save its definition, and drop it",
            *_dropping(key, live),
            then="then start again, and create it again in a form that fits",
        ),
    )


def _is_table(key: Key, live: Mapping[Key, str]) -> bool:
    return key[0] == "relation" and relation_kind(live[key]) == "table"


def _done(end: Removal) -> str:
    kind = relation_kind(end.definition) if end.key[0] == "relation" else end.key[0]
    if end.how == "retypes":
        return f"gives the {kind} {end.key[1]} another type: {end.to}"
    return f"drops or renames the {kind} {end.key[1]}"


def _column_definition(key: Key, live: Mapping[Key, str]) -> str:
    return live[key] if key[0] in ("column", "index", "policy", "trigger", "constraint") else ""


def _read_by(key: Key, live: Mapping[Key, str]) -> str:
    """Return the query that shows its definition, if that is too long to print."""
    name = in_a_text(*split_name(key[1]))
    if key[0] == "relation" and relation_kind(live[key]) in ("view", "materialized view"):
        return f"select pg_get_viewdef({quoted_literal(name)}::regclass);"
    if key[0] in ("function", "procedure"):
        signature = f"{name}{arguments(key[1])}"
        return f"select pg_get_functiondef({quoted_literal(signature)}::regprocedure);"
    return ""


def _dropping(key: Key, live: Mapping[Key, str]) -> tuple[str, ...]:
    kind, name = key
    found = split_name(name)
    table = quote_name(*found[:2])
    query = _read_by(key, live)
    keeping = (query,) if query else ()
    match kind:
        case "relation" if _is_table(key, live):
            taken = {other for _, full in live for other in split_name(full)}
            copy = quote_name(found[0], renamed_aside(found[1], taken))
            return (
                f"create table {copy} as select * from {table};",  # noqa: S608 (for people to run)
                f"drop table {table};",
            )
        case "relation":
            return (*keeping, f"drop {relation_kind(live[key])} {quote_name(*found)};")
        case "index" | "statistics":
            return (f"drop {kind} {quote_name(found[0], found[-1])};",)
        case "sequence" | "domain" | "composite type" | "range":
            return (f"drop {kind_of(kind).sql} {quote_name(*found)};",)
        case "function" | "procedure" | "aggregate":
            return (*keeping, f"drop {kind} {quote_name(*found)}{arguments(name)};")
        case "constraint":
            return (f"alter table {table} drop constraint {quoted(found[-1])};",)
        case "column":
            taken = {other for _, full in live for other in split_name(full)}
            copy = quote_name(found[0], renamed_aside(f"{found[1]}_{found[-1]}", taken))
            return (
                f"create table {copy} as select * from {table};",  # noqa: S608 (for people to run)
                f"alter table {table} drop column {quoted(found[-1])};",
            )
        case "trigger" | "policy" | "rule":
            return (f"drop {kind} {quoted(found[-1])} on {table};",)
        case "row security":
            return (f"alter table {table} disable row level security;",)
        case "option":
            return (f"alter table {table} reset ({quoted(found[-1])});",)
        case _:
            return ()
