"""The sidecar: a small file next to a backup that describes its contents."""

from datetime import datetime
from typing import Literal

import msgspec

from surefoot.errors import SurefootError

SCHEMA_VERSION = 1

# The state of the upgrade that a backup was taken before. A killed one stays "begun".
Upgrade = Literal["begun", "succeeded", "failed"]


class TableRows(msgspec.Struct, frozen=True):
    """The number of rows of a table; None: there is no such table."""

    schema: str
    table: str
    rows: int | None

    def __str__(self) -> str:
        return f"{self.schema}.{self.table}"


class Contents(msgspec.Struct, frozen=True):
    """The contents of one snapshot of a database, as far as a restore is compared with it.

    `structure` has a short hash of the facts of each table, and of other objects by kind, so that a
    difference can be named; `facts_sha256` is one of all of them. `tables` are the largest ones,
    with their exact number of rows.
    """

    version_rows: tuple[str | None, ...]
    facts: int
    facts_sha256: str
    structure: dict[str, str]
    tables: tuple[TableRows, ...]


class Sizes(msgspec.Struct, frozen=True):
    """Sizes in bytes: tables without their indexes, and the whole database."""

    tables: int
    database: int


class Sidecar(msgspec.Struct, frozen=True):
    """The description of a backup. `taken_at` is the time of the snapshot, in UTC.

    `reason` is what it was taken for, `upgrade` how that has ended. `roles` own something in the
    dump or have grants in it; it creates `extensions`. `bytes` and `sha256` are the dump's.
    `server` is the server's system identifier, None if unknown. `sequence` counts the backups of a
    directory, because clocks get corrected. Older sidecars have none (0).
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
        """The sort key for the backups of one directory: smaller is older."""
        return self.sequence, self.taken_at

    @property
    def revision(self) -> str:
        """The revisions of the database, in a word or two."""
        rows = [row for row in self.contents.version_rows if row]
        return ", ".join(rows) or "no revision"


def encode(sidecar: Sidecar) -> bytes:
    """Return the file's text: JSON that people can read, too."""
    return msgspec.json.format(msgspec.json.encode(sidecar), indent=2) + b"\n"


def decode(text: bytes, name: str) -> Sidecar:
    """Parse a sidecar. Raises SurefootError `backup-unverified` if it isn't one."""
    try:
        sidecar = msgspec.json.decode(text, type=Sidecar)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _unreadable(name, str(error)) from error
    if sidecar.schema_version != SCHEMA_VERSION:
        raise _unreadable(name, f"its version is {sidecar.schema_version}, not 1")
    return sidecar


def _unreadable(name: str, why: str) -> SurefootError:
    return SurefootError(
        "backup-unverified",
        f"The sidecar {name} can't be read.",
        seen=[why],
        next="restore the sidecar that was written with the backup, or use another backup; "
        "surefoot restore --without-sidecar restores without verifying",
    )
