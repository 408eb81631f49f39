"""What the pending revisions do, in order, by the catalogue."""

import functools
import re
from collections.abc import Iterable, Mapping

import msgspec

from surefoot.catalogue.catalogue import Catalogue, Change, Way, is_origin, state
from surefoot.catalogue.match import Difference, Match
from surefoot.model.history import Revision
from surefoot.schema.fact import Definition, Key
from surefoot.schema.names import table_of

_ABSENT: tuple[Definition, ...] = (None,)
_NONE: frozenset[str] = frozenset()

_BEHIND_TYPE = re.compile(r" (?:not null|not valid|no inherit|generated|default)(?: |$)")


class PathChange(msgspec.Struct, frozen=True):
    """A pending revision (or the init scripts): its id, its file, and its changes."""

    revision: str
    file: str
    changes: tuple[Change, ...] = ()

    @property
    def text(self) -> str:
        """Return "revision r2 (r2.py)"."""
        return f"revision {self.revision} ({self.file})" if self.revision else "an init script"


class Creation(msgspec.Struct, frozen=True):
    """A name that doesn't exist at the beginning: what creates it, and its definitions."""

    by: PathChange
    allowed: tuple[Definition, ...]

    @property
    def definition(self) -> str:
        """Return one of its definitions."""
        return next((d for d in self.allowed if d is not None), "")


class Removal(msgspec.Struct, frozen=True):
    """What happens to an existing object: `drops`, `retypes` (`to` a type) or `replaces`.

    To the catalogue, a revision that renames an object drops it. `renamed` is the name of one that
    the same revision creates just like it: very likely it is a rename.
    """

    key: Key
    by: PathChange
    how: str
    to: str = ""
    definition: str = ""  # before
    renamed: str = ""


class UpgradePath(msgspec.Struct, frozen=True, dict=True):
    """The pending revisions in their order, from the structure `start`."""

    start: dict[Key, tuple[Definition, ...]]
    doings: tuple[PathChange, ...]
    known: frozenset[Key] = frozenset()  # every name that isn't the user's own here
    failing: frozenset[str] = frozenset()  # revisions that fail on the origin's structure

    @functools.cached_property
    def made(self) -> dict[Key, Creation]:
        """Return what doesn't exist at the beginning, as first created."""
        found: dict[Key, Creation] = {}
        for doing in self.doings:
            for change in doing.changes:
                if change.key not in self.start and change.after != _ABSENT:
                    found.setdefault(change.key, Creation(doing, change.after))
        return found

    @functools.cached_property
    def touched(self) -> dict[Key, PathChange]:
        """Return every name that is changed, with the first revision that changes it."""
        found: dict[Key, PathChange] = {}
        for doing in self.doings:
            for change in doing.changes:
                found.setdefault(change.key, doing)
        return found

    @functools.cached_property
    def ends(self) -> tuple[Removal, ...]:
        """Return which existing objects are dropped, retyped or replaced.

        Of a dropped table, only the table.
        """
        found: list[Removal] = []
        gone: set[Key] = set()
        before_it = dict(self.start)  # the structure just before the revision
        for doing in self.doings:
            dropped = {c.name for c in doing.changes if c.kind == "relation" and c.after == _ABSENT}
            for change in doing.changes:
                if change.key not in self.start or change.key in gone or not change.before:
                    continue
                before = change.before[0]
                if change.after == _ABSENT:
                    gone.add(change.key)
                    if change.kind == "relation" or table_of(change.key, before) not in dropped:
                        other = renamed_in(change.key, doing, before_it)
                        found.append(Removal(change.key, doing, "drops", "", before, other))
                    continue
                end = _changed(change, doing, before)
                if end is not None:
                    found.append(end)
            for change in doing.changes:
                if change.after == _ABSENT:
                    before_it.pop(change.key, None)
                else:
                    before_it[change.key] = change.after
        return tuple(found)


def renamed_in(key: Key, doing: PathChange, before: Mapping[Key, tuple[Definition, ...]]) -> str:
    """Return what the revision creates just like what it drops; "": nothing.

    A column of the same table and definition, or a relation with the same columns. `before` is the
    structure just before the revision: an earlier pending one may have changed the object.
    """
    kind, name = key
    made = [c for c in doing.changes if c.kind == kind and not c.before and c.after != _ABSENT]
    if kind == "column":
        table = table_of(key, "")
        for change in made:
            if table_of(change.key, "") == table and change.after == before.get(key):
                return change.name
    if kind == "relation":
        columns = _columns(name, before)
        after = {c.key: c.after for c in doing.changes if c.after != _ABSENT}
        for change in made:
            if columns and _columns(change.name, after) == columns:
                return change.name
    return ""


