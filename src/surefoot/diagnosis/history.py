"""What the catalogue says about a name: which revisions create and remove it, and whether it should
exist.
"""

from surefoot.catalogue.catalogue import Catalogue, state
from surefoot.diagnosis.names import identifier
from surefoot.schema.fact import SchemaFact, table

_ABSENT = (None,)


def makers(catalogue: Catalogue, *names: str) -> tuple[str, ...]:
    """Return the revisions that create an object of one of these names, in their order."""
    return _touching(catalogue, set(names), gone=False)


def removers(catalogue: Catalogue, *names: str) -> tuple[str, ...]:
    """Return the revisions that remove an object of one of these names."""
    return _touching(catalogue, set(names), gone=True)


def _touching(catalogue: Catalogue, names: set[str], *, gone: bool) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for way in catalogue.ways:
        for revision, changes in way.changes.items():
            for change in changes:
                made = gone or not change.before  # a change of an existing object creates nothing
                if change.name in names and made and (change.after == _ABSENT) is gone:
                    found[revision] = None
    return tuple(found)


def known_as(
    catalogue: Catalogue, name: str, table: str = "", kinds: tuple[str, ...] | None = None
) -> tuple[str, ...]:
    """Return full names that end so: `public.people` for people, `public.people.name` for its name.

    Of these kinds, or of any. A function is matched by its name, whatever its arguments.
    """
    end = f".{identifier(table, name)}"
    found: dict[str, None] = {}
    for way in catalogue.ways:
        for changes in (way.initial, *way.changes.values()):
            for change in changes:
                whole = f".{change.name.partition('(')[0]}"
                if whole.endswith(end) and (kinds is None or change.kind in kinds):
                    found[change.name] = None
    return tuple(found)


def expected_at(catalogue: Catalogue, applied: frozenset[str], names: tuple[str, ...]) -> bool:
    """Whether an object of one of these names exists when these revisions are applied."""
    way = catalogue.way_to(applied)
    if way is None:
        return False
    return any(name in names for _, name in state(way, applied))


def tables_of(catalogue: Catalogue, revision: str) -> tuple[str, ...]:
    """Return the tables that a revision changes, without their schemas."""
    found: dict[str, None] = {}
    for way in catalogue.ways:
        for change in way.changes.get(revision, ()):
            definition = next((d for d in (*change.before, *change.after) if d is not None), "")
            name = table(SchemaFact(change.kind, change.name, definition))
            if name is not None:
                found[name.partition(".")[2].strip('"')] = None
    return tuple(found)
