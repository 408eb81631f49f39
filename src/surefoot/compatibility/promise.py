"""Decide whether the structure keeps what the code's head promises. Pure.

The comparison is the one that protects an older image on a newer structure (`compatible`), applied
to head itself, and stricter: what older code can run without is still something that head's
revisions make, so without it the structure isn't head's.
"""

from collections.abc import Callable, Iterable, Mapping

import msgspec

from surefoot.catalogue.catalogue import Catalogue, State, Way, state
from surefoot.catalogue.differences import table_of
from surefoot.catalogue.identify import Identifier
from surefoot.catalogue.match import (
    AskUnseen,
    Difference,
    Issue,
    Match,
    Promise,
    Restoration,
    nothing_unseen,
)
from surefoot.compatibility.compatible import compatible
from surefoot.compatibility.restoring import restoration
from surefoot.schema.ddl import dropped
from surefoot.schema.definitions import column
from surefoot.schema.fact import Key, SchemaFact, relation_kind, table
from surefoot.schema.kinds import Kind, rank

# Besides tables: a later revision may have put values there, or rows that use them.
_HOLDS_VALUES = frozenset(("column", "enum", "sequence"))
_UNEXPECTED = "a revision has dropped it, or created it again under another name"


def promise(
    catalogue: Catalogue,
    identifier: Identifier,
    facts: tuple[SchemaFact, ...],
    complete: Callable[[str], bool],
    ask: AskUnseen = nothing_unseen,
) -> tuple[Promise, Match] | None:
    """Return what the structure lacks of head's promise, and its comparison with head.

    `complete` says whether a revision has certainly done everything, except for the missing parts
    of its structure; `ask`, what exists of which no fact tells. Of several paths to the head, the
    one that fits best counts. None if no path leads there.
    """
    applied = frozenset(catalogue.history.revisions)
    found = [
        _by_way(identifier, way, applied, facts, complete, ask)
        for way in catalogue.ways
        if way.leads_to(applied)
    ]
    return min(
        found,
        key=lambda one: (len(one[0].broken), len(one[1].differences), -one[1].matching),
        default=None,
    )


def put_back(
    catalogue: Catalogue,
    identifier: Identifier,
    applied: frozenset[str],
    facts: tuple[SchemaFact, ...],
    complete: Callable[[str], bool],
    ask: AskUnseen = nothing_unseen,
) -> Restoration:
    """Return the SQL that gives a structure all that these revisions make.

    Empty if a definition differs, if something exists that should not, if a definition can't be
    written as SQL, or if a missing object is made by a revision that isn't `complete` (see
    `promise`): it may not have run, or not to its end, and SQL for its structure would leave out
    the rows that it changes.
    """
    ways = [way for way in catalogue.ways if way.leads_to(applied)]
    stands = [(identifier.held(way, applied), way) for way in ways]
    stand, way = min(
        stands,
        key=lambda one: (len(one[0].differences), -one[0].matching),
        default=(None, None),
    )
    if stand is None or way is None or any(one.what != "missing" for one in stand.differences):
        return Restoration()
    makers = _makers(way, {(one.kind, one.name) for one in stand.differences})
    missing: list[tuple[Kind, str, str | None]] = [
        (one.kind, one.name, _expected(one)) for one in stand.differences
    ]
    if _doubtful(identifier, way, applied, makers, missing, complete):
        return Restoration()
    found = restoration(state(way, applied), stand.differences, facts, (), ask)
    return Restoration() if found.by_hand else found


def _by_way(
    identifier: Identifier,
    way: Way,
    applied: frozenset[str],
    facts: tuple[SchemaFact, ...],
    complete: Callable[[str], bool],
    ask: AskUnseen,
) -> tuple[Promise, Match]:
    stand = identifier.held(way, applied)
    promised = state(way, applied)
    verdict = compatible(promised, facts, own_head=True)
    differing: set[Key] = {(d.kind, d.name) for d in stand.differences}
    users = identifier.own_on(way.name)
    own: set[Key] = {(fact.kind, fact.name) for fact in users}
    own -= {(d.kind, d.name) for d in identifier.accepted}
    broken = [b for b in verdict.breaks if (b.kind, b.name) in differing or _fails(b, own)]
    keys = {(b.kind, b.name) for b in broken}
    counts = (differing | own) - keys
    harmless = [b for b in (*verdict.breaks, *verdict.remarks) if (b.kind, b.name) in counts]
    told = keys | {(b.kind, b.name) for b in harmless}
    whole = {b.name for b in broken if b.kind == "relation"}
    harmless += [
        _untold(d)
        for d in stand.differences
        if (d.kind, d.name) not in told and table_of(d) not in whole
    ]
    untold = own - told
    harmless += [
        Issue(f.kind, f.name, None, f.definition, "")
        for f in users
        if (f.kind, f.name) in untold and ("relation", table(f)) in promised
    ]
    makers = _makers(way, {(b.kind, b.name) for b in (*broken, *harmless)})

    def known(breaches: Iterable[Issue]) -> tuple[Issue, ...]:
        return tuple(
            msgspec.structs.replace(b, by=makers.get((b.kind, b.name), "")) for b in breaches
        )

    absent = _is_absent(promised, facts)
    back = Restoration()
    if not absent and (stand.differences or broken):
        back = restoration(promised, stand.differences, facts, broken, ask)
    doubtful: tuple[str, ...] = ()
    if not absent:
        wrong: list[tuple[Kind, str, str | None]] = [(b.kind, b.name, b.expected) for b in broken]
        doubtful = _doubtful(identifier, way, applied, makers, wrong, complete)
    return (
        Promise(
            known(broken),
            known(harmless),
            absent=absent,
            left=_left(facts, (*users, *identifier.beside)) if absent else (),
            unrun=_unrun(identifier, way, differing) if broken else (),
            back=back,
            doubtful=doubtful,
        ),
        stand,
    )


