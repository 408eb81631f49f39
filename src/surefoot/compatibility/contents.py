"""Compare a table's constraints, indexes, triggers, policies and rules.

They are matched by content, not by name: the same under another name is the same, and so is what
can't be distinguished by its text.
"""

from collections.abc import Iterator

from surefoot.compatibility.pairs import SchemaIndex, SchemaPair, WeighedIssue, Weight, alike
from surefoot.schema.condition import outcome
from surefoot.schema.definitions import (
    INVALID,
    ForeignKey,
    Unique,
    foreign_key,
    looser,
    names,
    unique,
)
from surefoot.schema.fact import Key
from surefoot.schema.kinds import KINDS, Kind

BY_CONTENT = frozenset(name for name, kind in KINDS.items() if kind.by_content)
_UNIQUE = ("constraint", "index")
_NOT_VALID = " NOT VALID"
_INDEX_INVALID = "its index is invalid, so there may be rows that it should have refused"
_UNCHECKED = "rows that were there before it aren't checked: it is not valid"

Found = tuple[Weight, str]  # its weight, and the reason
_BREAKS, _LACKS, _REMARK = Weight.BREAK, Weight.LACK, Weight.REMARK


def kept_contents(pair: SchemaPair, owner: str) -> Iterator[WeighedIssue]:
    """Return the contents of a known table or domain that are missing or changed."""
    gone = frozenset(pair.promised.columns.get(owner, ())) - frozenset(
        pair.live.columns.get(owner, ())
    )
    for key in pair.promised.tables[owner]:
        if key[0] not in BY_CONTENT:
            continue
        kind, name = key
        live = pair.live.definitions.get(key, (None,))[0]
        verdicts = [
            (expected, list(_kept(pair.live, owner, key, expected)))
            for expected in pair.promised.definitions[key]
        ]
        expected, found = min(
            verdicts, key=lambda v: sorted((weight for weight, _ in v[1]), reverse=True)
        )
        if live is None and (key in pair.promised.optional or gone & names(expected)):
            continue  # it may be missing, or went with a column that is reported
        for weight, why in found:
            yield WeighedIssue(weight, kind, name, expected, live, why)


def _kept(live: SchemaIndex, owner: str, key: Key, expected: str) -> Iterator[Found]:
    kind = key[0]
    gone = "it no longer refuses anything"
    if key in live.definitions:
        gone = "it is different, and may accept rows that it should refuse"
    if (key_of := foreign_key(expected)) is not None and kind == "constraint":
        yield from _kept_foreign_key(live, owner, key_of, gone)
    elif (what := unique(kind, expected)) is not None:
        yield from _kept_unique(live, owner, key, what)
    elif any(alike(kind, expected, found) for _, found in live.of(owner, kind)):
        return
    elif kind == "index":
        yield _REMARK, "what it made fast may be slow"
    elif expected.startswith("CHECK "):
        if any(looser(expected, found) for _, found in live.of(owner, kind)):
            yield _REMARK, "the code may read a value that it doesn't know"
        elif any(found == expected + _NOT_VALID for _, found in live.of(owner, kind)):
            yield _REMARK, _UNCHECKED
        else:
            yield _LACKS, gone
    elif kind == "constraint" and any(
        found == expected + INVALID for _, found in live.of(owner, kind)
    ):
        yield _BREAKS, _INDEX_INVALID
    elif kind == "constraint":
        yield _BREAKS, "the code may rely on it to refuse rows, and it is gone"
    else:
        yield _BREAKS, "the code may rely on what it does, and it is gone or different"


def _kept_unique(live: SchemaIndex, owner: str, key: Key, what: Unique) -> Iterator[Found]:
    there = [
        (other, found)
        for other, definition in live.of(owner, *_UNIQUE)
        if (found := unique(other[0], definition)) is not None and found.content == what.content
    ]
    if not there:
        yield _BREAKS, "ON CONFLICT needs it, and the code may rely on it to refuse rows"
    elif not any(found.valid for _, found in there):
        yield _BREAKS, _INDEX_INVALID
    elif what.primary and not any(found.primary for _, found in there):
        yield _BREAKS, "it is no longer the primary key"
    elif key[0] == "constraint" and key not in [other for other, _ in there]:
        yield _REMARK, "it has another name or is an index now: ON CONFLICT ON CONSTRAINT fails"


