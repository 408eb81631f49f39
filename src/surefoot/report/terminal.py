"""What the stream at hand can show: its width, colour, characters; and who writes where."""

import contextlib
import os
import shutil
import sys
import textwrap
from collections.abc import Generator
from typing import Any, TextIO, cast

from surefoot.errors import masking
from surefoot.errors.masking import MaskingStream, hidden
from surefoot.target import Target

_CODES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33"}


def keep_secret(target: Target) -> None:
    """From now on, no line and no JSON holds this address's password, however it got there.

    A password that is also the user's or the database's name, or hardly a word, isn't looked for:
    every mention of the name would be masked, and tell it.
    """
    password = target.parameters.get("password", "")
    open_words = {target.parameters.get(key, "") for key in ("user", "dbname", "host")}
    if len(password) >= 4 and password not in open_words:
        masking.keep_secret(password)


def wrapped(text: str, width: int, **options: Any) -> list[str]:
    """The text in lines, masked first: half a password is one still."""
    return textwrap.wrap(hidden(text), width, **options)


class Terminal:
    """A text stream for people: a terminal, a container's log or a file."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.live = stream.isatty() and os.environ.get("TERM") != "dumb"
        # https://no-color.org: any value but the empty one
        self.color = self.live and not os.environ.get("NO_COLOR")
        # A log is read on screens of any width; 80 columns are what people can count on.
        columns = shutil.get_terminal_size().columns if self.live else 80
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
        """The text in a style, where the stream shows colour."""
        if not self.color or not text:
            return text
        return f"\x1b[{';'.join(_CODES[s] for s in styles)}m{text}\x1b[0m"

    def line(self, text: str = "") -> None:
        """Write one line, now; what the stream can't write is replaced.

        A reader that has gone away, or a full disk, must not end the run that is being told of.
        """
        encoding = self.stream.encoding or "ascii"
        with contextlib.suppress(OSError, ValueError):
            self.stream.write(hidden(text).encode(encoding, "replace").decode(encoding) + "\n")
            self.stream.flush()

    def cut(self, text: str, width: int) -> str:
        """The text in at most `width` columns."""
        text = hidden(text)
        return text if len(text) <= width else text[: max(0, width - len(self.dots))] + self.dots


@contextlib.contextmanager
def data_stream() -> Generator[TextIO, None, None]:
    """Keep standard output for data: what anything else writes there goes to standard error.

    Migrations print, and so do the programs that they start; so the file descriptor itself is
    replaced, for the block. What is printed in this process is masked. Gives the stream for our
    own data.
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
        with contextlib.suppress(OSError, ValueError):  # whoever wrote has been told already
            ours.flush()
            before[1].flush()
        sys.stdout, sys.stderr = before  # the application may have put others there
        os.dup2(saved, 1)
        os.close(saved)
