"""Write the SQL that renames an object out of the way."""

from collections.abc import Iterable, Mapping

from surefoot.preflight.surroundings import OwnConstraint
from surefoot.schema.fact import Key, relation_kind
from surefoot.schema.kinds import Kind
from surefoot.schema.names import arguments, quote_name, quoted, renamed_aside, split_name, table_of

_WITH_INDEX = ("PRIMARY KEY", "UNIQUE", "EXCLUDE")


def renaming(
    live: Mapping[Key, str], kind: Kind, name: str, constraints: Iterable[OwnConstraint] = ()
) -> tuple[str, ...]:
    """Return the statements. With a table, its indexes, sequences and statistics are renamed.

    Their names are the schema's, so the next object to be created could meet them. So are its other
    constraints, of `constraints`: PostgreSQL doesn't generate a name that any constraint of the
    schema has, so those of the next table would have other names than the revisions know.
    """
    taken = {part for _, other in live for part in split_name(other) if "_own" in part}
    taken |= {one.name for one in constraints if "_own" in one.name}
    to = renamed_aside(split_name(name)[-1], taken)
    found = list(_rename((kind, name), live[kind, name], taken))
    if kind == "column":
        table = table_of((kind, name), "")
        keeps = not any(statement.endswith(" drop not null;") for statement in found)
        for one in constraints:
            if one.not_null and keeps and (one.of, one.column) == (table, split_name(name)[-1]):
                found.append(_rename_constraint(one, one.table, taken))
    if kind == "domain":
        for key in sorted(live):
            if key[0] == "domain constraint" and split_name(key[1])[:-1] == split_name(name):
                own = split_name(key[1])
                found.append(
                    f"alter domain {quote_name(own[0], to)} rename constraint {quoted(own[-1])} to "
                    f"{_new(own[-1], taken)};"
                )
    if kind != "relation":
        return tuple(found)
    for one in constraints:
        if one.of == name:
            own = one.table == split_name(name)[-1]
            found.append(_rename_constraint(one, to if own else one.table, taken))
    for key in sorted(live):
        if key[1] != name and table_of(key, live[key]) == name:
            with_index = key[0] == "constraint" and live[key].startswith(_WITH_INDEX)
            if key[0] in ("index", "sequence", "statistics") or with_index:
                found.append(_rename_in_schema(key, taken))
    return tuple(found)


def _rename_constraint(one: OwnConstraint, table: str, taken: set[str]) -> str:
    """Return the statement; `table` is what its table is called by now."""
    return (
        f"alter table {quote_name(one.schema, table)} rename constraint {quoted(one.name)} to "
        f"{_new(one.name, taken)};"
    )


def _new(name: str, taken: set[str]) -> str:
    """Return a free name, and mark it as taken."""
    found = renamed_aside(name, taken)
    taken.add(found)
    return quoted(found)


def _rename_in_schema(key: Key, taken: set[str]) -> str:
    found = split_name(key[1])
    kind = key[0] if key[0] in ("sequence", "statistics") else "index"
    schema, own = found[0], found[2:]
    if len(own) > 1:  # statistics in another schema than their table
        schema = own[0]
    return f"alter {kind} {quote_name(schema, found[-1])} rename to {_new(found[-1], taken)};"


def _rename(key: Key, definition: str, taken: set[str]) -> tuple[str, ...]:
    kind, name = key
    found = split_name(name)
    if kind in ("index", "sequence", "statistics"):
        return (_rename_in_schema(key, taken),)
    to = _new(found[-1], taken)
    match kind:
        case "relation":
            return (f"alter {relation_kind(definition)} {quote_name(*found)} rename to {to};",)
        case "column":
            table = f"alter table {quote_name(*found[:2])}"
            statements = (f"{table} rename column {quoted(found[-1])} to {to};",)
            if " not null" in definition and " default " not in definition:
                statements += (f"{table} alter column {to} drop not null;",)
            return statements
        case "constraint":
            table = quote_name(*found[:2])
            return (f"alter table {table} rename constraint {quoted(found[-1])} to {to};",)
        case "trigger":
            table = quote_name(*found[:2])
            return (
                f"alter trigger {quoted(found[-1])} on {table} rename to {to};",
                f"alter table {table} disable trigger {to};",  # the new one does its work
            )
        case "policy" | "rule":
            return (
                f"alter {kind} {quoted(found[-1])} on {quote_name(*found[:2])} rename to {to};",
            )
        case "enum" | "range" | "composite type":
            return (f"alter type {quote_name(*found)} rename to {to};",)
        case "function" | "procedure" | "aggregate":
            return (f"alter {kind} {quote_name(*found)}{arguments(name)} rename to {to};",)
        case "domain constraint":
            domain = quote_name(*found[:2])
            return (f"alter domain {domain} rename constraint {quoted(found[-1])} to {to};",)
        case "domain" | "event trigger":
            return (f"alter {kind} {quote_name(*found)} rename to {to};",)
        case "row security":
            table = quote_name(*found[:2])
            return (
                f"alter table {table} no force row level security;",
                f"alter table {table} disable row level security;",
            )
        case "option":
            return (f"alter table {quote_name(*found[:2])} reset ({quoted(found[-1])});",)
        case _:  # it has no name of its own
            return ()
