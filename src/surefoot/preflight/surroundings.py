"""What is asked of the server besides the structure, and its answers: values."""

import msgspec


class Dependent(msgspec.Struct, frozen=True):
    """An object that depends on one that the path ends: by number in the list of ends.

    `kind` and `name` are a fact's. `detail` is "generated" or "default" where what depends is a
    column's expression. `definition` makes it again, `relation` is what a view or a table is
    called by in SQL. `depth`: the number of views that it is built on, one on top of the other.
    """

    end: int
    kind: str
    name: str
    detail: str = ""
    definition: str = ""
    depth: int = 0


class Need(msgspec.Struct, frozen=True):
    """A privilege that the path needs.

    `right` is `owner`, `drop` (the schema's owner may, too), `create` (in the schema),
    `references`, `record` (in the version table; `kind` is the privilege then), `schema` (to make
    one) or `extension`; the object by its kind, schema and name (a routine's with the types of its
    arguments). `why` is the revision.
    """

    right: str
    kind: str
    schema: str
    name: str
    why: str


class Lacking(msgspec.Struct, frozen=True):
    """A need, by number, that the role doesn't satisfy; `owner` is the object's."""

    need: int
    owner: str = ""


class Locks(msgspec.Struct, frozen=True):
    """The server's room for locks: the setting, and how many that makes."""

    setting: int
    room: int


class InvalidIndex(msgspec.Struct, frozen=True):
    """An index that can't be used, by its fact's name. `partitioned`: its table is."""

    name: str
    partitioned: bool = False


class Surroundings(msgspec.Struct, frozen=True):
    """The server's answers.

    `role` is the one that env.py's connection uses. `unavailable` are extensions that the server
    doesn't have. `version_length` is how long a revision's id may be, None for any. `invalid` are
    the indexes that can't be used.
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
