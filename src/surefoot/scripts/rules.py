"""What a statement means for a script that runs inside another transaction.

Every rule reads a skeleton, which the lexer makes: `CREATE INDEX CONCURRENTLY "" ON T ( A )`.
"""

import enum
import re

_OPTIONS = rb"(?:\( [^)]*\) )?"
_FALSE = rb"(?:FALSE|OFF|NO|0|'false'|'off'|'no'|'0')"
# PostgreSQL accepts the beginnings of these words, too.
_FALSE_SETTING = re.compile(rb"'?(?:F(?:A(?:L(?:SE?)?)?)?|OFF?|NO?|0)'?", re.IGNORECASE)
_PUBLICATION = rb"ALTER SUBSCRIPTION \S+ "

# What PostgreSQL refuses in a transaction block, as far as the text alone shows.
_NEVER_IN_A_TRANSACTION = re.compile(
    rb"|".join(
        (
            rb"(?:CREATE|DROP) (?:DATABASE|TABLESPACE)\b",
            rb"ALTER SYSTEM\b",
            rb"ALTER DATABASE \S+ SET TABLESPACE\b",
            rb"VACUUM\b",
            rb"CLUSTER(?: VERBOSE)?(?: \( [^)]*\))?$",
            rb"DISCARD ALL$",
            rb"CREATE (?:UNIQUE )?INDEX CONCURRENTLY\b",
            rb"DROP INDEX CONCURRENTLY\b",
            rb"REINDEX " + _OPTIONS + rb"(?:DATABASE|SYSTEM|SCHEMA)\b",
            rb"REINDEX " + _OPTIONS + rb"(?:TABLE|INDEX) CONCURRENTLY\b",
            rb"REINDEX \( (?:[^)]* )?CONCURRENTLY (?!" + _FALSE + rb")",
            rb"ALTER TABLE .* DETACH PARTITION \S+(?: \. \S+)? CONCURRENTLY\b",
            rb"CREATE SUBSCRIPTION (?!.* (?:CONNECT|CREATE_SLOT) = " + _FALSE + rb")",
            _PUBLICATION + rb"REFRESH\b",
            _PUBLICATION + rb"(?:SET|ADD|DROP) PUBLICATION (?!.* REFRESH = " + _FALSE + rb")",
            rb"PREPARE TRANSACTION\b",
            # it must come first in a transaction, or would outlast the script
            rb"SET (?:LOCAL |SESSION )?TRANSACTION\b",
            rb"(?:COMMIT|ROLLBACK) PREPARED\b",
        )
    )
)
_BEGIN = re.compile(rb"BEGIN\b|START TRANSACTION\b")
_COMMIT = re.compile(rb"(?:COMMIT|END)(?: WORK| TRANSACTION)?(?: AND NO CHAIN)?$")
_ENDS = re.compile(rb"(?:COMMIT|END|ABORT|ROLLBACK(?! (?:WORK |TRANSACTION )?TO\b))\b")
_SAVEPOINT = re.compile(
    rb"(SAVEPOINT|RELEASE|ROLLBACK)(?: WORK| TRANSACTION)?(?: TO)?(?: SAVEPOINT)? (\S+)$"
)
_CSV = re.compile(rb".*\b(?:CSV|'csv')", re.IGNORECASE)
_COPY = re.compile(rb"COPY (?:BINARY )?\S+(?: \. \S+)*(?: \( [^()]* \))? FROM STD(?:IN|OUT)\b")
_BARRIER = re.compile(rb"(?:SET|RESET|ROLLBACK)\b|.*\bSET_CONFIG\b")
_DUMP_SEARCH_PATH = b"SELECT PG_CATALOG . SET_CONFIG ( 'search_path' , '' , FALSE )"
_TRANSACTION_TIMEOUT = re.compile(rb"SET TRANSACTION_TIMEOUT (?:=|TO) 0$")
_TRANSACTION_TIMEOUT_SINCE = 170000


