"""Ask the server everything that the preflight needs: read-only, in one snapshot."""

import contextlib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import psycopg
from psycopg.rows import dict_row

from surefoot.catalogue.catalogue import Catalogue
from surefoot.catalogue.match import Match
from surefoot.decision.facts import DatabaseState, Facts
from surefoot.decision.ownership import histories_among
from surefoot.diagnosis.cause import About, Object
from surefoot.diagnosis.renamed_aside import SUFFIX, put_aside
from surefoot.look.circumstances import parts_of
from surefoot.look.structure import fact_name
from surefoot.look.unseen import observe_unseen
from surefoot.model.history import Revision
from surefoot.postgres.connect import translate_db_errors
from surefoot.preflight.check import Given
from surefoot.preflight.checks.locks_too_few import transactions
from surefoot.preflight.checks.object_in_the_way import wanted_slots
from surefoot.preflight.checks.privilege_missing import privilege_needs
from surefoot.preflight.created import created
from surefoot.preflight.judge import judge
from surefoot.preflight.losses import certainly_renames
from surefoot.preflight.path import Removal, UpgradePath, path_from_nothing, path_of
from surefoot.preflight.surroundings import (
    UNKNOWN_TO_FACTS,
    Dependent,
    InvalidIndex,
    Lacking,
    Locks,
    Need,
    OwnConstraint,
    Surroundings,
    Taken,
)
from surefoot.preflight.verdict import Preflight
from surefoot.revision_source.source import Source, Statement
from surefoot.schema.fact import Key, SchemaFact
from surefoot.schema.names import arguments, in_a_text, split_name, table_of
from surefoot.sql import query


class Preparation(msgspec.Struct, frozen=True):
    """The input of a preflight.

    The facts so far, the pending revisions in order, the catalogue if it is usable, and the present
    structure (`live`). Of env.py: the `role` of its connection, whether `each` revision has its own
    transaction, the width of the id in the version table that it would make (`version_length`), and
    which revisions commit midway, or may widen that column (`widening`). `held`: the structure to
    assume, if it isn't the present one; `going`: names that will be gone. `indexes`: what the
    sources of the pending revisions do to indexes, in order; `schema`: where they make objects.
    `sources`: those that can be read, in order. `files`: the revisions' and the init scripts'.
    `handling`: see `Given`.
    """

    facts: Facts
    pending: tuple[Revision, ...]
    catalogue: Catalogue | None
    live: tuple[SchemaFact, ...]
    role: str
    each: bool = False
    version_length: int | None = None
    committing: frozenset[str] = frozenset()
    widening: frozenset[str] = frozenset()
    held: Match | None = None
    going: frozenset[Key] = frozenset()
    indexes: tuple[tuple[Revision, Statement], ...] = ()
    schema: str = ""
    sources: tuple[tuple[str, Source], ...] = ()
    handling: frozenset[tuple[str, str]] = frozenset()
    files: tuple[Path, ...] = ()

    @property
    def stand(self) -> Match | None:
        """Compare the structure with the revisions that the pending ones follow."""
        standing = self.facts.standing
        if standing is None or self.held is not None:
            return self.held
        return standing.recorded or standing.chosen or next(iter(standing.nearest), None)


def preflight(connection: psycopg.Connection[Any], given: Preparation) -> Preflight:
    """Return everything that is in the way of the pending revisions. Read-only.

    Raises SurefootError `look-failed`, `server-unreachable`.
    """
    path = path_of_pending(given)
    seen = given.facts.database
    needed = privilege_needs(path) if path is not None else ()
    if seen.version_schema is not None:
        table = seen.version_table.name
        # nearly every revision replaces the row of the one before it
        writing = "UPDATE" if seen.rows else "INSERT"
        needed += (Need("record", writing, seen.version_schema, table, "each revision"),)
    around = observe_surroundings(
        connection,
        seen,
        path,
        needed,
        role=given.role,
        version_length=given.version_length,
    )
    if path is not None:
        around = msgspec.structs.replace(around, taken=_taken(connection, path, given))
    widening = (n for n, r in enumerate(given.pending) if r.id in given.widening)
    until = next(widening, len(given.pending))
    ids = tuple(revision.id for revision in given.pending[:until])
    if not (seen.objects or seen.rows):
        ids = (*(given.facts.code.stands_for or ()), *ids)
    stand = given.stand
    standing = given.facts.standing
    return judge(
        Given(
            path,
            around,
            live={
                key: fact.definition
                for fact in given.live
                if (key := (fact.kind, fact.name)) not in given.going
            },
            needed=needed,
            pieces=transactions(path, each=given.each, committing=given.committing)
            if path is not None
            else (),
            differences=stand.differences if stand else (),
            nearer=_nearer(given),
            committing=given.committing,
            ids=ids,
            has_version_table=seen.version_schema is not None,
            statements=given.indexes,
            going=given.going,
            schema=given.schema,
            accepted=frozenset((d.kind, d.name) for d in (standing.accepted if standing else ())),
            others=standing.made_by_others if standing else {},
            histories=histories_among(standing.own) if standing else "",
            version_table=_version_table(seen),
            creates=created(given.sources, given.schema),
            handling=given.handling,
            mentioned=mentioned_kinds(path, given.files),
            renaming=_renaming(path, dict(given.sources)),
        )
    )


