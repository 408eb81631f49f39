"""The regular expressions for psql's tokens.

Each exists twice, by standard_conforming_strings: if off, a backslash in a plain string escapes.
"""

import re

_IN_WORD = rb"A-Za-z0-9_$\x80-\xff"
_VARIABLE = rb"[A-Za-z0-9_\x80-\xff]++"
_ESCAPED = rb"'(?:[^'\\]++|''|\\.)*+'"
# Psql reads line by line, so only a lone carriage return lets an E'…' continue after its end quote.
_CONTINUED = rb"(?:[ \t\f]|--[^\r\n]*+)*+\r(?:[ \t\f\r]|--[^\r\n]*+\r)*+"
_ESCAPES = _ESCAPED + rb"(?:" + _CONTINUED + _ESCAPED + rb")*+"
# An E that is a separate word makes the next string an escape string.
_AFTER_E = rb"(?<=[^" + _IN_WORD + rb"][eE])"
_NOT_AFTER_E = rb"(?<![^" + _IN_WORD + rb"][eE])"


def _token(string: bytes, passed_over: bytes = b"") -> re.Pattern[bytes]:
    groups = (
        rb"(?P<space>[ \t\r\n\f]++|--[^\r\n]*+" + passed_over + rb")",
        rb"(?P<comment>/\*)",
        rb"(?P<string>[eE]" + _ESCAPES + rb"|[bBxX]'[^']*+'|[uU]&'[^']*+'|" + string + rb")",
        rb'(?P<name>(?:[uU]&)?"[^"]*+")',
        rb"(?P<open>[eEbBxX]?'|(?:[uU]&)?['\"])",
        rb"(?P<word>[A-Za-z_\x80-\xff][" + _IN_WORD + rb"]*+)",
        rb"(?P<number>\$?[0-9][." + _IN_WORD + rb"]*+)",
        rb"(?P<dollar>\$(?:[A-Za-z_\x80-\xff][A-Za-z0-9_\x80-\xff]*+)?\$)",
        rb"(?P<colons>:[:=])",
        rb"(?P<variable>:(?:V|'V'|\"V\"|\{\?V\}))".replace(b"V", _VARIABLE),
        rb"(?P<command>\\)",
        rb"(?P<other>.)",
    )
    return re.compile(rb"|".join(groups), re.DOTALL)


_LOUD = rb"'\"();\\$:/\r-"
_ALONE = rb'"[^"]*+"|-(?!-)|/(?!\*)|:[:=]|\r\n'


def _plain(string: bytes) -> bytes:
    """Return an expression for what neither ends a statement nor opens or hides something."""
    return rb"[^" + _LOUD + rb"]++|" + string + rb"|" + _AFTER_E + _ESCAPED + rb"|" + _ALONE


def _run(string: bytes) -> bytes:
    """Return the same without brackets, and without words that a quote or a dollar may continue."""
    whole_words = rb"[^\[\]" + _LOUD + rb"]++(?:(?![$'\"])|(?<=[^&" + _IN_WORD + rb"]))"
    return rb"(?:" + whole_words + rb"|" + string + rb"|" + _ALONE + rb")++"


def _statement(string: bytes) -> bytes:
    plain = _plain(string)
    inside = rb"\((?:" + plain + rb"|;)*+\)"
    for _ in range(2):
        inside = rb"\((?:" + plain + rb"|;|" + inside + rb")*+\)"
    body = rb"(?:" + plain + rb"|" + inside + rb")*+"
    return rb"(?i:INSERT|UPDATE|DELETE)[ \t\r\n]" + body


_STANDARD = rb"'[^']*+'"
_DOUBLED = rb"'[^']*+(?:''[^']*+)*+'"

TOKEN = {True: _token(_STANDARD), False: _token(_ESCAPES)}
# The same, but irrelevant runs become one space.
COARSE = {
    True: _token(_STANDARD, rb"|" + _run(_DOUBLED)),
    False: _token(_ESCAPES, rb"|" + _run(_ESCAPED)),
}
# A whole INSERT, UPDATE or DELETE up to its semicolon, parentheses three deep.
_STATEMENTS = {
    True: _statement(_NOT_AFTER_E + _DOUBLED),
    False: _statement(rb"(?<![&bBxX])" + _ESCAPED),
}
_SPACE = rb"[ \t\r\n\f]*+"
STATEMENT = {
    strings: re.compile(_SPACE + rb"(" + one + rb")", re.DOTALL)
    for strings, one in _STATEMENTS.items()
}
# Several of them, each with its semicolon.
RUN = {
    strings: re.compile(_SPACE + rb"(" + one + rb";(?:" + _SPACE + one + rb";)*+)", re.DOTALL)
    for strings, one in _STATEMENTS.items()
}