def _setting(name: bytes) -> re.Pattern[bytes]:
    return re.compile(
        rb"(?:SET (?:SESSION |LOCAL )?(?:" + name + rb") (?:= |TO )?|.*\bSET_CONFIG \( '(?:"
        rb"" + name + rb")' , )(\S+)",
        re.IGNORECASE,
    )


_STANDARD_STRINGS = _setting(rb"STANDARD_CONFORMING_STRINGS")
_RESET = re.compile(rb"RESET (?:ALL|STANDARD_CONFORMING_STRINGS)$")
_ENCODING = _setting(rb"CLIENT_ENCODING|NAMES")

# Encodings in which the second byte of a character can be an ASCII character such as a quote or a
# backslash; no server stores them. Names as PostgreSQL compares them: letters and digits only.
_UNSAFE_ENCODINGS = {
    *("SJIS", "SHIFTJIS", "SHIFTJIS2004", "MSKANJI", "WIN932", "WINDOWS932"),
    *("BIG5", "WIN950", "WINDOWS950", "GBK", "WIN936", "WINDOWS936", "GB18030"),
    *("UHC", "WIN949", "WINDOWS949", "JOHAB"),
}


class Role(enum.Enum):
    """How a statement is handled."""

    SEND = enum.auto()
    COPY_IN = enum.auto()  # its data follows in the script
    BEGIN = enum.auto()  # left out, with its COMMIT: a transaction is already open
    COMMIT = enum.auto()
    ENDS_TRANSACTION = enum.auto()  # refused
    NOT_TRANSACTIONAL = enum.auto()  # refused
    SEARCH_PATH_OF_DUMP = enum.auto()  # left out if the script has a search_path of its own
    UNKNOWN_SETTING = enum.auto()  # left out: the server is too old to know it


def role(skeleton: bytes, server_version: int) -> Role:
    """Return the role of the statement with this skeleton, on a server of this version (170002)."""
    if _COPY.match(skeleton):
        return Role.COPY_IN
    if _BEGIN.match(skeleton):
        return Role.BEGIN
    if _COMMIT.match(skeleton):
        return Role.COMMIT
    if _NEVER_IN_A_TRANSACTION.match(skeleton):
        return Role.NOT_TRANSACTIONAL
    if _ENDS.match(skeleton):
        return Role.ENDS_TRANSACTION
    if skeleton == _DUMP_SEARCH_PATH:
        return Role.SEARCH_PATH_OF_DUMP
    if server_version < _TRANSACTION_TIMEOUT_SINCE and _TRANSACTION_TIMEOUT.match(skeleton):
        return Role.UNKNOWN_SETTING
    return Role.SEND


def changes_reading(skeleton: bytes) -> bool:
    """Whether the server may read what comes after the statement differently.

    The server parses a whole message before it runs any of it, so such a statement ends a message.
    """
    return _BARRIER.match(skeleton) is not None


def standard_strings_after(skeleton: bytes, before: bool) -> bool:
    """Return standard_conforming_strings after a statement, if the text shows it."""
    if _RESET.match(skeleton):
        return True
    if match := _STANDARD_STRINGS.match(skeleton):
        return _FALSE_SETTING.fullmatch(match[1]) is None
    return before


def savepoint(skeleton: bytes) -> tuple[bytes, bytes] | None:
    """Return the savepoint's command (SAVEPOINT, RELEASE or ROLLBACK), and its name."""
    match = _SAVEPOINT.match(skeleton)
    return (match[1], match[2]) if match else None


def is_csv(skeleton: bytes) -> bool:
    r"""Whether the data of this COPY is CSV, in which `\.` may be data."""
    return _CSV.match(skeleton) is not None


def unsafe_encoding(skeleton: bytes) -> str | None:
    """Return the encoding that the statement sets, if SQL can't be read in it byte by byte."""
    match = _ENCODING.match(skeleton)
    name = match[1].decode(errors="replace").strip("'") if match else ""
    return name if is_unsafe(name) else None


def is_unsafe(encoding: str) -> bool:
    """Whether a byte below 128 may be half of a character in this client encoding."""
    return re.sub(r"[^A-Z0-9]", "", encoding.upper()) in _UNSAFE_ENCODINGS
