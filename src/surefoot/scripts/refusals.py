"""Why a script can't be accepted: every `script-*` error that reading can raise."""

import re
import shlex
from collections.abc import Sequence

from surefoot.errors import NOT_CHANGED, SurefootError
from surefoot.errors.masking import hidden, masked
from surefoot.errors.steps import to_type

_LONGEST_LINE = 100
_MOST_LISTED = 20

_KINDS = (
    (b"PGDMP", "a pg_dump archive (custom format)"),
    (b"toc.dat", "a pg_dump archive (tar format)"),
    (b"\x1f\x8b", "compressed with gzip"),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd"),
    (b"\xfd7zXZ", "compressed with xz"),
    (b"BZh", "compressed with bzip2"),
    (b"\x04\x22\x4d\x18", "compressed with lz4"),
    (b"PK\x03\x04", "a zip archive"),
    (b"\xff\xfe", "UTF-16 text"),
    (b"\xfe\xff", "UTF-16 text"),
)
_REMEDIES = (
    ("pg_dump", "turn it into SQL", "pg_restore --no-owner --no-privileges -f {new} {old}"),
    ("compressed", "uncompress it, and name the uncompressed file in surefoot.toml", ""),
    ("zip", "unpack it, and name the SQL file in surefoot.toml", ""),
    ("UTF-16", "save it as UTF-8", "iconv -f UTF-16 -t UTF-8 {old} > {new}"),
)
_COMMANDS = {
    "i": "list the included file in surefoot.toml, where it belongs: init = ['first.sql', …]",
    "connect": "remove the line; dump without -C (--create): surefoot has its own database",
    "copy": r"write COPY … FROM stdin; with the rows in the script, ended by \. (as pg_dump does)",
    "set": "replace the variable with its value, and remove the line",
    "if": "write what is to be run on every database; a DO block can decide in SQL",
    "gexec": "write the statements out, or run them from a DO block with EXECUTE",
    ";": "end the statement with ; alone",
    "encoding": "write SET client_encoding = '…'; instead",
    "q": "remove the line and everything after it",
}
_ALIASES = {
    **dict.fromkeys(("ir", "include", "include_relative"), "i"),
    **dict.fromkeys(("c",), "connect"),
    **dict.fromkeys(("unset", "gset", "getenv", "prompt"), "set"),
    **dict.fromkeys(("elif", "else", "endif"), "if"),
    **dict.fromkeys(("g", "gx", "gdesc", "watch", "crosstabview", "bind", "parse"), ";"),
    "quit": "q",
}


def first_line(sql: bytes, longest: int = _LONGEST_LINE) -> str:
    """Return the statement's first line, cut, with passwords masked."""
    first, more, _ = sql.decode(errors="replace").strip().partition("\n")
    return shorten(masked(f"{first.strip()} …" if more else first), longest)


def shorten(text: str, longest: int = _LONGEST_LINE) -> str:
    """Return the text, masked, and cut with an ellipsis if it is longer."""
    text = hidden(text.strip())
    return text if len(text) <= longest else text[: longest - 1] + "…"


def not_found(label: str, error: OSError) -> SurefootError:
    """The file can't be opened or read."""
    return SurefootError(
        "script-not-found",
        f"The script {label} can't be read.",
        seen=[error.strerror or str(error)],
        database=NOT_CHANGED,
        next="correct the path in surefoot.toml (it is relative to that file), or the permissions",
    )


def binary_kind(beginning: bytes) -> str | None:
    """Return the kind of a file that begins so, if it isn't text."""
    return next((kind for begins, kind in _KINDS if beginning.startswith(begins)), None)


def binary(label: str, kind: str) -> SurefootError:
    """The file is of a known kind that isn't SQL text."""
    text, command = next((text, command) for part, text, command in _REMEDIES if part in kind)
    return SurefootError(
        "script-encoding",
        f"{label} is not a SQL script: it is {kind}.",
        next=_converted(label, text, command) if command else text,
    )


def _converted(label: str, text: str, command: str, then: str = "") -> str:
    """Return the command that converts this one to a script, and what to do with the result."""
    new = f"{label.removesuffix('.sql')}_utf8.sql"
    whole = command.format(old=shlex.quote(label), new=shlex.quote(new))
    return to_type(text, whole, then=f"then name {new} in surefoot.toml{then}")


def zero_byte(label: str, line: int) -> SurefootError:
    """A byte that no SQL text can hold."""
    return SurefootError(
        "script-encoding",
        f"{label}:{line}: a zero byte: this is a binary file, a damaged one, or UTF-16 text.",
        next="write it as a SQL text in UTF-8; data of COPY in text format, not binary",
    )


def unsafe_encoding(label: str, line: int, encoding: str) -> SurefootError:
    """In this encoding, quotes and backslashes can't be distinguished from halves of characters."""
    return SurefootError(
        "script-encoding",
        f"{label}:{line}: a script in the encoding {encoding} can't be read safely.",
        seen=[f"in {encoding}, a byte that looks like ASCII may be half of a character"],
        next=_converted(
            label,
            "convert it",
            f"iconv -f {encoding} -t UTF-8 {{old}} > {{new}}",
            ", and let its SET say client_encoding = 'UTF8'",
        ),
    )


def truncated(label: str, line: int, what: str) -> SurefootError:
    """The file ends inside something."""
    return SurefootError(
        "script-truncated",
        f"{label}:{line}: {what} that begins here has no end.",
        next=f"copy or dump the file again, because its end is missing; or close what line {line} "
        "opens (a name that is BEGIN or END must be quoted)",
    )


def needs_psql(label: str, line: int, what: bytes) -> SurefootError:
    """The script contains a psql command or variable, or SQL on COPY's own line."""
    text = shorten(what.decode(errors="replace"))
    if text.startswith("\\"):
        name = text[1:]
        message = f"{label}:{line}: {text} is a psql command, not SQL."
        remedy = _COMMANDS.get(_ALIASES.get(name, name), "remove the line from the script")
    elif text.startswith(":"):
        message = f"{label}:{line}: {text} is a psql variable."
        remedy = (
            "replace the variable with its value; if it isn't a variable, put a space after the "
            "colon"
        )
    else:
        message = (
            f"{label}:{line}: a statement on the line of {text} … FROM stdin, before its data."
        )
        remedy = r"put the statement after the line that is \. alone"
    return SurefootError("script-needs-psql", message, next=remedy)


def not_transactional(statements: Sequence[str]) -> SurefootError:
    """Statements (`FILE:LINE: first line`) that can't be part of one transaction."""
    count = len(statements)
    more = [f"and {count - _MOST_LISTED} more"] if count > _MOST_LISTED else []
    ends = any(
        re.search(r":\d+: *(?:commit|end|rollback|abort)\b", s, re.IGNORECASE) for s in statements
    )
    advice = " A COMMIT needs its BEGIN in the same script." if ends else ""
    noun = "statement" if count == 1 else "statements"
    return SurefootError(
        "script-not-transactional",
        f"{count} {noun} can't run in the one transaction that all scripts share.",
        seen=[*statements[:_MOST_LISTED], *more],
        next="remove them (in a new database, CREATE INDEX without CONCURRENTLY does the same)."
        + advice,
    )
