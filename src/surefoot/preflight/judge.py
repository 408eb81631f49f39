"""All of it together: what is in the way of a path, in what is there."""

from collections.abc import Mapping

from surefoot.catalogue.match import Difference
from surefoot.preflight.collisions import collisions
from surefoot.preflight.customisations import customisations
from surefoot.preflight.extensions import extensions
from surefoot.preflight.locks import room
from surefoot.preflight.needs import needs
from surefoot.preflight.path import PathChange, UpgradePath
from surefoot.preflight.privileges import privileges
from surefoot.preflight.surroundings import Need, Surroundings
from surefoot.preflight.verdict import Preflight
from surefoot.schema.fact import Key


def judge(
    path: UpgradePath,
    live: Mapping[Key, str],
    around: Surroundings,
    *,
    needed: tuple[Need, ...] = (),
    pieces: tuple[tuple[PathChange, ...], ...] = (),
    differences: tuple[Difference, ...] = (),
    nearer: str = "",
    committing: frozenset[str] = frozenset(),
) -> Preflight:
    """Every finding and every remark.

    `needed` are the privileges that `around` was asked for, `pieces` the path's transactions,
    `differences` what isn't as recorded, `nearer` whose structure it resembles more, `committing`
    the revisions that commit by themselves midway.
    """
    met = collisions(path, live, nearer, committing)
    own = customisations(path, live, around.dependents)
    too_few, maybe = room(path, around.locks, pieces) if around.locks else ((), ())
    return Preflight(
        findings=(*met.findings, *own.findings, *extensions(path, around), *too_few),
        of_role=privileges(needed, around),
        remarks=(*met.remarks, *own.remarks, *maybe),
        needs=needs(path, differences),
    )