def _taken(
    connection: psycopg.Connection[Any], path: UpgradePath, given: Preparation
) -> tuple[Taken, ...]:
    """Return the objects that have a name which the path needs, and of which no fact tells."""
    live = {(fact.kind, fact.name) for fact in given.live}
    wanted = {
        (slot[0], in_a_text(*slot[1:])): key
        for slot, key in wanted_slots(path, live).items()
        if slot[0] in ("class", "type")
    }
    found = observe_unseen(connection, wanted)
    if not found:
        return ()
    objects = {named: Object(one.kind, *split_name(named[1])) for named, one in found.items()}
    parts, taken = parts_of(connection, objects.values(), SUFFIX)
    about = About("", objects=tuple(objects.values()), parts=parts, taken=taken)
    sources = dict(given.sources)
    them: list[Taken] = []
    for named, unseen in found.items():
        key = wanted[named]
        source = sources.get(path.made[key].by.revision)
        created = any(
            one.is_about(key) and not one.drops and bool(one.makes or one.passes_over)
            for one in (source.statements if source else ())
        )
        them.append(Taken(key, unseen, put_aside([objects[named]], about), created))
    # an index of a table that is renamed is renamed with it
    return tuple(
        one for one in them if not any(set(one.statements) < set(o.statements) for o in them)
    )


def mentioned_kinds(path: UpgradePath | None, files: Iterable[Path]) -> frozenset[str]:
    """Return the kinds that no facts describe and that one of the files mentions.

    They are read only if a schema is dropped: nobody can tell who made such an object in it.
    """
    if path is None or not any(end.key[0] == "schema" for end in path.ends):
        return frozenset()
    found: set[str] = set()
    for file in files:
        with contextlib.suppress(OSError):
            text = file.read_bytes()
            found.update(kind for kind, words in _WORDS.items() if words.search(text))
    return frozenset(found)


_WORDS = {
    kind: re.compile(rb"(?i)\b" + kind.encode().replace(b" ", rb"\s+"))
    for kind in sorted(UNKNOWN_TO_FACTS)
}


def _renaming(path: UpgradePath | None, sources: Mapping[str, Source]) -> frozenset[str]:
    """Return the revisions that certainly rename the schema that the catalogue says they drop."""
    return frozenset(
        end.by.revision
        for end in (path.ends if path is not None else ())
        if end.key[0] == "schema" and certainly_renames(sources.get(end.by.revision), end.key)
    )


def path_of_pending(given: Preparation) -> UpgradePath | None:
    """Return what the pending revisions do; None without a catalogue."""
    facts, catalogue = given.facts, given.catalogue
    if catalogue is None:
        return None
    if facts.standing is None:
        if facts.database.rows or facts.database.objects:
            return None
        way = catalogue.way("init" if facts.code.init else "base")
        return None if way is None else path_from_nothing(catalogue, way, given.pending)
    stand = given.stand
    way = None if stand is None else catalogue.way(stand.way)
    if stand is None or way is None:
        return None
    return path_of(catalogue, way, catalogue.history.applied(stand.rows), given.pending)


def _nearer(given: Preparation) -> str:
    """Return the revision whose structure is nearer than that of the recorded one."""
    standing = given.facts.standing
    nearest = standing.nearer if standing else None
    if nearest is None or given.held is not None:
        return ""
    rows = " ".join(nearest.rows) or "base"
    return (
        f"the structure is nearer to that of {rows} ({len(nearest.differences)} different): if "
        "that has run, the version row is wrong, and nothing is in the way"
    )


