"""Differences, revisions and probes in words: the same ones in refusals and in accounts."""

from surefoot.standing import Difference, Probe, Stand


def difference_lines(differences: tuple[Difference, ...], shown: int | None = None) -> list[str]:
    """Differences for people, a line each; the first `shown` of them, and how many more."""
    lines = [_difference_line(difference) for difference in differences[:shown]]
    more = len(differences) - len(lines)
    return [*lines, f"and {more} more"] if more > 0 else lines


def _difference_line(difference: Difference) -> str:
    name = f"{difference.kind} {difference.name}"
    expected = " or ".join("nothing" if d is None else d for d in difference.expected)
    match difference.what:
        case "missing":
            return f"missing: {name} {expected}".rstrip()
        case "unexpected":
            return f"unexpected: {name} {difference.found}".rstrip()
        case "changed":
            return f"changed: {name} is {difference.found}; it should be {expected or 'otherwise'}"


def revision_text(stand: Stand) -> str:
    """The version rows of a stand, for people."""
    return ", ".join(stand.rows) or "base"


def probe_lines(probes: tuple[Probe, ...]) -> list[str]:
    """What the evidence probes answered."""
    return [
        f"evidence probe of {p.revision}: "
        + (
            {True: "it has run", False: "it has not run"}[p.answer]
            if p.answer is not None
            else f"no answer ({p.error})"
        )
        for p in probes
    ]
