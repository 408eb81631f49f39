"""The names of backups, and of the databases involved in a restore."""

import hashlib
import re
from collections.abc import Iterable
from datetime import datetime

DUMP, SIDECAR = ".dump", ".json"
# The name of an unfinished backup; only names of this form are ever cleaned up.
_PARTIAL = ".surefoot-partial-"
_LONGEST = 63  # bytes of a database's name


def backup_name(database: str, rows: Iterable[str | None], taken_at: datetime) -> str:
    """Return database, revision and time, without an ending: shop_b47e0a9d13c8_20261127T190039Z.

    A database whose name can't be used as it is gets a hash, so that no two share a name.
    """
    revision = "+".join(row for row in rows if row) or "no-revision"
    moment = f"{taken_at:%Y%m%dT%H%M%SZ}"
    return f"{_database(database)}_{_plain(revision, 80) or '-'}_{moment}"


def _database(name: str) -> str:
    plain = _plain(name, 63)
    if plain == name:
        return name
    digest = hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()[:8]
    return f"{plain.strip('.-') or 'database'}-{digest}"


def _plain(text: str, longest: int) -> str:
    """Remove everything that a shell, a file system or a program could misread."""
    return re.sub(r"[^\w.+-]", "-", text, flags=re.ASCII)[:longest].lstrip(".-")


def partial_name(name: str, writer: str) -> str:
    """The temporary name of a backup while it is being written. `writer` holds no "-"."""
    return f"{_PARTIAL}{name}-{writer}"


def name_of_partial(file: str) -> str:
    """Return the name that the finished backup would have had."""
    return file.removeprefix(_PARTIAL).rpartition("-")[0]


def is_partial(file: str) -> bool:
    """Whether surefoot gave this name to an unfinished backup."""
    return file.startswith(_PARTIAL)


def restoring_name(database: str, backup_id: str) -> str:
    """Return the name of the database into which a backup is restored: the same each time."""
    return _with_ending(database, f"_restore_{backup_id[:10]}")


def kept_name(database: str, moment: datetime, taken: Iterable[str]) -> str:
    """Return the name for the database from before a restore. `taken` are names in use."""
    used, ending = set(taken), f"_before_restore_{moment:%Y%m%d_%H%M%S}"
    name, number = _with_ending(database, ending), 2
    while name in used:
        name, number = _with_ending(database, f"{ending}_{number}"), number + 1
    return name


def _with_ending(database: str, ending: str) -> str:
    """Shorten the name rather than the ending: PostgreSQL would cut the ending off."""
    room = _LONGEST - len(ending)
    return database.encode()[:room].decode(errors="ignore") + ending
