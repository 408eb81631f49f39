"""Report the progress of building a catalogue."""

from surefoot.report.live import Live
from surefoot.report.terminal import Terminal, columns, wrapped

_BAR = 24  # columns


class BuildReport:
    """A progress bar with the revision's name on a terminal; in a log, a line for each replay."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._live = Live(terminal)
        self._number = 0

    def server(self, label: str, why: str) -> None:
        """Report the server on which the catalogue is built."""
        self._write(f"surefoot: replaying on {label} ({why})")

    def begin(self, what: str) -> None:
        """Report that a replay begins."""
        self._number = 0
        self._live.begin(what)

    def revision(self, revision: str, number: int, total: int) -> None:
        """Report that a revision begins."""
        self._number += 1
        done = _BAR * number // max(total, 1)
        full, empty = ("━", "─") if self._terminal.dots == "…" else ("#", ".")
        self._live.update(f"{full * done}{empty * (_BAR - done)} {number}/{total} {revision}")

    def end(self, what: str, seconds: float) -> None:
        """Report that a replay has ended."""
        self._line(what, seconds, self._terminal.paint(self._terminal.done, "green"))

    def stopped(self, what: str, seconds: float) -> None:
        """Report that a replay stopped early; the caller reports why."""
        self._line(what, seconds, self._terminal.ran.ljust(len(self._terminal.done)))

    def _line(self, what: str, seconds: float, sign: str) -> None:
        took = f"{seconds:.1f} s"
        noun = "revision" if self._number == 1 else "revisions"
        text = f"{what}: {self._number} {noun}"
        room = self._terminal.width - len(self._terminal.done) - 3 - len(took)
        text = self._terminal.cut(text, room - 1)
        self._live.end(f"  {sign} {text}{' ' * (room - columns(text))}{took}")

    def notice(self, text: str) -> None:
        """Report something worth a line."""
        self._write(f"surefoot: {text}")

    def close(self) -> None:
        """Restore the terminal."""
        self._live.close()

    def _write(self, text: str) -> None:
        self._live.clear()
        for line in wrapped(text, self._terminal.width, subsequent_indent="  "):
            self._terminal.line(line)
