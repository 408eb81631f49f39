"""The values: what PostgreSQL said, what is known around it, and what is made of both."""

import msgspec

from surefoot.catalogue.catalogue import Catalogue
from surefoot.revision_source.source import Creation
from surefoot.schema.fact import SchemaFact

_STATEMENT_LINES, _WIDTH = 6, 160


class Cause(msgspec.Struct, frozen=True):
    """PostgreSQL's own answer, with the statement that it was given to.

    `schema`, `table`, `column` and `constraint` are filled where the server names them apart from
    its text, which is so for rows that violate something.
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
    """Something in the database that has a name from the cause.

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
    """What has a name of its own and is a part of an object: by the object's number.

    A kind of `not null` is a column's: it must have a value.
    """

    number: int
    kind: str
    schema: str
    name: str
    table: str = ""
    arguments: str = ""


class Wanted(msgspec.Struct, frozen=True):
    """What a pending revision makes, and that must not be there before."""

    revision: str
    makes: Creation


class Holder(msgspec.Struct, frozen=True):
    """Another session, or a prepared transaction, with locks that the statement needs.

    What the role may not see of it is empty; `seconds` is how long its transaction has lasted. A
    prepared transaction has a `gid` and no pid. `subscription` is that of a replication worker.
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
    """A column that draws its numbers from a sequence; `reached` is the furthest number in it.

    `asked`: it is the failure's own table, or one that it is a part of.
    """

    schema: str
    table: str
    column: str
    reached: int | None = None
    asked: bool = False


class Numbers(msgspec.Struct, frozen=True):
    """A sequence as it stands, with the columns that draw from it."""

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
    """What is known around a failed revision, once everything is rolled back."""

    revision: str
    """Its id."""
    role: str = ""
    """The role of its connection."""
    database: str = ""
    """The database that it ran in."""
    timeout: str = ""
    """Who limits the time of the step's statements: "configuration" (surefoot.toml), "address",
    "role" (or the database, or the server); "" where only the revision or env.py can have done
    so.
    """
    schema: str = "public"
    """Where names without a schema lead."""
    version_table: str = "alembic_version"
    """Alembic's table, without its schema."""
    objects: tuple[Object, ...] = ()
    """What is there now and has a name from the cause."""
    holders: tuple[Holder, ...] = ()
    """Who holds locks that the statement needs."""
    catalogue: Catalogue | None = None
    """None where there is none to go by."""
    own: tuple[SchemaFact, ...] = ()
    """The user's own objects; unknown without a catalogue."""
    applied: frozenset[str] = frozenset()
    """The revisions that the version rows stand for."""
    numbers: tuple[Numbers, ...] = ()
    """After a duplicate key: the sequences of its table, and all others that are behind their rows.
    """
    wanted: tuple[Wanted, ...] = ()
    """Where something is there already: what this revision and those after it make."""
    parts: tuple[Part, ...] = ()
    """The parts of `objects` that have names of their own."""
    taken: frozenset[str] = frozenset()
    """Names that nothing else may be given."""


class Diagnosis(msgspec.Struct, frozen=True):
    """What to add to what was seen, and the next step."""

    next: str
    seen: tuple[str, ...] = ()
    code: str = "revision-failed"


AGAIN = "start again"
REPORT = "If the application isn't yours, report this message to its maintainer"


def lines(cause: Cause) -> list[str]:
    """PostgreSQL's words and the statement's first lines, for people."""
    found = [f"{cause.message} (SQLSTATE {cause.sqlstate})"]
    for label, text in (("detail", cause.detail), ("hint", cause.hint), ("context", cause.context)):
        if text:
            found.append(f"{label}: {' '.join(text.split())}")
    return found + statement_lines(cause.statement)


def statement_lines(statement: str) -> list[str]:
    """The beginning of a statement, a line each."""
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
