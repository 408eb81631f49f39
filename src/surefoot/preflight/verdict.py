"""What the preflight found, as a value."""

import msgspec

from surefoot.errors import Finding


class Preflight(msgspec.Struct, frozen=True):
    """What is in the way of the pending revisions.

    `findings` stop whoever wants to upgrade this database, `of_role` only the role that would do
    it. `remarks` stop nobody. `needs` says of names that aren't as recorded which pending revision
    needs them: kind, name, and the revision in words.
    """

    findings: tuple[Finding, ...] = ()
    of_role: tuple[Finding, ...] = ()
    remarks: tuple[str, ...] = ()
    needs: tuple[tuple[str, str, str], ...] = ()
