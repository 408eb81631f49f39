"""SQL that puts the user's own objects aside where a revision takes them. Pure.

A table keeps its rows, and a column its values; what can be made again is dropped. Nothing may
still depend on what the revision drops, or it goes again.
"""

import re
from collections.abc import Collection, Container, Iterable, Mapping

from surefoot.preflight.checks.customisation_in_the_way import columns_without, dropping
from surefoot.preflight.path import column_type
from surefoot.schema.definitions import column
from surefoot.schema.fact import Key, SchemaFact, relation_kind
from surefoot.schema.kinds import kind_of
from surefoot.schema.names import arguments, quote_name, quoted, renamed_aside, split_name

_MOVED = ("sequence", "enum", "range", "domain", "composite type")
_TYPES = ("relation", "enum", "range", "domain", "composite type")
_ROUTINES = ("function", "procedure", "aggregate")
_PARTS = ("trigger", "rule", "policy", "row security", "option", "replica identity")
_NAME = r'(?:"(?:[^"]|"")*"|[^",.()\s])+'
_PARENT = re.compile(rf"{_NAME}\.{_NAME}")
_INHERITS = re.compile(r" inherits \((.*)\)")


def putting_aside(
    lost: Collection[SchemaFact], own: Container[str], live: Mapping[Key, str]
) -> list[str]:
    """Return statements, in an order in which nothing that is dropped is still needed.

    `own` are the user's own tables, `live` is the structure before the revisions.
    """
    gone = {fact.name for fact in lost}
    types = frozenset(name for kind, name in live if kind in _TYPES)
    schemas = {split_name(name)[0] for kind, name in live if kind == "schema"}
    moved = [fact for fact in lost if _moves(fact, types - gone)]
    viewed = _in_order([f for f in lost if _is_view(f) or f.kind in _ROUTINES], live)
    last = max((at for at, fact in enumerate(viewed, 1) if _is_view(fact)), default=0)
    columns = [fact for fact in lost if fact.kind == "column"]
    taken = frozenset((*moved, *viewed, *columns))
    rest = [fact for fact in lost if fact not in taken]
    first = [f for f in rest if f.kind in _PARTS or f.definition.startswith("FOREIGN KEY")]
    second = [f for f in rest if f not in first and kind_of(f.kind).of_table]
    return [
        *_dropped((*first, *second), live),
        *_dropped(viewed[:last], live),
        *_freed([fact for fact in columns if _table(fact) in own], types),
        *_copied([fact for fact in columns if _table(fact) not in own], types, live),
        *_dropped(viewed[last:], live),
        *_moved([fact for fact in moved if fact.kind == "relation"], gone, schemas),
        *_dropped([f for f in rest if f not in (*first, *second) and f.kind != "schema"], live),
        *_moved([fact for fact in moved if fact.kind != "relation"], gone, schemas),
        *(
            f"alter schema {fact.name} rename to {quoted(renamed_aside(name, schemas))};"
            for fact in rest
            if fact.kind == "schema" and (name := split_name(fact.name)[0])
        ),
    ]


def _is_view(fact: SchemaFact) -> bool:
    return fact.kind == "relation" and relation_kind(fact.definition).endswith("view")


def _table(fact: SchemaFact) -> str:
    return ".".join(re.findall(_NAME, fact.name)[:2])


def _moves(fact: SchemaFact, types: Iterable[str]) -> bool:
    """Whether another schema keeps it: not a type that is made of one of these."""
    if fact.kind == "relation":
        return not _is_view(fact)
    return fact.kind in _MOVED and not any(_mentions(fact.definition, name) for name in types)


def _mentions(text: str, name: str) -> bool:
    return name in text and bool(re.search(rf'(?<![\w".]){re.escape(name)}(?![\w"])', text))


