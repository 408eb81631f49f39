"""Decide whether code can run on another structure: a rolled-back image, a newer database.

The law: if the structure still contains everything that the code's head promises, and no addition
can break it, the code can run. `kept` has the rules for what was promised, `added` those for what
is new. If no rule knows, the answer is no.
"""

from collections.abc import Iterable, Iterator

import msgspec

from surefoot.catalogue.catalogue import Catalogue, State, facts_of, state
from surefoot.catalogue.match import Issue, Verdict
from surefoot.compatibility.additions import added
from surefoot.compatibility.pairs import SchemaPair, WeighedIssue, Weight
from surefoot.compatibility.removals import kept
from surefoot.schema.fact import SchemaFact


def compatible(promised: State, live: Iterable[SchemaFact], *, own_head: bool = False) -> Verdict:
    """Return what the structure `live` means for code whose head promises `promised`.

    `live` may be what was seen, or `facts_of` a state: of several definitions of one name each
    counts, because any of them may exist. `own_head`: the structure should be exactly this head's,
    so what it lacks breaks the promise, even if older code could run without it.
    """
    enough = Weight.LACK if own_head else Weight.BREAK
    pair = SchemaPair(promised, live)
    breaks: list[Issue] = []
    remarks: list[Issue] = []
    for told in _once(kept(pair), added(pair)):
        breach = Issue(told.kind, told.name, told.expected, told.found, told.why)
        (breaks if told.weight >= enough else remarks).append(breach)
    return Verdict(_sorted(breaks), _sorted(remarks))


def verdict(catalogue: Catalogue, live: Iterable[SchemaFact]) -> Verdict | None:
    """Return the same for the catalogue's head, by the path that fits the structure best.

    None if no path leads to the head.
    """
    facts = tuple(live)
    applied = frozenset(catalogue.history.revisions)
    verdicts = [
        compatible(state(way, applied), facts) for way in catalogue.ways if way.leads_to(applied)
    ]
    return min(verdicts, key=lambda v: (len(v.breaks), len(v.remarks)), default=None)


def _once(promised: Iterator[WeighedIssue], new: Iterator[WeighedIssue]) -> Iterator[WeighedIssue]:
    """Report each name once: as what it should be, for the heaviest reason.

    What was promised in another form is seen from both sides: as what is missing, and as an
    addition, which may be worse.
    """
    told: dict[tuple[str, str], list[WeighedIssue]] = {}
    for one in promised:
        told.setdefault((one.kind, one.name), []).append(one)
    for one in new:
        before = told.get((one.kind, one.name), [])
        heaviest = max(before, key=lambda each: each.weight, default=None)
        if heaviest is None:
            yield one
        elif one.weight > heaviest.weight:
            worse = msgspec.structs.replace(heaviest, weight=one.weight, why=one.why)
            before[before.index(heaviest)] = worse
    for every in told.values():
        yield from every


def _sorted(breaches: list[Issue]) -> tuple[Issue, ...]:
    """Sort: whole relations first, then by kind and name; each once."""
    unique = dict.fromkeys(breaches)
    return tuple(sorted(unique, key=lambda b: (b.kind != "relation", b.kind, b.name, b.why)))


def oldest_compatible(catalogue: Catalogue, applied: frozenset[str]) -> str | None:
    """Return the oldest code that can run with these revisions applied: the revision it ends with.

    Goes down through the releases as far as each can run; if the history names none, through the
    revisions. None if the catalogue doesn't know the structure.
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
        if not way.leads_to(below) or not compatible(state(way, below), live).compatible:
            break
        found = id
    return found
