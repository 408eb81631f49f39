"""Choose among several revisions with the same structure: by evidence, otherwise by the policy."""

from collections.abc import Iterable

import msgspec

from surefoot.catalogue.catalogue import Catalogue
from surefoot.catalogue.match import Identification, Match, Probe


def ambiguous_revisions(standing: Identification, catalogue: Catalogue) -> tuple[str, ...]:
    """Return the revisions that only some of the exact matches have, in the history's order.

    Evidence about one of them decides something.
    """
    sets = [catalogue.history.applied(stand.rows) for stand in standing.exact]
    if len(sets) < 2:
        return ()
    some = frozenset[str]().union(*sets) - sets[0].intersection(*sets[1:])
    return tuple(revision for revision in catalogue.history.revisions if revision in some)


def resolve_ambiguity(
    standing: Identification,
    catalogue: Catalogue,
    probes: tuple[Probe, ...],
    policy: str,
    journaled: Iterable[str] = (),
    empty: frozenset[str] = frozenset(),
) -> Identification:
    """Choose among the exact matches: by evidence, then by the policy (refuse, earliest, latest).

    If no choice is possible, `chosen` is None. `journaled` revisions have run by the journal. That
    excludes matches without them; it doesn't support those with them, because a backup of the
    tables alone may have been restored below a newer journal. `empty` revisions do nothing at all:
    with or without them, the place is the same, and nothing is done twice.
    """
    if not standing.complete or not standing.exact:
        return standing
    history = catalogue.history
    unknown = tuple(id for id in journaled if id not in history.revisions)
    if unknown:  # from another release: more has run than the structure shows
        return msgspec.structs.replace(standing, vetoed=unknown, probes=probes)
    ran = history.applied(journaled)
    applied = {stand: history.applied(stand.rows) for stand in standing.exact}
    possible = [stand for stand in standing.exact if ran <= applied[stand]]
    if not possible:
        missing = ran.difference(*applied.values())
        return msgspec.structs.replace(standing, vetoed=tuple(sorted(missing)), probes=probes)
    proved = [
        stand
        for stand in standing.exact
        if all(
            probe.answer is None or (probe.revision in applied[stand]) == probe.answer
            for probe in probes
        )
    ]
    left = [stand for stand in proved if stand in possible]
    chosen: Match | None = None
    by = ""
    if left and len({applied[stand] - empty for stand in proved}) == 1:
        chosen = min(left, key=lambda stand: len(applied[stand]))
        places = {found - empty for found in applied.values()}
        by = "structure" if len(places) == 1 else "evidence"
    elif left and policy in ("earliest", "latest"):
        earliest = policy == "earliest"
        first = min(left, key=lambda s: len(applied[s]) * (1 if earliest else -1))
        if all(
            applied[first] <= applied[s] if earliest else applied[first] >= applied[s] for s in left
        ):
            chosen, by = first, policy
    return msgspec.structs.replace(standing, chosen=chosen, by=by, probes=probes)
