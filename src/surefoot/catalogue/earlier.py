"""Where else the structure with which a path begins may stand. Pure.

An origin is recorded at one revision. If the revisions that end there change only data, a database
that a release made before one of them has the same structure: nothing shows that they have run.
"""

import msgspec

from surefoot.catalogue.catalogue import Catalogue, Way


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
    """Return a path that begins before the data-only revisions at the end of its start.

    `own` is the history's own path, which shows what each revision changes.
    """
    history = catalogue.history
    needed: set[str] = set()  # by a revision that stays in the start
    data_only: set[str] = set()
    for id in reversed(history.revisions):  # each comes after all that it needs
        if id not in way.start:
            continue
        if id not in needed and own.changes.get(id) == ():
            data_only.add(id)
        else:
            needed.update(history.below(id))
    if not data_only:
        return way
    order = (id for id in history.revisions if id in data_only or id in way.changes)
    return msgspec.structs.replace(
        way,
        start=way.start - data_only,
        changes={id: way.changes.get(id, ()) for id in order},
    )
