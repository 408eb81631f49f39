"""Estimate the size of a backup, and whether there is room for it."""

from collections.abc import Iterable

from surefoot.backups.sidecar import Sidecar, Sizes

_LEAST = 1_000_000  # bytes: the catalogue of a small database
# Without an earlier backup to compare with: hardly any data is compressed to less than a tenth.
_AT_LEAST = 0.1
_MARGIN = 1.1


def estimate(sizes: Sizes, earlier: Iterable[Sidecar]) -> int | None:
    """Estimate the bytes from the newest earlier backup of this database; None without one."""
    measured = [one for one in earlier if one.sizes.tables]
    if not measured:
        return None
    newest = max(measured, key=lambda one: one.age_key)
    return max(round(sizes.tables * newest.bytes / newest.sizes.tables), newest.bytes // 10)


def needed(sizes: Sizes, estimated: int | None) -> int:
    """Return the minimum of free bytes: with less, the backup would probably fail, so it isn't
    begun.
    """
    if estimated is None:
        return max(_LEAST, round(sizes.tables * _AT_LEAST))
    return max(_LEAST, round(estimated * _MARGIN))


def size_text(number: int) -> str:
    """Format bytes for people: 812 kB, 4.1 GB."""
    size, unit = number / 1000, "kB"
    for larger in ("MB", "GB", "TB"):
        if size < 1000:
            break
        size, unit = size / 1000, larger
    return f"{size:.1f} {unit}" if size < 10 else f"{size:.0f} {unit}"