def _doubtful(
    identifier: Identifier,
    way: Way,
    applied: frozenset[str],
    makers: Mapping[Key, str],
    wrong: Iterable[tuple[Kind, str, str | None]],
    complete: Callable[[str], bool],
) -> tuple[str, ...]:
    """Return the revisions that may not have changed the rows, in the history's order.

    Those that make what is `wrong` (kind, name and definition of each). And if that holds values,
    those after them, which may fill it.
    """
    doubted: set[str] = set()
    for kind, name, expected in wrong:
        by = makers.get((kind, name))
        if by is not None:
            doubted.add(by)
        elif expected is None:
            continue  # an object of the user's own
        if kind in _HOLDS_VALUES or (
            kind == "relation" and relation_kind(expected or "") == "table"
        ):
            doubted |= applied if by is None else identifier.above(by) & applied
    return tuple(id for id in way.changes if id in doubted and not complete(id))


def _expected(difference: Difference) -> str | None:
    return next((d for d in difference.expected if d is not None), None)


def _fails(breach: Issue, own: set[Key]) -> bool:
    """Whether one of the user's own objects certainly breaks the code's writes.

    A user's trigger or constraint may do so, too, but on purpose: that is a warning.
    """
    if (breach.kind, breach.name) not in own or breach.kind != "column" or breach.found is None:
        return False
    found = column(breach.found)
    return found.not_null and not found.filled


def _untold(difference: Difference) -> Issue:
    """Whether no rule says what the difference means for the code."""
    expected = _expected(difference)
    why = {
        "missing": "no rule says whether the code relies on it",
        "changed": "it is not as the revision makes it",
        "unexpected": _UNEXPECTED,
    }[difference.what]
    return Issue(difference.kind, difference.name, expected, difference.found, why)


def _makers(way: Way, keys: set[Key]) -> dict[Key, str]:
    """Return the last revision that made or changed each of these names; the init scripts' have
    none.
    """
    found: dict[Key, str] = {}
    for revision, changed in way.changes.items():
        for change in changed:
            if change.key in keys:
                found[change.key] = revision
    return found


def _is_absent(promised: State, facts: Iterable[SchemaFact]) -> bool:
    """Whether head has tables, and none of them exists."""
    tables = {
        name
        for (kind, name), allowed in promised.items()
        if kind == "relation" and relation_kind(allowed[0] or "") == "table"
    }
    return bool(tables) and not any(f.kind == "relation" and f.name in tables for f in facts)


def _left(facts: Iterable[SchemaFact], own: Iterable[SchemaFact]) -> tuple[str, ...]:
    """Return the SQL that drops the types, functions and so on that outlived the application's
    tables.
    """
    ours = [f for f in set(facts).difference(own) if f.kind not in ("extension", "schema")]
    views = {f.name for f in ours if f.kind == "relation"}
    ordered = sorted(ours, key=lambda f: ("view" if f.kind == "relation" else f.kind, f.name))
    ordered.sort(key=lambda f: rank("view" if f.kind == "relation" else f.kind), reverse=True)
    return tuple(
        f"{sql.text};"
        for fact in ordered
        if fact.kind == "relation" or table(fact) not in views
        for sql in dropped((fact.kind, fact.name), fact.definition) or ()
    )


def _unrun(identifier: Identifier, way: Way, differing: set[Key]) -> tuple[tuple[str, str], ...]:
    """Return the revisions of which nothing exists, each with a later one that exists."""
    last = {change.key: revision for revision, changed in way.changes.items() for change in changed}
    names: dict[str, list[Key]] = {}
    for key, revision in last.items():
        names.setdefault(revision, []).append(key)
    order = [revision for revision in way.changes if revision in names]
    without = [r for r in order if all(key in differing for key in names[r])]
    found: list[tuple[str, str]] = []
    for revision in without:
        above = identifier.above(revision)
        later = next((r for r in order if r in above and r not in without), "")
        found.append((revision, later))
    return tuple(found)
