"""Decide which objects surefoot may read by name, and what to do about the others.

Trusted are superusers, the owner of the database, the roles that surefoot's own role is a member
of, and the role that env.py sets, if any. Any other owner of a table can replace it with a view, or
add a trigger or a rule, and so run code with the rights of the role that reads or writes it.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from surefoot.errors import Finding
from surefoot.errors.printable import printable

JOURNAL = ("surefoot", "journal")

_SHOWN = 8
_KINDS = {
    "v": "view",
    "m": "materialized view",
    "f": "foreign table",
    "p": "partitioned table",
    "S": "sequence",
    "i": "index",
    "I": "index",
    "c": "composite type",
}


class Suspect(msgspec.Struct, frozen=True):
    """A part of a relation that calls untrusted code, or doesn't belong there at all.

    `what` is type, default, constraint, index, trigger, policy, rule, child, or parent or
    partitioned (the table that it inherits from, or is a partition of); `name` is its name in SQL;
    `calls` is what it calls, which `owner` owns.
    """

    what: str
    name: str
    calls: str
    owner: str


class Owned(msgspec.Struct, frozen=True):
    """A relation with its owners, from the system catalogues; without `name`, a schema alone.

    `quoted` and `quoted_schema` are the names in SQL. `writers` are untrusted roles that can write
    it; `open_to_triggers`: one of them could put a trigger on it. `readable`: this role can read
    it, and it has the column of a version table.
    """

    schema: str
    name: str | None
    quoted_schema: str
    quoted: str | None
    kind: str | None
    schema_owner: str
    schema_trusted: bool
    owner: str | None
    trusted: bool | None
    readable: bool
    suspects: tuple[Suspect, ...]
    writers: tuple[str, ...]
    open_to_triggers: bool

    @property
    def is_journal(self) -> bool:
        """Whether it is surefoot's own schema or journal."""
        return self.schema == JOURNAL[0] and self.name in (JOURNAL[1], None)

    @property
    def believed(self) -> bool:
        """Whether it may be read and written."""
        if self.name is None:
            return self.schema_trusted
        sound = self.kind == "r" and not self.suspects
        return sound and self.schema_trusted and bool(self.trusted)


def owned(rows: Iterable[Mapping[str, Any]]) -> tuple[Owned, ...]:
    """Build the values from the rows of `owners.sql`."""
    return tuple(
        msgspec.convert({**row, "suspects": msgspec.json.decode(row["suspects"])}, Owned)
        for row in rows
    )


def of_the_run(
    objects: Iterable[Owned], table: str, schema: str | None, path: Iterable[str]
) -> tuple[Owned, ...]:
    """Select the journal and the version table from all objects with those names.

    Without a schema, the version table is the first one on the search path.
    """
    found = tuple(objects)
    places = {one.schema for one in found if one.name == table and not one.is_journal}
    if schema is None:
        schema = next((place for place in path if place in places), None)
    return tuple(one for one in found if one.is_journal or one.schema == schema)


def distrust(objects: Iterable[Owned], role: str) -> Finding | None:
    """Return the refusal for the objects that may not be read; None if all may.

    `role` is surefoot's own.
    """
    wrong = [one for one in objects if not one.believed]
    if not wrong:
        return None
    seen = [line for one in wrong for line in _why(one)]
    names = " and ".join(_called(one) for one in wrong)
    return Finding(
        "object-not-trusted",
        f"{names} could have been created by somebody else: surefoot neither reads nor writes it.",
        (*seen[:_SHOWN], *([f"and {len(seen) - _SHOWN} more"] if len(seen) > _SHOWN else [])),
        next="\n".join(dict.fromkeys(_remedy(one, role) for one in wrong)),
    )


def _called(one: Owned) -> str:
    if one.name is None:
        return f"Schema {one.quoted_schema}"
    return f"{_KINDS.get(one.kind or '', 'table').capitalize()} {one.quoted}"


