"""Everything that surefoot can say went wrong: a code, a page, a finding."""

from surefoot.errors.codes import CODES, ExitCode
from surefoot.errors.finding import NOT_CHANGED, NOT_REACHED, Finding, SurefootError

__all__ = ["CODES", "NOT_CHANGED", "NOT_REACHED", "ExitCode", "Finding", "SurefootError"]
