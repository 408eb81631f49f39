"""Find what pending revisions certainly create, and fail at if it exists, by their sources."""

import re
from collections.abc import Iterable

from surefoot.revision_source.source import Creation, Source
from surefoot.schema.fact import Key
from surefoot.schema.names import split_name

Created = frozenset[tuple[str, tuple[str, ...]]]
"""The revision, and the identifiers of a fact's name; an index's without its table."""

_WORD = re.compile(r"\w+")


def created(sources: Iterable[tuple[str, Source]], schema: str) -> Created:
    """Return the objects that these revisions create without IF NOT EXISTS.

    Without those whose names an earlier line mentions, which may drop or rename them. `schema` is
    that of names without one.
    """
    found: set[tuple[str, tuple[str, ...]]] = set()
    said: set[str] = set()
    for revision, source in sources:
        lines = [(s.line, s.text, s.makes) for s in source.statements]
        lines += [(d.line, d.text, ()) for d in source.doubtful]
        for _, text, makes in sorted(lines, key=lambda line: line[0]):
            for one in makes:
                if one.name not in said and one.table not in said:
                    found.add((revision, _name(one, schema)))
            if not makes:
                said.update(_WORD.findall(text))
    return frozenset(found)


def name_in_source(key: Key) -> tuple[str, ...]:
    """Return the identifiers of a fact's name, as `created` has them."""
    found = split_name(key[1])
    return (found[0], found[-1]) if key[0] == "index" else found


def _name(made: Creation, schema: str) -> tuple[str, ...]:
    schema = made.schema or schema
    if made.kind in ("column", "constraint"):
        return schema, made.table, made.name
    return schema, made.name
