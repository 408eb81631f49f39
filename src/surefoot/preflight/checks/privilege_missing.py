"""The privileges that the pending revisions need and the role lacks."""

from collections.abc import Iterable

from surefoot.catalogue.catalogue import Change
from surefoot.errors import Finding
from surefoot.errors.steps import to_type
from surefoot.preflight.check import Found, Given
from surefoot.preflight.path import PathChange, UpgradePath
from surefoot.preflight.surroundings import Lacking, Need, Surroundings
from surefoot.schema.fact import relation_kind
from surefoot.schema.kinds import kind_of
from surefoot.schema.names import arguments, quote_name, quoted, split_name, table_of

_REFERENCES = "FOREIGN KEY"
_SHOWN = 12

CODES = ("privilege-missing",)


def check(given: Given) -> Found:
    """Return what the role lacks, in one finding."""
    return Found(of_role=privileges(given.needed, given.around))


def privilege_needs(path: UpgradePath) -> tuple[Need, ...]:
    """Return every privilege that the path needs, once, with the first revision that needs it.

    Objects that the path itself creates need none: their creator owns them.
    """
    found: dict[tuple[str, str, str, str], Need] = {}

    def need(right: str, kind: str, schema: str, name: str, by: PathChange) -> None:
        found.setdefault((right, kind, schema, name), Need(right, kind, schema, name, by.text))

    for doing in path.doings:
        dropped = {c.name for c in doing.changes if c.kind == "relation" and c.after == (None,)}
        for change in doing.changes:
            table = table_of(change.key, change.before[0]) if change.before else None
            if table in dropped and change.kind != "relation":
                continue  # it goes with its table
            for right, kind, schema, name in _needs_of(path, change):
                need(right, kind, schema, name, doing)
    return tuple(found.values())


def _needs_of(path: UpgradePath, change: Change) -> Iterable[tuple[str, str, str, str]]:
    kind, name = change.key
    definition = next((d for d in change.after if d is not None), "")
    before = change.before[0] if change.before else ""
    if kind in ("extension", "schema"):
        if definition or None not in change.after:
            yield kind, kind, "", split_name(name)[0]
        return
    if kind == "event trigger":
        return
    found = split_name(name)
    is_new = not change.before
    if is_new and (kind_of(kind).needs_create or definition.startswith(("PRIMARY KEY", "UNIQUE"))):
        yield "create", "schema", "", found[0]
    owner = _owner_of(path, change, definition or before)
    # the privilege to create a trigger doesn't need ownership of the table
    if owner is not None and not (is_new and kind == "trigger"):
        # the schema's owner may drop what is in it
        yield "drop" if kind_of(kind).owned and change.after == (None,) else "owner", *owner
        if kind == "column" or (kind == "constraint" and definition.startswith("CHECK")):
            yield "children", *owner
    if kind == "constraint" and is_new and definition.startswith(_REFERENCES):
        referred = definition.partition(" REFERENCES ")[2].partition("(")[0]
        if ("relation", referred) in path.start:
            schema, table = split_name(referred)
            yield "references", "table", schema, table


def _owner_of(path: UpgradePath, change: Change, definition: str) -> tuple[str, str, str] | None:
    """Return the existing object whose owner may do it: kind, schema, name."""
    kind, name = change.key
    table = table_of(change.key, definition)
    if table is not None:
        before = path.start.get(("relation", table))
        if before is None:
            return None
        schema, called = split_name(table)
        return relation_kind(before[0] or ""), schema, called
    if not kind_of(kind).owned or change.key not in path.start or not change.before:
        return None
    found = split_name(name)
    if kind in ("function", "procedure", "aggregate"):
        return kind, found[0], found[1] + arguments(name)
    return ("type" if kind not in ("domain", "sequence") else kind), found[0], found[1]


def privileges(needs: tuple[Need, ...], around: Surroundings) -> tuple[Finding, ...]:
    """Return what the role lacks, in one finding."""
    if not around.lacking:
        return ()
    role = quoted(around.role)
    lines: list[str] = []
    cures: list[str] = []
    for lacking in around.lacking:
        need = needs[lacking.need]
        line, cure = _told(need, lacking, role, quoted(around.database))
        lines.append(f"{line}: {need.why}")
        cures.append(cure)
    cures, lines = list(dict.fromkeys(cures)), list(dict.fromkeys(lines))
    more = len(lines) - _SHOWN
    return (
        Finding(
            "privilege-missing",
            f"The role {around.role}, with which env.py connects, lacks privileges that pending "
            "revisions need.",
            (*lines[:_SHOWN], *((f"and {more} more",) if more > 0 else ())),
            next=to_type(
                "as a superuser or the owner, once",
                *cures,
                then="then start again. Or let env.py connect as the owner",
            ),
        ),
    )


def _told(need: Need, lacking: Lacking, role: str, database: str) -> tuple[str, str]:
    name = need.name
    match need.right:
        case "children":
            child = quote_name(lacking.schema, lacking.name)
            return (
                f"{lacking.kind} {child}, below {quote_name(need.schema, name)}, belongs to "
                f"{lacking.owner}",
                f"alter {lacking.kind} {child} owner to {role};",
            )
        case "owner" | "drop":
            signature = "(" + name.partition("(")[2] if "(" in name else ""
            called = quote_name(need.schema, name.removesuffix(signature)) + signature
            return (
                f"{need.kind} {called} belongs to {lacking.owner}",
                f"alter {need.kind} {called} owner to {role};",
            )
        case "create":
            return (
                f"no CREATE on schema {name}",
                f"grant usage, create on schema {quoted(name)} to {role};",
            )
        case "record":
            called = quote_name(need.schema, name)
            return (
                f"no {need.kind} on {called}",
                f"grant insert, update, delete on {called} to {role};",
            )
        case "references":
            called = quote_name(need.schema, name)
            return (
                f"no REFERENCES on table {called}",
                f"grant references on table {called} to {role};",
            )
        case "schema":
            return (
                f"no CREATE on database {database}, to make schema {name}",
                f"grant create on database {database} to {role};",
            )
        case _:
            return (
                f"may not make the extension {name}",
                f"create extension {quoted(name)};",
            )
