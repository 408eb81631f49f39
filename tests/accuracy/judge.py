"""Whether an answer is right: a structure's standing against the revisions known to be applied."""

from collections.abc import Iterable

from surefoot.catalogue.catalogue import Catalogue, Key, State, facts_of, state
from surefoot.catalogue.identify import Identifier
from surefoot.catalogue.match import Identification, Match
from surefoot.catalogue.variants import recognised
from surefoot.certify.sqltext import parts
from surefoot.schema.fact import SchemaFact

# Kinds that any database may have: by them alone no application is recognised.
COMMON = frozenset(("extension", "schema"))

EXACT, AMBIGUOUS, NOTHING = "exact", "ambiguous", "nothing"
REFUSED, WRONG = "refused", "WRONG"
NEAREST, TRUE, ANOTHER = "nearest", "true", "another"


class Judge:
    """Knows one catalogue, and asks `Identifier` as surefoot does."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self.history = catalogue.history
        self.known: frozenset[Key] = frozenset(
            change.key
            for way in catalogue.ways
            for changes in (way.initial, *way.changes.values())
            for change in changes
        )
        self._names = frozenset(parts(name)[-1] for _, name in self.known)
        self._states: dict[tuple[str, frozenset[str]], State] = {}

    def state(self, way: str, applied: frozenset[str]) -> State:
        """The structure that the catalogue has there."""
        if (way, applied) not in self._states:
            found = self.catalogue.way(way)
            assert found is not None
            self._states[way, applied] = state(found, applied)
        return self._states[way, applied]

    def is_known(self, kind: str, name: str) -> bool:
        """Whether some revision has something of that name."""
        return (kind, name) in self.known

    def is_name(self, name: str) -> bool:
        """Whether something of the application's, of any kind, is called so."""
        return name in self._names

    def of_application(self, facts: Iterable[SchemaFact]) -> frozenset[SchemaFact]:
        """The facts whose names some revision knows."""
        return frozenset(fact for fact in facts if (fact.kind, fact.name) in self.known)

    def intact(
        self, way: str, truth: frozenset[str], facts: tuple[SchemaFact, ...]
    ) -> tuple[str, str]:
        """The outcome for a database at `truth` whose own structure nobody touched, and why."""
        facts = recognised(self.catalogue, facts)
        standing = Identifier(self.catalogue, facts).standing()
        there = self.state(way, truth)
        if not any(kind not in COMMON for kind, _ in there):
            # No structure of the application's: recognising it would be a guess.
            return (NOTHING, "") if not standing.exact else (WRONG, self._told(standing))
        if not standing.exact:
            return REFUSED, self._told(standing)
        if truth not in map(self._applied, standing.exact):
            return WRONG, self._told(standing)
        if len(standing.exact) == 1:
            return EXACT, ""
        if all(_telling(self._state_of(stand)) == _telling(there) for stand in standing.exact):
            return AMBIGUOUS, ""
        if all(self._allows(stand, facts) for stand in standing.exact):
            return AMBIGUOUS, ""  # of several forms, the database has one that they share
        return WRONG, self._told(standing)

    def damaged(
        self, truth: frozenset[str], facts: tuple[SchemaFact, ...], damaged: Key
    ) -> tuple[str, str]:
        """The outcome for a database at `truth` in which the application's `damaged` is damaged."""
        facts = recognised(self.catalogue, facts)
        identifier = Identifier(self.catalogue, facts)
        standing = identifier.standing()
        if standing.exact:
            seen = frozenset(f for f in self.of_application(facts) if f.kind not in COMMON)
            if all(
                self._applied(stand) != truth
                and frozenset(facts_of(_telling(self._state_of(stand)))) == seen
                for stand in standing.exact
            ):
                return ANOTHER, ""
            return WRONG, self._told(standing)
        if standing.nearest and damaged in _names(standing.nearest[0]):
            return NEAREST, ""
        stand = identifier.stand(truth)
        if stand is not None and damaged in _names(stand):
            return TRUE, ""
        return WRONG, f"not told: {damaged}; {self._told(standing)}"

    def _applied(self, stand: Match) -> frozenset[str]:
        return self.history.applied(stand.rows)

    def _state_of(self, stand: Match) -> State:
        return self.state(stand.way, self._applied(stand))

    def _allows(self, stand: Match, facts: Iterable[SchemaFact]) -> bool:
        """Whether these facts of the application are what may exist there."""
        there = _telling(self._state_of(stand))
        seen: dict[Key, str] = {
            (fact.kind, fact.name): fact.definition for fact in self.of_application(facts)
        }
        names = {key for key in seen.keys() | there.keys() if key[0] not in COMMON}
        return all(seen.get(key) in there.get(key, (None,)) for key in names)

    def _told(self, standing: Identification) -> str:
        if standing.exact:
            return "exact: " + "; ".join(",".join(stand.rows) for stand in standing.exact)
        lines = [
            f"nearest {','.join(stand.rows)}: "
            + " | ".join(f"{d.what} {d.kind} {d.name}" for d in stand.differences[:6])
            for stand in standing.nearest[:2]
        ]
        return "foreign" if standing.foreign else "; ".join(lines)


def _telling(found: State) -> State:
    """A structure without what any database may have: that tells nothing."""
    return {key: allowed for key, allowed in found.items() if key[0] not in COMMON}


def _names(stand: Match) -> set[Key]:
    return {(difference.kind, difference.name) for difference in stand.differences}
