"""The mark on a database that surefoot has made or set aside: its comment."""

from typing import Literal

import msgspec

_PREFIX = "surefoot "


class Mark(msgspec.Struct, frozen=True):
    """Whose it is, and in what state.

    `restoring`: half-made; `restored`: all there, and not yet in its place; `kept`: what was there
    before. `database` is the name that the restore is for, `backup` the dump's hash, `file` its
    name. Of a kept one: `comment` is the one it had, `successor` the oid of what took its place,
    and `untold` says that the swap was made and nobody has been told yet.
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
    """The comment."""
    return _PREFIX + msgspec.json.encode(mark).decode()


def read(comment: str | None) -> Mark | None:
    """The mark in a comment; None: it's somebody else's comment, or none."""
    if comment is None or not comment.startswith(_PREFIX):
        return None
    try:
        return msgspec.json.decode(comment.removeprefix(_PREFIX), type=Mark)
    except msgspec.DecodeError:
        return None


def own(comment: str | None) -> str | None:
    """What people wrote: the comment, or the one that a mark has in its stead.

    A database that was put back into its place by hand may still have its mark.
    """
    while (mark := read(comment)) is not None:
        comment = mark.comment
    return comment
