"""Revisions that don't make exactly the same each time: recognise what varies as the same.

Found by comparing two replays of one history. What varies gets one spelling, in the catalogue and
in each structure that is compared with it: labels of an enum are sorted, and the part of a name or
a definition that differs each time is written `…`. Pure.
"""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache

import msgspec

from surefoot.catalogue.catalogue import Catalogue, Change, Downgrade, Varying, Way
from surefoot.schema.fact import Definition, Key, SchemaFact
from surefoot.schema.kinds import Kind

Changes = Mapping[str, tuple[Change, ...]]  # by revision

PART = "…"  # stands for one word, number or quoted text that differs each time

_WORDS = re.compile(r"'(?:[^']|'')*'|\w+|\s+|.", re.DOTALL)
_NAME_WORDS = re.compile(r"[^\W_]+|.", re.DOTALL)
_WORD = r"'(?:[^']|'')*'|\w+"
_NAME_WORD = r"[^\W_]+"


def in_words(varying: Varying) -> str:
    """Describe what varies, for people."""
    what = f"{varying.kind} {varying.name}"
    if varying.how == "order":
        return f"{what} has the same parts in another order each time"
    if PART in varying.name:
        return f"{what} has another name each time"
    return f"{what} has another definition each time: {varying.definition}"


class Settling:
    """Gives what varies one spelling."""

    def __init__(self, varying: Iterable[Varying]) -> None:
        self._by_key: dict[Key, list[Varying]] = {}
        self._named: dict[str, list[Varying]] = {}  # those whose name varies, by kind
        for one in varying:
            self._by_key.setdefault((one.kind, one.name), []).append(one)
            if PART in one.name:
                self._named.setdefault(one.kind, []).append(one)

    def __bool__(self) -> bool:
        return bool(self._by_key)

    def name(self, kind: Kind, name: str) -> str:
        """Return the name's spelling."""
        for one in self._named.get(kind, ()):
            if _name_pattern(one.name).fullmatch(name):
                return one.name
        return name

    def definition(self, key: Key, definition: Definition) -> Definition:
        """Return the spelling of a name's definition; the name has its own spelling already."""
        if definition is None:
            return None
        for one in self._by_key.get(key, ()):
            if one.how == "order":
                if one.kind == "enum":
                    return _sorted_labels(definition)
                if sorted(_WORDS.findall(definition)) == sorted(_WORDS.findall(one.definition)):
                    return one.definition
            elif _definition_pattern(one.definition).fullmatch(definition):
                return one.definition
        return definition

    def change(self, change: Change) -> Change:
        """Return a change in this spelling."""
        name = self.name(change.kind, change.name)
        key = change.kind, name
        before = (self.definition(key, d) for d in change.before)
        return Change(
            change.kind,
            name,
            tuple(d for d in before if d is not None),
            tuple(dict.fromkeys(self.definition(key, d) for d in change.after)),
        )

    def changes(self, changed: Iterable[Change]) -> tuple[Change, ...]:
        """Return the changes in this spelling, sorted.

        If two would get one name, the second keeps its own.
        """
        found: dict[Key, Change] = {}
        for change in changed:
            settled = self.change(change)
            if settled.key in found:
                settled = change
            found[settled.key] = settled
        return tuple(sorted(found.values()))

    def each(self, changes: Changes) -> dict[str, tuple[Change, ...]]:
        """Return the changes of every revision in this spelling."""
        return {id: self.changes(changed) for id, changed in changes.items()}


def settled(catalogue: Catalogue, varying: Iterable[Varying]) -> Catalogue:
    """Return the catalogue in the spelling of what varies."""
    settling = Settling(varying)
    if not settling:
        return catalogue

    def way(one: Way) -> Way:
        return msgspec.structs.replace(
            one, initial=settling.changes(one.initial), changes=settling.each(one.changes)
        )

    downgrades = {
        id: msgspec.structs.replace(down, left=settling.changes(down.left))
        for id, down in catalogue.downgrades.items()
    }
    return msgspec.structs.replace(
        catalogue, ways=tuple(map(way, catalogue.ways)), downgrades=downgrades
    )


