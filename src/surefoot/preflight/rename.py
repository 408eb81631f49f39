"""The SQL that gives an object another name, so that it's in nobody's way."""

from collections.abc import Mapping

from surefoot.preflight.names import arguments, aside, parts, quoted, table_of, typed
from surefoot.preflight.path import Path
from surefoot.structure.facts import Key, relation_kind

_WITH_INDEX = ("PRIMARY KEY", "UNIQUE", "EXCLUDE")


def renaming(path: Path, live: Mapping[Key, str], kind: str, name: str) -> str:
    """The statements. Of a table, its indexes and sequences are renamed as well: their names are
    the schema's, and the pending revisions make them anew.
    """
    if kind != "relation":
        return _rename((kind, name), live[kind, name])
    found = [_rename((kind, name), live[kind, name])]
    for key in sorted(live):
        if key in path.made and key[1] != name and table_of(key, live[key]) == name:
            with_index = key[0] == "constraint" and live[key].startswith(_WITH_INDEX)
            if key[0] in ("index", "sequence") or with_index:
                found.append(_rename_in_schema(key))
    return " ".join(found)


def _rename_in_schema(key: Key) -> str:
    found = parts(key[1])
    kind = "sequence" if key[0] == "sequence" else "index"
    return f"alter {kind} {typed(found[0], found[-1])} rename to {quoted(aside(found[-1]))};"


def _rename(key: Key, definition: str) -> str:
    kind, name = key
    found = parts(name)
    to = quoted(aside(found[-1]))
    match kind:
        case "relation":
            return f"alter {relation_kind(definition)} {typed(*found)} rename to {to};"
        case "column" | "constraint":
            table = typed(*found[:2])
            return f"alter table {table} rename {kind} {quoted(found[-1])} to {to};"
        case "trigger" | "policy" | "rule":
            return f"alter {kind} {quoted(found[-1])} on {typed(*found[:2])} rename to {to};"
        case "index" | "sequence":
            return _rename_in_schema(key)
        case "statistics":
            return f"alter statistics {typed(found[0], found[-1])} rename to {to};"
        case "enum" | "range" | "composite type":
            return f"alter type {typed(*found)} rename to {to};"
        case "function" | "procedure" | "aggregate":
            return f"alter {kind} {typed(*found)}{arguments(name)} rename to {to};"
        case "domain constraint":
            return (
                f"alter domain {typed(*found[:2])} rename constraint {quoted(found[-1])} to {to};"
            )
        case "domain" | "event trigger":
            return f"alter {kind} {typed(*found)} rename to {to};"
        case _:  # a setting of a table, not an object: it has no name of its own
            return f"take it away from {typed(*found[:2])};"
