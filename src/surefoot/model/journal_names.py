"""The ids of revisions as text in the journal, in a row's `name` and `parents`."""

from collections.abc import Iterable

# These rows name a list; a row of any other completed step names one revision, as it is.
_OF_SEVERAL = frozenset(("adopt", "reached", "unchecked", "unreached"))


def ids_text(ids: Iterable[str]) -> str:
    """Return a list of ids as text: separated by spaces; if an id has one itself, each on a line.

    The line's end at the end distinguishes one such id from a list.
    """
    listed = tuple(ids)
    if all(id.split() == [id] for id in listed):
        return " ".join(listed)
    return "".join(f"{id}\n" for id in listed)


def ids_of(text: str) -> tuple[str, ...]:
    """Return the ids of such a text, as journaled.sql does."""
    return tuple(text.removesuffix("\n").split("\n") if "\n" in text else text.split())


def named_in(step: str, name: str) -> tuple[str, ...]:
    """Return the ids that a row of a completed step names."""
    return ids_of(name) if step in _OF_SEVERAL else (name,)