def recognised(catalogue: Catalogue, facts: tuple[SchemaFact, ...]) -> tuple[SchemaFact, ...]:
    """Return a database's facts, with what varies spelled as in the catalogue.

    An object counts as one whose name varies only if it also has a definition that the catalogue
    knows for it: others with a similar name are the user's.
    """
    varying = [one for several in catalogue.varies.values() for one in several]
    if not varying:
        return facts
    settling = Settling(varying)
    found: list[SchemaFact] = []
    taken: set[Key] = set()
    for fact in facts:
        key = fact.kind, settling.name(fact.kind, fact.name)
        definition = settling.definition(key, fact.definition)
        assert definition is not None
        if fact.name != key[1] and (key in taken or definition not in _known(catalogue, key)):
            found.append(fact)
            continue
        taken.add(key)
        found.append(SchemaFact(*key, definition))
    return tuple(sorted(found))


def _known(catalogue: Catalogue, key: Key) -> set[Definition]:
    """Return every definition that the catalogue has for a name."""
    return {
        definition
        for way in catalogue.ways
        for changed in (way.initial, *way.changes.values())
        for change in changed
        if change.key == key
        for definition in change.after
    }


def find(order: Iterable[str], one: Changes, other: Changes) -> dict[str, tuple[Varying, ...]]:
    """Find what two replays of the same revisions made differently, if it has one spelling.

    By the revision that made it. `order` is the order in which they ran.
    """
    found: dict[str, tuple[Varying, ...]] = {}
    every: list[Varying] = []
    for id in order:
        if id not in one or id not in other:
            continue
        settling = Settling(every)
        a = {c.key: c.after[0] for c in settling.changes(one[id])}
        b = {c.key: c.after[0] for c in settling.changes(other[id])}
        here = [*_definitions(a, b), *_names(a, b)]
        if here:
            found[id] = tuple(sorted(here))
            every += here
    return found


def _definitions(a: dict[Key, Definition], b: dict[Key, Definition]) -> Iterable[Varying]:
    for key in sorted(a.keys() & b.keys()):
        one, other = a[key], b[key]
        if one is None or other is None or one == other:
            continue
        if sorted(_WORDS.findall(one)) == sorted(_WORDS.findall(other)):
            yield Varying(*key, "order", "" if key[0] == "enum" else min(one, other))
        elif (pattern := _common(_WORDS, one, other)) is not None:
            yield Varying(*key, "text", pattern)


def _names(a: dict[Key, Definition], b: dict[Key, Definition]) -> Iterable[Varying]:
    left = sorted(key for key in b.keys() - a.keys() if b[key] is not None)
    made: set[Key] = set()
    for key in sorted(a.keys() - b.keys()):
        one = a[key]
        for candidate in left:
            other = b[candidate]
            name = _common(_NAME_WORDS, key[1], candidate[1]) if key[0] == candidate[0] else None
            if name is None or one is None or other is None or (key[0], name) in made:
                continue
            definition = one if one == other else _common(_WORDS, one, other)
            if definition is not None:
                left.remove(candidate)
                made.add((key[0], name))
                yield Varying(key[0], name, "text", definition)
                break


def _common(words: re.Pattern[str], one: str, other: str) -> str | None:
    """Return what two texts have in common, with `…` for each word that differs.

    None if they differ in more than words, or have no word in common.
    """
    first, second = words.findall(one), words.findall(other)
    if PART in one + other or len(first) != len(second):
        return None
    parts: list[str] = []
    same = False
    for left, right in zip(first, second, strict=True):
        if left == right:
            parts.append(left)
            same = same or left[0].isalnum()
        elif _is_word(left) and _is_word(right) and (left[0] == "'") == (right[0] == "'"):
            parts.append(PART)
        else:
            return None
    return "".join(parts) if same else None


def _is_word(text: str) -> bool:
    return text[0] == "'" or text[0].isalnum() or text[0] == "_"


@lru_cache(maxsize=1024)
def _name_pattern(name: str) -> re.Pattern[str]:
    return _pattern(name, _NAME_WORD)


@lru_cache(maxsize=1024)
def _definition_pattern(definition: str) -> re.Pattern[str]:
    return _pattern(definition, _WORD)


def _pattern(text: str, word: str) -> re.Pattern[str]:
    return re.compile(f"(?:{word})".join(map(re.escape, text.split(PART))))


def _sorted_labels(definition: str) -> str:
    labels = [part for part in _WORDS.findall(definition) if part[0] == "'"]
    return ", ".join(sorted(labels))


def without_statements(down: Downgrade, varying: Iterable[Varying], needs_code: str) -> Downgrade:
    """Drop the recorded statements of a revision whose names vary: they work nowhere else."""
    if not down.statements or not any(PART in one.name for one in varying):
        return down
    return msgspec.structs.replace(down, statements=(), why=needs_code)
