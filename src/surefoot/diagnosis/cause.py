"""Values: what PostgreSQL said, what else is known, and the resulting diagnosis."""

import msgspec

from surefoot.catalogue.catalogue import Catalogue
from surefoot.errors import ErrorCode
from surefoot.revision_source.source import Creation
from surefoot.schema.fact import SchemaFact

_STATEMENT_LINES, _WIDTH = 6, 160


class Cause(msgspec.Struct, frozen=True):
    """PostgreSQL's own answer, with the statement that caused it.

    `schema`, `table`, `column` and `constraint` are set if the server names them apart from its
    text, as it does for rows that violate a constraint.
    """

    sqlstate: str
    message: str
    detail: str = ""
    hint: str = ""
    context: str = ""
    statement: str = ""
    schema: str = ""
    table: str = ""
    column: str = ""
    constraint: str = ""


class Object(msgspec.Struct, frozen=True):
    """A database object whose name occurs in the cause.

    `table` is the one that an index, a column, a constraint or a trigger belongs to; `arguments`
    are a function's types; `row_security` is "enabled" or "forced" for a table that has policies.
    """

    kind: str
    schema: str
    name: str
    table: str = ""
    owner: str = ""
    arguments: str = ""
    row_security: str = ""


class Part(msgspec.Struct, frozen=True):
    """A named part of an object, by the object's number.

    A part of kind `not null` is a column's: it must have a value. One of kind `partition of` is
    the table that the object is a partition of.
    """

    number: int
    kind: str
    schema: str
    name: str
    table: str = ""
    arguments: str = ""


class Wanted(msgspec.Struct, frozen=True):
    """What a pending revision creates, and what must not exist before."""

    revision: str
    makes: Creation


class Holder(msgspec.Struct, frozen=True):
    """Another session, or a prepared transaction, with locks that the statement needs.

    What the role may not see is empty; `seconds` is the age of its transaction. A prepared
    transaction has a `gid` and no pid. `subscription` is that of a replication worker.
    """

    pid: int
    relations: tuple[str, ...]
    application: str = ""
    role: str = ""
    client: str = ""
    state: str = ""
    seconds: float | None = None
    query: str = ""
    subscription: str = ""
    gid: str = ""
    database: str = ""


class Drawn(msgspec.Struct, frozen=True):
    """A column that takes its numbers from a sequence; `reached` is the furthest number in it.

    `asked`: it belongs to the failure's own table, or to one that it is a part of.
    """

    schema: str
    table: str
    column: str
    reached: int | None = None
    asked: bool = False


class Numbers(msgspec.Struct, frozen=True):
    """A sequence's current value, with the columns that take numbers from it."""

    schema: str
    name: str
    columns: tuple[Drawn, ...]
    last: int
    is_called: bool
    increment: int = 1

    @property
    def next(self) -> int:
        """The number that it gives next."""
        return self.last + self.increment if self.is_called else self.last

    @property
    def behind(self) -> tuple[Drawn, ...]:
        """The columns in which rows have numbers that the sequence is still to give."""
        up = self.increment > 0
        return tuple(
            one
            for one in self.columns
            if one.reached is not None
            and (one.reached >= self.next if up else one.reached <= self.next)
        )


class About(msgspec.Struct, frozen=True):
    """What is known about a failed revision, once everything is rolled back."""

    revision: str
    """Its id."""
    role: str = ""
    """The role of its connection."""
    database: str = ""
    """The database that it ran in."""
    timeout: str = ""
    """Which setting limits the time of the step's statements: "configuration" (surefoot.toml),
    "address", "role" (or the database, or the server); "" if only the revision or env.py can
    have set it.
    """
    schema: str = "public"
    """The schema of names without a schema."""
    version_table: str = "alembic_version"
    """Alembic's table, without its schema."""
    objects: tuple[Object, ...] = ()
    """Existing objects whose names occur in the cause."""
    holders: tuple[Holder, ...] = ()
    """The holders of locks that the statement needs."""
    catalogue: Catalogue | None = None
    """None if there is no usable catalogue."""
    own: tuple[SchemaFact, ...] = ()
    """The user's own objects; unknown without a catalogue."""
    applied: frozenset[str] = frozenset()
    """The revisions that the version rows stand for."""
    numbers: tuple[Numbers, ...] = ()
    """After a duplicate key: the sequences of its table, and all others that are behind their rows.
    """
    wanted: tuple[Wanted, ...] = ()
    """If something already exists: what this revision and later ones create."""
    parts: tuple[Part, ...] = ()
    """The parts of `objects` that have names of their own."""
    taken: frozenset[str] = frozenset()
    """Names that are already taken."""


class Diagnosis(msgspec.Struct, frozen=True):
    """What to add to what was seen, and the next step."""

    next: str
    seen: tuple[str, ...] = ()
    code: ErrorCode = "revision-failed"


AGAIN = "start again"
REPORT = "If the application isn't yours, report this message to its maintainer"


def lines(cause: Cause) -> list[str]:
    """Return PostgreSQL's message and the statement's first lines, for people."""
    found = [f"{cause.message} (SQLSTATE {cause.sqlstate})"]
    for label, text in (("detail", cause.detail), ("hint", cause.hint), ("context", cause.context)):
        if text:
            found.append(f"{label}: {' '.join(text.split())}")
    return found + statement_lines(cause.statement)


def statement_lines(statement: str) -> list[str]:
    """Return the first lines of a statement."""
    written = [line.rstrip() for line in statement.strip().splitlines() if line.strip()]
    if not written:
        return []
    first, *others = (_cut(line) for line in written[:_STATEMENT_LINES])
    left = len(written) - _STATEMENT_LINES
    indents = [len(line) - len(line.lstrip()) for line in others if line.lstrip()[0] not in ")]"]
    indent = min(indents, default=0)
    shown = [f"    {line[min(indent, len(line) - len(line.lstrip())) :]}" for line in others]
    more = [f"    … {left} more lines" if left > 1 else "    … 1 more line"] if left > 0 else []
    return [f"statement: {first}", *shown, *more]


def _cut(line: str) -> str:
    return line if len(line) <= _WIDTH else f"{line[:_WIDTH]} …"
