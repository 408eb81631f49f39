"""Passwords: the one that is known, in whatever form, and what stands in the place of another.

A text of somebody else's (a statement, an exception of the application's, what it prints) may hold
either. It is masked before it is cut or wrapped: half a password is one still.
"""

import re
from collections.abc import Iterable
from typing import Any, TextIO
from urllib.parse import quote, quote_plus

_IN_URL = re.compile(r"(://[^:/\s]*):\S*@")
_NAMED = re.compile(r"(?i)(password['\"]?\s*[=: ]\s*)('[^']*'?|\"[^\"]*\"?|[^\s'\"]+)")
_PERCENT = re.compile(r"%[0-9A-F]{2}")

_secrets: list[str] = []  # the longest first: one may be a part of another


def keep_secret(secret: str) -> None:
    """From now on, this is no part of what is written."""
    _secrets[:] = sorted({*_secrets, *_forms(secret)}, key=len, reverse=True)


def _forms(secret: str) -> set[str]:
    """The forms in which programs write it: in a URL, an ini file, Python, JSON, SQL, conninfo."""
    if secret.isascii() and secret.isalnum():
        return {secret}
    import json

    doubled = secret.replace("\\", "\\\\")
    found = {secret, doubled.replace("'", "\\'"), secret.replace("'", "''")}
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


def masked(text: str) -> str:
    """The same, and whatever else stands in the place of a password replaced."""
    return _NAMED.sub(r"\1***", _IN_URL.sub(r"\1:***@", hidden(text)))


class MaskingStream:
    """A text stream that hides what is secret. Everything else is the stream's own."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """What is told is what was given: the caller counts its own characters."""
        self._stream.write(hidden(text))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Each by itself."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
