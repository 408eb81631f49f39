"""The output stream: its width, colours and characters, and which descriptor writes where."""

import contextlib
import os
import re
import sys
from collections.abc import Callable, Generator, Iterable
from typing import TYPE_CHECKING, Any, TextIO, cast

from surefoot.errors import masking
from surefoot.errors.masking import MaskingStream, hidden
from surefoot.errors.printable import printable

if TYPE_CHECKING:
    from surefoot.model.target import Target

# Marks where a style begins or ends. Others can't know the number, so only surefoot sets styles.
_STYLE = f"\x1b{os.urandom(8).hex()}["
_STYLES = re.compile(re.escape(_STYLE) + r"([\d;]*)m")
LABEL = 10  # columns of the labels on the left
_CODES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33"}


def keep_secret(target: "Target", *texts: str) -> None:
    """Mask this address's secrets in every line and JSON object from now on.

    Also masked are the passwords in the environment and in these other texts: libpq takes
    PGPASSWORD if the address has no password, and the application may read any of them. Passwords
    from a passfile or a service file are known once there is a connection.
    """
    found = [one for text in (*os.environ.values(), *texts) for one in masking.passwords_in(text)]
    for name, value in os.environ.items():
        if name.endswith("PASSWORD"):
            found.append(value)
        elif name.endswith("PASSWORD_FILE"):
            found.append(_read_secret(value))
    found += [value for key, value in target.extra.items() if "password" in key.lower()]
    masking.keep_secrets(target.parameters, *found)


def _read_secret(file: str) -> str:
    from pathlib import Path

    from surefoot.system.files import read_file

    try:
        return read_file(Path(file)).decode().strip()
    except (OSError, ValueError):  # the code that needs the file reports the error
        return ""


def wrapped(text: str, width: int, **options: Any) -> list[str]:
    """Mask a text, make it printable, and wrap it.

    Masking comes first: half a password is a secret.
    """
    import textwrap

    return textwrap.wrap(printable(hidden(text)), width, **options)


def columns(text: str) -> int:
    """Return the number of terminal columns of a printable text."""
    if text.isascii():
        return len(text)
    from unicodedata import combining, east_asian_width

    wide = sum(east_asian_width(char) in "WF" for char in text)
    return len(text) + wide - sum(combining(char) != 0 for char in text)


def moment() -> str:
    """Return the current time in UTC as ISO 8601, in milliseconds."""
    from datetime import UTC, datetime

    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Terminal:
    """A text stream for people: a terminal, a container's log or a file."""

    def __init__(self, stream: TextIO, *, stamped: bool = False) -> None:
        """`stamped`: each line begins with the time."""
        self.stream, self.stamped = stream, stamped
        self.live = stream.isatty() and os.environ.get("TERM") != "dumb"
        # https://no-color.org: any value but the empty one
        self.color = self.live and not os.environ.get("NO_COLOR")
        # a log is read on screens of any width; 80 columns fit all of them
        columns = 80
        if self.live:
            from shutil import get_terminal_size

            columns = get_terminal_size().columns
        self.width = max(40, min(columns, 100))
        signs = ("✓", "·", "…") if self._can_write("✓·…") else ("ok", "-", "...")
        self.done, self.ran, self.dots = signs

    def _can_write(self, characters: str) -> bool:
        try:
            characters.encode(self.stream.encoding or "ascii")
        except (UnicodeEncodeError, LookupError):
            return False
        return True

    def paint(self, text: str, *styles: str) -> str:
        """Apply a style to the text, if the stream shows colour."""
        if not self.color or not text:
            return text
        return f"{_STYLE}{';'.join(_CODES[s] for s in styles)}m{text}{_STYLE}0m"

    def rendered(self, text: str) -> str:
        """Return the text ready to write: masked, printable except for surefoot's own styles,
        encodable.

        Every text for people passes through here. It stays one line.
        """
        pieces = [printable(hidden(piece)) for piece in _STYLES.split(text)]
        pieces[1::2] = [f"\x1b[{codes}m" for codes in pieces[1::2]]
        encoding = self.stream.encoding or "ascii"
        return "".join(pieces).encode(encoding, "replace").decode(encoding)

    def line(self, text: str = "") -> None:
        """Write one line now; characters that the stream can't encode are replaced."""
        stamp = f"{moment()} " if self.stamped and text else ""
        self.write(f"{stamp}{self.rendered(text)}\n")

    def write(self, rendered: str) -> None:
        """Write rendered text, or surefoot's own control characters, unchanged.

        A closed reader or a full disk must not end the run that is being reported.
        """
        with contextlib.suppress(OSError, ValueError):
            self.stream.write(rendered)
            self.stream.flush()

    def keep_stream(self) -> None:
        """Write to a private descriptor: the application may close or replace the standard ones."""
        self.keep_stream_as(lambda stream: cast(TextIO, MaskingStream(stream)))

    def keep_stream_as(self, wrapped: Callable[[TextIO], TextIO]) -> None:
        """Write to a private descriptor, with the stream wrapped by this function."""
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream = self.stream
            own = os.dup(stream.fileno())
            self.stream = wrapped(
                open(  # noqa: SIM115 - for as long as the process lasts
                    own, "w", buffering=1, encoding=stream.encoding, errors=stream.errors
                )
            )

    def cut(self, text: str, width: int) -> str:
        """Return the text, printable, in at most `width` columns."""
        text = printable(hidden(text))
        if columns(text) <= width:
            return text
        room = max(0, width - len(self.dots))
        text = text[:room]
        while columns(text) > room:
            text = text[:-1]
        return text + self.dots


