"""Commands that a next step shows in full, one for each possible revision."""

import shlex
from collections.abc import Sequence

from surefoot.catalogue.match import Match

_SHOWN = 6


def naming(verb: str, stands: Sequence[Match], *options: str) -> tuple[str, ...]:
    """Return `surefoot VERB REVISION OPTIONS` for each; if there are many, once with REVISION."""
    if not 0 < len(stands) <= _SHOWN:
        return (" ".join(("surefoot", verb, "REVISION", *options)),)
    return tuple(
        shlex.join(("surefoot", verb, *(stand.rows or ("base",)), *options)) for stand in stands
    )


def one_of(text: str, commands: Sequence[str]) -> str:
    """Return the text before these commands: of several, only one is to be run."""
    return text if len(commands) == 1 else f"{text}, by one of"
