"""Wording that the messages of all rooms share."""


def count(number: int, noun: str) -> str:
    """Return "1 revision", "3 revisions"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