def labelled(terminal: Terminal, label: str, *texts: str) -> list[str]:
    """Return lines with a label on the left and the wrapped texts on the right."""
    indent = " " * LABEL
    lines: list[str] = []
    for text in texts:
        # a number and its unit stay together
        kept = re.sub(r"(?<=\d) (?=s\b)", "\N{NO-BREAK SPACE}", text)
        deeper = text[: len(text) - len(text.lstrip())]  # a line that belongs to the one above
        lines += wrapped(
            kept,
            terminal.width,
            initial_indent=indent,
            subsequent_indent=indent + deeper,
            break_on_hyphens=False,
            break_long_words=False,
        ) or [indent]
    lines = [line.replace("\N{NO-BREAK SPACE}", " ") for line in lines]
    lines[0] = terminal.paint(f"{label:<{LABEL}}", "dim") + lines[0][LABEL:]
    return lines


def uncut(terminal: Terminal, label: str, text: str) -> list[str]:
    """Return one line with a label, however long: a command or a path to copy."""
    return [terminal.paint(f"{label:<{LABEL}}", "dim") + text]


def settled_lines(
    terminal: Terminal, target: "Target", rows: Iterable[str], remarks: tuple[str, ...]
) -> list[str]:
    """Return the report of a start with nothing to do: one line, and the remarks of every start."""
    line = f"surefoot: {target.label} is at head ({', '.join(rows)}), nothing to do"
    return [line, *(labelled(terminal, "warning", *remarks) if remarks else ())]


def settled_events(rows: Iterable[str], remarks: tuple[str, ...]) -> list[str]:
    """Return the same report as a log for programs, without loading `report.log`."""
    import json

    from surefoot.errors.printable import escaped

    outcome = {
        "event": "outcome",
        "level": "warning" if remarks else "info",
        "time": moment(),
        "state": "at-head",
        "current": list(map(hidden, rows)),
        "done": [],
        "remarks": list(map(hidden, remarks)),
        "backup": None,
        "seconds": 0.0,
    }
    end = {"event": "exit", "level": "info", "time": moment(), "exit_code": 0}
    return [
        escaped(json.dumps(event, ensure_ascii=False, separators=(",", ":")))
        for event in (outcome, end)
    ]


@contextlib.contextmanager
def data_stream() -> Generator[TextIO, None, None]:
    """Keep standard output for data; anything else written there goes to standard error.

    Migrations print, and so do the programs that they start; so the block replaces the file
    descriptor itself. What this process prints is masked. Yields the stream for surefoot's data.
    """
    sys.stdout.flush()
    saved = os.dup(1)
    ours = os.fdopen(saved, "w", encoding=sys.stdout.encoding, closefd=False)
    before = sys.stdout, sys.stderr
    os.dup2(2, 1)
    sys.stdout = sys.stderr = cast(TextIO, MaskingStream(sys.stderr))
    try:
        yield ours
    finally:
        with contextlib.suppress(OSError, ValueError):  # the writer already got the error
            ours.flush()
            before[1].flush()
        sys.stdout, sys.stderr = before  # the application may have replaced them
        os.dup2(saved, 1)
        os.close(saved)
