"""What is there before the pending revision that makes it."""

from surefoot.catalogue.catalogue import Catalogue
from surefoot.catalogue.match import Difference, Match
from surefoot.preflight.path import path_of


def early_differences(recorded: Match, catalogue: Catalogue) -> tuple[tuple[Difference, ...], bool]:
    """Those differences of the recorded revisions that are objects in a pending revision's way; and
    whether something of the first pending revision that makes anything is among them.

    If it isn't, that revision has not run, and so none behind it. Every revision that isn't applied
    is pending; the catalogue has them in an order in which they can run.
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
