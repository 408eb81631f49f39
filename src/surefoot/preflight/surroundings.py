"""What the server is asked apart from the structure, and its answers, as values."""

from typing import Literal, cast, get_args

import msgspec

from surefoot.catalogue.match import Unseen
from surefoot.schema.fact import Key
from surefoot.schema.kinds import Kind

Unknown = Literal[
    "cast",
    "operator",
    "publication",
    "partition",
    "part of a range",
    "type",
    "collation",
    "conversion",
    "operator class",
    "operator family",
    "text search configuration",
    "text search dictionary",
    "text search parser",
    "text search template",
]
UNKNOWN_TO_FACTS: frozenset[str] = frozenset(get_args(Unknown))
"""Kinds of dependents that no facts describe: nobody can tell from facts who made them."""


class Dependent(msgspec.Struct, frozen=True):
    """An object that depends on one that the path ends, by its number in the list of ends.

    `kind` and `name` are a fact's, or the kind is one of `UNKNOWN_TO_FACTS` and the name is SQL.
    `detail`: "generated" or "default" if a column's expression depends on it, "type" if the column
    is of the type; "view" for a view; a cast's or an operator's function, a publication's table; in
    a schema that is dropped, what ALTER calls its kind. `definition` creates it again; of a
    partition, it is the name of the whole table; of a range's part, the range. `depth`: how many
    objects lie between the two.
    """

    end: int
    kind: Kind | Unknown
    name: str
    detail: str = ""
    definition: str = ""
    depth: int = 0

    @property
    def key(self) -> Key | None:
        """The fact's kind and name; None if no facts describe it."""
        return None if self.kind in UNKNOWN_TO_FACTS else (cast(Kind, self.kind), self.name)


class Need(msgspec.Struct, frozen=True):
    """A privilege that the path needs.

    `right` is `owner`, `children` (owner of its partitions and of the tables that inherit from it,
    which ALTER TABLE alters, too), `drop` (the schema's owner may, too), `create` (in the schema),
    `references`, `record` (in the version table; `kind` is the privilege then), `schema` (to create
    one) or `extension`; the object by its kind, schema and name (a routine's with the types of its
    arguments). `why` is the revision.
    """

    right: str
    kind: str
    schema: str
    name: str
    why: str


class Lacking(msgspec.Struct, frozen=True):
    """A need, by number, that the role doesn't satisfy; `owner` is the object's.

    `kind`, `schema` and `name` are those of a child.
    """

    need: int
    owner: str = ""
    kind: str = ""
    schema: str = ""
    name: str = ""


class Locks(msgspec.Struct, frozen=True):
    """The server's room for locks: the setting, and the resulting number."""

    setting: int
    room: int


class InvalidIndex(msgspec.Struct, frozen=True):
    """An invalid index, by its fact's name. `partitioned`: its table is."""

    name: str
    partitioned: bool = False


class OwnConstraint(msgspec.Struct, frozen=True):
    """A foreign key, CHECK or NOT NULL constraint of an existing table that a revision creates.

    `of` is the table's fact's name; the constraint itself may be that of a partition. `column` is
    the only column that it is about, "" if there are several.
    """

    of: str
    schema: str
    table: str
    name: str
    column: str = ""
    not_null: bool = False


class Taken(msgspec.Struct, frozen=True):
    """An object of which no fact tells, and that has the name of one that the path creates (`key`).

    `statements` give it another name. `created`: the revision's source shows that it creates it,
    with or without IF NOT EXISTS.
    """

    key: Key
    unseen: Unseen
    statements: tuple[str, ...]
    created: bool = False


class Surroundings(msgspec.Struct, frozen=True):
    """The server's answers.

    `role` is the one that env.py's connection uses. `unavailable` are extensions that the server
    doesn't have. `version_length` is the longest id that fits, None for any. `invalid` are the
    invalid indexes. `constraints` are those of existing tables that the path creates.
    """

    role: str
    database: str
    version_table: str
    version_length: int | None = None
    locks: Locks | None = None
    unavailable: tuple[str, ...] = ()
    lacking: tuple[Lacking, ...] = ()
    dependents: tuple[Dependent, ...] = ()
    invalid: tuple[InvalidIndex, ...] = ()
    constraints: tuple[OwnConstraint, ...] = ()
    taken: tuple[Taken, ...] = ()