def _why(one: Owned) -> Iterable[str]:
    if not one.schema_trusted:
        yield f"schema {one.quoted_schema} belongs to {one.schema_owner}"
    if one.name is None:
        return
    if not one.trusted:
        yield f"{_called(one).lower()} belongs to {one.owner}"
    if one.kind != "r":
        yield f"{one.quoted} is no ordinary table, but a {_KINDS.get(one.kind or '', 'relation')}"
    for suspect in one.suspects:
        if suspect.what == "child":
            yield f"{suspect.name}, of {suspect.owner}, inherits from {one.quoted}"
        elif suspect.what in ("parent", "partitioned"):
            how = "inherits from" if suspect.what == "parent" else "is a partition of"
            yield f"{one.quoted} {how} {suspect.name}, of {suspect.owner}"
        elif suspect.what == "rule":
            yield f"{one.quoted} has a rule, {suspect.name}"
        elif suspect.what == "type":
            yield f"{one.quoted} has a column of {suspect.calls}, which belongs to {suspect.owner}"
        else:
            named = "" if suspect.what == "default" else f" {suspect.name}"
            column = f" of column {suspect.name}" if suspect.what == "default" else ""
            yield (
                f"{suspect.what}{named}{column} of {one.quoted} calls {suspect.calls}, which "
                f"belongs to {suspect.owner}"
            )


def _remedy(one: Owned, role: str) -> str:
    """Return what to type, as a superuser or as an owner; each statement is complete."""
    from surefoot.errors.steps import to_type
    from surefoot.schema.names import renamed_aside

    if one.is_journal:
        return _of_the_journal(one, role)
    quoted = one.quoted or ""
    kind = _KINDS.get(one.kind or "", "table")
    if one.kind != "r" or any(suspect.what == "type" for suspect in one.suspects):
        whose = (
            f"find out who made {quoted}: the version table that Alembic makes is an ordinary "
            "table with a column of text. "
        )
        if one.kind in ("r", "p"):  # its rows may be the only ones that say what has run
            new = _quoted(renamed_aside(one.name or ""))
            return to_type(
                f"{whose}Put it aside with its rows, as a superuser",
                f"alter table {quoted} rename to {new};",
                then="then start again",
            )
        return to_type(
            f"{whose}If it may go, as a superuser",
            f"drop {kind} {quoted};",
            then="then start again",
        )
    statements = [
        *([] if one.schema_trusted else [_owner("schema", one.quoted_schema, role)]),
        *([] if one.trusted else [_owner("table", quoted, role)]),
        *dict.fromkeys(_without(quoted, suspect) for suspect in one.suspects),
    ]
    then = "then start again"
    if not (one.trusted and one.schema_trusted):
        owner = (one.owner if not one.trusted else one.schema_owner) or ""
        shown = printable(owner)  # a line break in it would begin a line of its own
        then += (
            f". Or, if {shown} is the role that migrates this database: connect as {shown}, or "
            f"grant {_quoted(owner)} to {_quoted(role)}. If the table is somebody else's: drop it"
        )
    return to_type(f"if {quoted} is the application's, as a superuser", *statements, then=then)


def _of_the_journal(one: Owned, role: str) -> str:
    from surefoot.errors.steps import to_type

    strangers = {
        *([] if one.schema_trusted else [one.schema_owner]),
        *([one.owner] if one.trusted is False and one.owner else []),
    }
    if not strangers and one.kind == "r" and all(s.what != "type" for s in one.suspects):
        statements = dict.fromkeys(_without(one.quoted or "", s) for s in one.suspects)
        text = "take away what doesn't belong on the journal, as a superuser"
        return to_type(text, *statements, then="then start again")
    then = "then start again; the record of what has run is lost with it"
    sound = one.name is None or (one.kind == "r" and not one.suspects)
    if sound and len(strangers) == 1:
        (owner,) = strangers
        shown = printable(owner)
        then += (
            f". To keep it, if {shown} is a role that migrates this database: connect as {shown}, "
            f"or grant {_quoted(owner)} to {_quoted(role)}. If it is another application's role, "
            "drop nothing: see surefoot explain two-applications"
        )
    text = "surefoot makes the schema again if it is missing. As a superuser"
    return to_type(text, "drop schema surefoot cascade;", then=then)


def _owner(kind: str, name: str | None, role: str) -> str:
    return f"alter {kind} {name} owner to {_quoted(role)};"


def _without(relation: str, suspect: Suspect) -> str:
    match suspect.what:
        case "trigger" | "rule" | "policy":
            return f"drop {suspect.what} {suspect.name} on {relation};"
        case "default":
            return f"alter table {relation} alter column {suspect.name} drop default;"
        case "constraint":
            return f"alter table {relation} drop constraint {suspect.name};"
        case "index":
            return f"drop index {suspect.name};"
        case "child":
            return f"alter table {suspect.name} no inherit {relation};"
        case "parent":
            return f"alter table {relation} no inherit {suspect.name};"
        case "partitioned":
            return f"alter table {suspect.name} detach partition {relation};"
        case _:
            return f"drop table {relation};"


def _quoted(role: str) -> str:
    from surefoot.schema.names import quoted

    return quoted(role)
