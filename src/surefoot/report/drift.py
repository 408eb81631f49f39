"""Report how a structure differs from its revision's, table by table."""

from typing import Any

from surefoot.catalogue.differences import (
    difference_json,
    difference_lines,
    revision_text,
    table_of,
)
from surefoot.catalogue.match import Difference, Identification, Match
from surefoot.decision.facts import Facts
from surefoot.decision.ownership import histories_among
from surefoot.errors.wording import count
from surefoot.model.target import Target
from surefoot.report.terminal import Terminal, labelled, wrapped
from surefoot.report.text import database_text
from surefoot.schema.fact import SchemaFact, table
from surefoot.schema.kinds import Kind

_COLOURS = {"missing": "red", "changed": "yellow", "unexpected": "yellow"}


def _place(kind: Kind, name: str, definition: str) -> str:
    """Return the table that an object belongs to; others are grouped by kind."""
    return table(SchemaFact(kind, name, definition)) or f"{kind}s"


def _place_of(difference: Difference) -> str:
    return table_of(difference) or f"{difference.kind}s"


def drift_lines(terminal: Terminal, target: Target, facts: Facts, held: Match) -> list[str]:
    """Return the lines of `surefoot drift`."""
    standing = facts.standing
    assert standing is not None
    histories = histories_among(standing.own)
    own = "not the application's" if histories else "of your own"
    what = "at" if standing.recorded is not None else "nearest to"
    lines = [
        *labelled(terminal, "database", database_text(target, facts)),
        *labelled(terminal, "revision", f"{what} {revision_text(held)}"),
        *labelled(
            terminal,
            "structure",
            f"{count(held.matching, 'fact')} as they should be, "
            f"{count(len(held.differences), 'difference')}, "
            f"{count(len(standing.own_objects), 'object')} {own}",
        ),
    ]
    if held.doubtful:
        lines += labelled(
            terminal,
            "unsure",
            f"{', '.join(held.doubtful[:6])}: printed otherwise by this server, which may mean the "
            "same",
        )
    groups: dict[str, list[Difference]] = {}
    for difference in held.differences:
        groups.setdefault(_place_of(difference), []).append(difference)
    for place, differences in sorted(groups.items()):
        lines += ["", terminal.paint(place, "bold")]
        for text in difference_lines(tuple(differences)):
            what = text.partition(":")[0]
            first, *rest = wrapped(
                text,
                terminal.width,
                initial_indent="  ",
                subsequent_indent="      ",
                break_on_hyphens=False,
                break_long_words=False,
            )
            lines += [first.replace(what, terminal.paint(what, _COLOURS[what]), 1), *rest]
    if standing.accepted:
        lines += ["", terminal.paint("accepted", "bold")]
        lines += [f"  {accepted.kind} {accepted.name}" for accepted in standing.accepted]
    if standing.own:
        lines += ["", terminal.paint(own.removeprefix("of "), "bold")]
        lines += [f"  {text}" for text in standing.own_objects]
    if histories:
        lines += [
            "",
            *labelled(
                terminal, "others", f"another application keeps its history here: {histories}"
            ),
        ]
    return lines


def drift_json(held: Match, standing: Identification) -> dict[str, Any]:
    """Return the differences and the user's own facts as JSON, by table."""
    tables: dict[str, dict[str, list[Any]]] = {}
    for difference in held.differences:
        group = tables.setdefault(_place_of(difference), {"differences": [], "own": []})
        group["differences"].append(difference_json(difference))
    for fact in standing.own:
        place = _place(fact.kind, fact.name, fact.definition)
        group = tables.setdefault(place, {"differences": [], "own": []})
        group["own"].append({"kind": fact.kind, "name": fact.name, "definition": fact.definition})
    return {
        "revisions": list(held.rows),
        "matching": held.matching,
        "accepted": [difference_json(d) for d in standing.accepted],
        "tables": {name: tables[name] for name in sorted(tables)},
    }