def _columns(
    table: str, state: Mapping[Key, tuple[Definition, ...]]
) -> dict[str, tuple[Definition, ...]]:
    """Return a table's columns by their own names, without the sequences they use."""
    return {
        key[1][len(table) :]: tuple((d or "").partition(" default nextval(")[0] for d in allowed)
        for key, allowed in state.items()
        if key[0] == "column" and table_of(key, "") == table
    }


def _changed(change: Change, doing: PathChange, before: str) -> Removal | None:
    after = next((d for d in change.after if d is not None), "")
    if change.kind == "column":
        to = column_type(after)
        return (
            None if column_type(before) == to else Removal(change.key, doing, "retypes", to, before)
        )
    if change.kind == "constraint" and before.startswith(("PRIMARY KEY", "UNIQUE")):
        return Removal(change.key, doing, "drops", definition=before)
    labels = change.kind == "enum" and _are_lost(before, after)
    if change.kind == "view" or labels:
        return Removal(change.key, doing, "replaces", definition=before)
    return None


def _are_lost(before: str, after: str) -> bool:
    """Whether an enum's labels can't have become these by ADD VALUE alone."""
    left = iter(after.split(", "))
    return not all(label in left for label in before.split(", ") if label)


def column_type(definition: str) -> str:
    """Return the type in a column's definition, with its collation."""
    found = _BEHIND_TYPE.search(definition)
    return definition if found is None else definition[: found.start()]


def path_of(
    catalogue: Catalogue, way: Way, applied: frozenset[str], pending: Iterable[Revision]
) -> UpgradePath:
    """Return the path from these applied revisions through the pending ones in their order.

    `applied` may include what Alembic has not applied yet: what the init scripts stand for.
    """
    pending = tuple(pending)
    doings = tuple(PathChange(r.id, r.path, way.changes.get(r.id, ())) for r in pending)
    start = state(way, applied)
    base = catalogue.way("base")
    failing = frozenset(r.id for r in pending if r.id not in way.changes)
    if failing and base is not None:
        # what they create on the path from the base is what may be in their way here
        beyond = {id: base.changes.get(id, ()) for id in failing}
        doings = tuple(PathChange(r.id, r.path, (way.changes | beyond)[r.id]) for r in pending)
        for change in (c for changed in beyond.values() for c in changed):
            if not change.before and change.after != _ABSENT:
                start.pop(change.key, None)
    index = catalogue.index
    known = frozenset(k for k, n in index.numbers.items() if n not in index.beyond[way.name])
    return UpgradePath(start, doings, known, failing if is_origin(way.name) else _NONE)


def path_from_nothing(catalogue: Catalogue, way: Way, pending: Iterable[Revision]) -> UpgradePath:
    """Return the path from an empty database: the initial structure, then the pending revisions."""
    doings = tuple(PathChange(r.id, r.path, way.changes.get(r.id, ())) for r in pending)
    first = (PathChange("", "", way.initial),) if way.initial else ()
    return UpgradePath({}, (*first, *doings), frozenset(catalogue.index.numbers))


def early_differences(recorded: Match, catalogue: Catalogue) -> tuple[tuple[Difference, ...], bool]:
    """Return differences that are objects in a pending revision's way, and whether it may have run.

    That is, whether one of them belongs to the first pending revision that creates anything. If
    not, that revision has not run, and so none after it. Every revision that isn't applied is
    pending; the catalogue has them in an order in which they can run.
    """
    way = catalogue.way(recorded.way)
    if way is None:
        return (), False
    applied = catalogue.history.applied(recorded.rows)
    pending = [r for id, r in catalogue.history.revisions.items() if id not in applied]
    made = path_of(catalogue, way, applied, pending).made
    found = tuple(
        d for d in recorded.differences if d.what == "unexpected" and (d.kind, d.name) in made
    )
    first = next((m.by for m in made.values()), None)
    return found, any(made[d.kind, d.name].by == first for d in found)
