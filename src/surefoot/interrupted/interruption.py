"""Find how much exists of a revision that committed in the middle and didn't complete. Pure."""

from collections.abc import Iterable
from typing import Literal

import msgspec

from surefoot.catalogue.catalogue import Catalogue, Way, conflicts, state
from surefoot.catalogue.identify import Identifier
from surefoot.catalogue.match import Difference, Match
from surefoot.model.history import History
from surefoot.revision_source.source import Source
from surefoot.schema.comparison import Comparison, same
from surefoot.schema.definitions import INVALID
from surefoot.schema.fact import Definition, Key, SchemaFact
from surefoot.schema.kinds import Kind

_ABSENT: tuple[Definition, ...] = (None,)

ObjectStatus = Literal["there", "missing", "invalid", "otherwise"]


class ExpectedObject(msgspec.Struct, frozen=True):
    """One name that the revision changes: its definitions `before` and `after`, and as `found`.

    `there`: as after it. `missing`: as before it. `invalid`: an index that is being created (or
    dropped), and can't be used. `otherwise`: neither, or unknown.
    """

    kind: Kind
    name: str
    before: tuple[Definition, ...]
    after: tuple[Definition, ...]
    found: Definition
    place: ObjectStatus

    @property
    def key(self) -> Key:
        """Its kind and name."""
        return self.kind, self.name

    @property
    def made(self) -> bool:
        """Whether the revision creates it: it doesn't exist before."""
        return self.before == _ABSENT


class InterruptedRevision(msgspec.Struct, frozen=True):
    """A revision that committed a part of itself, compared with what exists."""

    revision: str
    """Its id."""
    rows: tuple[str, ...]
    """The version rows, which don't include it."""
    after: tuple[str, ...]
    """The version rows with it."""
    source: Source | None
    """What its upgrade() does; None if the file can't be read."""
    names: tuple[ExpectedObject, ...] = ()
    """What it changes."""
    beside: tuple[Difference, ...] = ()
    """What differs from the structure before it, and isn't its own doing."""
    between: tuple[SchemaFact, ...] = ()
    """Objects that its source creates and that no revision leaves there."""
    invalid: tuple[SchemaFact, ...] = ()
    """Without a catalogue: invalid indexes that its source creates."""
    not_run: tuple[str, ...] = ()
    """Revisions that it needs, and that the version rows don't have."""
    partitioned: tuple[str, ...] = ()
    """Partitioned tables: their indexes are dropped differently."""
    way: str = ""
    """The catalogue's path from which the names are taken."""
    matching: int = 0
    """How many facts match."""
    edited: bool = False
    """The file is not the one that was run."""
    known: bool = False
    """There is a catalogue to compare with."""

    def placed(self, *places: ObjectStatus) -> tuple[ExpectedObject, ...]:
        """Return the names that are in one of these places."""
        return tuple(named for named in self.names if named.place in places)

    def below(self) -> Match:
        """Return the structure as if nothing of the revision existed."""
        return Match(self.rows, self.way, self.matching, self.beside)


def interruption(
    catalogue: Catalogue,
    identifier: Identifier,
    facts: tuple[SchemaFact, ...],
    revision: str,
    rows: tuple[str, ...],
    source: Source | None,
    *,
    edited: bool = False,
) -> InterruptedRevision | None:
    """Compare the facts with a revision that is half-applied above these version rows.

    None if no path of the catalogue leads from these rows to it.
    """
    history = catalogue.history
    applied = history.applied(rows)
    found = [
        _held(catalogue, identifier, facts, way, revision, applied, source)
        for way in catalogue.ways
        if way.leads_to(applied) and revision in way.changes
    ]
    best = min(
        found,
        key=lambda one: (len(one.placed("otherwise")) + len(one.beside), -one.matching),
        default=None,
    )
    if best is None:
        return None
    return msgspec.structs.replace(
        best,
        rows=rows,
        after=history.rows(history.applied((*rows, revision))),
        edited=edited,
        not_run=not_run(history, (revision,), rows),
        known=True,
    )


