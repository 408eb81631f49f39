"""Make a catalogue from the results of the replays. Pure."""

from collections.abc import Mapping

import msgspec

from surefoot.catalogue.catalogue import (
    Catalogue,
    Change,
    Downgrade,
    InitScripts,
    Origin,
    State,
    Varying,
    Way,
    changes,
)
from surefoot.catalogue.variants import Settling, find, settled
from surefoot.catalogue_build.messages import Opened
from surefoot.catalogue_build.passes import Replayed
from surefoot.model.history import History
from surefoot.schema.comparison import Comparison, same
from surefoot.schema.fact import Definition, Key, SchemaFact


def assemble(
    opened: Opened,
    base: Replayed | None,
    init: Replayed | None,
    scripts: InitScripts | None,
    downgrades: Mapping[str, Downgrade],
) -> Catalogue:
    """Return the catalogue of the paths that were replayed to their end."""
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
        ways.append(_way("init", history.applied(scripts.revisions), init, opened.order))
    tried = {id: downgrades[id] for id in opened.order if id in downgrades}
    return Catalogue(history, tuple(ways), scripts, tried, opened.schema)


def _way(name: str, start: frozenset[str], seen: Replayed, order: tuple[str, ...]) -> Way:
    found = {id: seen.changes.get(id, ()) for id in order if id not in start}
    return Way(name, start, seen.opened.initial, found)


def compared(
    order: tuple[str, ...], main: Replayed, more: list[Replayed]
) -> tuple[dict[str, tuple[Varying, ...]], list[dict[str, tuple[Change, ...]]]]:
    """Compare several replays of the same path: what varies, by revision.

    Also returns the differences that remain in each after that has one spelling.
    """
    varies: dict[str, tuple[Varying, ...]] = {}
    for other in more:
        settling = settling_of(varies)
        found = find(order, settling.each(main.changes), settling.each(other.changes))
        for id, several in found.items():
            varies[id] = tuple(sorted({*varies.get(id, ()), *several}))
    settling = settling_of(varies)
    own = settling.each(main.changes)
    others = [settling.each(other.changes) for other in more]
    return varies, [seen for seen in others if any(own.get(id) != c for id, c in seen.items())]


def settling_of(varies: Mapping[str, tuple[Varying, ...]]) -> Settling:
    """Return what gives one spelling to all that varies."""
    return Settling(v for several in varies.values() for v in several)


def with_varying(catalogue: Catalogue, varies: Mapping[str, tuple[Varying, ...]]) -> Catalogue:
    """Return the catalogue that records what varies from replay to replay."""
    ordered = {id: varies[id] for id in catalogue.history.revisions if id in varies}
    found = settled(catalogue, (v for several in ordered.values() for v in several))
    return msgspec.structs.replace(found, varies=ordered)


def with_variants(
    catalogue: Catalogue,
    name: str,
    seen: Mapping[str, tuple[Change, ...]],
    initial: tuple[Change, ...] | None = None,
) -> Catalogue:
    """Return the catalogue that also accepts what another replay of the path `name` has `seen`.

    `initial` is the structure that it began with; None: the path's own. If it stopped early, the
    later revisions are assumed to do the same as on the path.
    """
    way = catalogue.way(name)
    assert way is not None
    own = {c.key: c.after for c in way.initial}
    other = dict(own) if initial is None else {c.key: c.after for c in initial}
    both = {key: _either(own, other, key) for key in own.keys() | other.keys()}
    start = changes({}, _present(both))
    found: dict[str, tuple[Change, ...]] = {}
    one_of = dict(catalogue.one_of)
    for revision, changed in way.changes.items():
        theirs = seen.get(revision, changed)
        if group := _one_of(changed, theirs, one_of.pop(revision, ())):
            one_of[revision] = group
        own |= {c.key: c.after for c in changed}
        other |= {c.key: c.after for c in theirs}
        after = both | {c.key: _either(own, other, c.key) for c in (*changed, *theirs)}
        found[revision] = changes(_present(both), _present(after))
        both = after
    ways = tuple(
        msgspec.structs.replace(way, initial=start, changes=found) if w.name == name else w
        for w in catalogue.ways
    )
    ordered = {id: one_of[id] for id in catalogue.history.revisions if id in one_of}
    return msgspec.structs.replace(catalogue, ways=ways, one_of=ordered)


def _one_of(
    own: tuple[Change, ...], theirs: tuple[Change, ...], before: tuple[Key, ...]
) -> tuple[Key, ...]:
    """Return names that either replay may lack, although each made one of that kind; or ().

    `before` is the result of the replays until now. For example, an aggregate with other argument
    types has another name. If both names might be missing, a database without either would be
    accepted.
    """
    made, other = (
        {c.key for c in changed if not c.before and c.after != (None,)} for changed in (own, theirs)
    )
    certain = {change.key for change in own if None not in change.after}
    found: set[Key] = set()
    for kind in {kind for kind, _ in made | other}:
        known, mine, others = (
            {key for key in keys if key[0] == kind}
            for keys in (before, made & certain - other, other - made)
        )
        if known and (known & other or others):
            found |= known if known & other else known | others
        elif not known and mine and others:
            found |= mine | others
    return tuple(sorted(found))


def as_comparable(
    way: Way, initial: tuple[Change, ...], seen: Mapping[str, tuple[Change, ...]]
) -> tuple[tuple[Change, ...], dict[str, tuple[Change, ...]]]:
    """Return what a server of another version made, as on the `way` if they can't be compared.

    In that case the server may only print it differently.
    """

    def spelled(own: tuple[Change, ...], theirs: tuple[Change, ...]) -> tuple[Change, ...]:
        known = {change.key: change.after for change in own}
        return tuple(
            msgspec.structs.replace(
                change,
                after=tuple(
                    _as_known(change.key, d, known.get(change.key, ())) for d in change.after
                ),
            )
            for change in theirs
        )

    each = {id: spelled(way.changes.get(id, ()), changed) for id, changed in seen.items()}
    return spelled(way.initial, initial), each


def _as_known(key: Key, made: Definition, known: tuple[Definition, ...]) -> Definition:
    if made is None or made in known:
        return made
    fact = SchemaFact(*key, made)
    for definition in filter(None, known):
        if same(SchemaFact(*key, definition), fact) is Comparison.CANNOT_TELL:
            return definition
    return made


def with_origin(
    catalogue: Catalogue,
    origin: Origin,
    initial: tuple[Change, ...],
    seen: Mapping[str, tuple[Change, ...]],
    *,
    failed: str,
) -> Catalogue:
    """Return the catalogue with the path that begins with an origin.

    It ends before the revision that `failed` there ("": none).
    """
    history = catalogue.history
    start = history.applied(origin.rows)
    beyond = [
        id
        for id in history.revisions
        if id not in start and not (failed and failed in history.applied((id,)))
    ]
    way = Way(origin.way, start, initial, {id: seen.get(id, ()) for id in beyond})
    return msgspec.structs.replace(
        catalogue,
        ways=(*catalogue.ways, way),
        origins=(*catalogue.origins, origin),
    )


def _either(own: State, other: State, key: Key) -> tuple[Definition, ...]:
    """Return what may exist: first the path's own, then what only the other replay has seen."""
    known = own.get(key, (None,))
    more = {*other.get(key, (None,))} - {*known}
    return (*known, *sorted(more, key=lambda d: (d is None, d or "")))


def _present(found: State) -> State:
    return {key: after for key, after in found.items() if after != (None,)}
