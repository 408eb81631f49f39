"""What a revision's upgrade() does, as its source says it: a value, made by `revision_source/read`.

Only what is certain from the text alone is in it. Whatever else there is, is in `doubtful`.
"""

from typing import Literal

import msgspec

from surefoot.schema.fact import Key
from surefoot.schema.names import split_name

Kind = Literal["relation", "column", "index", "constraint", "enum", "extension", "schema", ""]


class Creation(msgspec.Struct, frozen=True):
    """An object that a statement makes, and that must not be there before: a table, view, sequence,
    index, type, schema, column or constraint. `schema` is "" where the source names none, `table`
    the one that a column or a constraint belongs to.
    """

    kind: str
    name: str
    schema: str = ""
    table: str = ""


class Statement(msgspec.Struct, frozen=True):
    """One thing that it does. `name` are the identifiers of what that is about, without its
    `schema`: a table; a table and its column; a constraint or an index, with its table in front
    where the source names it. Nothing (and a `kind` of ""): it can't be told, or leaves no trace in
    facts.

    `passes_over`: where what it makes is there already (or what it drops is gone), it does nothing.
    `unseen`: it leaves no trace in the facts (a GRANT, an owner); `sql` is what it executes then,
    if that is in the source. `makes` fails where one of these is there.
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
        """Whether this is the name of that statement's object, as far as the source names it."""
        kind, name = key
        if kind != self.kind or not self.name:
            return False
        found = split_name(name)
        return found[-len(self.name) :] == self.name


class Doubt(msgspec.Struct, frozen=True):
    """A line that does something else than to change the structure, or may do so."""

    line: int
    text: str


class Source(msgspec.Struct, frozen=True):
    """What an upgrade() does, in the order in which it does it.

    `doubtful` are the lines that nobody can vouch for; where there are none, it changes the
    structure and nothing else. `resumable`: its author says that it may be run again from wherever
    it was cut off. `renames`, `defaults`: it renames something; it takes a default away or sets one
    on what is there, so that rows may have what the structure doesn't tell.
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
        """Whether it certainly changes the structure, and nothing else."""
        return not self.doubtful

    @property
    def last(self) -> Statement | None:
        """What it does last: where that is seen to be done, so is all that comes before it."""
        return self.statements[-1] if self.statements else None

    def about(self, key: Key) -> tuple[Statement, ...]:
        """The statements that are about this name."""
        return tuple(s for s in self.statements if s.is_about(key))
