"""Compare an init script with what a fresh `surefoot dump` gives. Pure."""

import shlex
from difflib import unified_diff

from surefoot.errors import Finding
from surefoot.errors.steps import to_type
from surefoot.scripts.header import FIRST, TITLE

_SHOWN = 5  # lines of each side
_WINDOW = 500  # lines that are compared in detail, from the first difference on
_CATALOGUES = ("-- catalogue: ", "-- compatible-with: ")
_HEADER = 20  # lines at the top that may be the header


def outdated(name: str, old: bytes, new: bytes) -> Finding | None:
    """Return the finding that the file's text isn't the new one; None if it is.

    Line ends don't count, nor do the header's parts from a catalogue: that changes with every
    revision, and the script may stand for an older one.
    """
    before, after = _lines(old), _lines(new)
    if _texts(before) == _texts(after):
        return None
    # the header's hash differs with everything else; it is shown only if nothing else differs
    if _texts(_without_hash(before)) != _texts(_without_hash(after)):
        before, after = _without_hash(before), _without_hash(after)
    pairs = zip(before, after, strict=False)
    place = next((i for i, (a, b) in enumerate(pairs) if a[1] != b[1]), None)
    place = min(len(before), len(after)) if place is None else place
    number = before[place][0] if place < len(before) else before[-1][0] + 1
    seen = [f"they differ from line {number} on"]
    if TITLE.encode() not in old[:FIRST]:
        seen.append(f"{name} has no header: surefoot dump didn't write it")
    window = slice(place, place + _WINDOW)
    compared = list(unified_diff(_texts(before[window]), _texts(after[window]), n=0))[2:]
    gone = [line[1:] for line in compared if line.startswith("-")]
    new_ones = [line[1:] for line in compared if line.startswith("+")]
    seen += [f"in the file: {line}" for line in gone[:_SHOWN]]
    seen += [f"fresh: {line}" for line in new_ones[:_SHOWN]]
    return Finding(
        "init-script-outdated",
        f"{name} is out of date: the history makes something else now.",
        tuple(seen),
        "Only a scratch database was touched.",
        to_type(
            "write it again, with the same options",
            f"surefoot dump -o {shlex.quote(name)}",
            then="then commit it",
        ),
    )


def _lines(script: bytes) -> list[tuple[int, str]]:
    """Return the numbered lines, without the header's lines from a catalogue."""
    text = script.decode("utf-8", "replace").removeprefix("\ufeff").replace("\r\n", "\n")
    lines = enumerate(text.rstrip("\n").split("\n"), 1)
    return [(n, line) for n, line in lines if n > _HEADER or not line.startswith(_CATALOGUES)]


def _without_hash(lines: list[tuple[int, str]]) -> list[tuple[int, str]]:
    return [(n, line) for n, line in lines if n > _HEADER or not line.startswith("-- content: ")]


def _texts(lines: list[tuple[int, str]]) -> list[str]:
    return [line for _, line in lines]
