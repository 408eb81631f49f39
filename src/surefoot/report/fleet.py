"""Report on a fleet: a progress line, and the results of all databases at the end."""

from collections import Counter

from surefoot.errors import Finding
from surefoot.fleet.result import Kind, Result, Totals
from surefoot.report.live import Live
from surefoot.report.terminal import Terminal
from surefoot.report.text import finding_lines

# In the order of the table; the first two need no attention.
_KINDS: tuple[Kind, ...] = (
    "ready",
    "migrated",
    "pending",
    "not-begun",
    "interrupted",
    "busy",
    "invalid",
    "refused",
    "failed",
)
_WELL = ("ready", "migrated")
_NAMED = 20  # databases of a kind that the table lists by name


class FleetReport:
    """Reports to people how far a fleet has come.

    The results themselves are data on standard output.
    """

    def __init__(self, terminal: Terminal, every: float, *, quiet: bool) -> None:
        """`every`: seconds between two progress lines if there is no terminal; 0: never."""
        self._terminal, self._quiet = terminal, quiet
        self._live = Live(terminal, 0.0 if quiet else every, self._still)
        self._doing, self._total, self._ended = "", 0, 0
        self._named: dict[Kind, list[Result]] = {}

    def begin(self, doing: str, total: int) -> None:
        """Begin a phase over `total` databases."""
        self._doing, self._total, self._ended = doing, total, 0
        self._live.begin(self._text)

    def end(self) -> None:
        """End the phase."""
        self._live.end()

    def result(self, result: Result) -> None:
        """Count a result; the caller then writes its line of data."""
        self._ended += 1
        named = self._named.setdefault(result.kind, [])
        if result.kind not in _WELL and len(named) < _NAMED:
            named.append(result)
        self._live.update(self._text)
        self._live.clear()

    def close(self) -> None:
        """Stop writing progress lines."""
        self._live.close()

    def outcome(self, totals: Totals) -> None:
        """Return the results of all databases: a table on a terminal, otherwise a line."""
        terminal = self._terminal
        finding: Finding
        for finding in totals.findings:
            for line in finding_lines(terminal, finding):
                terminal.line(line)
            terminal.line()
        if terminal.live:
            for line in self._table(totals.counts):
                terminal.line(line)
            return
        counted = (f"{totals.counts[kind]} {kind}" for kind in _KINDS if totals.counts[kind])
        terminal.line(f"surefoot: {totals.counts.total()} databases: {', '.join(counted)}")

    def _table(self, counts: "Counter[Kind]") -> list[str]:
        terminal = self._terminal
        widest = max((len(r.name) for named in self._named.values() for r in named), default=0)
        lines: list[str] = []
        for kind in _KINDS:
            if not counts[kind]:
                continue
            style = "green" if kind in _WELL else "red" if kind == "failed" else "yellow"
            lines.append(f"{counts[kind]:>7} {terminal.paint(kind, style)}")
            named = self._named.get(kind, [])
            for one in named:
                text = f"{'':>8}{one.name:<{min(widest, 30)}}  {one.why}"
                lines.append(terminal.cut(text.rstrip(), terminal.width))
            more = counts[kind] - len(named)
            if named and more:
                lines.append(f"{'':>8}and {more} more")
        return lines

    @property
    def _text(self) -> str:
        return f"{self._doing} {self._ended} of {self._total} databases"

    def _still(self, number: int, elapsed: float) -> None:
        self._live.above(number, [f"surefoot: {self._text}, {elapsed:.0f} s"])
