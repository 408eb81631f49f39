"""The sidecar: what a backup holds, in a small file beside it."""

from datetime import datetime
from typing import Literal

import msgspec

from surefoot.errors import SurefootError

SCHEMA_VERSION = 1

# Of the upgrade that a backup was taken before. One that was killed stays "begun".
Upgrade = Literal["begun", "succeeded", "failed"]


class TableRows(msgspec.Struct, frozen=True):
    """How many rows a table has; None: there is no such table."""

    schema: str
    table: str
    rows: int | None

    def __str__(self) -> str:
        return f"{self.schema}.{self.table}"


class Contents(msgspec.Struct, frozen=True):
    """What one snapshot of a database holds, as far as a restore is held to it.

    `structure` has a short hash of the facts of each table, and of those that are no table's by
    their kind, so that what differs can be named; `facts_sha256` is one of them all. `tables` are
    the largest ones, with their exact number of rows.
    """

    version_rows: tuple[str | None, ...]
    facts: int
    facts_sha256: str
    structure: dict[str, str]
    tables: tuple[TableRows, ...]


class Sizes(msgspec.Struct, frozen=True):
    """In bytes: tables without their indexes, and the whole database."""

    tables: int
    database: int


class Sidecar(msgspec.Struct, frozen=True):
    """What is told of a backup. `taken_at` is the moment of the snapshot, in UTC.

    `reason` is what it was taken for, `upgrade` how that has ended. `roles` own something in the
    dump or are granted something, `extensions` are made by it. `bytes` and `sha256` are the dump's.
    `server` is the server's system identifier, None where it isn't known. `sequence` counts the
    backups of a directory: clocks are put right, and it isn't. Older sidecars have none (0).
    """

    database: str
    taken_at: datetime
    reason: Literal["asked", "before-upgrade"]
    contents: Contents
    version_table: str
    version_schema: str | None
    release: str | None
    server_version: int
    pg_dump: str
    surefoot: str
    roles: tuple[str, ...]
    extensions: tuple[str, ...]
    sizes: Sizes
    bytes: int
    sha256: str
    upgrade: Upgrade | None = None
    server: str | None = None
    sequence: int = 0
    schema_version: int = SCHEMA_VERSION

    @property
    def age_key(self) -> tuple[int, datetime]:
        """What backups of one directory are ordered by: the older, the smaller."""
        return self.sequence, self.taken_at

    @property
    def revision(self) -> str:
        """Where the database stood, in a word or two."""
        rows = [row for row in self.contents.version_rows if row]
        return ", ".join(rows) or "no revision"


def encode(sidecar: Sidecar) -> bytes:
    """The file's text: JSON that people can read, too."""
    return msgspec.json.format(msgspec.json.encode(sidecar), indent=2) + b"\n"


def decode(text: bytes, name: str) -> Sidecar:
    """The value. Raises SurefootError `backup-unverified` for what isn't one."""
    try:
        sidecar = msgspec.json.decode(text, type=Sidecar)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _unreadable(name, str(error)) from error
    if sidecar.schema_version != SCHEMA_VERSION:
        raise _unreadable(name, f"it is of version {sidecar.schema_version}, and not 1")
    return sidecar


def _unreadable(name: str, why: str) -> SurefootError:
    return SurefootError(
        "backup-unverified",
        f"The sidecar {name} can't be read.",
        seen=[why],
        next="restore the sidecar that was written with the backup, or use another backup; "
        "surefoot restore --without-sidecar restores without verifying",
    )
