"""User objects that depend on what a pending revision drops, retypes or replaces."""

import re
from collections.abc import Iterable, Mapping

import msgspec

from surefoot.errors import Finding
from surefoot.errors.printable import quoted_literal
from surefoot.errors.steps import to_type
from surefoot.preflight.check import Found, Given
from surefoot.preflight.in_a_schema import in_a_schema
from surefoot.preflight.path import Removal, UpgradePath, column_type
from surefoot.preflight.surroundings import UNKNOWN_TO_FACTS, Dependent
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

_TEMPORARY = re.compile(r"pg_temp_\d+")

# Kinds of objects that are types.
_TYPES = frozenset(("enum", "domain", "range", "composite type", "relation"))

_LITERAL_DEFAULT = re.compile(r" default ('(?:[^']|'')*')(?:::[^()']+)?$")

# Objects that keep PostgreSQL from altering a column's type; it rebuilds indexes itself.
_HOLDS_THE_TYPE = frozenset(("relation", "rule", "trigger", "policy", "function", "procedure"))

_SHOWN = 200  # characters of a definition


CODES = ("customisation-in-the-way",)


def check(given: Given) -> Found:
    """Return a finding for what would be lost or break a revision; a remark for what might."""
    if given.path is None:
        return Found()
    return customisations(
        given.path,
        given.live,
        given.around.dependents,
        given.handling,
        given.mentioned,
        given.renaming,
    )


class _Concerned(msgspec.Struct):
    """What is in the way: of which ends, and what is known about it."""

    ends: list[Removal] = msgspec.field(default_factory=list[Removal])
    depth: int = 0
    details: set[str] = msgspec.field(default_factory=set[str])
    definition: str = ""

    def add(self, end: Removal, found: Dependent | None = None) -> None:
        """Add one reason."""
        if end not in self.ends:
            self.ends.append(end)
        if found is not None:
            self.depth = max(self.depth, found.depth)
            self.details.add(found.detail)
            self.definition = self.definition or found.definition


def customisations(
    path: UpgradePath,
    live: Mapping[Key, str],
    dependents: Iterable[Dependent],
    handling: frozenset[tuple[str, str]] = frozenset(),
    mentioned: frozenset[str] = frozenset(),
    renaming: frozenset[str] = frozenset(),
) -> Found:
    """Return every user object that is in the way; `dependents` are those of `path.ends`.

    `handling`: which revisions may drop objects of a kind that facts don't describe. `mentioned`,
    `renaming`: see `Given`.
    """
    concerned: dict[Key, _Concerned] = {}  # would be lost, or is in the way
    others: dict[tuple[str, str, str], _Concerned] = {}  # no facts describe them
    lying: list[Dependent] = []  # in a schema that is dropped
    remarks = _of_dropped_tables(path, live, concerned)
    for found in dependents:
        end = path.ends[found.end]
        if end.key[0] == "schema":
            lying.append(found)
            continue
        if (other := _other(found)) is not None:
            if _is_in_the_way(found, end, path, live, handling):
                others.setdefault(other, _Concerned()).add(end, found)
            continue
        key = found.key
        if key is None or key in path.known or key not in live or _is_part(key, live, end):
            continue
        if end.how == "drops" and end.renamed:
            remarks.append(_perhaps(key, live, end))
        elif end.how == "replaces":
            remarks.append(
                f"your own {_called(key, live)} depends on {end.key[0]} {end.key[1]}, which "
                f"{end.by.text} replaces; if it drops that first, it will fail"
            )
        elif end.how == "drops" or _holds(found):
            concerned.setdefault(key, _Concerned()).add(end, found)
    types = frozenset(end.key[1] for end in path.ends if end.key[0] in _TYPES)
    findings = [
        # what is built on another must be dropped first; a column gets its new type last
        (-one.depth, key[0] == "column", key[1], _finding(key, live, one, types))
        for key, one in sorted(concerned.items())
        if not _goes_with(key, live, concerned)
    ]
    findings += [
        (-one.depth, False, key[1], _other_finding(*key, one))
        for key, one in sorted(others.items())
    ]
    findings.sort(key=lambda one: one[:3])
    dropped = {key for key in concerned if not _is_table(key, live)}
    moved, more = in_a_schema(path, live, lying, dropped, mentioned, renaming)
    return Found(
        (*(one[-1] for one in findings), *moved), remarks=tuple(dict.fromkeys((*remarks, *more)))
    )


def _of_dropped_tables(
    path: UpgradePath, live: Mapping[Key, str], concerned: dict[Key, _Concerned]
) -> list[str]:
    """Add what belongs to a table that is dropped; return remarks about what goes with it."""
    remarks: list[str] = []
    for end in path.ends:
        if end.key[0] == "relation" and end.how == "drops":
            for key, definition in live.items():
                if key in path.known or table_of(key, definition) != end.key[1]:
                    continue
                if end.renamed or kind_of(key[0]).goes_along:
                    remarks.append(_perhaps(key, live, end))
                else:
                    concerned.setdefault(key, _Concerned()).add(end)
    return remarks


