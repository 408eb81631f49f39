"""Make text from elsewhere harmless for a terminal, a log and a single line.

A person who can create a table, a role or a database, write the version row or a file, or raise an
exception chooses text that surefoot prints. Printed raw, it could clear the screen, hide what
follows, overwrite a line, reverse the reading direction, or forge a line of surefoot's. `Terminal`
passes every line through `printable`; `escaped` is for JSON.
"""

import re

# spaces that Python doesn't count as printable; they move nothing and end no line
_SPACES = frozenset("\u00a0\u1680\u202f\u205f\u3000") | {chr(c) for c in range(0x2000, 0x200B)}
_NAMED = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}
# joiners, which Persian, Indic scripts and emoji need, and flags such as Scotland's
_JOINERS = frozenset("\u200c\u200d")
_FLAG = re.compile("\U0001f3f4[\U000e0030-\U000e0039\U000e0061-\U000e007a]{1,6}\U000e007f")


def printable(text: str) -> str:
    """Return the text on one line, with every character that isn't plainly visible escaped.

    Escaped as in Python are control characters (including line ends), bidirectional controls and
    other format characters, line and paragraph separators, surrogates, and private and unassigned
    characters. Letters, marks, symbols and emoji of every script stay. Applying it twice changes
    nothing.
    """
    if text.isprintable():
        return text
    flags = {n for found in _FLAG.finditer(text) for n in range(found.start(), found.end())}
    return "".join(
        char
        if char.isprintable() or char in _SPACES or n in flags or _joins(text, n)
        else _name(char)
        for n, char in enumerate(text)
    )


def is_printable(text: str) -> bool:
    """Whether `printable` leaves the character unchanged."""
    return printable(text) == text


def escaped(json: str) -> str:
    """Return a JSON text in which every non-printable character is escaped."""
    if json.isprintable():
        return json
    return "".join(
        char if char.isprintable() or char in _SPACES else _in_json(char) for char in json
    )


def _joins(text: str, n: int) -> bool:
    """Whether a joiner stands between two visible non-ASCII characters."""
    if text[n] not in _JOINERS or not 0 < n < len(text) - 1:
        return False
    before, after = text[n - 1], text[n + 1]
    return all(c.isprintable() and not c.isascii() for c in (before, after))


def _name(char: str) -> str:
    code = ord(char)
    if char in _NAMED:
        return _NAMED[char]
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def _in_json(char: str) -> str:
    code = ord(char)
    if code <= 0xFFFF:
        return f"\\u{code:04x}"
    high, low = divmod(code - 0x10000, 0x400)
    return f"\\u{0xD800 + high:04x}\\u{0xDC00 + low:04x}"


def quoted_identifier(name: str) -> str:
    r"""Quote an identifier for a statement that a person may copy from the output.

    Characters that `printable` would escape are written with SQL's own escape, U&"\001b", which
    still works.
    """
    doubled = name.replace('"', '""')
    if name.isprintable():
        return f'"{doubled}"'
    return f'U&"{"".join(map(_in_sql, doubled))}"'


def quoted_literal(text: str) -> str:
    """Quote a string constant in the same way."""
    if text.isprintable() and "\\" not in text:
        return "'" + text.replace("'", "''") + "'"
    characters = text.replace("\\", "\\\\").replace("'", "''")
    return "E'" + "".join(c if c.isprintable() else _in_literal(c) for c in characters) + "'"


def _in_sql(char: str) -> str:
    code = ord(char)
    if char == "\\":
        return "\\\\"
    if char.isprintable():
        return char
    return f"\\{code:04x}" if code <= 0xFFFF else f"\\+{code:06x}"


def _in_literal(char: str) -> str:
    code = ord(char)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
