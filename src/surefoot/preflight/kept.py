"""Whether the user's own objects are still there after revisions have run. Pure.

Before they run, the catalogue shows what they drop. It doesn't show a table, a type or a function
that is dropped and made anew under its name, or a revision that drops what it finds.
"""

import re
from collections.abc import Iterable, Mapping, Sequence

from surefoot.errors import Finding
from surefoot.errors.steps import to_type
from surefoot.errors.wording import count
from surefoot.model.history import Revision
from surefoot.preflight.put_aside import putting_aside
from surefoot.schema.definitions import column
from surefoot.schema.fact import Key, SchemaFact, relation_kind, table
from surefoot.schema.kinds import kind_of
from surefoot.schema.names import arguments, quote_name, split_name

_SHOWN = 20


def missing(
    own: Iterable[SchemaFact], before: Mapping[Key, str], now: Mapping[Key, str]
) -> tuple[SchemaFact, ...]:
    """Return those of the user's own objects that were there and aren't any more.

    Not what has another name now, and not what went with a table or a schema of the
    application's: the checks before the run have decided about that. Of a table or a domain that
    is gone, only itself; of a column, not the sequence that it owns.
    """
    found: list[SchemaFact] = []
    new = [SchemaFact(*key, text) for key, text in now.items() if key not in before]
    for fact in own:
        key, of = (fact.kind, fact.name), table(fact)
        if key not in before or key in now or (fact.kind == "sequence" and of is not None):
            continue
        if fact.kind == "domain constraint":
            of = quote_name(*split_name(fact.name)[:2])
            if ("domain", of) not in now:
                continue
        elif of is not None and fact.kind != "relation":
            if ("relation", of) not in now:
                continue
        elif _in_a_gone_schema(fact, before, now):
            continue
        if not _renamed(fact, new):
            found.append(fact)
    return tuple(found)


def without_default(
    own: Iterable[SchemaFact], before: Mapping[Key, str], now: Mapping[Key, str]
) -> tuple[SchemaFact, ...]:
    """Return the user's own columns that had a default, which went with what it was made of."""
    return tuple(
        fact
        for fact in own
        if (key := (fact.kind, fact.name)) in before
        and key in now
        and fact.kind == "column"
        and column(before[key]).default is not None
        and column(now[key]).default is None
    )


def _renamed(fact: SchemaFact, new: Iterable[SchemaFact]) -> bool:
    """Whether one of the new objects is it, under another name.

    A routine's name has the types of its arguments, which may have been renamed. Columns of a type
    are alike anyway.
    """
    of, parts = table(fact), split_name(fact.name)
    if fact.kind in _ROUTINES:
        number = len(_types(fact.name))
        return any(
            one.kind == fact.kind
            and split_name(one.name) == parts
            and len(_types(one.name)) == number
            for one in new
        )
    if of is None or fact.kind == "column":
        return False
    return any(
        one.kind == fact.kind and one.definition == fact.definition and table(one) == of
        for one in new
    )


_ROUTINES = ("function", "procedure", "aggregate")


def _types(name: str) -> list[str]:
    """Return the types of a routine's arguments."""
    return re.findall(r'(?:"(?:[^"]|"")*"|[^",])+', arguments(name)[1:-1])


def _in_a_gone_schema(fact: SchemaFact, before: Mapping[Key, str], now: Mapping[Key, str]) -> bool:
    schema: Key = ("schema", quote_name(split_name(fact.name)[0]))
    return fact.kind != "schema" and schema in before and schema not in now


def went_along(lost: Iterable[SchemaFact], own: Iterable[SchemaFact]) -> tuple[SchemaFact, ...]:
    """Return those that are useless without the application's table, such as indexes: they stop
    nothing.

    One of the user's own tables is still there, and lacks them.
    """
    tables = own_tables(own)
    return tuple(
        fact for fact in lost if kind_of(fact.kind).goes_along and table(fact) not in tables
    )


def own_tables(own: Iterable[SchemaFact]) -> frozenset[str]:
    """Return the names of the user's own tables and views."""
    return frozenset(fact.name for fact in own if fact.kind == "relation")


def taken(
    lost: Sequence[SchemaFact],
    own: Iterable[SchemaFact],
    live: Mapping[Key, str],
    revisions: Sequence[Revision],
) -> Finding:
    """Return why the revisions can't stay: they took these objects of the user's `own`.

    `live` is the structure before them.
    """
    by = f"revision {revisions[0].id} ({revisions[0].path})"
    if len(revisions) > 1:
        number = count(len(revisions), "revision")
        by = f"one of {number}, {revisions[0].id} to {revisions[-1].id}"
    names = [called(fact) for fact in lost]
    message = f"Your own {names[0]} is in the way of {by}."
    if len(names) > 1:
        message = f"{count(len(names), 'object')} of your own are in the way of {by}."
    it = "it was" if len(names) == 1 else "they were"
    seen = [
        f"{it} there before, and gone afterwards",
        "the catalogue doesn't show that: something was made anew, or what was found was dropped",
    ]
    seen += names[:_SHOWN] if len(names) > 1 else []
    seen += [f"and {len(names) - _SHOWN} more"] if len(names) > _SHOWN else []
    return Finding(
        "customisation-in-the-way",
        message,
        tuple(seen),
        next=to_type(
            f"put {'it' if len(names) == 1 else 'them'} aside; rows and values are kept",
            *putting_aside(lost, own_tables(own), live),
            then="then start again, and create again what fits the new structure",
        ),
    )


def called(fact: SchemaFact) -> str:
    """Return its kind and name."""
    kind = relation_kind(fact.definition) if fact.kind == "relation" else fact.kind
    return f"{kind} {fact.name}"
