"""Rename objects whose names the pending revisions need, including all their parts.

A renamed table leaves its indexes, sequences and statistics behind under their names, and those
names belong to the schema: the revision would fail at the next of them. So all of it is renamed, in
statements that run as one block.
"""

from collections.abc import Iterable

from surefoot.diagnosis.cause import About, Object, Wanted
from surefoot.diagnosis.history import makers
from surefoot.diagnosis.names import RELATIONS, fact_name, identifier, sql_name, words
from surefoot.revision_source.source import Creation, Source
from surefoot.schema.names import renamed_aside

SUFFIX = "_before"

_CLASS = frozenset(RELATIONS)
_BELONGS = frozenset(("column", "constraint", "trigger", "index"))


def wanted(sources: Iterable[tuple[str, Source]]) -> tuple[Wanted, ...]:
    """Return what these revisions create, in order, unless they drop or change it first."""
    found: list[Wanted] = []
    said: set[str] = set()
    for revision, source in sources:
        lines = [(s.line, s.text, s.makes) for s in source.statements]
        lines += [(d.line, d.text, ()) for d in source.doubtful]
        for _, text, makes in sorted(lines, key=lambda line: line[0]):
            if not makes:
                said.update(words(text))
            found += [
                Wanted(revision, one)
                for one in makes
                if one.name not in said and one.table not in said
            ]
    return tuple(dict.fromkeys(found))


def also_in_the_way(first: Object, about: About) -> tuple[tuple[Object, str], ...]:
    """Return other existing objects that a pending revision creates, with that revision.

    Without parts of an object that is renamed anyway, and without what an applied revision created.
    """
    found: list[tuple[Object, str]] = []
    for one in about.wanted:
        there = next((o for o in about.objects if _is(o, one.makes, about.schema)), None)
        if there is None or there == first or there in (o for o, _ in found):
            continue
        if about.catalogue is not None and about.applied.intersection(
            makers(about.catalogue, fact_name(there))
        ):
            continue
        found.append((there, one.revision))
    chosen = [first, *(o for o, _ in found)]
    return tuple((o, by) for o, by in found if not _goes_with(o, chosen, about))


def _is(there: Object, makes: Creation, schema: str) -> bool:
    if there.name != makes.name:
        return False
    if makes.kind == "schema" or there.kind == "schema":
        return makes.kind == there.kind
    if there.schema != (makes.schema or schema):
        return False
    if makes.kind in ("column", "constraint"):
        return there.kind == makes.kind and there.table == makes.table
    if makes.kind == "type":
        return there.kind == "type" or there.kind in ("table", "view", "materialized view")
    return there.kind in _CLASS or (there.kind == "type" and makes.kind != "index")


def _goes_with(there: Object, chosen: list[Object], about: About) -> bool:
    owners = [o for o in chosen if o != there]
    if any(o.kind == "schema" and o.name == there.schema for o in owners):
        return True
    if there.kind in _BELONGS and any(
        o.kind in _CLASS and (o.schema, o.name) == (there.schema, there.table) for o in owners
    ):
        return True
    # a unique constraint gives its index the same name
    kinds = (there.kind, "index") if there.kind == "constraint" else (there.kind,)
    return any(
        p.kind in kinds and (p.schema, p.name) == (there.schema, there.name)
        for p in about.parts
        if about.objects[p.number] in owners
    )


def put_aside(objects: Iterable[Object], about: About) -> tuple[str, ...]:
    """Return statements that give these objects and all their parts unused names."""
    taken = set(about.taken)
    found: list[str] = []
    for one in objects:
        parts = [
            Object(p.kind, p.schema, p.name, p.table, arguments=p.arguments)
            for p in about.parts
            if about.objects[p.number] == one and p.kind != "partition of"
        ]
        # under another name, it would still take its place among the partitions
        found += [
            f"alter table {identifier(p.schema, p.name)} detach partition {sql_name(one)};"
            for p in about.parts
            if about.objects[p.number] == one and p.kind == "partition of"
        ]
        new = ""
        # a range's functions are named after the type, and a constraint's statement names its
        # table or domain, so these come before it
        first = [p for p in parts if one.kind == "type" or (one.kind != "column" and p.table)]
        for part in (*first, one, *(p for p in parts if p not in first)):
            if part.kind == "not null":  # otherwise every writer would have to fill it
                table = identifier(part.schema, part.table)
                found.append(f"alter table {table} alter {identifier(new)} drop not null;")
                continue
            name = renamed_aside(part.name, taken, SUFFIX)
            taken.add(name)
            new = new or name
            found += renaming(part, name)
    return tuple(dict.fromkeys(found))


def renaming(found: Object, to: str) -> tuple[str, ...]:
    """Return statements that rename one object; a trigger is also disabled."""
    table, name, new = identifier(found.schema, found.table), sql_name(found), identifier(to)
    match found.kind:
        case "column" | "constraint":
            return (f"alter table {table} rename {found.kind} {name} to {new};",)
        case "domain constraint":
            return (f"alter domain {table} rename constraint {name} to {new};",)
        case "trigger":
            return (
                f"alter trigger {name} on {table} rename to {new};",
                f"alter table {table} disable trigger {new};",
            )
        case _:
            return (f"alter {found.kind} {name} rename to {new};",)