def not_run(
    history: History, half_way: Iterable[str], rows: Iterable[str | None]
) -> tuple[str, ...]:
    """Return the revisions that half-applied ones need and that the version rows don't have, in
    their order.

    They were rolled back, while a later one committed on another connection. Even if the structure
    is that of the later one, it doesn't show that these have run.
    """
    known = [id for id in rows if id in history.revisions]
    half = [id for id in half_way if id in history.revisions]
    needed = history.applied(half) - history.applied(known) - set(half)
    return tuple(id for id in history.in_order() or history.revisions if id in needed)


def without_catalogue(
    facts: tuple[SchemaFact, ...],
    history: History,
    revision: str,
    rows: tuple[str, ...],
    source: Source | None,
) -> InterruptedRevision:
    """Return what can be known without a catalogue: which indexes from the source are invalid."""
    statements = source.statements if source else ()
    invalid = tuple(
        fact
        for fact in facts
        if fact.definition.endswith(INVALID)
        and any(s.is_about((fact.kind, fact.name)) for s in statements)
    )
    after = history.rows(history.applied((*rows, revision)))
    below = not_run(history, (revision,), rows)
    return InterruptedRevision(revision, rows, after, source, invalid=invalid, not_run=below)


def _held(
    catalogue: Catalogue,
    identifier: Identifier,
    facts: tuple[SchemaFact, ...],
    way: Way,
    revision: str,
    applied: frozenset[str],
    source: Source | None,
) -> InterruptedRevision:
    before, after = state(way, applied), state(way, applied | {revision})
    live = {(fact.kind, fact.name): fact.definition for fact in facts}
    changed = {change.key for change in way.changes[revision]}
    accepted = {(d.kind, d.name) for d in identifier.accepted}
    unseen = {
        key
        for key, others in conflicts(catalogue, way).get(revision, {}).items()
        if not others <= applied
    }
    names: list[ExpectedObject] = []
    for key in sorted(changed - accepted):
        was, will = before.get(key, _ABSENT), after.get(key, _ABSENT)
        found = live.get(key)
        if found in was and found in will:
            continue  # it shows nothing
        place: ObjectStatus = "otherwise" if key in unseen else _place(key, found, was, will)
        names.append(ExpectedObject(*key, was, will, found, place))
    stand = identifier.held(way, applied)
    statements = source.statements if source else ()
    own = tuple(
        fact
        for fact in (*identifier.own_on(way.name), *identifier.beside)
        if any(s.is_about((fact.kind, fact.name)) and not s.drops for s in statements)
    )
    return InterruptedRevision(
        revision,
        (),
        (),
        source,
        tuple(names),
        tuple(d for d in stand.differences if (d.kind, d.name) not in changed),
        between=own,
        partitioned=_partitioned(facts),
        way=way.name,
        matching=stand.matching,
    )


def _partitioned(facts: Iterable[SchemaFact]) -> tuple[str, ...]:
    return tuple(f.name for f in facts if f.kind == "relation" and " partition by " in f.definition)


def _place(
    key: Key, found: Definition, before: tuple[Definition, ...], after: tuple[Definition, ...]
) -> ObjectStatus:
    there, missing = _is_one(key, found, after), _is_one(key, found, before)
    if there != missing:
        return "there" if there else "missing"
    if not there and key[0] == "index" and found is not None and found.endswith(INVALID):
        definition = found.removesuffix(INVALID)
        making = _is_one(key, definition, after)
        dropping = after == _ABSENT and _is_one(key, definition, before)
        if making or dropping:
            return "invalid"
    return "otherwise"


def _is_one(key: Key, found: Definition, allowed: tuple[Definition, ...]) -> bool:
    """Whether it is one of these definitions, as far as can be known."""
    if found in allowed:
        return True
    return found is not None and any(
        same(SchemaFact(*key, found), SchemaFact(*key, definition)) is Comparison.CANNOT_TELL
        for definition in allowed
        if definition is not None
    )
