"""Read the bytes of a script in pieces, with the line of each place."""

import re
from collections.abc import Iterator
from typing import Protocol

from surefoot.scripts import refusals

_BOM = b"\xef\xbb\xbf"
_END_OF_DATA = b"\n\\."
_SIGNATURE = 8  # bytes that identify the kind of a file
_REST_OF_LINE = re.compile(rb"[\s;]*+(?:--.*+|/\*[^*]*+\*/\s*+)?", re.DOTALL)


class File(Protocol):
    """The methods needed of a file opened in binary mode."""

    def read(self, size: int, /) -> bytes | None: ...


class Hash(Protocol):
    """The methods needed of a hash."""

    def update(self, data: bytes, /) -> None: ...


class Source:
    """A window on a file: `text` is in memory, `at` the current place, `line` its line.

    Raises SurefootError `script-encoding` for a file that is not SQL text.
    """

    def __init__(self, file: File, label: str, chunk: int, digest: Hash) -> None:
        self.text = b""
        self.at = 0
        self.line = 1
        self.data_line = 1
        self.final = False
        self.marked_utf8 = False  # by a byte order mark
        self._file = file
        self._label = label
        self._chunk = chunk
        self._digest = digest
        self._fill(_SIGNATURE)
        if kind := refusals.binary_kind(self.text):
            raise refusals.binary(label, kind)
        self._refuse_zero(0)
        if self.text.startswith(_BOM):
            self.marked_utf8 = True
            self.at = len(_BOM)

    def more(self) -> None:
        """Read at least as much again as is held, so that a long statement takes linear time.

        Sets `final` when nothing follows.
        """
        held = len(self.text) - self.at
        self._fill(max(self._chunk, held))
        self._refuse_zero(held)

    def _fill(self, size: int) -> None:
        pieces = [self.text[self.at :]]
        while size > 0:
            piece = self._file.read(size)
            if not piece:
                self.final = True
                break
            self._digest.update(piece)
            pieces.append(piece)
            size -= len(piece)
        self.text, self.at = b"".join(pieces), 0

    def _refuse_zero(self, start: int) -> None:
        zero = self.text.find(b"\0", start)
        if zero >= 0:
            raise refusals.zero_byte(self._label, self.line_at(zero))

    def line_at(self, offset: int) -> int:
        """Return the line of a place at or after `at`."""
        return self.line + self.text.count(b"\n", self.at, offset)

    def advance(self, offset: int) -> None:
        """Move to a place."""
        self.line += self.text.count(b"\n", self.at, offset)
        self.at = offset

    def take(self, begin: int, end: int) -> tuple[int, bytes]:
        """Move to `end`; returns the line of `begin`, and the bytes between them."""
        line = self.line + self.text.count(b"\n", self.at, begin)
        self.line = line + self.text.count(b"\n", begin, end)
        self.at = end
        return line, self.text[begin:end]

    def copy_data(self, copy_line: int, *, csv: bool) -> Iterator[bytes]:
        r"""Yield the lines from the next one to the one that is `\.` alone, in pieces of any size.

        At the file's end that line needs no line end of its own, except in CSV and after CRLF:
        there it depends on the server's version. Raises SurefootError `script-truncated` if the
        file ends first, and `script-needs-psql` if a statement follows COPY on its own line (psql
        would run it after the data).
        """
        while (line_end := self.text.find(b"\n", self.at)) < 0 and not self.final:
            self.more()
        line_end = len(self.text) if line_end < 0 else line_end
        if not _REST_OF_LINE.fullmatch(self.text, self.at, line_end):
            raise refusals.needs_psql(self._label, copy_line, b"COPY")
        self.advance(line_end)
        self.data_line = self.line + 1
        return self._copy_data(copy_line, csv)

    def _copy_data(self, copy_line: int, csv: bool) -> Iterator[bytes]:
        # `at` stands on the last byte returned (at first, the end of COPY's line), because the byte
        # before it shows whether `\.` begins a line.
        while True:
            found = self.text.find(_END_OF_DATA, self.at)
            if found < 0:
                if self.final:
                    raise refusals.truncated(self._label, copy_line, "The data of COPY")
                stop = len(self.text) - len(_END_OF_DATA) + 1
            else:
                after = self.text[found + 3 : found + 5]
                cut_short = after in (b"", b"\r")
                ends = after[:1] == b"\n" or after == b"\r\n"
                behind_crlf = self.text[found - 1 : found] == b"\r"
                if ends or (not after and self.final and not csv and not behind_crlf):
                    yield self.text[self.at + 1 : found + 1]
                    self.advance(found + 3 + len(after if after[:1] == b"\r" else after[:1]))
                    return
                stop = found if cut_short and not self.final else found + 3
            if stop > self.at + 1:
                yield self.text[self.at + 1 : stop]
                self.advance(stop - 1)
            if found < 0 or stop == found:
                self.more()
