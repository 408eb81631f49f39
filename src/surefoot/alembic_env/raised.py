"""Describe what the application's code raised: PostgreSQL's own message, if it came from there.

The application's texts may quote its database URL: passwords in them are masked.
"""

import traceback
from typing import Any

from surefoot.diagnosis.cause import Cause, lines
from surefoot.diagnosis.refused import state_by_words
from surefoot.errors.masking import masked

# Psycopg and psycopg2 keep these in `diag`, asyncpg on the exception, with some other names.
_FIELDS = {
    "message": ("message_primary", "message"),
    "detail": ("message_detail", "detail"),
    "hint": ("message_hint", "hint"),
    "context": ("context",),
    "schema": ("schema_name",),
    "table": ("table_name",),
    "column": ("column_name",),
    "constraint": ("constraint_name",),
}


def cause_of(error: BaseException) -> Cause | None:
    """Return PostgreSQL's error, whatever the driver; None if it was Python's own."""
    original: BaseException = getattr(error, "orig", None) or error
    if original is not error and original.__cause__ is not None:
        original = original.__cause__  # asyncpg's own, below SQLAlchemy's adapter
    if getattr(original.__cause__, "sqlstate", None) is not None:
        original = original.__cause__ or original  # why the server ended asyncpg's connection
    state = getattr(original, "sqlstate", None) or getattr(original, "pgcode", None)
    state = state or state_by_words(_said(original))
    if state is None:
        return None
    diagnosis = getattr(original, "diag", None) or original
    found = {field: _text(diagnosis, names) for field, names in _FIELDS.items()}
    found["message"] = found["message"] or masked((_said(original).splitlines() or [""])[0])
    statement = masked(str(getattr(error, "statement", None) or ""))
    return Cause(sqlstate=str(state), statement=statement, **found)


def of_encoding(error: BaseException) -> bool:
    """Whether a driver raised it because the session's encoding doesn't have a character."""
    if not isinstance(error, UnicodeError):
        return False
    frames = traceback.extract_tb(error.__traceback__)
    drivers = ("sqlalchemy", "psycopg", "psycopg2", "asyncpg", "pg8000")
    return bool(frames) and any(f"/{name}/" in frames[-1].filename for name in drivers)


def _said(error: BaseException) -> str:
    """Return its message; "" if the application's own class fails to give one."""
    try:
        return str(error)
    except Exception:  # noqa: BLE001 (whatever it is, it isn't what is to be told)
        return ""


def _text(diagnosis: Any, names: tuple[str, ...]) -> str:
    value = next((v for name in names if (v := getattr(diagnosis, name, None))), "")
    return masked(str(value))


def describe(error: BaseException) -> list[str]:
    """Return an exception in lines: PostgreSQL's own message if it has one, otherwise Python's."""
    cause = cause_of(error)
    return lines(cause) if cause else [masked(line) for line in _in_pythons_words(error)]


def whole(error: BaseException) -> tuple[str, ...]:
    """Return its traceback with its causes, as Python prints it, without passwords."""
    text = masked("".join(traceback.format_exception(error)))
    return tuple(line for line in text.splitlines() if line.strip())


def _in_pythons_words(error: BaseException) -> list[str]:
    text = "".join(traceback.format_exception_only(error)).strip().splitlines()
    # SQLAlchemy appends the statement and a link, after the message
    kept = [line.strip() for line in text if not line.startswith(("[SQL:", "(Background on"))]
    found = [line for line in kept if line][:6]
    frames = traceback.extract_tb(error.__traceback__)
    if not error.args and frames:  # a bare assert, for example: its place is all it says
        found.append(f"raised in {frames[-1].filename}:{frames[-1].lineno}: {frames[-1].line}")
    return found
