"""Whether the user's own objects are still there after revisions have run. Pure.

Before they run, the catalogue shows what they drop. It doesn't show a table that is dropped and
made anew under its name, or a revision that drops what it finds.
"""

from collections.abc import Iterable, Mapping, Sequence

from surefoot.errors import Finding
from surefoot.errors.steps import to_type
from surefoot.errors.wording import count
from surefoot.model.history import Revision
from surefoot.preflight.checks.customisation_in_the_way import dropping
from surefoot.schema.fact import Key, SchemaFact, relation_kind, table
from surefoot.schema.kinds import kind_of
from surefoot.schema.names import quote_name, quoted, renamed_aside, split_name

_SHOWN = 20


def missing(
    own: Iterable[SchemaFact], before: Mapping[Key, str], now: Mapping[Key, str]
) -> tuple[SchemaFact, ...]:
    """Return those of the user's own objects that were there and aren't any more.

    Not what has another name now, and not what went with a table or a schema of the
    application's: the checks before the run have decided about that. Of a table or a domain, only
    itself; of a column, not the sequence that it owns.
    """
    found: list[SchemaFact] = []
    own = tuple(own)
    tables = {fact.name for fact in own if fact.kind == "relation"}
    domains = {split_name(fact.name) for fact in own if fact.kind == "domain"}
    for fact in own:
        key, of = (fact.kind, fact.name), table(fact)
        if fact.kind == "domain constraint" and split_name(fact.name)[:2] in domains:
            continue
        if key not in before or key in now or (fact.kind == "sequence" and of is not None):
            continue
        if of is not None and fact.kind != "relation":
            if of in tables or ("relation", of) not in now or _renamed(fact, before, now):
                continue
        elif _in_a_gone_schema(fact, before, now):
            continue
        found.append(fact)
    return tuple(found)


def _renamed(fact: SchemaFact, before: Mapping[Key, str], now: Mapping[Key, str]) -> bool:
    """Whether the table has one like it under a new name; columns of a type are alike anyway."""
    return fact.kind != "column" and any(
        kind == fact.kind
        and definition == fact.definition
        and (kind, name) not in before
        and table(SchemaFact(kind, name, definition)) == table(fact)
        for (kind, name), definition in now.items()
    )


def _in_a_gone_schema(fact: SchemaFact, before: Mapping[Key, str], now: Mapping[Key, str]) -> bool:
    schema: Key = ("schema", quote_name(split_name(fact.name)[0]))
    return fact.kind != "schema" and schema in before and schema not in now


def went_along(lost: Iterable[SchemaFact]) -> tuple[SchemaFact, ...]:
    """Return those that are useless without their table, such as indexes: they stop nothing."""
    return tuple(fact for fact in lost if kind_of(fact.kind).goes_along)


def taken(
    lost: Sequence[SchemaFact], live: Mapping[Key, str], revisions: Sequence[Revision]
) -> Finding:
    """Return why the revisions can't stay: they took these objects of the user's.

    `live` is the structure before them.
    """
    by = f"revision {revisions[0].id} ({revisions[0].path})"
    if len(revisions) > 1:
        number = count(len(revisions), "revision")
        by = f"one of {number}, {revisions[0].id} to {revisions[-1].id}"
    names = [called(fact) for fact in lost]
    message = f"Your own {names[0]} is in the way of {by}."
    if len(names) > 1:
        message = f"{count(len(names), 'object')} of your own are in the way of {by}."
    it = "it was" if len(names) == 1 else "they were"
    seen = [
        f"{it} there before, and gone afterwards",
        "the catalogue doesn't show that: a table was made anew, or what was found was dropped",
    ]
    seen += names[:_SHOWN] if len(names) > 1 else []
    seen += [f"and {len(names) - _SHOWN} more"] if len(names) > _SHOWN else []
    return Finding(
        "customisation-in-the-way",
        message,
        tuple(seen),
        next=to_type(
            f"put {'it' if len(names) == 1 else 'them'} aside; rows and values are kept",
            *_aside(lost, live),
            then="then start again, and create again what fits the new structure",
        ),
    )


def called(fact: SchemaFact) -> str:
    """Return its kind and name."""
    kind = relation_kind(fact.definition) if fact.kind == "relation" else fact.kind
    return f"{kind} {fact.name}"


def _aside(lost: Iterable[SchemaFact], live: Mapping[Key, str]) -> list[str]:
    """Return statements that keep rows and values: tables and types move, columns are copied.

    A view or a function went because of what it depends on, so that it must be made again.
    """
    names = {part for _, name in live for part in split_name(name)}
    schemas = {split_name(name)[0] for kind, name in live if kind == "schema"}
    moved: dict[str, list[str]] = {}
    columns: dict[str, list[str]] = {}
    views: dict[str, list[str]] = {}
    others: list[str] = []
    for fact in lost:
        parts, word = split_name(fact.name), kind_of(fact.kind).sql
        full = quote_name(*parts)
        is_relation = fact.kind == "relation"
        if is_relation and (kind := relation_kind(fact.definition)).endswith("view"):
            *query, _ = dropping((fact.kind, fact.name), live)
            others += query
            views.setdefault(kind, []).append(full)
        elif is_relation or fact.kind in _MOVED:
            moved.setdefault(parts[0], []).append(f"{'table' if is_relation else word} {full}")
        elif fact.kind == "column":
            columns.setdefault(quote_name(*parts[:2]), []).append(parts[2])
        elif fact.kind == "domain constraint":
            others.append(
                f"alter domain {quote_name(*parts[:2])} drop constraint {quoted(parts[2])};"
            )
        else:
            found = dropping((fact.kind, fact.name), live)
            others += found or (f"drop {word} {full};",)
    others += [f"drop {kind} {', '.join(its)};" for kind, its in views.items()]
    statements: list[str] = []
    for schema, its in moved.items():
        place = quoted(renamed_aside(schema, schemas))
        statements.append(f"create schema if not exists {place};")
        statements += [f"alter {one} set schema {place};" for one in its]
    statements += others
    for name, own in columns.items():
        parts = split_name(name)
        copy = quote_name(parts[0], renamed_aside(parts[1], names))
        statements.append(f"create table {copy} as select * from {name};")  # noqa: S608 (for people)
        statements += [f"alter table {name} drop column {quoted(column)};" for column in own]
    return statements


_MOVED = ("sequence", "enum", "range", "domain", "composite type")
