"""Identify where a structure stands. Pure: a catalogue and the facts in, answers out.

The walk visits every set of revisions that the graph allows once (in a linear history: every
revision) and counts the names that are wrong there. A revision costs what it changes, so a thousand
of them cost no more than their changes.

Names are compared, not lines: a name that some revision knows must be as the current revision has
it, or be absent. So a column whose type the user changed is neither "missing plus a user's own" nor
ignored: it is a difference, at every revision. Names that no revision knows are the user's. So are,
on every other path, names that only an origin has: to name an origin must not make a structure
wrong that is right without it.
"""

import functools
from collections.abc import Iterable, Iterator, Mapping

from surefoot.catalogue.catalogue import Catalogue, Way, conflicts
from surefoot.catalogue.match import Difference, Identification, Match, Taken
from surefoot.schema.comparison import Comparison, same
from surefoot.schema.fact import Definition, Key, SchemaFact
from surefoot.schema.kinds import COMMON
from surefoot.schema.names import schema_of

NEAREST = 8
# with fewer than a tenth of a revision's facts, the database is another application's
_A_LITTLE = 10
# So few tables prove nothing among so many times as many that belong to others.
_ENOUGH, _STRANGERS = 4, 5
MOST_SETS = 100_000  # of applied revisions; a linear history has as many as revisions

# Objects of many databases, whatever the application: an administrator creates them first, because
# the application's role may not. Their presence proves nothing.
_ABSENT: tuple[Definition, ...] = (None,)


