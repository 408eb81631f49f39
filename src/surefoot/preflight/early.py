"""What is there before the pending revision that makes it."""

from surefoot.preflight.path import path_of
from surefoot.structure.catalogue import Catalogue
from surefoot.structure.standing import Difference, Stand


def early_differences(recorded: Stand, catalogue: Catalogue) -> tuple[Difference, ...]:
    """Those differences of the recorded revisions that are objects in a pending revision's way.

    Every revision that isn't applied is pending; in which order doesn't matter here.
    """
    way = catalogue.way(recorded.way)
    if way is None:
        return ()
    applied = catalogue.history.applied(recorded.rows)
    pending = [r for id, r in catalogue.history.revisions.items() if id not in applied]
    made = path_of(catalogue, way, applied, pending).made
    return tuple(
        d for d in recorded.differences if d.what == "unexpected" and (d.kind, d.name) in made
    )
