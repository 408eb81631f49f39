"""Check that what the code's head promises still exists, unchanged. Rules for each kind.

A rule says what breaks the code and what is only reported; of definitions that are equally good,
the one that fits best counts.
"""

import re
from collections.abc import Callable, Iterable, Iterator

from surefoot.compatibility.contents import BY_CONTENT, kept_contents
from surefoot.compatibility.pairs import VIEW_OPTIONS, SchemaPair, WeighedIssue, Weight, alike
from surefoot.schema.definitions import (
    Column,
    column,
    function,
    labels,
    view_columns,
    widened,
)
from surefoot.schema.fact import Key, relation_kind

Rule = Iterator[tuple[Weight, str]]  # its weight, and the reason

_OWNER = re.compile(r" (?:owned by|identity of) (.*)$")
_RANGE = re.compile(r" increment (-?\d+) minvalue (-?\d+) maxvalue (-?\d+)")
_BREAKS, _LACKS, _REMARK = Weight.BREAK, Weight.LACK, Weight.REMARK

# The parts of a function's definition that only the planner reads.
_HINTS = re.compile(
    r" (?:parallel (?:safe|restricted)|leakproof|cost \d+(?:\.\d+)?|rows \d+(?:\.\d+)?|support \S+)"
    r"(?= |$)"
)
_NUMBERED = re.compile(r"nextval\(")

MISSING = {
    "relation": (_BREAKS, "the code uses it, and it is gone"),
    "column": (_BREAKS, "the code reads and writes it, and it is gone"),
    "sequence": (_BREAKS, "the code may draw numbers from it, and it is gone"),
    "row security": (_BREAKS, "the code may rely on it to hide rows, and it is off"),
    "option": (_LACKS, "what can be read or written through the view has changed"),
    "event trigger": (_REMARK, "it is gone"),
    **dict.fromkeys(
        ("function", "procedure", "aggregate"), (_BREAKS, "the code may call it, and it is gone")
    ),
    **dict.fromkeys(
        ("enum", "domain", "range", "composite type"),
        (_BREAKS, "the code casts to it, and it is gone"),
    ),
    **dict.fromkeys(("extension", "schema"), (_BREAKS, "the code may need it, and it is gone")),
}


def kept(pair: SchemaPair) -> Iterator[WeighedIssue]:
    """Return which parts of the promise are missing or changed."""
    gone = _gone(pair)
    for key, allowed in pair.promised.definitions.items():
        kind, name = key
        if kind in BY_CONTENT or _passed_over(pair, gone, key, allowed):
            continue
        live = pair.live.definitions.get(key, ())
        if not live and kind in MISSING and key not in pair.promised.optional:
            weight, why = MISSING[kind]
            yield WeighedIssue(weight, kind, name, allowed[0], None, why)
        for found in live:
            if not any(alike(kind, expected, found) for expected in allowed):
                yield from _best(_changed(key, expected, found) for expected in allowed)
    for owner in pair.promised.tables:
        if owner not in gone:
            yield from kept_contents(pair, owner)


def _gone(pair: SchemaPair) -> frozenset[str]:
    """Return relations, domains and schemas that are missing or another kind now: reported as a
    whole.
    """
    found: set[str] = set()
    for (kind, name), allowed in pair.promised.definitions.items():
        if kind in ("relation", "domain", "schema"):
            live = pair.live.definitions.get((kind, name), ())
            if not live or (
                kind == "relation"
                and {relation_kind(d) for d in allowed}.isdisjoint(map(relation_kind, live))
            ):
                found.add(name)
    return frozenset(found)


def _passed_over(
    pair: SchemaPair, gone: frozenset[str], key: Key, allowed: tuple[str, ...]
) -> bool:
    """Whether it belongs to something reported as a whole, or doesn't matter to the code."""
    kind, name = key
    if any(name.startswith(f"{whole}.") for whole in gone):
        return True
    if kind == "option":
        return not name.endswith(VIEW_OPTIONS)
    if kind in ("view", "row security"):
        return name in gone
    if kind == "sequence":
        owner = _OWNER.search(allowed[0])
        return owner is not None and not pair.live.has("column", owner[1])
    return False


def _best(told: Iterable[Iterator[WeighedIssue]]) -> list[WeighedIssue]:
    """Return what remains to report for the best fitting definition."""
    return min(map(list, told), key=lambda found: sorted((t.weight for t in found), reverse=True))


def _changed(key: Key, expected: str, found: str) -> Iterator[WeighedIssue]:
    kind, name = key
    rule = RULES.get(kind)
    for weight, why in () if rule is None else rule(expected, found):
        yield WeighedIssue(weight, kind, name, expected, found, why)


def _relation(expected: str, found: str) -> Rule:
    if relation_kind(expected) != relation_kind(found):
        yield _BREAKS, f"it is a {relation_kind(found)} now"
    elif " partition by " in found and " partition by " not in expected:
        yield _BREAKS, "it is partitioned now: rows that no partition takes are refused"
    elif _inherits(expected) != _inherits(found):
        yield _LACKS, "it inherits from other tables"
    else:
        yield _REMARK, "it is made differently"


