"""Revisions that were once in the history: the catalogue keeps their ids and places. Pure."""

import msgspec

from surefoot.catalogue.catalogue import Catalogue, Removed, state
from surefoot.schema.fact import Definition, Key


def with_removed(built: Catalogue, before: Catalogue | None) -> Catalogue:
    """Add to a new catalogue the revisions that the code no longer has."""
    if before is None:
        return built
    code = built.history.revisions
    removed = {id: _still_there(one, built) for id, one in before.removed.items() if id not in code}
    removed |= {
        id: _removed(id, built, before) for id in before.history.revisions if id not in code
    }
    return msgspec.structs.replace(built, removed=removed)


def _still_there(one: Removed, built: Catalogue) -> Removed:
    """Leave out references to what the code no longer has."""
    code = built.history.revisions
    same = one.same if one.same in code else ""
    left = tuple(id for id in one.before if id in code)
    return Removed(one.below, one.title, one.path, one.sha256, same, left or built.history.heads)


def _removed(id: str, built: Catalogue, before: Catalogue) -> Removed:
    was = before.history.revisions[id]
    return Removed(
        before.history.below(id),
        was.message,
        was.path,
        was.sha256 or "",
        _same(id, built, before),
        _after(id, built, before),
    )


def _same(id: str, built: Catalogue, before: Catalogue) -> str:
    """Return the code's revision with the same structure as the removed one; "" if none."""
    applied = before.history.applied((id,))
    old = before.way_to(applied)
    if old is None:
        return ""
    wanted = state(old, applied)
    for candidate in built.history.revisions:
        if candidate in before.history.revisions:
            continue  # it made the same before, too
        up_to = built.history.applied((candidate,))
        way = built.way_to(up_to)
        if way is not None and state(way, up_to) == wanted:
            return candidate
    return ""


def _after(id: str, built: Catalogue, before: Catalogue) -> tuple[str, ...]:
    """Return the first of the code's revisions that come after its place."""
    old, new = before.history, built.history
    order = list(new.revisions)
    above = [name for name in order if name in old.revisions and id in old.applied((name,))]
    if above:
        first = above[0]
        brought = [name for name in order if name not in old.revisions]
        between = [name for name in brought if name in new.applied((first,))]
        return tuple(between[:1]) or (first,)
    brought = [name for name in order if name not in old.revisions]
    return tuple(brought[:1]) or new.heads


def no_longer_recognised(before: Catalogue, built: Catalogue) -> dict[str, list[str]]:
    """Names of which the catalogue `before` recognised a variant that the one just built doesn't,
    by revision; without revisions that do something else now.
    """
    found: dict[str, list[str]] = {}
    for way in before.ways:
        if built.way(way.name) is None:
            continue
        for id, keys in variants_of(built, before, way.name).items():
            new, old = built.history.revisions.get(id), before.history.revisions.get(id)
            if new is None or old is None or new.tree != old.tree:
                continue
            several = {c.key for c in way.changes[id] if len(c.after) > 1}
            names = [f"{kind} {name}" for kind, name in keys if (kind, name) in several]
            if names:
                found.setdefault(id, []).extend(names)
    return found


def variants_of(before: Catalogue, after: Catalogue, name: str) -> dict[str, list[Key]]:
    """What the way `name` allows in the second catalogue and not in the first, by the revision
    that makes it ("": before the first).
    """
    old, new = before.way(name), after.way(name)
    assert old is not None
    assert new is not None
    found: dict[str, list[Key]] = {}
    known: dict[Key, set[Definition]] = {}
    for id in ("", *new.changes):
        own, more = (w.changes.get(id, ()) if id else w.initial for w in (old, new))
        for change in own:
            known.setdefault(change.key, set()).update(change.after)
        for change in more:
            # told once: where it first appears
            left = {*change.after} - known.setdefault(change.key, set())
            if left:
                known[change.key] |= left
                found.setdefault(id, []).append(change.key)
    return found
