"""Decide which backups are removed when there is a new one."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from surefoot.backups.sidecar import Sidecar


class Retention(msgspec.Struct, frozen=True):
    """How many backups of a database are kept, and for how many days (None: forever)."""

    keep: int
    days: int | None


def outlived(
    backups: Sequence[tuple[str, Sidecar]], retention: Retention, now: datetime | None, taken: str
) -> tuple[str, ...]:
    """Return the names of those to remove; all arguments are complete backups of one database.

    `taken` was taken just now. It stays, and is the newest one, whatever any clock says. Without
    `now`, because no clock can be trusted, none is removed for its age. The backups from before a
    failed upgrade also stay until an upgrade has succeeded: the first and the last backup from each
    revision. Those in between come from a container that tries again and again; they are removed
    first, and don't displace older ones.
    """
    newest_first = sorted(backups, key=lambda one: (one[0] == taken, one[1].age_key), reverse=True)
    failed: dict[tuple[str | None, ...], list[str]] = {}
    for name, sidecar in newest_first:
        if sidecar.upgrade == "succeeded":
            break
        if sidecar.upgrade in ("begun", "failed"):
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
        if (
            kept > 1
            and name not in protected
            and (kept > retention.keep or _old(sidecar, retention, now))
        ):
            gone.append(name)
    return tuple(gone)


def _old(sidecar: Sidecar, retention: Retention, now: datetime | None) -> bool:
    if retention.days is None or now is None:
        return False
    return now - sidecar.taken_at > timedelta(days=retention.days)