def _kept_foreign_key(live: SchemaIndex, owner: str, key: ForeignKey, gone: str) -> Iterator[Found]:
    there = [
        found
        for _, definition in live.of(owner, "constraint")
        if (found := foreign_key(definition)) is not None and found.way == key.way
        if found.enforced or not key.enforced
    ]
    same = [found for found in there if (found.update, found.delete) == (key.update, key.delete)]
    if not there and not (key.update or key.delete):
        yield _LACKS, gone
    elif not there:
        yield _BREAKS, "the code may rely on its action, and it is gone"
    elif not same and (key.update or key.delete):
        yield _BREAKS, "its action is different"
    elif all(found.enforced for found in there) and not key.enforced:
        yield _BREAKS, "it refuses rows now"
    elif key.deferrable and not any(f.deferrable and f.deferred >= key.deferred for f in there):
        yield _BREAKS, "it is checked earlier: the code may write in another order"
    elif not same:
        yield _LACKS, "it acts on rows that refer to a deleted or changed row"


def added_contents(pair: SchemaPair, owner: str) -> Iterator[WeighedIssue]:
    """Return additions to a table or domain that the code knows, if they can break it."""
    for key, definition in pair.live.of(owner, *BY_CONTENT):
        for weight, why in _added(pair, owner, key[0], definition):
            yield WeighedIssue(weight, *key, None, definition, why)


def added_references(pair: SchemaPair, owner: str) -> Iterator[WeighedIssue]:
    """Return foreign keys from a table that the code doesn't know to tables that it knows."""
    for key, definition in pair.live.of(owner, "constraint"):
        found = foreign_key(definition)
        if found is not None and _holds(pair, found):
            yield WeighedIssue(_REMARK, *key, None, definition, _HELD)


_HELD = "deletes of rows that newer rows refer to fail"


def _holds(pair: SchemaPair, key: ForeignKey) -> bool:
    return pair.known_table(key.target) and key.delete in ("", "RESTRICT") and key.enforced


def _added(pair: SchemaPair, owner: str, kind: Kind, definition: str) -> Iterator[Found]:
    promised = pair.promised
    if (key := foreign_key(definition)) is not None and kind == "constraint":
        yield from _added_foreign_key(pair, owner, key)
    elif (what := unique(kind, definition)) is not None:
        if not any(
            known is not None and known.excludes_more_than(what)
            for other, d in promised.of(owner, *_UNIQUE)
            for known in [unique(other[0], d)]
        ) and not _apart(pair, owner, what):
            yield _BREAKS, "it is unique, unknown to the code, and may refuse rows that it writes"
    elif _harmless(promised, owner, kind, definition):
        return
    elif definition.startswith("CHECK "):
        loosened = any(looser(known, definition) for _, known in promised.of(owner, kind))
        if not loosened and not _holds_for_new(pair, owner, definition):
            yield _BREAKS, "the code doesn't know it, and rows that it writes may be refused"
    elif kind == "constraint":
        yield _BREAKS, "the code doesn't know it, and rows that it writes may be refused"
    else:
        yield _BREAKS, "the code doesn't know it, and what it writes or reads may differ"


def _apart(pair: SchemaPair, owner: str, what: Unique) -> bool:
    """Whether the code's own rows can't conflict: they are NULL there, or not in the index."""
    if not what.nulls_not_distinct and what.keys & pair.left_null(owner):
        return True
    row = pair.row_of_defaults(owner)
    within = names(what.where) & frozenset(pair.live.columns.get(owner, ()))
    return bool(within) and within <= row.keys() and outcome(what.where, row) in (False, None)


def _holds_for_new(pair: SchemaPair, owner: str, check: str) -> bool:
    """Whether a check concerns only new columns, and holds when the code leaves them out.

    The code never writes them, so what holds when it inserts a row holds forever.
    """
    row = pair.row_of_defaults(owner)
    within = names(check) & frozenset(pair.live.columns.get(owner, ()))
    condition = check.removeprefix("CHECK ").removesuffix(" NOT VALID").removesuffix(" NO INHERIT")
    return bool(within) and within <= row.keys() and outcome(condition, row) in (True, None)


def _harmless(promised: SchemaIndex, owner: str, kind: Kind, definition: str) -> bool:
    if kind == "index" or definition.endswith((" disabled", " NOT ENFORCED")):
        return True
    return any(alike(kind, known, definition) for _, known in promised.of(owner, kind))


def _added_foreign_key(pair: SchemaPair, owner: str, key: ForeignKey) -> Iterator[Found]:
    known = [
        found
        for _, definition in pair.promised.of(owner, "constraint")
        if (found := foreign_key(definition)) is not None
    ]
    if not key.enforced or any(found.way == key.way for found in known):
        return
    null = pair.left_null(owner)
    if not null.intersection(key.columns) or (key.full and not null.issuperset(key.columns)):
        yield _BREAKS, "the code doesn't know it, and rows that it writes may be refused"
    elif _holds(pair, key):
        yield _REMARK, _HELD
