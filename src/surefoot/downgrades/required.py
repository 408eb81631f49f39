"""Check that every revision can be undone, for the application's own CI. Pure."""

from collections.abc import Iterable, Iterator

from surefoot.catalogue.catalogue import Catalogue
from surefoot.catalogue.check import change_lines
from surefoot.downgrades.recipe import DowngradeRecipe, reversal
from surefoot.errors import Finding

_SHOWN = 6  # lines of what is left behind

# Ran on the scratch server, to exactly the structure below.
ENOUGH = ("proved", "loses-data", "needs-code")


def asked(old: Catalogue, new: Catalogue, word: str, behind: frozenset[str]) -> list[str]:
    """Return the revisions that must have a downgrade: `all`, the `new` ones, or those not `behind`
    one.

    `old` is the committed catalogue, `behind` what is applied at the revision that `word` names.
    """
    known: Iterable[str] = ()
    if word == "new":
        known = old.history.revisions
    elif word != "all":
        known = behind
    return [id for id in new.history.revisions if id not in known]


def without_a_way_back(
    catalogue: Catalogue, revisions: Iterable[str], told: frozenset[str] = frozenset()
) -> Iterator[Finding]:
    """Return a finding for each of these revisions that can't be undone, except those `told`."""
    for id in revisions:
        back = reversal(catalogue, id)
        held = all(id not in way.changes for way in catalogue.ways)  # through the init scripts
        if back.verdict in ENOUGH or id in told or held:
            continue
        yield Finding(
            "revision-irreversible",
            f"Revision {id} ({back.message}) has no working downgrade.",
            tuple(_seen(back)),
            "No database was read.",
            "correct its downgrade(); or begin later: --require-downgrade=REV requires one only "
            "after REV",
        )


def _seen(back: DowngradeRecipe) -> Iterator[str]:
    yield f"its downgrade: {back.verdict}{f' ({back.why})' if back.why else ''}"
    if back.again:
        yield f"after it, its upgrade no longer makes the same changes: {back.again}"
    lines = [line for change in back.left for line in change_lines(change)]
    yield from (f"left behind: {line}" for line in lines[:_SHOWN])
    if len(lines) > _SHOWN:
        yield f"and {len(lines) - _SHOWN} more"
