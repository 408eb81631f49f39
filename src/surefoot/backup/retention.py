"""Which backups go when a new one is there."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from surefoot.backup.sidecar import Sidecar


class Retention(msgspec.Struct, frozen=True):
    """How many of a database stay, and for how many days (None: however old)."""

    keep: int
    days: int | None


def outlived(
    backups: Sequence[tuple[str, Sidecar]], retention: Retention, now: datetime
) -> tuple[str, ...]:
    """The names of those that go; each is of a whole backup of one and the same database.

    The newest one stays, whatever its age. So does what an upgrade that failed was begun from,
    until one has succeeded: the first and the last backup from each revision. Those in between are
    of a container that tries again and again; they go first, and don't push out older ones.
    """
    newest_first = sorted(backups, key=lambda one: one[1].taken_at, reverse=True)
    succeeded = max(
        (s.taken_at for _, s in newest_first if s.upgrade == "succeeded"),
        default=datetime.min.replace(tzinfo=now.tzinfo),
    )
    failed: dict[tuple[str | None, ...], list[str]] = {}
    for name, sidecar in newest_first:
        if sidecar.upgrade in ("begun", "failed") and sidecar.taken_at > succeeded:
            failed.setdefault(sidecar.contents.version_rows, []).append(name)
    between = {name for names in failed.values() for name in names[1:-1]}
    protected = {name for names in failed.values() for name in (names[0], names[-1])}
    gone: list[str] = []
    kept = 0
    for name, sidecar in newest_first:
        if name in between:
            gone.append(name)
            continue
        kept += 1
        old = retention.days is not None and now - sidecar.taken_at > timedelta(days=retention.days)
        if kept > 1 and name not in protected and (kept > retention.keep or old):
            gone.append(name)
    return tuple(gone)
