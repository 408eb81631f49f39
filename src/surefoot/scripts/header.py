"""The header of an init script from `surefoot dump`: which revision it stands for. Pure.

Plain SQL comments before the first statement, so that psql and other readers ignore it.
"""

import hashlib
import re
import shlex

import msgspec

from surefoot.errors import SurefootError
from surefoot.errors.steps import to_type

FIRST = 8192  # bytes: the header ends within these
TITLE = "-- surefoot init script"
_END = "-- end of header"
_LINE = re.compile(r"-- ([a-z-]+): +(\S.*)")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_BOM = b"\xef\xbb\xbf"


class Header(msgspec.Struct, frozen=True):
    """What an init script declares.

    `revisions` are the version rows that it leaves, normally one. `compatible` is the oldest
    release whose code can still work with its structure, `catalogue` the hash of the catalogue at
    that time. `content` is the SHA-256 of everything after the header, independent of line ends.
    """

    application: str
    release: str | None
    revisions: tuple[str, ...]
    compatible: str | None
    catalogue: str | None
    content: str


def header_text(header: Header) -> str:
    """Return the header as it stands at the top of the script, including its last line end."""
    lines = [
        TITLE,
        *_lines("application", header.application),
        *_lines("release", header.release),
        *(line for revision in header.revisions for line in _lines("revision", revision)),
        *_lines("compatible-with", header.compatible),
        *_lines("catalogue", header.catalogue),
        *_lines("content", header.content),
        _END,
    ]
    return "".join(f"{line}\n" for line in lines)


def _lines(key: str, value: str | None) -> list[str]:
    """Return a key's line, nothing if the value is unknown; a value is always one line."""
    value = " ".join((value or "").split())
    return [f"-- {key}: {value}"] if value else []


def read_header(first: bytes, name: str = "the script") -> Header | None:
    """Read the header from a script's first bytes (`FIRST` are enough); None if it has none.

    Only the comments before the first statement count; unknown keys are ignored. Raises
    SurefootError `init-script-header-invalid`, which calls the file `name`.
    """
    found = split_header(first, name)
    return None if found is None else found[0]


def split_header(first: bytes, name: str = "the script") -> tuple[Header, bytes] | None:
    """Return the header, and what follows it. None and errors as in `read_header`."""
    begin = len(_BOM) if first.startswith(_BOM) else 0
    values: dict[str, list[str]] = {}
    title = 0
    for number, raw in enumerate(first[begin:FIRST].splitlines(keepends=True), 1):
        begin += len(raw)
        line = raw.decode("utf-8", "replace").rstrip()
        if line == _END and title:
            return _header(values, name, number), first[begin:]
        if line == TITLE and not title:
            title = number
        elif title:
            pair = _LINE.fullmatch(line)
            if pair is None:
                raise _invalid(name, number, f"this is neither a key nor the end: {line[:60]!r}")
            values.setdefault(pair[1], []).append(pair[2])
        elif line and not line.startswith("--"):
            return None
    if title:
        raise _invalid(name, title, f'the header that begins here has no line "{_END}"')
    return None


def _header(values: dict[str, list[str]], name: str, end: int) -> Header:
    for key in ("application", "revision", "content"):
        if key not in values:
            raise _invalid(name, end, f'the header that ends here has no "{key}"')
    for key in ("application", "release", "compatible-with", "catalogue", "content"):
        if len(values.get(key, [])) > 1:
            raise _invalid(name, end, f'the header that ends here has "{key}" more than once')
    for key in ("catalogue", "content"):
        if key in values and not _SHA256.fullmatch(values[key][0]):
            raise _invalid(name, end, f'"{key}" of the header that ends here is no SHA-256')
    return Header(
        values["application"][0],
        values.get("release", [None])[0],
        tuple(values["revision"]),
        values.get("compatible-with", [None])[0],
        values.get("catalogue", [None])[0],
        values["content"][0],
    )


def _invalid(name: str, line: int, what: str) -> SurefootError:
    return SurefootError(
        "init-script-header-invalid",
        f"{name}:{line}: The header of the init script can't be read.",
        seen=[what],
        next=to_type(
            f'if it\'s kept by hand, remove the lines from "{TITLE}" to "{_END}"; or make the '
            "script again",
            f"surefoot dump -o {shlex.quote(name)}",
        ),
    )


class ContentHash:
    """The SHA-256 of a text that comes in pieces, independent of line ends."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self._held = b""  # a CR whose LF may be in the next piece

    def update(self, piece: bytes) -> None:
        """Add the next piece."""
        piece = self._held + piece
        self._held = b"\r" if piece.endswith(b"\r") else b""
        self._hash.update(piece[: len(piece) - len(self._held)].replace(b"\r\n", b"\n"))

    def hexdigest(self) -> str:
        """Return the hash of everything added; call it once, at the end."""
        self._hash.update(self._held)
        self._held = b""
        return self._hash.hexdigest()


def content_hash(content: bytes) -> str:
    """Return the hash that a header declares for this content."""
    found = ContentHash()
    found.update(content)
    return found.hexdigest()


class ScriptFile(msgspec.Struct, frozen=True):
    """An SQL script of the project: its configured path, its search_path, its content's hash.

    `header` is what an init script declares, if `surefoot dump` wrote it; `edited`: it was changed
    since.
    """

    path: str
    search_path: str | None
    sha256: str
    header: Header | None = None
    edited: bool = False
