"""What was counted, as text."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

BEGIN, END = "<!-- written by tests/accuracy/run.py -->", "<!-- until here -->"

_INTACT = ("exact", "ambiguous", "nothing", "refused", "WRONG")
_CASES = (
    *("as made, in one run", "as made, committed", "restored"),
    *("customised", "customised and changed"),
)
_DAMAGED = ("nearest", "true", "another", "WRONG")
_DAMAGE = "damage "


@dataclass
class Unit:
    """One history on one server. `differing` are the lines of its catalogue that differ."""

    history: str
    major: int
    counts: Counter[str] = field(default_factory=Counter)
    failures: list[dict[str, Any]] = field(default_factory=list)
    differing: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def as_json(self) -> dict[str, Any]:
        """For another program."""
        return {**self.__dict__, "counts": dict(self.counts)}

    @classmethod
    def of_json(cls, found: dict[str, Any]) -> "Unit":
        """The unit that was written so."""
        return cls(**{**found, "counts": Counter(found["counts"])})


def summary(units: list[Unit]) -> str:
    """One line."""
    counts = _sum(units)
    intact = _row(counts, _CASES, _INTACT)
    damaged = _row(counts, _damages(counts), _DAMAGED)
    told = [f"{name} {number}" for name, number in zip(_INTACT, intact, strict=True)]
    told += [f"damaged: {name} {n}" for name, n in zip(_DAMAGED, damaged, strict=True)]
    differing = sum(bool(unit.differing) for unit in units)
    failures = sum(len(unit.failures) for unit in units)
    return ", ".join([*told, f"failures {failures}", f"other catalogues {differing}"])


def write_document(
    file: Path,
    units: list[Unit],
    versions: dict[int, str],
    stuck: dict[str, str],
    seed: str,
    seconds: float,
) -> None:
    """Replace what stands between the two marks."""
    text = file.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    made = "\n\n".join(_sections(units, versions, stuck, seed, seconds))
    file.write_text(f"{before}{BEGIN}\n\n{made}\n\n{END}{after}", encoding="utf-8")


def _sections(
    units: list[Unit], versions: dict[int, str], stuck: dict[str, str], seed: str, seconds: float
) -> list[str]:
    measured = [unit for unit in units if unit.counts]
    majors = sorted({unit.major for unit in measured})
    histories = list(dict.fromkeys(unit.history for unit in measured))
    counts = _sum(measured)
    damages = _damages(counts)
    servers = ", ".join(versions[major] for major in majors)
    refused = counts["customising statements refused"]
    return [
        f"Run on {date.today()}, seed `{seed}`, {seconds / 60:.0f} minutes on two cores; servers "
        f"{servers}, clients 18.",
        "**Undamaged**, by what was done:",
        _table("case", _INTACT, ((c, _row(counts, (c,), _INTACT)) for c in _CASES), _count),
        "By history:",
        _table(
            "history",
            ("revisions", *_INTACT),
            (
                (name, [_revisions(measured, name), *_row(_sum(own), _CASES, _INTACT)])
                for name in histories
                for own in [[u for u in measured if u.history == name]]
            ),
            _count,
        ),
        "By server:",
        _table(
            "server",
            _INTACT,
            (
                (versions[m], _row(_sum(u for u in measured if u.major == m), _CASES, _INTACT))
                for m in majors
            ),
            _count,
        ),
        f"The customisations took {counts['customising statements']:,} statements (and {refused:,} "
        f"more that the server refused), and left {counts['customised facts']:,} facts besides the "
        f"application's. Dumping and restoring changed {counts['restored facts changed']:,} facts.",
        *(
            f"{name} can't be run one revision a run ({why}), so it was committed after each "
            "revision of one run."
            for name, why in sorted(stuck.items())
        ),
        f"Of the revisions that change no fact, {counts['no fact changed, same dump']:,} change "
        "nothing in `pg_dump`'s text either; "
        f"{counts['no fact changed, another dump']:,} do.",
        "**Damaged**:",
        _table(
            "damage",
            _DAMAGED,
            ((d.removeprefix(_DAMAGE), _row(counts, (d,), _DAMAGED)) for d in damages),
            _count,
        ),
        f"{counts['damage/impossible']:,} more could not be done: there was nothing of the kind, "
        "or the server took none of 25 statements.",
        f"**Catalogues**, against the one built on {versions[16]}:",
        *_catalogues(units, versions),
        *_failures(units, versions),
    ]


def _failures(units: list[Unit], versions: dict[int, str]) -> list[str]:
    lines: list[str] = []
    for unit in units:
        for failure in unit.failures:
            told = failure.get("broken") or (
                f"{failure['outcome']}: {failure['failed']} at {failure['truth']}: {failure['why']}"
            )
            told = " ".join(told.split())
            lines.append(f"- {unit.history} on {versions[unit.major]}: {told}")
    return ["**Failures**:", "\n".join(lines)] if lines else []


def _catalogues(units: list[Unit], versions: dict[int, str]) -> list[str]:
    lines: list[str] = []
    for major in sorted({unit.major for unit in units} - {16}):
        own = [unit for unit in units if unit.major == major]
        differing = [unit for unit in own if unit.differing]
        told = f"- {versions[major]}: {len(own) - len(differing)} of {len(own)} equal, to the byte"
        for unit in differing:
            told += f"; {unit.history} differs in {len(unit.differing)} lines"
        lines.append(told)
    found = ["\n".join(lines)]
    for unit in units:
        if unit.differing:
            shown = [_shortened(line.replace("\t", "  ")) for line in unit.differing[:12]]
            found.append(f"{unit.history} on {versions[unit.major]}:")
            found.append("\n".join(["```", *shown, "```"]))
    return found


def _shortened(line: str, width: int = 200) -> str:
    return line if len(line) <= width else f"{line[:width]}…"


def _sum(units: Iterable[Unit]) -> Counter[str]:
    return sum((unit.counts for unit in units), Counter[str]())


def _revisions(units: list[Unit], history: str) -> int:
    return max(unit.counts["revisions"] for unit in units if unit.history == history)


def _damages(counts: Counter[str]) -> list[str]:
    found = (name.partition("/")[0] for name in counts if name.startswith(_DAMAGE))
    return list(dict.fromkeys(found))


def _row(counts: Counter[str], cases: Iterable[str], outcomes: Iterable[str]) -> list[int]:
    cases = list(cases)
    return [sum(counts[f"{case}/{outcome}"] for case in cases) for outcome in outcomes]


def _count(number: int) -> str:
    return f"{number:,}"


def _table(
    first: str,
    columns: Iterable[str],
    rows: Iterable[tuple[str, list[int]]],
    shown: Callable[[int], str],
) -> str:
    columns, rows = list(columns), list(rows)
    lines = [f"| {first} | {' | '.join(columns)} |", f"|---|{'---:|' * len(columns)}"]
    lines += [f"| {name} | {' | '.join(map(shown, numbers))} |" for name, numbers in rows]
    if len(rows) > 1:
        sums = [sum(column) for column in zip(*(numbers for _, numbers in rows), strict=True)]
        lines.append(f"| all | {' | '.join(map(shown, sums))} |")
    return "\n".join(lines)
