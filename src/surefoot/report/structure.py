"""Say in words what the catalogue shows about a structure."""

from surefoot.catalogue.differences import probe_lines, revision_text
from surefoot.decision.facts import Facts
from surefoot.decision.ownership import histories_among
from surefoot.decision.refusals import renamed_version_table
from surefoot.decision.refusals.interrupted import interruption_lines
from surefoot.decision.version_rows import faults
from surefoot.errors.wording import count
from surefoot.schema.fact import table


def structure_texts(facts: Facts) -> list[str]:
    """Return the evidence from the catalogue, and the user's own objects."""
    catalogue, standing = facts.catalogue, facts.standing
    if catalogue is None:
        return []
    if standing is None:
        refused = facts.database.mark in ("unreached", "begun")
        if refused or not facts.database.rows or facts.code.history.unknown(facts.database.rows):
            return []  # it is refused, and the refusal says why
        if catalogue.condition == "missing":
            return [f"the version row is believed: there is no catalogue ({catalogue.file})"]
        why = f" ({catalogue.why[0]})" if catalogue.why else ""
        return [
            f"the version row is believed: the catalogue {catalogue.file} is "
            f"{catalogue.condition}{why}"
        ]
    held = standing.chosen or standing.recorded
    if held is None:
        rows = facts.database.rows
        told = standing.exact or standing.remade  # the refusal says why
        if not rows or told or facts.code.history.unknown(rows) or faults(facts.database):
            return []
        return ["the version row is believed: the catalogue begins with the init scripts"]
    revision = revision_text(held)
    verb = "matches" if held.matching == 1 else "match"
    texts = [f"{count(held.matching, 'fact')} {verb} revision {revision}"]
    if held.differences:
        number = len(held.differences)
        verb = "differs" if number == 1 else "differ"
        if facts.interruption is None:
            texts[0] += f", {number:,} {verb}: surefoot drift shows every difference"
    if held.doubtful:
        texts.append(f"{count(len(held.doubtful), 'name')} can't be compared across versions")
    if held is standing.chosen and standing.by != "structure":
        others = [revision_text(s) for s in standing.exact if s is not held]
        more = f" and {len(others) - 6} more" if len(others) > 6 else ""
        decided = "the evidence probes" if standing.by == "evidence" else f'"{standing.by}"'
        texts.append(f"they also match {', '.join(others[:6])}{more}; {decided} decided")
        texts += probe_lines(standing.probes)
    if facts.interruption is not None:
        texts += interruption_lines(facts.interruption)
    own = standing.own_objects
    if own:
        shown = ", ".join(own[:5]) + (f" and {len(own) - 5} more" if len(own) > 5 else "")
        renamed = facts.database.name_taken
        aside = renamed.of if renamed is not None and renamed_version_table(facts) else None
        others = (one for one in standing.own if aside is None or table(one) != aside)
        histories = histories_among(others)
        whose = "not the application's" if histories else "your own"
        texts.append(
            f"{count(len(own), 'object')} {'is' if len(own) == 1 else 'are'} {whose}: {shown}"
        )
        if histories:
            texts.append(f"another application keeps its history here: {histories}")
    return texts
