"""From what the replays saw to a catalogue. Pure."""

from collections.abc import Mapping

import msgspec

from surefoot.history import History
from surefoot.replay.messages import Opened
from surefoot.replay.passes import Replayed
from surefoot.structure.catalogue import (
    Catalogue,
    Change,
    Downgrade,
    InitScripts,
    Way,
    changes,
)
from surefoot.structure.facts import Definition, Key


def assemble(
    opened: Opened,
    base: Replayed | None,
    init: Replayed | None,
    scripts: InitScripts | None,
    downgrades: Mapping[str, Downgrade],
) -> Catalogue:
    """The catalogue of the ways that were gone to their end."""
    revisions = opened.history.revisions
    history = History(
        {
            id: msgspec.structs.replace(revisions[id], evidence=None, floor=None)
            for id in opened.order
        }
    )
    ways: list[Way] = []
    if base is not None:
        ways.append(_way("base", frozenset(), base, opened.order))
    if init is not None and scripts is not None:
        ways.append(_way("init", history.applied((scripts.revision,)), init, opened.order))
    tried = {id: downgrades[id] for id in opened.order if id in downgrades}
    return Catalogue(history, tuple(ways), scripts, tried, opened.schema)


def _way(name: str, start: frozenset[str], seen: Replayed, order: tuple[str, ...]) -> Way:
    found = {id: seen.changes.get(id, ()) for id in order if id not in start}
    return Way(name, start, seen.opened.initial, found)


def with_variants(
    catalogue: Catalogue, stepwise: Mapping[str, tuple[Change, ...]], name: str
) -> Catalogue:
    """The catalogue, with what one revision a run made otherwise as another possibility.

    Where it stopped early, the revisions behind are as they were.
    """
    way = catalogue.way(name)
    assert way is not None
    one: dict[Key, tuple[Definition, ...]] = {c.key: c.after for c in way.initial}
    other, both = dict(one), dict(one)
    found: dict[str, tuple[Change, ...]] = {}
    for revision, changed in way.changes.items():
        if revision not in stepwise:
            found[revision] = changed
            continue
        touched = {c.key for c in (*changed, *stepwise[revision])}
        one |= {c.key: c.after for c in changed}
        other |= {c.key: c.after for c in stepwise[revision]}
        before, after = dict(both), dict(both)
        for key in touched:
            allowed = {*one.get(key, (None,)), *other.get(key, (None,))}
            after[key] = tuple(sorted(allowed, key=lambda d: (d is None, d or "")))
        found[revision] = changes(
            {k: before[k] for k in touched if k in before and before[k] != (None,)},
            {k: after[k] for k in touched if after[k] != (None,)},
        )
        both = after
    ways = tuple(
        msgspec.structs.replace(way, changes=found) if w.name == name else w for w in catalogue.ways
    )
    return msgspec.structs.replace(catalogue, ways=ways)