def _is_table(key: Key, live: Mapping[Key, str]) -> bool:
    return key[0] == "relation" and relation_kind(live[key]) == "table"


def _other(found: Dependent) -> tuple[str, str, str] | None:
    """Return kind, name and detail of a dependent that no facts describe; None for a fact."""
    if found.kind in UNKNOWN_TO_FACTS:
        return found.kind, found.name, found.detail
    names = split_name(found.name)
    if not _TEMPORARY.fullmatch(names[0]):
        return None
    if found.kind in ("function", "procedure", "aggregate"):
        return f"temporary {found.kind}", quote_name(*names) + arguments(found.name), ""
    if found.kind == "sequence" or (found.kind == "relation" and found.detail != "view"):
        kind = "table" if found.kind == "relation" else "sequence"
        return f"temporary {kind}", quote_name(*names), ""
    if found.kind == "relation":
        return "temporary view", quote_name(*names), ""
    if found.kind in ("domain", "composite type"):
        return f"temporary {found.kind}", quote_name(*names), ""
    return "temporary table", quote_name(*names[:2]), ""


def _is_in_the_way(
    found: Dependent,
    end: Removal,
    path: UpgradePath,
    live: Mapping[Key, str],
    handling: frozenset[tuple[str, str]],
) -> bool:
    """Whether a dependent that no facts describe will make the revision fail."""
    if end.how == "replaces" or (end.how == "drops" and end.renamed):
        return False
    if found.kind in ("cast", "operator"):
        own: Key = "function", found.detail
        if own in live and own not in path.known:
            return True
    if found.kind == "publication" and end.key[0] == "relation":  # it leaves the publication
        return False
    if found.kind in UNKNOWN_TO_FACTS:
        return (end.by.revision, found.kind) not in handling
    return end.how == "drops" or _holds(found)


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
    """Whether it keeps the column that it depends on from getting another type.

    A column of the table's row type does; so does what is built on such a column or on a view.
    """
    return found.kind in _HOLDS_THE_TYPE or found.detail in ("generated", "type") or found.depth > 0


def _goes_with(key: Key, live: Mapping[Key, str], concerned: Mapping[Key, object]) -> bool:
    """Whether it is part of a reported object, such as a view's rule."""
    table = table_of(key, live[key])
    if key[0] == "relation" or table is None or ("relation", table) not in concerned:
        return False
    return "view" in relation_kind(live["relation", table])  # a table itself stays


def _called(key: Key, live: Mapping[Key, str]) -> str:
    kind = relation_kind(live[key]) if key[0] == "relation" else key[0]
    return f"{kind} {key[1]}"


def _finding(key: Key, live: Mapping[Key, str], one: _Concerned, types: frozenset[str]) -> Finding:
    seen = [f"{end.by.text} {_done(end)}, on which it depends" for end in one.ends]
    definition = one.definition or _column_definition(key, live)
    if key[0] == "column":
        definition = live[key]
    if definition:
        seen.append(f"it is: {definition[:_SHOWN]}{'…' if len(definition) > _SHOWN else ''}")
    again = _read_by(key, live)
    if again:
        seen.append(f"its definition: {again}")
    if key[0] == "column":
        text, then, statements = _freeing(key, live, one, types)
    elif _is_table(key, live):
        text, then, statements = _separating(key, live, one)
    else:
        text, statements = "save its definition, and drop it", dropping(key, live)
        then = "then start again, and create it again in a form that fits"
    return Finding(
        "customisation-in-the-way",
        f"Your own {_called(key, live)} is in the way of {one.ends[0].by.text}.",
        tuple(seen),
        next=to_type(text, *statements, then=then),
    )


def _other_finding(kind: str, name: str, detail: str, one: _Concerned) -> Finding:
    """Return the finding for an object that no facts describe."""
    by = one.ends[0].by.text
    seen = [f"{end.by.text} {_done(end)}, on which it depends" for end in one.ends]
    text = "save its definition, and drop it"
    then = "then start again, and create it again in a form that fits"
    called = f"The {kind} {name}"
    if kind.startswith("temporary "):
        text = "wait until the session that made it has ended; or, as its owner or a superuser"
        then = "then start again"
        word = kind.removeprefix("temporary ")
        statement = f"drop {'type' if word == 'composite type' else word} {name};"
        called = f"Another session's {kind} {name}"
    elif kind == "publication":
        table = split_name(detail)
        text = "take the table out of the publication: its subscribers get no changes until you "
        text += "add it again. First, save which columns and rows are published"
        where = f"pubname = {quoted_literal(split_name(name)[0])}"
        query = f"select * from pg_publication_tables where {where};"  # noqa: S608 (for people)
        statement = f"alter publication {quote_name(*split_name(name))} drop table "
        statement += f"{quote_name(*table)};"
        return Finding(
            "customisation-in-the-way",
            f"{called} is in the way of {by}.",
            (*seen, f"it publishes some columns or rows of {detail}"),
            next=to_type(
                text, query, statement, then="then start again, and add the table again afterwards"
            ),
        )
    else:
        seen += [f"it calls the function {detail}"] if detail else []
        statement = f"drop {kind} {name};"
    return Finding(
        "customisation-in-the-way",
        f"{called} is in the way of {by}.",
        tuple(seen),
        next=to_type(text, statement, then=then),
    )


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


