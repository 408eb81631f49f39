"""Find where an SQL statement ends: psql's rules, on bytes.

There are two methods with the same result. `cut_fast` matches a whole plain INSERT, UPDATE or
DELETE with one regular expression, and `cut_run` a run of them; `cut` reads everything, token by
token. Every encoding that a server can have leaves ASCII bytes to mean ASCII, so bytes above 127
are simply letters.
"""

import re
from typing import NamedTuple

from surefoot.scripts.tokens import COARSE, RUN, STATEMENT, TOKEN

# An INSERT of many rows is worth waiting for: if the fast expression stops this near the end of
# what was read, more text is read before the slow method is used.
_NEAR_THE_END = 1 << 16
_MOST_TOKENS = 4096

_NESTED = re.compile(rb"/\*|\*/")
_SHORT_LITERAL = re.compile(rb"'[\w.-]{0,64}'")
# No rule looks into these, so their tokens needn't be distinguished.
_NO_RULES = {b"INSERT", b"UPDATE", b"DELETE"}
_ROUTINE_WORDS = {b"CREATE", b"OR", b"REPLACE", b"FUNCTION", b"PROCEDURE"}
_ROUTINES = (b"FUNCTION", b"PROCEDURE")
# The arguments of a psql command: up to the line's end, or an unquoted backslash.
_ARGUMENTS = re.compile(rb"(?:'(?:[^'\\\n]|''|\\.)*+'|\"[^\"\n]*+\"|`[^`\n]*+`|[^\\\n])*+")
_COMMAND = re.compile(rb"\\(?:[;:?!]|[^\s\\]*+)")
# Psql commands that, with the right arguments, neither change the database nor end psql.
_YES_NO = rb"(?:on|off|true|false|yes|no|[01])"
_SILENT = re.compile(
    rb"\\(?:(?P<free>echo|qecho|warn|pset[ \t]+null(?=[ \t]))"
    rb"|(?:restrict|unrestrict)[ \t]+[A-Za-z0-9]+"
    rb"|timing(?:[ \t]+(?:on|off))?"
    rb"|pset[ \t]+(?:pager|footer|tuples_only|expanded)[ \t]+(?:on|off)"
    rb"|pset[ \t]+border[ \t]+[012]|pset[ \t]+format[ \t]+(?:aligned|unaligned|wrapped|csv)"
    rb"|set[ \t]+ON_ERROR_STOP(?:[ \t]+(?:on|true|yes|1))?|set[ \t]+QUIET[ \t]+" + _YES_NO + rb""
    rb"|set[ \t]+ECHO[ \t]+(?:all|none|queries|errors)"
    rb"|set[ \t]+VERBOSITY[ \t]+(?:default|terse|verbose|sqlstate)"
    rb")(?=\s*+(?:\\|\Z)|(?(free)\s|(?!)))"
)


class Cut(NamedTuple):
    """The place of one statement in a text.

    `begin` is its first byte that is neither space nor comment, `end` the byte after its semicolon;
    they are equal if there is no statement. `skeleton` is its tokens in upper case, separated by
    one space, with names and longer literals masked: the rules read it. `blanks` are psql commands
    before it and within it, which the server must not see.
    """

    begin: int
    end: int
    skeleton: bytes = b""
    blanks: tuple[tuple[int, int], ...] = ()


class NotSql(Exception):
    """psql would have to do this itself: `what` is the command or variable at `offset`."""

    def __init__(self, offset: int, what: bytes) -> None:
        super().__init__(offset, what)
        self.offset = offset
        self.what = what


class Unfinished(Exception):
    """The text ends inside `what`, which was opened at `offset`."""

    def __init__(self, offset: int, what: str) -> None:
        super().__init__(offset, what)
        self.offset = offset
        self.what = what


def cut_run(text: bytes, start: int, limit: int, standard_strings: bool) -> tuple[int, int] | None:
    """Return begin and end of as many plain statements as end within `limit` bytes after `start`.

    None if there isn't even one. `cut_fast` cuts the same text into the same statements.
    """
    match = RUN[standard_strings].match(text, start, start + limit)
    return match.span(1) if match else None


def cut_fast(text: bytes, start: int, standard_strings: bool) -> tuple[int, int] | None:
    """Return begin and end of the statement after `start`, if it is complete and plain enough.

    `cut` would cut the same.
    """
    match = STATEMENT[standard_strings].match(text, start)
    if match is None or not text.startswith(b";", match.end()):
        return None
    return match.start(1), match.end() + 1


