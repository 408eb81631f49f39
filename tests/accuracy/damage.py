"""Damage: one of the application's own objects gone, or otherwise than any revision made it."""

import random
from collections.abc import Callable
from typing import NamedTuple

from surefoot.catalogue.catalogue import Key
from surefoot.certify.customise import Connection, tried
from surefoot.certify.sqltext import parts, quoted
from surefoot.schema.fact import SchemaFact, table

# As facts have them, so that it's seen which the column has already.
_TYPES = (
    *("text", "character varying(77)", "bigint", "integer", "jsonb", "numeric(7,2)", "date"),
    "timestamp with time zone",
)
_DEFAULTS = (
    *("'surely not'", "4711", "now()", "'{}'", "true", "false", "'2001-02-03'"),
    "gen_random_uuid()",
)
ATTEMPTS = 25

Look = Callable[[], tuple[SchemaFact, ...]]


def _column_changes(kind: str, fact: SchemaFact, rng: random.Random) -> list[str]:
    schema, table, column = parts(fact.name)
    on, name = f"alter table {quoted(schema, table)}", quoted(column)
    if kind == "column dropped":
        return [f"{on} drop column {name} cascade"]
    if kind == "column renamed":
        return [f"{on} rename column {name} to {quoted(column[:50] + '_was')}"]
    if kind == "column retyped":
        chosen = rng.choice([t for t in _TYPES if not fact.definition.startswith(t)])
        return [f"{on} alter column {name} type {chosen} using null::{chosen}"]
    if kind == "default changed":
        if " default " in fact.definition and rng.random() < 0.5:
            return [f"{on} alter column {name} drop default"]
        chosen = rng.choice([d for d in _DEFAULTS if f" default {d}" not in fact.definition])
        return [f"{on} alter column {name} set default {chosen}"]
    what = "drop" if " not null" in fact.definition else "set"
    return [f"{on} alter column {name} {what} not null"]


def _other(fact: SchemaFact, rng: random.Random) -> list[str]:
    name = parts(fact.name)
    where = quoted(*name)
    match fact.kind:
        case "relation":
            word = "materialized view" if fact.definition.startswith("materialized") else "table"
            word = "view" if fact.definition.startswith("view") else word
            return [f"drop {word} {where} cascade"]
        case "trigger":
            on = f"on {quoted(*name[:2])}"
            disable = f"alter table {quoted(*name[:2])} disable trigger {quoted(name[2])}"
            return [rng.choice((f"drop trigger {quoted(name[2])} {on}", disable))]
        case "enum":
            return [f"alter type {where} add value 'surely not'"]
        case "sequence":
            return [f"alter sequence {where} increment by 7"]
        case "function" | "procedure":
            return [f"drop {fact.kind} {fact.name} cascade"]
        case "domain":
            return [f"drop domain {where} cascade"]
        case _:
            return [f"drop extension {where} cascade"]


KINDS = (
    *("column dropped", "column renamed", "column retyped", "default changed", "not null changed"),
    *("index dropped", "constraint dropped", "table or view dropped", "other object changed"),
)
_OTHER = ("trigger", "enum", "sequence", "function", "procedure", "domain", "extension")


def _candidates(kind: str, facts: list[SchemaFact]) -> list[SchemaFact]:
    if kind.startswith(("column", "default", "not null")):
        tables = {f.name for f in facts if f.kind == "relation" and "view" not in f.definition}
        return [f for f in facts if f.kind == "column" and _table(f) in tables]
    kinds = {
        "index dropped": ("index",),
        "constraint dropped": ("constraint",),
        "table or view dropped": ("relation",),
        "other object changed": _OTHER,
    }[kind]
    return [fact for fact in facts if fact.kind in kinds]


def _table(fact: SchemaFact) -> str:
    return table(fact) or ""


def _statements(kind: str, fact: SchemaFact, rng: random.Random) -> list[str]:
    name = parts(fact.name)
    if kind == "index dropped":
        return [f"drop index {quoted(name[0], name[2])} cascade"]
    if kind == "constraint dropped":
        return [f"alter table {quoted(*name[:2])} drop constraint {quoted(name[2])} cascade"]
    if fact.kind == "column":
        return _column_changes(kind, fact, rng)
    return _other(fact, rng)


class Damaged(NamedTuple):
    """What was damaged and how; `facts` are those afterwards."""

    key: Key
    statements: list[str]
    facts: tuple[SchemaFact, ...]
    visible: bool


def damage(
    connection: Connection, kind: str, own: list[SchemaFact], rng: random.Random, look: Look
) -> Damaged | None:
    """Damage one of `own`, whichever the server lets us. None if there is none."""
    found = _candidates(kind, own)
    for _ in range(ATTEMPTS if found else 0):
        fact = rng.choice(found)
        statements = _statements(kind, fact, rng)
        if tried(connection, [statement.encode() for statement in statements]):
            facts = look()
            return Damaged((fact.kind, fact.name), statements, facts, fact not in facts)
    return None
