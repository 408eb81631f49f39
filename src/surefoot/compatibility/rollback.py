"""How far back an image can be rolled: which older code can run on a structure."""

from surefoot.catalogue.catalogue import Catalogue, facts_of, state
from surefoot.compatibility.compatible import compatible


def oldest_compatible(catalogue: Catalogue, applied: frozenset[str]) -> str | None:
    """The oldest code that can run where these revisions are applied: the revision it ends with.

    The releases are gone through downwards, as far as each can run; where the history names none,
    the revisions are. None if the catalogue doesn't know the structure.
    """
    way = catalogue.way_to(applied)
    if way is None:
        return None
    history = catalogue.history
    live = facts_of(state(way, applied))
    known = [id for id in history.revisions if id in applied]
    ends = [id for id in known if history.revisions[id].release] or known
    found: str | None = None
    for id in reversed(ends):
        below = history.applied((id,))
        if not way.start <= below or not compatible(state(way, below), live).compatible:
            break
        found = id
    return found
