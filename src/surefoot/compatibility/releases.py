"""Compare the application's releases: up, the older image as it is, down. Pure."""

from collections.abc import Iterator, Mapping

import msgspec

from surefoot.catalogue.catalogue import Catalogue, Change, Way, facts_of, state
from surefoot.catalogue.match import Verdict
from surefoot.compatibility.compatible import compatible
from surefoot.downgrades.data_loss import standing
from surefoot.downgrades.recipe import DowngradeRecipe, Loss, reversal
from surefoot.revision_source.statement import renamed
from surefoot.schema.fact import Key, SchemaFact, relation_kind, table
from surefoot.schema.names import split_name

UNRELEASED = "(unreleased)"


class Release(msgspec.Struct, frozen=True):
    """A release with the name from its last revision, and everything applied there."""

    name: str
    applied: frozenset[str]
    revisions: tuple[str, ...]


class Declared(msgspec.Struct, frozen=True):
    """What revision files declare, by revision: the floor, and whether they commit."""

    floors: Mapping[str, str] = {}
    midway: frozenset[str] = frozenset()


class Down(msgspec.Struct, frozen=True):
    """How to go down from one release to another: each revision's recipe, the newest first.

    `stops` is the first one that can't be undone, None if the path is complete; `backs` are those
    before it. `needs_code` are those that need the newer image's files.
    """

    backs: tuple[DowngradeRecipe, ...]
    stops: DowngradeRecipe | None
    needs_code: tuple[str, ...]


class Pair(msgspec.Struct, frozen=True):
    """An older and a newer release.

    `midway` are revisions that commit in the middle of the upgrade. `verdict` is whether the older
    image can run as it is on the newer one's database, by the structure: None if the older one's
    structure is unknown. `floor` is what a revision of the newer one declares: the revision, the
    oldest code, and whether the older image is that new. `lost` goes on the way down, `empty` comes
    back without the values that went with the upgrade, `remains` is not as it was before.
    """

    older: str
    newer: str
    between: tuple[str, ...]
    midway: tuple[str, ...]
    verdict: Verdict | None
    floor: tuple[str, str, bool] | None
    down: Down
    lost: tuple[Loss, ...]
    empty: tuple[str, ...]
    remains: tuple[Change, ...]

    @property
    def can_run(self) -> bool | None:
        """Whether the older image can run as it is; None: unknown."""
        if self.floor is not None:
            return self.floor[2]
        return None if self.verdict is None else self.verdict.compatible


def releases(catalogue: Catalogue) -> tuple[Release, ...]:
    """Return the releases that the revisions name, the oldest first; then the head, if it has no
    name.
    """
    history = catalogue.history
    found: dict[str, list[str]] = {}
    for id, revision in history.revisions.items():
        if revision.release:
            found.setdefault(revision.release, []).append(id)
    named = [Release(name, history.applied(ids), tuple(ids)) for name, ids in found.items()]
    everything = frozenset(history.revisions)
    if all(release.applied != everything for release in named):
        named.append(Release(UNRELEASED, everything, history.heads))
    # on a branch, a release may end after a newer one's first revision
    return tuple(sorted(named, key=lambda release: len(release.applied)))


def pair(catalogue: Catalogue, older: Release, newer: Release, declared: Declared) -> Pair:
    """Compare two releases, of which the newer contains the older."""
    between = tuple(id for id in catalogue.history.revisions if id in newer.applied - older.applied)
    way = catalogue.way_to(newer.applied)
    down = _down(catalogue, between, way)
    there = state(way, newer.applied) if way else {}
    before = state(way, older.applied) if way and way.leads_to(older.applied) else None
    lost = tuple(_lost(down, there))
    dropped = {loss.name for loss in lost if loss.kind == "table"}
    return Pair(
        older.name,
        newer.name,
        between,
        tuple(id for id in between if id in declared.midway),
        _verdict(catalogue, older, newer),
        _floor(catalogue, older, newer, between, declared.floors),
        down,
        lost,
        tuple(_empty(before.keys() - there.keys(), before, down)) if before else (),
        tuple(c for back in down.backs for c in back.left if _table(c) not in dropped),
    )


def _verdict(catalogue: Catalogue, older: Release, newer: Release) -> Verdict | None:
    """Return the verdict of the worst path: databases have come along any of them."""
    verdicts = [
        compatible(state(way, older.applied), facts_of(state(way, newer.applied)))
        for way in catalogue.ways
        if way.leads_to(older.applied)
    ]
    return max(verdicts, key=lambda v: (len(v.breaks), len(v.remarks)), default=None)


def _floor(
    catalogue: Catalogue,
    older: Release,
    newer: Release,
    between: tuple[str, ...],
    floors: Mapping[str, str],
) -> tuple[str, str, bool] | None:
    """Return the floor as the older image would read it in the journal.

    A floor that it doesn't reach forbids it; that of the newer release's last revision allows it,
    whatever the structure.
    """
    revisions = catalogue.history.revisions
    known = {*older.applied, *(revisions[id].release for id in older.applied)}
    declared = [(id, floors[id]) for id in between if id in floors]
    for id, floor in declared:
        if floor not in known:
            return id, floor, False
    rows = catalogue.history.rows(newer.applied)
    if rows and all(row in floors or row in older.applied for row in rows):
        return next(((id, floor, True) for id, floor in reversed(declared) if id in rows), None)
    return None


def _down(catalogue: Catalogue, between: tuple[str, ...], way: Way | None) -> Down:
    backs = tuple(reversal(catalogue, id, way) for id in reversed(between))
    stops = next((back for back in backs if not back.possible), None)
    gone = backs if stops is None else backs[: backs.index(stops)]
    return Down(gone, stops, tuple(back.id for back in gone if not back.without_code))


_ORDER = ("table", "column", "sequence", "values", "rows")


def _lost(down: Down, there: Mapping[Key, object]) -> Iterator[Loss]:
    """Return each loss once, and only of what exists at the newer release."""
    tables: set[str] = set()
    for one in sorted(standing(down.backs, there), key=lambda one: _ORDER.index(one.loss.kind)):
        name = one.name or one.loss.name
        if one.loss.kind == "table":
            tables.add(name)
        if (
            one.loss.kind in ("column", "values")
            and table(SchemaFact("column", name, "")) in tables
        ):
            continue
        code = Loss(one.loss.kind, "", f"the code of {one.id} decides")
        yield one.loss if one.loss.name else code


def _table(change: Change) -> str | None:
    return table(SchemaFact(change.kind, change.name, next(filter(None, change.after), "")))


def _empty(
    keys: set[Key], before: Mapping[Key, tuple[str | None, ...]], down: Down
) -> Iterator[str]:
    """Return tables and columns that only the older release has, and that get no other's rows."""
    if down.stops is not None:
        return
    statements = [s.sql for back in down.backs for s in back.statements]
    names = {(*r.name[:-1], r.to) for sql in statements if (r := renamed(sql))}
    gone = {
        name
        for kind, name in keys
        if kind == "relation" and relation_kind(before[kind, name][0] or "") == "table"
    }
    yield from (f"table {name}" for name in sorted(gone) if split_name(name)[-1:] not in names)
    for kind, name in sorted(keys):
        kept = table(SchemaFact(kind, name, "")) in gone or split_name(name)[-2:] in names
        if kind == "column" and not kept:
            yield f"column {name}"
