"""What the code's head doesn't know: can it hurt the code? Rules for what was added.

New tables, types, functions, sequences and plain indexes hurt nobody, nor do new columns that an
INSERT may leave out.
"""

from collections.abc import Iterator

from surefoot.compatibility.contents import added_contents, added_references
from surefoot.compatibility.pairs import VIEW_OPTIONS, Sides, Told, Weight
from surefoot.schema.definitions import is_plain


def added(sides: Sides) -> Iterator[Told]:
    """What is there that the code doesn't know, and that can hurt it or is to be told."""
    yield from _overloads(sides)
    for owner in sides.live.tables:
        if sides.known_table(owner):
            yield from _columns(sides, owner)
            yield from _settings(sides, owner)
            yield from added_contents(sides, owner)
        elif sides.promised.has("domain", owner):
            yield from added_contents(sides, owner)
        elif sides.live.has("relation", owner):
            yield from added_references(sides, owner)


def _overloads(sides: Sides) -> Iterator[Told]:
    """Another function of a name that the code calls: which is meant may be uncertain now."""
    called = {
        name.partition("(")[0] for kind, name in sides.promised.definitions if kind == "function"
    }
    for (kind, name), definitions in sides.live.definitions.items():
        if kind != "function" or sides.promised.has(kind, name):
            continue
        if name.partition("(")[0] in called:
            why = "the code calls another one of this name: a call without casts may be ambiguous"
            yield Told(Weight.REMARK, kind, name, None, definitions[0], why)


def _columns(sides: Sides, owner: str) -> Iterator[Told]:
    for column in sorted(sides.new_columns(owner)):
        name = f"{owner}.{column}"
        for definition, found in zip(
            sides.live.definitions["column", name], sides.live.columns[owner][column], strict=True
        ):
            if sides.live.not_null(found) and not sides.live.filled(found):
                why = "inserts that leave it out would fail: it is NOT NULL without a default"
                yield Told(Weight.BREAK, "column", name, None, definition, why)
            elif found.generated is not None:
                if "::" in found.generated or not is_plain(found.generated):
                    why = "it is computed at every write, which may fail for what the code writes"
                    yield Told(Weight.BREAK, "column", name, None, definition, why)
            elif not is_plain(found.default or ""):
                why = "its default is computed at every insert, and may fail where the code inserts"
                yield Told(Weight.BREAK, "column", name, None, definition, why)


def _settings(sides: Sides, owner: str) -> Iterator[Told]:
    for (kind, name), definition in sides.live.of(owner, "row security", "option"):
        if sides.promised.has(kind, name):
            continue  # `kept` has judged it
        if kind == "row security":
            yield Told(
                Weight.BREAK, kind, name, None, definition, "rows may be hidden from the code"
            )
        elif name.endswith(VIEW_OPTIONS):
            why = "what can be read or written through the view is another thing"
            yield Told(Weight.BREAK, kind, name, None, definition, why)