def cut(text: bytes, start: int, *, final: bool, standard_strings: bool) -> Cut | None:
    """Return the statement that begins at or after `start`.

    None means that more text is needed to decide; never if `final`, that is, if no more follows.
    `standard_strings` is the setting standard_conforming_strings. Raises NotSql and Unfinished.
    """
    if not final:
        match = STATEMENT[standard_strings].match(text, start)
        if match is not None and len(text) - match.end() < _NEAR_THE_END:
            return None
    return _cut_by_token(text, start, final=final, standard_strings=standard_strings)


def _cut_by_token(text: bytes, start: int, *, final: bool, standard_strings: bool) -> Cut | None:
    pattern = TOKEN[standard_strings]
    position, begin = start, -1
    parens: list[int] = []
    blocks: list[int] = []  # BEGIN and CASE in a routine's body in standard SQL
    brackets = 0
    words: list[bytes] = []
    tokens: list[bytes] = []
    blanks: list[tuple[int, int]] = []
    while (match := pattern.match(text, position)) is not None:
        kind, at, position = match.lastgroup, position, match.end()
        if position == len(text) and not final:
            return None  # the token may continue
        if kind == "space":
            continue
        if kind == "comment":
            position = _comment_end(text, position)
            if position < 0:
                return _unfinished(final, at, "comment")
            continue
        if kind == "command":
            line_end = text.find(b"\n", at)
            if line_end < 0 and not final:
                return None
            position = _command_end(text, at, len(text) if line_end < 0 else line_end)
            blanks.append((at, position))
            continue
        token = match[0]
        if begin < 0:
            if token == b";":
                return Cut(position, position, blanks=tuple(blanks))
            begin = at
            if token.upper() in _NO_RULES:
                pattern = COARSE[standard_strings]
        if kind == "word":
            token = token.upper()
            if len(words) < 4:
                words.append(token if token in _ROUTINE_WORDS else b"")
            if not parens and _begins_routine(words):
                if token == b"BEGIN" or (token == b"CASE" and blocks):
                    blocks.append(at)
                elif token == b"END" and blocks:
                    blocks.pop()
        elif kind == "string":
            token = token if _SHORT_LITERAL.fullmatch(token) else b"'?'"
        elif kind == "name":
            token = b'""'
        elif kind == "open":
            return _unfinished(final, at, "quoted name" if b'"' in token else "string")
        elif kind == "dollar":
            found = text.find(token, position)
            if found < 0:
                return _unfinished(final, at, f"{token.decode(errors='replace')} string")
            position = found + len(token)
            token = b"'?'"
        elif kind == "variable":
            if not (brackets and token[1] not in b"'\"{"):
                raise NotSql(at, token)
        elif token == b"(":
            parens.append(at)
        elif token == b")":
            if parens:
                parens.pop()
        elif token == b"[":
            brackets += 1
        elif token == b"]":
            brackets = max(brackets - 1, 0)
        elif token == b";" and not parens and not blocks:
            return Cut(begin, position, b" ".join(tokens), tuple(blanks))
        if len(tokens) < _MOST_TOKENS:
            tokens.append(token)
    if not final:
        return None
    for opened, what in ((blocks, "BEGIN … END body"), (parens, "parenthesis")):
        if opened:
            raise Unfinished(opened[0], what)
    if begin < 0:
        return Cut(len(text), len(text), blanks=tuple(blanks))
    return Cut(begin, len(text), b" ".join(tokens), tuple(blanks))


def _unfinished(final: bool, offset: int, what: str) -> None:
    if final:
        raise Unfinished(offset, what)


def _comment_end(text: bytes, position: int) -> int:
    depth = 1
    for match in _NESTED.finditer(text, position):
        depth += 1 if match[0] == b"/*" else -1
        if not depth:
            return match.end()
    return -1


def _begins_routine(words: list[bytes]) -> bool:
    # psql's test, which looks at the first four words only
    if len(words) < 2 or words[0] != b"CREATE":
        return False
    if words[1] == b"OR":
        return len(words) == 4 and words[2] == b"REPLACE" and words[3] in _ROUTINES
    return words[1] in _ROUTINES


def _command_end(text: bytes, at: int, line_end: int) -> int:
    """Skip a psql command that changes nothing here, and its arguments."""
    line = text[at:line_end]
    if (silent := _SILENT.match(line)) is None:
        command = _COMMAND.match(line)
        raise NotSql(at, command[0] if command else b"\\")
    arguments = _ARGUMENTS.match(text, at + silent.end(), line_end)
    stop = arguments.end() if arguments else line_end
    # two backslashes end the command: SQL continues after them
    return stop + 2 if text.startswith(b"\\\\", stop, line_end) else stop
