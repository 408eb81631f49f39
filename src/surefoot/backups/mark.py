"""The mark on a database that surefoot has made or set aside: its comment."""

from typing import Literal

import msgspec

_PREFIX = "surefoot "


class Mark(msgspec.Struct, frozen=True):
    """Which restore a database belongs to, and its state.

    `restoring`: incomplete; `restored`: complete, but not swapped in yet; `kept`: the database from
    before the restore. `database` is the name that the restore is for, `backup` the dump's hash,
    `file` its name. For a kept one: `comment` is its former comment, `successor` the oid of the
    database that replaced it, and `untold` says that the swap happened and was not reported yet.
    """

    state: Literal["restoring", "restored", "kept"]
    database: str
    backup: str
    file: str
    comment: str | None = None
    successor: int | None = None
    untold: bool = False


class SetAsideDatabase(msgspec.Struct, frozen=True):
    """A database with a mark."""

    name: str
    oid: int
    bytes: int | None
    mark: Mark


def written(mark: Mark) -> str:
    """Return the comment for a mark."""
    return _PREFIX + msgspec.json.encode(mark).decode()


def read(comment: str | None) -> Mark | None:
    """Parse a comment; None: it is another comment, or there is none."""
    if comment is None or not comment.startswith(_PREFIX):
        return None
    try:
        return msgspec.json.decode(comment.removeprefix(_PREFIX), type=Mark)
    except msgspec.DecodeError:
        return None


def own(comment: str | None) -> str | None:
    """Return the comment that people wrote, also from inside a mark.

    A database that was put back into its place by hand may still have its mark.
    """
    while (mark := read(comment)) is not None:
        comment = mark.comment
    return comment
