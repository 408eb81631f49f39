"""Commands that a next step shows whole: one for each revision that may be meant."""

from collections.abc import Sequence

from surefoot.catalogue.match import Match

_SHOWN = 6


def naming(verb: str, stands: Sequence[Match], *options: str) -> tuple[str, ...]:
    """`surefoot VERB REVISION OPTIONS`, once for each of these; of too many, once with the word
    REVISION in the place of theirs.
    """
    if not 0 < len(stands) <= _SHOWN:
        return (" ".join(("surefoot", verb, "REVISION", *options)),)
    return tuple(
        " ".join(("surefoot", verb, *(stand.rows or ("base",)), *options)) for stand in stands
    )


def one_of(text: str, commands: Sequence[str]) -> str:
    """The text before these commands: of several, only one is to be run."""
    return text if len(commands) == 1 else f"{text}, by one of"
