"""Wording that the messages of all rooms share."""

from collections.abc import Sequence


def count(number: int, noun: str) -> str:
    """Return "1 revision", "3 revisions"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


MOST = 50  # names in one list


def listed(names: Sequence[str]) -> str:
    """Return "a, b, c", and for a very long list its beginning and how many more there are."""
    more = f" and {len(names) - MOST:,} more" if len(names) > MOST else ""
    return ", ".join(names[:MOST]) + more
