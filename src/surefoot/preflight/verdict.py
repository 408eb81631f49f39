"""The results of the preflight, as a value."""

import msgspec

from surefoot.errors import Finding


class Preflight(msgspec.Struct, frozen=True):
    """What is in the way of the pending revisions.

    `findings` stop every upgrade of this database, `of_role` only the role that would do it.
    `remarks` stop nothing. `needs` says which pending revision needs a name that isn't as recorded:
    kind, name, and the revision in words.
    """

    findings: tuple[Finding, ...] = ()
    of_role: tuple[Finding, ...] = ()
    remarks: tuple[str, ...] = ()
    needs: tuple[tuple[str, str, str], ...] = ()