class Identifier:
    """Compares one structure with a catalogue."""

    def __init__(
        self,
        catalogue: Catalogue,
        facts: Iterable[SchemaFact],
        accepted: Iterable[Difference] = (),
    ) -> None:
        """`accepted` are differences that a person has accepted.

        Those that still exist don't count against a revision that expects the same there. `own` are
        the facts whose names no revision knows, in the schemas that the application uses; `beside`
        are those in other schemas.
        """
        self._catalogue = catalogue
        self._index = catalogue.index
        numbers = self._index.numbers
        self._live: list[Definition] = [None] * len(numbers)  # the definition of each known name
        own: list[SchemaFact] = []
        self._facts = 0
        for fact in facts:
            self._facts += 1
            number = numbers.get((fact.kind, fact.name))
            if number is None:
                own.append(fact)
            else:
                self._live[number] = fact.definition
        schemas = {"", *catalogue.schemas} if own else set[str]()
        own.sort()
        self.own = tuple(f for f in own if schema_of(f.kind, f.name) in schemas)
        self.beside = tuple(f for f in own if schema_of(f.kind, f.name) not in schemas)
        unknown: dict[Key, str] = {(fact.kind, fact.name): fact.definition for fact in own}
        still = [d for d in accepted if self._is_still(d, numbers.get((d.kind, d.name)), unknown)]
        self.accepted = tuple(still)
        # accepted alternatives, by name and what was expected then
        self._ignored = {
            numbers[d.kind, d.name]: {*d.expected} for d in still if (d.kind, d.name) in numbers
        }
        self._common = {number for key, number in numbers.items() if key[0] in COMMON}

    def _is_still(self, one: Difference, number: int | None, own: Mapping[Key, str]) -> bool:
        """Whether an accepted difference still exists; also for the user's own objects."""
        if number is None:
            return one.found is not None and own.get((one.kind, one.name)) == one.found
        return self._live[number] == one.found

    def stand(self, applied: frozenset[str], *, unseen_is_doubtful: bool = False) -> Match | None:
        """Compare the structure with one set of revisions; None if no path leads there.

        `unseen_is_doubtful`: what was never seen there (`conflicts`), because branches were run in
        another order or only one of them was, is no difference but doubtful.
        """
        stands = [
            self._stand(
                way, applied, self._beside(way, applied) if unseen_is_doubtful else frozenset()
            )
            for way in self._catalogue.ways
            if way.leads_to(applied)
        ]
        # of two that fit, the one that explains more
        return min(stands, key=lambda s: (len(s.differences), -s.matching), default=None)

    def own_on(self, way: str) -> tuple[SchemaFact, ...]:
        """Return the user's own objects if the database is on this path.

        That is, `own`, and what only the path of an origin that isn't this one knows.
        """
        beyond = [
            SchemaFact(*self._index.keys[number], definition)
            for number in self._index.beyond[way]
            if number not in self._common and (definition := self._live[number]) is not None
        ]
        return tuple(sorted([*self.own, *beyond])) if beyond else self.own

    def held(self, way: Way, applied: frozenset[str]) -> Match:
        """Compare the structure with one set of revisions reached by this path."""
        return self._stand(way, applied, self._beside(way, applied))

    def _beside(self, way: Way, applied: frozenset[str]) -> frozenset[int]:
        """Return names that revisions on parallel branches touch.

        The order may matter, or that one of them isn't applied.
        """
        history, numbers = self._catalogue.history, self._index.numbers
        if not history.branching:
            return frozenset()
        found = {numbers[key] for keys in conflicts(self._catalogue, way).values() for key in keys}
        for revision, changed in self._index.changes[way.name].items():
            if revision not in applied and not applied <= history.applied((revision,)):
                found.update(number for number, _ in changed)
        return frozenset(found)

    def above(self, revision: str) -> frozenset[str]:
        """Return the revisions that need this one."""
        history = self._catalogue.history
        return frozenset(
            id for id in history.revisions if id != revision and revision in history.applied((id,))
        )

    def standing(self) -> Identification:
        """Find every set of revisions whose structure this may be, or the nearest ones."""
        exact: dict[frozenset[str], Match] = {}
        lacking: dict[frozenset[str], Match] = {}  # of names, one of which must be there
        near: list[tuple[int, int, frozenset[str]]] = []
        complete = True
        for way in self._catalogue.ways:
            for number, (distance, path) in enumerate(self._walk(way)):
                if number == MOST_SETS:
                    complete = False
                    break
                if distance == 0:
                    applied = way.start.union(path)
                    stand = self._stand(way, applied)
                    known = lacking if stand.differences else exact
                    # of two paths that fit, the one that explains more
                    if applied not in known or stand.matching > known[applied].matching:
                        known[applied] = stand
                elif not exact and (len(near) < NEAREST or distance <= near[-1][0]):
                    # of two that are equally near, the later one: it is what an upgrade left
                    near.append((distance, -len(path), way.start.union(path)))
                    near.sort(key=lambda found: found[:2])
                    del near[NEAREST:]
        # a structure that is empty, or has only what any database may have, proves nothing
        held = tuple(stand for stand in exact.values() if self._is_evidence(stand))
        nearest: tuple[Match, ...] = ()
        if not held:
            # each by the path that fits it best, as where a person names it
            sets = dict.fromkeys((*lacking, *(applied for _, _, applied in near)))
            stands = (self.stand(applied) for applied in sets)
            nearest = tuple(stand for stand in stands if stand and self._has_tables(stand))
        # this affects only the wording of the refusal: many databases have a table `users`
        foreign = not held and all(
            stand.matching * _A_LITTLE <= len(stand.missing) for stand in nearest
        )
        first = next(iter((*held, *nearest)), None)
        return Identification(
            self._facts,
            self.own if first is None else self.own_on(first.way),
            held,
            nearest,
            foreign=foreign,
            complete=complete,
            accepted=self.accepted,
            beside=self.beside,
            taken=self.taken,
        )

    @property
    def taken(self) -> tuple[Taken, ...]:
        """Return the existing names that some revision makes, sorted."""
        makers: dict[int, str] = {}
        for way in self._catalogue.ways:
            for number, _ in self._index.initial[way.name]:
                makers.setdefault(number, "")
            for revision, changed in self._index.changes[way.name].items():
                for number, _ in changed:
                    makers.setdefault(number, revision)
        return tuple(
            sorted(
                Taken(*key, makers[number])
                for number, key in enumerate(self._index.keys)
                if self._live[number] is not None and number not in self._common
            )
        )

    def _is_evidence(self, stand: Match) -> bool:
        beyond = self._index.beyond[stand.way]
        if stand.matching == 0 or not self._has_own_kind(beyond):
            return False
        if not self._has_tables(stand):
            return False
        # one table `settings` among a shop's sixty may share our name by chance
        tables = sum(
            key[0] == "relation" and self._live[number] is not None and number not in beyond
            for key, number in self._index.numbers.items()
        )
        others = sum(fact.kind == "relation" for fact in self.own_on(stand.way))
        return tables >= _ENOUGH or others <= _STRANGERS * max(tables, 1)

    def _has_tables(self, stand: Match) -> bool:
        """Whether any object is expected there, also before the first revision."""
        return bool(stand.rows) or bool(self._catalogue.beginning(stand.way))

    def _has_own_kind(self, beyond: frozenset[int]) -> bool:
        return any(
            found is not None and number not in self._common and number not in beyond
            for number, found in enumerate(self._live)
        )

    def _stand(
        self, way: Way, applied: frozenset[str], beside: frozenset[int] = frozenset()
    ) -> Match:
        live, keys = self._live, self._index.keys
        there: list[tuple[Definition, ...]] = [_ABSENT] * len(live)
        for number, allowed in self._index.initial[way.name]:
            there[number] = allowed
        for revision, changed in self._index.changes[way.name].items():
            if revision in applied:
                for number, allowed in changed:
                    there[number] = allowed
        for number in self._lacking(way, applied):
            there[number] = tuple(d for d in there[number] if d is not None)
        unseen = self._unseen(way, applied)
        bad = {n for n, found in enumerate(live) if found not in there[n]}
        bad = (bad | unseen) - {n for n in self._common if live[n] is not None}
        bad -= self._index.beyond[way.name]
        pairs = zip(live, there, strict=True)
        matching = sum(found is not None and found in allowed for found, allowed in pairs)
        differences: list[Difference] = []
        doubtful: list[str] = []
        for number in bad:
            key, found, expected = keys[number], live[number], there[number]
            if self._is_accepted(number, expected):
                continue
            if number in beside and (found is not None or number in unseen):
                doubtful.append(key[1])
            elif number in unseen:
                differences.append(Difference(*key, (), found))
            elif found is not None and _cannot_tell(key, found, expected):
                doubtful.append(key[1])
            else:
                differences.append(Difference(*key, expected, found))
        rows = self._catalogue.history.rows(applied)
        ordered = tuple(sorted(differences, key=lambda d: (d.kind, d.name)))
        return Match(rows, way.name, matching, ordered, tuple(sorted(doubtful)))

    def _lacking(self, way: Way, applied: frozenset[str]) -> Iterator[int]:
        """The first of those names of which one must be there, and none is."""
        for revision, keys in self._catalogue.one_of.items():
            if revision not in applied or revision not in way.changes:
                continue
            made = {number for number, _ in self._index.changes[way.name][revision]}
            by_kind: dict[str, set[int]] = {}
            for key in keys:
                by_kind.setdefault(key[0], set()).add(self._index.numbers[key])
            for numbers in by_kind.values():
                none = all(self._live[number] is None for number in numbers)
                if none and not self._touched_since(way, applied, revision, numbers):
                    yield from sorted(numbers & made)[:1]

    def _touched_since(
        self, way: Way, applied: frozenset[str], revision: str, numbers: set[int]
    ) -> bool:
        """Whether a later one of the applied revisions has decided about one of the names."""
        order = list(way.changes)
        return any(
            number in numbers
            for id in order[order.index(revision) + 1 :]
            if id in applied
            for number, _ in self._index.changes[way.name][id]
        )

    def _unseen(self, way: Way, applied: frozenset[str]) -> set[int]:
        """Return names whose definition was never seen without a revision that isn't applied."""
        return {
            self._index.numbers[key]
            for revision, keys in conflicts(self._catalogue, way).items()
            if revision in applied
            for key, others in keys.items()
            if not others <= applied
        }

    def _walk(self, way: Way) -> Iterator[tuple[int, list[str]]]:
        """Yield every set of revisions that can be applied, and how many names differ there.

        With the revisions beyond the path's start, in the order of the walk. The list is reused.
        """
        live = self._live
        bad = {
            number
            for number, found in enumerate(live)
            if found is not None
            and number not in self._common
            and not self._is_accepted(number, _ABSENT)
        }
        bad -= self._index.beyond[way.name]
        for number, allowed in self._index.initial[way.name]:
            bad.discard(number)
            if live[number] not in allowed and self._is_wrong(number, allowed):
                bad.add(number)
        changes = self._index.changes[way.name]
        history = self._catalogue.history
        order = list(way.changes)
        index = {revision: number for number, revision in enumerate(order)}
        waiting = [
            sum(below in index for below in set(history.below(revision))) for revision in order
        ]
        above: list[list[int]] = [[] for _ in order]
        for number, revision in enumerate(order):
            for below in set(history.below(revision)):
                if below in index:
                    above[index[below]].append(number)
        unseen = {
            revision: {self._index.numbers[key]: others for key, others in keys.items()}
            for revision, keys in conflicts(self._catalogue, way).items()
        }
        path: list[str] = []
        undo: list[list[int]] = []
        choices = [[number for number, count in enumerate(waiting) if count == 0]]
        left = len(choices[0])
        yield len(bad), path
        while left:
            if not choices[-1]:
                choices.pop()
                for number in above[index[path.pop()]]:
                    waiting[number] += 1
                bad.symmetric_difference_update(undo.pop())
                continue
            chosen = choices[-1].pop(0)
            revision = order[chosen]
            others = unseen.get(revision, {})
            toggled: list[int] = []
            for number, allowed in changes[revision]:
                # the commonest case first: it is allowed
                wrong = live[number] not in allowed and self._is_wrong(number, allowed)
                if others and number in others and number not in self._common:
                    wrong = wrong or not others[number].issubset(way.start.union(path))
                if wrong != (number in bad):
                    toggled.append(number)
            bad.symmetric_difference_update(toggled)
            enabled: list[int] = []
            for number in above[chosen]:
                waiting[number] -= 1
                if waiting[number] == 0:
                    enabled.append(number)
            path.append(revision)
            undo.append(toggled)
            # only later ones in the order, so that each set is visited once
            choices.append(sorted([*choices[-1], *enabled]))
            left += len(choices[-1]) - 1
            yield len(bad), path

    def _is_accepted(self, number: int, allowed: tuple[Definition, ...]) -> bool:
        """Whether a person has accepted what exists in place of this, or of one of these."""
        instead = self._ignored.get(number)
        return instead is not None and instead.issubset(allowed)

    def _is_wrong(self, number: int, allowed: tuple[Definition, ...]) -> bool:
        """Whether a name that isn't as allowed counts as wrong."""
        found = self._live[number]
        if self._is_accepted(number, allowed) or (number in self._common and found is not None):
            return False
        return found is None or not _cannot_tell(self._index.keys[number], found, allowed)


@functools.cache
def _cannot_tell(key: Key, found: str, expected: tuple[Definition, ...]) -> bool:
    """Whether it may be one of the expected definitions: its text proves nothing either way."""
    fact = SchemaFact(*key, found)
    return any(
        same(fact, SchemaFact(*key, definition)) is Comparison.CANNOT_TELL
        for definition in expected
        if definition is not None
    )