def _in_order(facts: Iterable[SchemaFact], live: Mapping[Key, str]) -> list[SchemaFact]:
    """Return views and routines, each before those that it mentions; routines late, because columns
    may need them.
    """
    texts = {
        fact: live.get(("view", fact.name), "") if _is_view(fact) else fact.name + fact.definition
        for fact in facts
    }
    names = {
        fact: fact.name if _is_view(fact) else fact.name.removesuffix(arguments(fact.name))
        for fact in texts
    }
    ordered: list[SchemaFact] = []
    while left := [fact for fact in texts if fact not in ordered]:
        free = [
            fact
            for fact in left
            if not any(_mentions(texts[one], names[fact]) for one in left if one != fact)
        ]
        views = any(map(_is_view, left))
        ordered += (
            [fact for fact in free if _is_view(fact)] or (free[:1] if views else free) or left
        )
    return ordered


def _dropped(facts: Iterable[SchemaFact], live: Mapping[Key, str]) -> list[str]:
    made: list[str] = []
    for fact in facts:
        name = quote_name(*split_name(fact.name))
        if fact.kind == "domain constraint":
            *domain, constraint = split_name(fact.name)
            statement = f"alter domain {quote_name(*domain)} drop constraint {quoted(constraint)};"
            made.append(statement)
        else:
            drop = f"drop {kind_of(fact.kind).sql} {name};"
            made += dropping((fact.kind, fact.name), live) or (drop,)
    return made


def _freed(columns: Iterable[SchemaFact], types: frozenset[str]) -> list[str]:
    """Return what keeps the values in tables that stay: as text, which needs no type."""
    made: list[str] = []
    retyped: list[str] = []  # once no expression uses another column
    for fact in columns:
        *of, name = split_name(fact.name)
        alter, found = f"alter table {quote_name(*of)}", column(fact.definition)
        name = quoted(name)
        if fact.definition.endswith(" virtual"):
            made.append(f"{alter} drop column {name};")
            continue
        if found.generated is not None:
            made.append(f"{alter} alter {name} drop expression;")
        if found.default is not None:
            made.append(f"{alter} alter {name} drop default;")
        type = column_type(fact.definition)
        if found.generated is None or type.removesuffix("[]") in types:
            to = "text[]" if type.endswith("[]") else "text"
            retyped.append(f"{alter} alter {name} type {to} using {name}::{to};")
    return made + retyped


def _copied(
    columns: Iterable[SchemaFact], types: frozenset[str], live: Mapping[Key, str]
) -> list[str]:
    """Return what keeps the values of columns that go with the application's tables."""
    taken = {part for _, name in live for part in split_name(name)}
    of: dict[str, list[str]] = {}
    for fact in columns:
        of.setdefault(_table(fact), []).append(split_name(fact.name)[-1])
    made: list[str] = []
    for table, own in of.items():
        schema, name = split_name(table)
        chosen, from_ = columns_without(types, table, live), quote_name(schema, name)
        copy = quote_name(schema, renamed_aside(name, taken))
        made.append(f"create table {copy} as select {chosen} from {from_};")  # noqa: S608 (for people)
        made += [f"alter table {from_} drop column {quoted(one)};" for one in own]
    return made


def _moved(facts: Iterable[SchemaFact], gone: Container[str], schemas: Container[str]) -> list[str]:
    of: dict[str, list[str]] = {}
    for fact in facts:
        name = quote_name(*split_name(fact.name))
        its = of.setdefault(split_name(fact.name)[0], [])
        place = quoted(renamed_aside(split_name(fact.name)[0], schemas))
        word = "table" if fact.kind == "relation" else kind_of(fact.kind).sql
        if fact.kind == "relation":
            if re.match(r"(?:unlogged )?table of ", fact.definition):
                its.append(f"alter table {name} not of;")
            parents = _INHERITS.search(fact.definition)
            for parent in _PARENT.findall(parents[1]) if parents else ():
                if parent not in gone:
                    its.append(f"alter table {name} no inherit {quote_name(*split_name(parent))};")
        its.append(f"alter {word} {name} set schema {place};")
    made: list[str] = []
    for schema, its in of.items():
        made.append(f"create schema if not exists {quoted(renamed_aside(schema, schemas))};")
        made += its
    return made
