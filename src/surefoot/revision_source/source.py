"""The effects of a revision's upgrade(), as its source shows them: a value from `read`.

It holds only what is certain from the text alone; anything else is in `doubtful`.
"""

import re
from typing import Literal

import msgspec

from surefoot.schema.fact import Key
from surefoot.schema.names import split_name

# What may be doubtful, and doesn't write rows; a changed type is the structure's.
_KEEPS_ROWS = re.compile(r"\s*(?:select|lock|set|show|create|alter|drop)\b", re.IGNORECASE)

Kind = Literal["relation", "column", "index", "constraint", "enum", "extension", "schema", ""]


class Creation(msgspec.Struct, frozen=True):
    """An object that a statement creates, and that must not exist before.

    A table, view, sequence, index, type, schema, column or constraint. `schema` is "" if the source
    names none, `table` the one that a column or a constraint belongs to.
    """

    kind: str
    name: str
    schema: str = ""
    table: str = ""


class Statement(msgspec.Struct, frozen=True):
    """One effect.

    `name` are the identifiers of its object, without the `schema`: a table; a table and its column;
    a constraint or an index, preceded by its table if the source names it. Empty (with a `kind` of
    ""): unknown, or it leaves no trace in facts. `passes_over`: if the object already exists (or is
    already gone), it does nothing. `unseen`: it leaves no trace in the facts (a GRANT, an owner);
    `sql` is then what it executes, if that is in the source. `makes`: it fails if one of these
    exists.
    """

    line: int
    text: str
    kind: Kind = ""
    name: tuple[str, ...] = ()
    drops: bool = False
    passes_over: bool = False
    unseen: bool = False
    sql: str = ""
    schema: str = ""
    makes: tuple[Creation, ...] = ()

    def is_about(self, key: Key) -> bool:
        """Whether this is the name of its object, as far as the source names it."""
        kind, name = key
        if kind != self.kind or not self.name:
            return False
        found = split_name(name)
        return found[-len(self.name) :] == self.name


class Doubt(msgspec.Struct, frozen=True):
    """A line that does, or may do, more than change the structure."""

    line: int
    text: str


class Source(msgspec.Struct, frozen=True):
    """The effects of an upgrade(), in order.

    `doubtful` are the lines whose effects are uncertain; without any, it changes only the
    structure. `resumable`: its author declares that it can run again from wherever it was cut off.
    `renames`, `defaults`: it renames something; it drops a default, an identity or a generated
    column's expression, or sets a default on an existing column, so rows may have values that the
    structure doesn't show.
    """

    file: str
    statements: tuple[Statement, ...] = ()
    doubtful: tuple[Doubt, ...] = ()
    resumable: bool = False
    renames: bool = False
    defaults: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether it certainly does nothing at all."""
        return not (self.statements or self.doubtful or self.renames or self.defaults)

    @property
    def structural(self) -> bool:
        """Whether it certainly changes only the structure."""
        return not self.doubtful

    @property
    def rebuildable(self) -> bool:
        """Whether the structure that it leads to, made anew, holds the same in the same rows.

        After a rename, or a default that filled existing rows and was dropped, it doesn't.
        """
        return self.structural and not (self.renames or self.defaults)

    @property
    def row_changes(self) -> tuple[str, ...]:
        """The lines that change rows, or may."""
        return tuple(one.text for one in self.doubtful if not _KEEPS_ROWS.match(one.text))

    @property
    def last(self) -> Statement | None:
        """The last effect: once that is seen, so is everything before it."""
        return self.statements[-1] if self.statements else None

    def about(self, key: Key) -> tuple[Statement, ...]:
        """Return the statements about this name."""
        return tuple(s for s in self.statements if s.is_about(key))