def dropping(key: Key, live: Mapping[Key, str]) -> tuple[str, ...]:
    """Return the statements that show an object's definition, where that is long, and drop it."""
    kind, name = key
    found = split_name(name)
    table = quote_name(*found[:2])
    query = _read_by(key, live)
    keeping = (query,) if query else ()
    match kind:
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
        case "trigger" | "policy" | "rule":
            return (f"drop {kind} {quoted(found[-1])} on {table};",)
        case "row security":
            return (f"alter table {table} disable row level security;",)
        case "option":
            return (f"alter table {table} reset ({quoted(found[-1])});",)
        case _:
            return ()


def _freeing(
    key: Key, live: Mapping[Key, str], one: _Concerned, types: frozenset[str]
) -> tuple[str, str, tuple[str, ...]]:
    """Return how to keep a column's values: the text before, the text after, the statements."""
    found = split_name(key[1])
    table, name, definition = quote_name(*found[:2]), quoted(found[-1]), live[key]
    own_table = table_of(key, definition)
    if any(end.key == ("relation", own_table) for end in one.ends):
        taken = {other for _, full in live for other in split_name(full)}
        copy = quote_name(found[0], renamed_aside(f"{found[1]}_{found[-1]}", taken))
        columns = columns_without(types, own_table, live)
        return (
            "copy the table with it, and drop it",
            "then start again, and create it again in a form that fits",
            (
                f"create table {copy} as select {columns} from {table};",  # noqa: S608 (for people)
                f"alter table {table} drop column {name};",
            ),
        )
    alter = f"alter table {table} alter {name}"
    if definition.endswith(" virtual"):
        statement = f"alter table {table} drop column {name};"
        text = "save its expression, and drop it: its values are computed"
        return text, "then start again, and create it again in a form that fits", (statement,)
    statements: list[str] = []
    if "generated" in one.details or definition.endswith(" stored"):
        statements.append(f"{alter} drop expression;")
    elif " default " in definition:
        statements.append(f"{alter} drop default;")
    if "type" not in one.details:
        if "generated" in one.details:
            text = "drop its expression: the column keeps its values"
        else:
            text = "drop its default: the column keeps its values"
        return text, "then start again, and give it one that fits", tuple(statements)
    to = "text[]" if column_type(definition).endswith("[]") else "text"
    statements.append(f"{alter} type {to} using {name}::{to};")
    if default := _LITERAL_DEFAULT.search(definition):
        statements.append(f"{alter} set default {default[1]};")
    text = "keep the column and its values as text, which doesn't depend on it"
    return text, "then start again, and give it a type that fits", tuple(statements)


def columns_without(types: frozenset[str], table: str | None, live: Mapping[Key, str]) -> str:
    """Return what to select from a table so that the copy depends on none of these types."""
    columns = {
        split_name(key[1])[-1]: column_type(definition)
        for key, definition in live.items()
        if key[0] == "column" and table_of(key, definition) == table
    }
    if not any(type.removesuffix("[]") in types for type in columns.values()):
        return "*"
    chosen: list[str] = []
    for column, type in columns.items():
        name = quoted(column)
        if type.removesuffix("[]") in types:
            to = "text[]" if type.endswith("[]") else "text"
            name = f"{name}::{to} as {name}"
        chosen.append(name)
    return ", ".join(chosen)


def _separating(
    key: Key, live: Mapping[Key, str], one: _Concerned
) -> tuple[str, str, tuple[str, ...]]:
    """Return how to keep a table that inherits, or is made of a type, with its rows."""
    table = quote_name(*split_name(key[1]))
    if re.match(r"(?:unlogged )?table of ", live[key]):
        text = "make it a table of its own: it keeps its columns and rows"
        return text, "then start again", (f"alter table {table} not of;",)
    parents = [split_name(end.key[1]) for end in one.ends if end.key[0] == "relation"]
    return (
        "end the inheritance: the table keeps its columns and rows",
        "then start again",
        tuple(f"alter table {table} no inherit {quote_name(*parent)};" for parent in parents),
    )
