"""A catalogue that can't be used: a warning at each start, or a refusal if it is required."""

from surefoot.decision.facts import Facts
from surefoot.decision.refusals.structure import make_catalogue
from surefoot.errors import Finding

_SHOWN = 8
_IN_A_LINE = 3


def catalogue_remarks(facts: Facts) -> tuple[str, ...]:
    """Warn that the structure isn't verified although there is a catalogue."""
    catalogue = facts.catalogue
    if catalogue is None or catalogue.condition in ("usable", "missing"):
        return ()
    why = "; ".join(catalogue.why[:_IN_A_LINE])
    if len(catalogue.why) > _IN_A_LINE:
        why += f" and {len(catalogue.why) - _IN_A_LINE} more"
    make = "it again where the application is developed"
    if catalogue.condition == "unusable":
        make = "one where the application is developed, with the settings that lead to this schema"
    return (
        f"the catalogue {catalogue.file} is {catalogue.condition}, so the structure isn't "
        f"verified: {why}; make {make}: surefoot catalog build",
    )


def catalogue_required(facts: Facts) -> Finding | None:
    """Refuse if the configuration requires a catalogue and none can be used."""
    catalogue = facts.catalogue
    if not facts.code.requires_catalogue or catalogue is None or catalogue.condition == "usable":
        return None
    what = "There is no catalogue" if catalogue.condition == "missing" else "The catalogue"
    is_so = "" if catalogue.condition == "missing" else f" is {catalogue.condition}"
    return Finding(
        "catalogue-required",
        f"{what} {catalogue.file}{is_so}, and the configuration requires one.",
        catalogue.why[:_SHOWN],
        next=make_catalogue(catalogue),
    )
