"""Passwords in texts that aren't ours: a statement, an exception of the application's."""

import re

_IN_URL = re.compile(r"(://[^:/\s]*):\S*@")
_NAMED = re.compile(r"(?i)(password['\"]?\s*[=: ]\s*)('[^']*'?|\"[^\"]*\"?|[^\s'\"]+)")


def masked(text: str) -> str:
    """The text, with what stands in the place of a password replaced."""
    return _NAMED.sub(r"\1***", _IN_URL.sub(r"\1:***@", text))
