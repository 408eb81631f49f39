"""Find the remains of revisions that are no longer applied: what may be dropped, and what not.
Pure.

An object counts only if a revision in the journal made exactly this name and definition, and no
applied revision has it. So the user's own objects are never among them.
"""

from collections.abc import Container, Iterable, Mapping

import msgspec

from surefoot.downgrades.recipe import DowngradeRecipe
from surefoot.schema.ddl import dropped
from surefoot.schema.fact import Key, SchemaFact, relation_kind, table
from surefoot.schema.kinds import Kind, rank


class Leftover(msgspec.Struct, frozen=True):
    """An existing object: its name, its definition, the revision that made it.

    `statements` drop it (none: it goes with another); `kept` says why it isn't dropped. `expected`:
    the revision's downgrade was known to leave it.
    """

    kind: Kind
    name: str
    definition: str
    revision: str
    statements: tuple[str, ...] = ()
    kept: str = ""
    expected: bool = False

    @property
    def key(self) -> Key:
        """Its kind and name."""
        return self.kind, self.name

    @property
    def has_rows(self) -> bool:
        """Whether it has rows: a table's, or a column's values."""
        whole = self.kind == "relation" and relation_kind(self.definition) == "table"
        return whole or self.kind == "column"


def leftovers(
    kept: Iterable[DowngradeRecipe],
    applied: Container[str],
    known: Container[Key],
    live: Mapping[Key, str],
) -> tuple[Leftover, ...]:
    """Return what exists of the journal's revisions that aren't `applied`, in the order of
    dropping.

    `known` are the names that the applied revisions have.
    """
    kept = tuple(kept)
    made: dict[Key, str] = {}
    changed: dict[Key, str] = {}
    for one in kept:
        if one.id in applied:
            continue
        for change in (*one.changes, *one.left):
            found = live.get(change.key)
            if found is None or change.key in known:
                continue
            if found in change.after:
                made.setdefault(change.key, one.id)
                changed.pop(change.key, None)
            elif change.key not in made:
                changed.setdefault(change.key, one.id)
    tables = {name for kind, name in made if kind == "relation"}
    own = _own_on(tables, made, changed, live)
    found = [_one(key, id, live, tables, own) for key, id in made.items()]
    found += [
        Leftover(*key, live[key], id, kept="it isn't as the revision made it")
        for key, id in changed.items()
    ]
    expected = {change.key for one in kept for change in one.left}
    found = [msgspec.structs.replace(one, expected=one.key in expected) for one in found]
    return tuple(sorted(found, key=lambda one: (-rank(_as_ranked(one)), one.name)))


def _as_ranked(one: Leftover) -> str:
    view = one.kind == "relation" and relation_kind(one.definition) != "table"
    return "view" if view else one.kind


def _own_on(
    tables: Container[str], made: Container[Key], changed: Container[Key], live: Mapping[Key, str]
) -> dict[str, str]:
    """For each of these tables, return something on it that none of the revisions made."""
    found: dict[str, str] = {}
    for key, definition in live.items():
        owner = table(SchemaFact(*key, definition))
        if owner and owner in tables and key not in made and key[0] != "option":
            what = "has changed" if key in changed else "is your own"
            found.setdefault(owner, f"{key[0]} {key[1]} {what}")
    return found


def _one(
    key: Key,
    revision: str,
    live: Mapping[Key, str],
    tables: Container[str],
    own: Mapping[str, str],
) -> Leftover:
    definition = live[key]
    owner = table(SchemaFact(*key, definition))
    whole = key[0] == "relation"
    if owner is not None and owner in own:
        return Leftover(*key, definition, revision, kept=own[owner])
    if owner is not None and owner in tables and not whole:
        return Leftover(*key, definition, revision)
    if key[0] in ("extension", "schema"):
        return Leftover(*key, definition, revision, kept="others may use it")
    if key[0] == "view" and not whole:
        return Leftover(*key, definition, revision)
    steps = dropped(key, definition)
    if steps is None:
        return Leftover(*key, definition, revision, kept="no SQL can be written for it")
    texts = tuple(step.text.replace("index concurrently ", "index ", 1) for step in steps)
    return Leftover(*key, definition, revision, texts)