def _inherits(definition: str) -> str:
    return definition.partition(" inherits ")[2]


def _column(expected: str, found: str) -> Rule:
    old, new = column(expected), column(found)
    if old.type != new.type:
        if widened(old.type, new.type):
            yield _REMARK, "it is wider: the code may read longer or larger values"
        else:
            yield _BREAKS, "its type is different"
    if old.collation != new.collation:
        yield _LACKS, "it is sorted and compared differently"
    if new.not_null and not old.not_null:
        yield _BREAKS, "the code may write NULL, and it is NOT NULL now"
    if old.not_null and not new.not_null:
        yield _LACKS, "it may be NULL now, and the code may read that"
    if not (_same(old.generated, new.generated)):
        if old.generated is None:
            yield _BREAKS, "it is computed now, and can't be written"
        else:
            yield _BREAKS, "the code expects it to be computed as before"
    elif old.identity != new.identity or not _same(old.default, new.default):
        yield from _default(old, new)


def _default(old: Column, new: Column) -> Rule:
    if new.identity == "always" and old.identity != "always":
        yield _BREAKS, "the code can no longer write values of its own"
    elif new.filled:
        numbered = _draws_numbers(old) and _draws_numbers(new)
        yield _REMARK if numbered else _LACKS, "inserts that leave it out get another value"
    elif new.not_null:
        yield _BREAKS, "inserts that leave it out would fail: it no longer has a default"
    else:
        yield _LACKS, "inserts that leave it out get NULL"


def _draws_numbers(found: Column) -> bool:
    return found.identity is not None or _NUMBERED.search(found.default or "") is not None


def _same(one: str | None, other: str | None) -> bool:
    if one is None or other is None:
        return one == other
    return alike("column", one, other)


def _view(expected: str, found: str) -> Rule:
    before, now = view_columns(expected), view_columns(found)
    lost = [name for name in before if name not in now]
    retyped = [n for n, type in before.items() if n in now and not widened(type, now[n])]
    if lost:
        yield _BREAKS, f"the code may read {', '.join(lost)}, and it is gone"
    if retyped:
        yield _BREAKS, f"{', '.join(retyped)} has another type"
    if not lost and not retyped:
        more = [name for name in now if name not in before]
        if more:
            yield _REMARK, f"it also has {', '.join(more)}"
        else:
            yield _LACKS, "its query is different"


def _function(expected: str, found: str) -> Rule:
    old, new = function(expected), function(found)
    if old.result != new.result:
        yield _BREAKS, "it returns something else"
    elif old.parameters != new.parameters or not old.optional <= new.optional:
        yield _BREAKS, "it is called differently"
    elif old.result == "trigger":
        yield _BREAKS, "a trigger calls it at the code's writes, and it does something else now"
    elif _HINTS.sub("", expected) == _HINTS.sub("", found):
        yield _REMARK, "it makes other promises to the planner"
    else:
        yield _LACKS, "it does something else, or has other properties"


def _sequence(expected: str, found: str) -> Rule:
    old, new = (_RANGE.search(text) for text in (expected, found))
    narrower = (
        old is None
        or new is None
        or int(new[1]) * int(old[1]) < 0
        or int(new[2]) > int(old[2])
        or int(new[3]) < int(old[3])
    )
    yield (
        _BREAKS if narrower else _REMARK,
        "it ends earlier, or counts the other way" if narrower else "it counts differently",
    )


def _aggregate(expected: str, found: str) -> Rule:
    if expected.partition(" step ")[0] != found.partition(" step ")[0]:
        yield _BREAKS, "it returns something else"
    else:
        yield _LACKS, "it does something else, or has other properties"


def _enum(expected: str, found: str) -> Rule:
    before, now = labels(expected), labels(found)
    lost = [label for label in before if label not in now]
    if lost:
        yield _BREAKS, f"the code may write {', '.join(lost)}, and it is gone"
    if any(label not in before for label in now):
        yield _REMARK, "the code may read a value that it doesn't know"
    elif not lost:
        yield _REMARK, "its values are in another order"


def _breaks(why: str) -> Callable[[str, str], Rule]:
    return lambda expected, found: iter(((_BREAKS, why),))


def _remark(why: str) -> Callable[[str, str], Rule]:
    return lambda expected, found: iter(((_REMARK, why),))


RULES: dict[str, Callable[[str, str], Rule]] = {
    "relation": _relation,
    "column": _column,
    "view": _view,
    "function": _function,
    "procedure": _function,
    "aggregate": _aggregate,
    "enum": _enum,
    "domain": _column,
    "sequence": _sequence,
    "event trigger": _remark("it is a different one"),
    "row security": _breaks("other rows may be hidden"),
    "range": _breaks("it is another type"),
    "option": _breaks("what can be read or written through the view has changed"),
    "composite type": _breaks("rows of this type are read and written differently"),
}
