"""Decide whether objects that the code's head doesn't know can break it.

New tables, types, functions, sequences and plain indexes are harmless, and so are new columns that
an INSERT may leave out.
"""

from collections.abc import Iterator

from surefoot.compatibility.contents import added_contents, added_references
from surefoot.compatibility.pairs import BARRIER, VIEW_OPTIONS, SchemaPair, WeighedIssue, Weight
from surefoot.schema.definitions import is_plain


def added(pair: SchemaPair) -> Iterator[WeighedIssue]:
    """Return what exists that the code doesn't know, and that can break it or must be reported."""
    yield from _overloads(pair)
    for owner in pair.live.tables:
        if pair.known_table(owner):
            yield from _columns(pair, owner)
            yield from _settings(pair, owner)
            yield from added_contents(pair, owner)
        elif pair.promised.has("domain", owner):
            yield from added_contents(pair, owner)
        elif pair.live.has("relation", owner):
            yield from added_references(pair, owner)


def _overloads(pair: SchemaPair) -> Iterator[WeighedIssue]:
    """Return other functions with a name that the code calls: the call may be ambiguous now."""
    called = {
        name.partition("(")[0] for kind, name in pair.promised.definitions if kind == "function"
    }
    for (kind, name), definitions in pair.live.definitions.items():
        if kind != "function" or pair.promised.has(kind, name):
            continue
        if name.partition("(")[0] in called:
            why = "the code calls another one of this name: a call without casts may be ambiguous"
            yield WeighedIssue(Weight.REMARK, kind, name, None, definitions[0], why)


def _columns(pair: SchemaPair, owner: str) -> Iterator[WeighedIssue]:
    for column in sorted(pair.new_columns(owner)):
        name = f"{owner}.{column}"
        for definition, found in zip(
            pair.live.definitions["column", name], pair.live.columns[owner][column], strict=True
        ):
            if pair.live.not_null(found) and not pair.live.filled(found):
                why = "inserts that leave it out would fail: it is NOT NULL without a default"
                yield WeighedIssue(Weight.BREAK, "column", name, None, definition, why)
            elif found.generated is not None:
                if "::" in found.generated or not is_plain(found.generated):
                    why = "it is computed at every write, which may fail for what the code writes"
                    yield WeighedIssue(Weight.BREAK, "column", name, None, definition, why)
            elif not is_plain(found.default or ""):
                why = "its default is computed at every insert, and may fail where the code inserts"
                yield WeighedIssue(Weight.BREAK, "column", name, None, definition, why)


def _settings(pair: SchemaPair, owner: str) -> Iterator[WeighedIssue]:
    for (kind, name), definition in pair.live.of(owner, "row security", "option"):
        if pair.promised.has(kind, name):
            continue  # `kept` has judged it
        if kind == "row security":
            yield WeighedIssue(
                Weight.BREAK, kind, name, None, definition, "rows may be hidden from the code"
            )
        elif name.endswith(VIEW_OPTIONS) and not name.endswith(BARRIER):
            why = "what can be read or written through the view has changed"
            yield WeighedIssue(Weight.BREAK, kind, name, None, definition, why)
