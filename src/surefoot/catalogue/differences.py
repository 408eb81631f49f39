"""Describe differences, revisions and probes, for refusals and for reports."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from surefoot.catalogue.match import Difference, Match, Probe
from surefoot.schema.fact import SchemaFact, relation_kind, table

if TYPE_CHECKING:
    from surefoot.model import answers


def difference_lines(
    differences: tuple[Difference, ...],
    shown: int | None = None,
    width: int | None = None,
    needs: Iterable[tuple[str, str, str]] = (),
) -> list[str]:
    """Describe differences, a line each: the first `shown`, and how many more there are.

    If a whole table is missing or unexpected, only the table is listed. Definitions are cut to
    `width` characters. `needs` says of a kind and name which pending revision needs or makes it.
    """
    by = {(kind, name): who for kind, name, who in needs}

    def needed(difference: Difference) -> str:
        who = by.get((difference.kind, difference.name))
        verb = "made" if difference.what == "unexpected" else "needed"
        return f" ({verb} by {who})" if who else ""

    whole = {(d.what, d.name) for d in differences if d.kind == "relation" and d.what != "changed"}
    lines: list[str] = []
    for difference in sorted(differences, key=lambda d: (d.kind != "relation", d)):
        if difference.kind == "relation" and (difference.what, difference.name) in whole:
            kind = relation_kind(difference.found or difference.expected[0] or "")
            lines.append(
                f"{difference.what}: {kind} {difference.name}, with all that belongs to it"
                + needed(difference)
            )
        elif (difference.what, table_of(difference)) not in whole:
            lines.append(_difference_line(difference, width) + needed(difference))
    if shown is None or len(lines) <= shown:
        return lines
    return [*lines[:shown], f"and {len(lines) - shown} more"]


def table_of(difference: Difference) -> str | None:
    """Return the table that a difference belongs to; None if it belongs to none."""
    known = difference.found or next((d for d in difference.expected if d is not None), "")
    return table(SchemaFact(difference.kind, difference.name, known))


def _difference_line(difference: Difference, width: int | None) -> str:
    def cut(text: str | None) -> str:
        if text is None:
            return "nothing"
        return text if width is None or len(text) <= width else f"{text[:width]}…"

    name = f"{difference.kind} {difference.name}"
    expected = " or ".join(map(cut, difference.expected)) or "otherwise"
    match difference.what:
        case "missing":
            return f"missing: {name} {expected}".rstrip()
        case "unexpected":
            return f"unexpected: {name} {cut(difference.found)}".rstrip()
        case "changed":
            return f"changed: {name} is {cut(difference.found)}; it should be {expected}"


def revision_text(stand: Match) -> str:
    """Name the version rows of a match, for people."""
    return ", ".join(stand.rows) or "base"


def probe_lines(probes: tuple[Probe, ...]) -> list[str]:
    """Describe the answers of the evidence probes."""
    return [f"evidence probe of {p.revision}: {_answer(p)}" for p in probes]


def _answer(probe: Probe) -> str:
    if probe.error:
        return f"no answer ({probe.error})"
    return {True: "it has run", False: "it has not run", None: "it can't say"}[probe.answer]


def difference_json(found: Difference) -> "answers.Difference":
    """Return a name that differs from the revision's, as JSON."""
    from surefoot.model import answers

    return answers.Difference(
        what=found.what,
        kind=found.kind,
        name=found.name,
        expected=found.expected,
        found=found.found,
    )
