"""How to get from where a database stands to an older revision. Pure.

Which revisions are undone, in which order, and what must exist before and after each.
"""

from collections.abc import Container, Iterable, Mapping

import msgspec

from surefoot.catalogue.catalogue import Catalogue, Change, DownStatement
from surefoot.catalogue.match import Difference
from surefoot.downgrades.recipe import DowngradeRecipe, reversal
from surefoot.model.history import History, Revision
from surefoot.schema.comparison import Comparison, same
from surefoot.schema.definitions import INVALID
from surefoot.schema.fact import Definition, Key, SchemaFact
from surefoot.schema.kinds import COMMON, kind_of
from surefoot.schema.names import table_of


class DowngradeStep(msgspec.Struct, frozen=True):
    """One revision to undo, by `statements`, or (None) by its file's downgrade().

    `done`: how many of its statements an interrupted run has already executed.
    """

    reversal: DowngradeRecipe
    statements: tuple[DownStatement, ...] | None = None
    done: int = 0

    @property
    def id(self) -> str:
        """The revision's id."""
        return self.reversal.id


def whole_history(
    code: History, kept: Mapping[str, DowngradeRecipe], catalogue: Catalogue | None
) -> History:
    """Return the code's revisions and those that only the journal knows, each after its ancestors.

    Revisions in the journal that don't lead back to the code's are left out: if they are another
    application's, they must not be undone.
    """
    first = tuple(catalogue.history.revisions) if catalogue else ()
    revisions = {id: code.revisions[id] for id in first if id in code.revisions}
    revisions |= code.revisions
    for id, one in kept.items():
        below = (*one.parents, *one.depends_on)
        if id not in revisions and below and all(name in revisions for name in below):
            revisions[id] = Revision(id, one.parents, one.depends_on, one.message, one.release, "")
    order = History(revisions).in_order()
    return History(revisions if order is None else {id: revisions[id] for id in order})


def to_undo(history: History, applied: frozenset[str], goal: frozenset[str]) -> tuple[str, ...]:
    """Return what is applied and isn't at the goal, the newest first."""
    return tuple(id for id in reversed(history.revisions) if id in applied and id not in goal)


def reversals(
    undo: Iterable[str],
    kept: Mapping[str, DowngradeRecipe],
    catalogue: Catalogue | None,
    way: str,
    own: Container[str],
) -> tuple[DowngradeRecipe, ...]:
    """Return the recipe for each: from the catalogue for the code's `own` revisions, else from the
    journal.

    `way` is the path on which the database came.
    """
    found: list[DowngradeRecipe] = []
    for id in undo:
        known = kept.get(id)
        if catalogue is not None and id in own and id in catalogue.history.revisions:
            # the journal's are those of this very database, on its own path
            made = known.changes if known is not None else None
            found.append(reversal(catalogue, id, catalogue.way(way), made))
        else:
            found.append(
                known or DowngradeRecipe(id, (), (), "", None, "unknown", "nothing is known")
            )
    return tuple(found)


def kept_of(
    catalogue: Catalogue, way: str, revisions: Iterable[str], *, below: bool, search_path: str
) -> tuple[DowngradeRecipe, ...]:
    """Return what the journal keeps about undoing these revisions, and all `below` them.

    By the path on which the database came; `search_path` is that of the connection that ran them.
    """
    wanted = frozenset(id for id in revisions if id in catalogue.history.revisions)
    if below:
        wanted = catalogue.history.applied(wanted)
    return tuple(
        msgspec.structs.replace(
            reversal(catalogue, id, catalogue.way(way)), search_path=search_path
        )
        for id in catalogue.history.revisions
        if id in wanted
    )


def blocked(undo: Iterable[DowngradeRecipe], own: Container[str]) -> tuple[DowngradeRecipe, ...]:
    """Return those that can't be undone.

    It was never seen to work, or needs a missing file, or removes what existed before the revision.
    """
    return tuple(
        one
        for one in undo
        if not (one.without_code or (one.possible and one.id in own)) or takes_away(one)
    )


def takes_away(one: DowngradeRecipe) -> bool:
    """Whether undoing it removes or changes something that existed before it."""
    return any(change.before for change in one.left)


def unlike(
    undo: Iterable[DowngradeRecipe], live: Mapping[Key, str], reversing: Container[str] = ()
) -> tuple[Difference, ...]:
    """Return the names that aren't as these revisions left them, from the newest on.

    Those of a revision whose downgrade was cut off (`reversing`) may be missing or changing.
    """
    seen: set[Key] = set()
    found: list[Difference] = []
    for one in undo:
        # an object that an older revision made may have been replaced since
        for change in one.changes:
            if change.key in seen:
                continue
            seen.add(change.key)
            expected = change.after
            if one.id in reversing:
                expected = (*expected, *_below(one, change))
                invalid = (live.get(change.key) or "").endswith(INVALID)
                if change.kind == "index" and invalid:
                    continue
            found += _difference(change.key, expected, live)
    return tuple(found)


def not_back(
    one: DowngradeRecipe, live: Mapping[Key, str], before: Mapping[Key, str]
) -> tuple[Difference, ...]:
    """Return what is wrong after undoing this revision.

    Its own names must be as they were below it, and every other one as `before`.
    """
    found: list[Difference] = []
    left = {change.key: change.after for change in one.left}
    touched = left.keys() | {change.key for change in one.changes}
    for change in one.changes:
        expected = left.get(change.key) or _below(one, change)
        found += _difference(change.key, expected, live)
    for key, allowed in left.items():
        if all(change.key != key for change in one.changes):
            found += _difference(key, allowed, live)
    gone = {c.name for c in one.changes if c.kind == "relation" and c.name not in _relations(live)}
    for key in before.keys() | live.keys():
        if key not in touched and before.get(key) != live.get(key):
            if (
                key not in live
                and kind_of(key[0]).goes_along
                and table_of(key, before[key]) in gone
            ):
                continue
            found.append(Difference(*key, (before.get(key),), live.get(key)))
    return tuple(sorted(found, key=lambda d: (d.kind, d.name)))


def _relations(live: Mapping[Key, str]) -> frozenset[str]:
    return frozenset(name for kind, name in live if kind == "relation")


def inverse(one: DowngradeRecipe) -> tuple[Change, ...]:
    """Return what undoing a revision changes."""
    return tuple(
        Change(
            change.kind,
            change.name,
            tuple(d for d in change.after if d is not None),
            _below(one, change),
        )
        for change in one.changes
    )


def _below(one: DowngradeRecipe, change: Change) -> tuple[Definition, ...]:
    """Return what a name may be once the revision is undone."""
    left = next((c.after for c in one.left if c.key == change.key), ())
    return left or change.before or (None,)


def _difference(
    key: Key, expected: tuple[Definition, ...], live: Mapping[Key, str]
) -> Iterable[Difference]:
    found = live.get(key)
    if found in expected or (key[0] in COMMON and found is not None):
        return ()
    if found is not None and _cannot_tell(key, found, expected):
        return ()
    return (Difference(*key, expected, found),)


def _cannot_tell(key: Key, found: str, expected: tuple[Definition, ...]) -> bool:
    fact = SchemaFact(*key, found)
    return any(
        same(fact, SchemaFact(*key, definition)) is Comparison.CANNOT_TELL
        for definition in expected
        if definition is not None
    )
