"""Mask passwords: known ones in any form, and whatever stands where a password would.

Text from elsewhere (a statement, an exception of the application, its output) may contain either.
It is masked before it is cut or wrapped, because half a password is still a secret. Other programs
cut text too, so halves of known passwords are masked, and a URL's password even if its end is
missing.
"""

import functools
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TextIO

# libpq's secret parameters
SECRET_PARAMETERS = frozenset(
    ("password", "sslpassword", "oauth_client_secret", "scram_client_key", "scram_server_key")
)

_IN_URL = re.compile(r"(://[^:/\s]*):\S*@")
# A URL that was cut off before its @: everything up to its end, unless it is a port.
_IN_CUT_URL = re.compile(
    r"""(://[^:/\s@\[]*):(?!\*\*\*@|\d{1,5}(?:[/?\#\s,;)\]}]|['"](?!\.\.|…)|$))"""
    r"""(?:[^\s'"]|['"](?![\s,;:)\]}.…]|$))+"""
)
# A URL that was cut off within its password: the text between the ellipsis and the @.
_BEHIND_CUT = re.compile(r"""((?:\.\.\.|…)['"]?)[^\s'"@/]+@""")
_ELLIPSIS = re.compile(r"""['"]?\s*(?:\.\.\.+|…)\s*['"]?""")
_NAMED = re.compile(r"(?i)(password['\"]?\s*[=: ]\s*)('[^']*'?|\"[^\"]*\"?|[^\s'\"]+)")
_PERCENT = re.compile(r"%[0-9A-F]{2}")
_PASSWORD_OF_URL = re.compile(r"://[^:/@\s]*:(?!\d{1,5}/)([^@\s]+)@")

_SHORTEST = 4  # shortest password, in characters, that is masked
_PIECE = 6  # shortest piece of one that is masked anywhere
_BY_A_CUT = 3  # shortest piece that is masked next to an ellipsis

_secrets: list[str] = []  # the longest first, because one may be part of another
# words that may occur as a piece of a password, or be labelled as one, by chance
_open_words = {"postgresql", "postgres", "database", "password", "localhost", "surefoot"}
_open_words |= {"true", "false", "none", "null", "empty"}
_open_words.add("pass")  # driver://user:pass@localhost/dbname, in the ini file of `alembic init`


def keep_secret(secret: str) -> None:
    """Mask this text in all output from now on."""
    if secret not in _secrets:
        _secrets[:] = sorted({*_secrets, *_forms(secret)}, key=len, reverse=True)


def keep_secrets(parameters: Mapping[str, str], *others: str) -> None:
    """Mask the passwords of an address in libpq's parameters, and others within its reach.

    A password that equals the user's or the database's name, or is very short, isn't masked:
    masking every mention of the name would reveal it.
    """
    names = {parameters.get(key, "") for key in ("user", "dbname", "host")}
    _open_words.update(name.lower() for name in names if name)
    secrets = (value for key, value in parameters.items() if key in SECRET_PARAMETERS)
    for secret in (*secrets, *(one for one in others if one.lower() not in _open_words)):
        if len(secret) >= _SHORTEST and secret not in names:
            keep_secret(secret)


def passwords_in(text: str) -> list[str]:
    """Find the passwords of the URLs in a text, both as written and decoded."""
    found = _PASSWORD_OF_URL.findall(text)
    if not any("%" in one for one in found):
        return found
    from urllib.parse import unquote

    return [*found, *(unquote(one) for one in found if "%" in one)]


def _forms(secret: str) -> set[str]:
    """Return the forms in which programs write a secret: URL, ini, Python, JSON, SQL, conninfo."""
    if secret.isascii() and secret.isalnum():
        return {secret}
    import json
    from urllib.parse import quote, quote_plus, unquote

    doubled = secret.replace("\\", "\\\\")
    # unquoted: a password with a percent sign may have been put into a URL unescaped
    found = {secret, unquote(secret), doubled.replace("'", "\\'"), secret.replace("'", "''")}
    found |= {doubled.replace("'", "''"), doubled.replace('"', '\\"')}
    found |= {repr(secret)[1:-1], ascii(secret)[1:-1], repr(secret.encode())[2:-1]}
    found |= {json.dumps(secret, ensure_ascii=every)[1:-1] for every in (True, False)}
    in_urls = {quote(secret, safe=safe) for safe in ("", "/", " +")} | {quote_plus(secret)}
    found |= in_urls | {_PERCENT.sub(lambda hex: hex[0].lower(), form) for form in in_urls}
    return found | {form.replace("%", "%%") for form in found}


def hidden(text: str) -> str:
    """Mask known secrets in a text."""
    for secret in _secrets:
        text = text.replace(secret, "***")
    return text


def redacted(text: str) -> str:
    """Also mask the passwords of URLs, known or not, complete or cut, and halves of known ones."""
    text = _IN_URL.sub(r"\1:***@", hidden(text))
    if "://" in text or "..." in text or "…" in text:
        text = _BEHIND_CUT.sub(r"\1***@", _IN_CUT_URL.sub(r"\1:***", text))
    return _without_pieces(text) if _secrets else text


def masked(text: str) -> str:
    """Also mask anything else that stands where a password would."""
    return _NAMED.sub(r"\1***", redacted(text))


def _without_pieces(text: str) -> str:
    """Mask long pieces of secrets, and short pieces next to an ellipsis."""
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
    """Find where at least half of a secret, and at least six characters of it, stands in a text."""
    for piece in _pieces_of(secret, frozenset(_open_words)):
        at = text.find(piece)
        while at >= 0:
            yield at, at + len(piece)
            at = text.find(piece, at + 1)


@functools.lru_cache(maxsize=256)
def _pieces_of(secret: str, open_words: frozenset[str]) -> tuple[str, ...]:
    """Return the pieces to look for; cached, because they are the same for every line."""
    size = max(_PIECE, (len(secret) + 1) // 2)
    pieces = (secret[start : start + size] for start in range(len(secret) - size + 1))
    return tuple(p for p in pieces if not any(p.lower() in word for word in open_words))


def _beside(text: str, start: int, end: int) -> Iterable[tuple[int, int]]:
    """Find pieces of secrets that end at `start` or begin at `end`, where the text was cut."""
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
    """Call this before a MaskingStream is written to, because a live line must be cleared first."""
    global _before_writing
    _before_writing = call


class MaskingStream:
    """A text stream that masks secrets and is otherwise unchanged.

    For the application's output, whose colours and lines must stay as they are.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Return the length of the given text, which the caller expects, not of the masked one."""
        if _before_writing is not None:
            _before_writing()
        self._stream.write(redacted(text))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write each line separately."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