def observe_surroundings(
    connection: psycopg.Connection[Any],
    seen: DatabaseState,
    path: UpgradePath | None,
    needed: tuple[Need, ...],
    *,
    role: str,
    version_length: int | None,
) -> Surroundings:
    """Return the server's answers for a path; without one, only those that need no catalogue.

    `role` is that of the application's connection, `version_length` the width of a revision's id
    if there is no version table yet. Raises as every look does (`look-failed`,
    `server-unreachable`).
    """
    with (
        translate_db_errors(),
        connection.transaction(),
        connection.cursor(row_factory=dict_row) as cursor,
    ):
        cursor.execute(query("snapshot"))
        cursor.execute(query("facts_settings"))
        made = path.made if path is not None else {}
        names: dict[str, Any] = {
            "schema": seen.version_schema,
            "table": seen.version_table.name,
            "only": seen.version_table.tenant,
            "extensions": [split_name(name)[0] for kind, name in made if kind == "extension"],
        }
        row = cursor.execute(query("surroundings"), names).fetchone()
        assert row is not None
        there = seen.version_schema is not None
        return Surroundings(
            role=role,
            database=seen.server.database,
            version_table=_version_table(seen),
            version_length=row["version_length"] if there else version_length,
            locks=Locks(row["locks"], row["locks"] * row["processes"]),
            unavailable=tuple(row["unavailable"]),
            lacking=_lacking(cursor, needed, role),
            dependents=_dependents(cursor, path.ends) if path is not None else (),
            invalid=tuple(
                InvalidIndex(fact_name(found[2:]), found.startswith("p"))
                for found in row["invalid"]
            ),
            constraints=_constraints(cursor, made),
        )


def _constraints(
    cursor: psycopg.Cursor[dict[str, Any]], made: Iterable[Key]
) -> tuple[OwnConstraint, ...]:
    """Return the constraints of what exists of the tables that the path creates or adds to."""
    tables = [name if kind == "relation" else table_of((kind, name), "") for kind, name in made]
    names: list[str] = list(dict.fromkeys(table for table in tables if table is not None))
    if not names:
        return ()
    values: dict[str, Any] = {
        "schemas": [split_name(name)[0] for name in names],
        "tables": [split_name(name)[1] for name in names],
    }
    rows = cursor.execute(query("own_constraints"), values).fetchall()
    return tuple(
        OwnConstraint(
            names[int(row["number"]) - 1],
            row["schema"],
            row["table"],
            row["name"],
            row["column"],
            row["not_null"],
        )
        for row in rows
    )


def _version_table(seen: DatabaseState) -> str:
    schema = seen.version_schema or seen.version_table.schema or seen.server.default_schema
    return f"{schema}.{seen.version_table.name}"


def _lacking(
    cursor: psycopg.Cursor[dict[str, Any]], needed: tuple[Need, ...], role: str
) -> tuple[Lacking, ...]:
    if not needed:
        return ()
    values: dict[str, Any] = {
        "rights": [need.right for need in needed],
        "kinds": [need.kind for need in needed],
        "schemas": [need.schema for need in needed],
        "names": [need.name for need in needed],
        "role": role,
    }
    rows = cursor.execute(query("privileges"), values).fetchall()
    return tuple(
        Lacking(row["number"] - 1, row["owner"], row["kind"], row["schema"], row["name"])
        for row in rows
    )


def _dependents(
    cursor: psycopg.Cursor[dict[str, Any]], ends: Iterable[Removal]
) -> tuple[Dependent, ...]:
    asked = [_asked(end) for end in ends]
    if not asked:
        return ()
    values = {
        "kinds": [kind for kind, _, _, _ in asked],
        "schemas": [schema for _, schema, _, _ in asked],
        "names": [name for _, _, name, _ in asked],
        "parts": [part for _, _, _, part in asked],
    }
    rows = cursor.execute(query("dependents"), values).fetchall()
    return tuple(
        Dependent(
            row["number"] - 1,
            row["kind"],
            row["name"] if row["kind"] in UNKNOWN_TO_FACTS else fact_name(row["name"]),
            fact_name(row["detail"]) if row["kind"] in UNKNOWN_TO_FACTS else row["detail"],
            row["definition"],
            row["depth"],
        )
        for row in rows
    )


def _asked(end: Removal) -> tuple[str, str, str, str]:
    """Return the object in the form of the query: kind, schema, name, and its part."""
    kind, name = end.key
    found = split_name(name)
    if kind in ("function", "procedure", "aggregate"):
        return kind, found[0], found[1] + arguments(name), ""
    if kind == "index":
        return kind, found[0], found[-1], ""
    what = "retyped column" if end.how == "retypes" else kind
    return what, found[0], found[1] if len(found) > 1 else "", found[2] if len(found) > 2 else ""
