"""Errors: codes, their pages, findings.

The names are imported on first use: a start with nothing to do prints a line (`masking`,
`printable`) and needs no finding.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from surefoot.errors.codes import CODES, ErrorCode, ExitCode
    from surefoot.errors.finding import NOT_CHANGED, NOT_REACHED, Finding, SurefootError

__all__ = [
    "CODES",
    "NOT_CHANGED",
    "NOT_REACHED",
    "ErrorCode",
    "ExitCode",
    "Finding",
    "SurefootError",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = "codes" if name in ("CODES", "ErrorCode", "ExitCode") else "finding"
    found = globals()[name] = getattr(import_module(f"{__name__}.{module}"), name)
    return found
