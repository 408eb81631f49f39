"""The checks of the preflight: a file for each code, in the order in which findings are reported.

`make new-check CODE` writes the file, its line here, the code, its page and a failing test.
"""

from collections.abc import Callable

from surefoot.preflight.check import Found, Given
from surefoot.preflight.checks import (
    customisation_in_the_way,
    extension_missing,
    invalid_index_in_the_way,
    locks_too_few,
    object_in_the_way,
    privilege_missing,
    version_column_too_short,
)

CHECKS: tuple[Callable[[Given], Found], ...] = (
    invalid_index_in_the_way.check,
    object_in_the_way.check,
    customisation_in_the_way.check,
    extension_missing.check,
    locks_too_few.check,
    privilege_missing.check,
    version_column_too_short.check,
)
