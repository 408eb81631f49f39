"""Passwords: those that are known, in whatever form, and what stands in the place of another.

A text of somebody else's (a statement, an exception of the application's, what it prints) may hold
either. It is masked before it is cut or wrapped: half a password is one still. Others cut, too, so
the halves of known passwords are looked for, and a URL's password even where its end is missing.
"""

import functools
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TextIO

# The parameters of libpq that are secrets.
SECRET_PARAMETERS = frozenset(
    ("password", "sslpassword", "oauth_client_secret", "scram_client_key", "scram_server_key")
)

_IN_URL = re.compile(r"(://[^:/\s]*):\S*@")
# A URL that was cut off before its @: all up to its end, unless it's a port.
_IN_CUT_URL = re.compile(
    r"""(://[^:/\s@\[]*):(?!\*\*\*@|\d{1,5}(?:[/?\#\s,;)\]}]|['"](?!\.\.|…)|$))"""
    r"""(?:[^\s'"]|['"](?![\s,;:)\]}.…]|$))+"""
)
# A URL that was cut off before its password's end: what is between the ellipsis and the @.
_BEHIND_CUT = re.compile(r"""((?:\.\.\.|…)['"]?)[^\s'"@/]+@""")
_ELLIPSIS = re.compile(r"""['"]?\s*(?:\.\.\.+|…)\s*['"]?""")
_NAMED = re.compile(r"(?i)(password['\"]?\s*[=: ]\s*)('[^']*'?|\"[^\"]*\"?|[^\s'\"]+)")
_PERCENT = re.compile(r"%[0-9A-F]{2}")
_PASSWORD_OF_URL = re.compile(r"://[^:/@\s]*:(?!\d{1,5}/)([^@\s]+)@")

_SHORTEST = 4  # characters of a password that is looked for
_PIECE = 6  # characters of a piece of one that is looked for anywhere
_BY_A_CUT = 3  # and of one that stands beside an ellipsis

_secrets: list[str] = []  # the longest first: one may be a part of another
# Words that a piece of a password, or what is called one, may happen to be.
_open_words = {"postgresql", "postgres", "database", "password", "localhost", "surefoot"}
_open_words |= {"true", "false", "none", "null", "empty"}


def keep_secret(secret: str) -> None:
    """From now on, this is no part of what is written."""
    if secret not in _secrets:
        _secrets[:] = sorted({*_secrets, *_forms(secret)}, key=len, reverse=True)


def keep_secrets(parameters: Mapping[str, str], *others: str) -> None:
    """The same of an address in libpq's parameters, and of other passwords in its reach.

    A password that is also the user's or the database's name, or hardly a word, isn't looked for:
    every mention of the name would be masked, and tell it.
    """
    names = {parameters.get(key, "") for key in ("user", "dbname", "host")}
    _open_words.update(name.lower() for name in names if name)
    secrets = (value for key, value in parameters.items() if key in SECRET_PARAMETERS)
    for secret in (*secrets, *(one for one in others if one.lower() not in _open_words)):
        if len(secret) >= _SHORTEST and secret not in names:
            keep_secret(secret)


def passwords_in(text: str) -> list[str]:
    """The passwords of the URLs in a text, as they are and as they are meant."""
    found = _PASSWORD_OF_URL.findall(text)
    if not any("%" in one for one in found):
        return found
    from urllib.parse import unquote

    return [*found, *(unquote(one) for one in found if "%" in one)]


def _forms(secret: str) -> set[str]:
    """The forms in which programs write it: in a URL, an ini file, Python, JSON, SQL, conninfo."""
    if secret.isascii() and secret.isalnum():
        return {secret}
    import json
    from urllib.parse import quote, quote_plus, unquote

    doubled = secret.replace("\\", "\\\\")
    # unquoted: one that holds a percent sign, put into a URL as it is
    found = {secret, unquote(secret), doubled.replace("'", "\\'"), secret.replace("'", "''")}
    found |= {doubled.replace("'", "''"), doubled.replace('"', '\\"')}
    found |= {repr(secret)[1:-1], ascii(secret)[1:-1], repr(secret.encode())[2:-1]}
    found |= {json.dumps(secret, ensure_ascii=every)[1:-1] for every in (True, False)}
    in_urls = {quote(secret, safe=safe) for safe in ("", "/", " +")} | {quote_plus(secret)}
    found |= in_urls | {_PERCENT.sub(lambda hex: hex[0].lower(), form) for form in in_urls}
    return found | {form.replace("%", "%%") for form in found}


def hidden(text: str) -> str:
    """The text without what is kept secret."""
    for secret in _secrets:
        text = text.replace(secret, "***")
    return text


def redacted(text: str) -> str:
    """The same without the passwords of URLs, known or not, cut or not, and without the halves of
    known ones.
    """
    text = _IN_URL.sub(r"\1:***@", hidden(text))
    if "://" in text or "..." in text or "…" in text:
        text = _BEHIND_CUT.sub(r"\1***@", _IN_CUT_URL.sub(r"\1:***", text))
    return _without_pieces(text) if _secrets else text


def masked(text: str) -> str:
    """The same, and whatever else stands in the place of a password replaced."""
    return _NAMED.sub(r"\1***", redacted(text))


def _without_pieces(text: str) -> str:
    """The text without long pieces of what is secret, and short ones that border on an ellipsis."""
    spans = [span for secret in _secrets for span in _pieces(text, secret)]
    for cut in _ELLIPSIS.finditer(text):
        spans += _beside(text, cut.start(), cut.end())
    pieces: list[str] = []
    at = 0
    for start, end in sorted(spans):
        if start > at or not pieces:
            pieces += [text[at:start], "***"]
        at = max(at, end)
    return "".join([*pieces, text[at:]]) if pieces else text


def _pieces(text: str, secret: str) -> Iterable[tuple[int, int]]:
    """Where at least half of a secret stands, and six characters of it."""
    for piece in _pieces_of(secret, frozenset(_open_words)):
        at = text.find(piece)
        while at >= 0:
            yield at, at + len(piece)
            at = text.find(piece, at + 1)


@functools.lru_cache(maxsize=256)
def _pieces_of(secret: str, open_words: frozenset[str]) -> tuple[str, ...]:
    """What is looked for: the same for every line that is written, so it is worked out once."""
    size = max(_PIECE, (len(secret) + 1) // 2)
    pieces = (secret[start : start + size] for start in range(len(secret) - size + 1))
    return tuple(p for p in pieces if not any(p.lower() in word for word in open_words))


def _beside(text: str, start: int, end: int) -> Iterable[tuple[int, int]]:
    """Before `start` and from `end` on, what is a part of a secret: the text was cut there."""
    for secret in _secrets:
        before = after = 0
        while before < min(start, len(secret)) and text[start - before - 1 : start] in secret:
            before += 1
        while after < min(len(text) - end, len(secret)) and text[end : end + after + 1] in secret:
            after += 1
        if before >= _BY_A_CUT:
            yield start - before, start
        if after >= _BY_A_CUT:
            yield end, end + after


_before_writing: Callable[[], None] | None = None


def before_writing(call: Callable[[], None] | None) -> None:
    """From now on, this is called before a MaskingStream is written to: a line is in its way."""
    global _before_writing
    _before_writing = call


class MaskingStream:
    """A text stream that hides what is secret. Everything else is the stream's own.

    For what the application prints: its colours and lines stay as they are.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """What is told is what was given: the caller counts its own characters."""
        if _before_writing is not None:
            _before_writing()
        self._stream.write(redacted(text))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Each by itself."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
