"""Where else the structure with which a path begins may stand. Pure.

An origin is recorded at one revision. If the revisions that end there change only data, or nothing
of what they change is in its structure (models without the index that a revision makes), a database
that a release made before one of them has the same structure: nothing shows that they have run.
"""

import msgspec

from surefoot.catalogue.catalogue import Catalogue, Change, State, Way, state


def with_earlier_starts(catalogue: Catalogue) -> Catalogue:
    """Return the catalogue with each path beginning before the revisions that nothing shows there.

    For a look at a database only: the file, and what is compared with it, keep each path's own
    beginning.
    """
    own, *others = catalogue.ways
    ways = (own, *(_begun_earlier(catalogue, own, way) for way in others))
    if ways == catalogue.ways:
        return catalogue
    return msgspec.structs.replace(catalogue, ways=ways)


def _begun_earlier(catalogue: Catalogue, own: Way, way: Way) -> Way:
    """Return a path that begins before the revisions at the end of its start that it doesn't show.

    `own` is the history's own path, which shows what each revision changes.
    """
    history, begins = catalogue.history, state(way, way.start)
    needed: set[str] = set()  # by a revision that stays in the start
    unseen: dict[str, tuple[Change, ...]] = {}
    for id in reversed(history.revisions):  # each comes after all that it needs
        if id not in way.start:
            continue
        made = own.changes.get(id)
        if id not in needed and made is not None and not any(_shows(begins, c) for c in made):
            unseen[id] = tuple(_perhaps(begins, one) for one in made)
        else:
            needed.update(history.below(id))
    if not unseen:
        return way
    order = (id for id in history.revisions if id in unseen or id in way.changes)
    return msgspec.structs.replace(
        way,
        start=way.start.difference(unseen),
        changes={id: unseen[id] if id in unseen else way.changes[id] for id in order},
    )


def _shows(begins: State, change: Change) -> bool:
    """Whether the structure may not be the one before the change."""
    before = change.before or (None,)
    allowed = begins.get((change.kind, change.name), (None,))
    return not all(one in before and one not in change.after for one in allowed)


def _perhaps(begins: State, change: Change) -> Change:
    """Return a change that the origin doesn't have and its upgrade makes: both forms are right."""
    now = begins.get((change.kind, change.name), (None,))
    before = tuple(one for one in now if one is not None)
    after = tuple(dict.fromkeys((*now, *change.after)))
    return Change(change.kind, change.name, before, after)
