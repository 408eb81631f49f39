"""Words that messages of every room share."""


def count(number: int, noun: str) -> str:
    """ "1 revision", "3 revisions"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
