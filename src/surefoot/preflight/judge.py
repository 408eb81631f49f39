"""Run the checks: what is in the way of a path, in what is there."""

import msgspec

from surefoot.preflight.check import Given
from surefoot.preflight.checks import CHECKS
from surefoot.preflight.needs import needs
from surefoot.preflight.verdict import Preflight


def judge(given: Given) -> Preflight:
    """Every finding and every remark of all checks."""
    found = Preflight(needs=needs(given.path, given.differences) if given.path else ())
    for check in CHECKS:
        one = check(given)
        found = msgspec.structs.replace(
            found,
            findings=(*found.findings, *one.findings),
            of_role=(*found.of_role, *one.of_role),
            remarks=(*found.remarks, *one.remarks),
        )
        if one.reported:
            live = {key: text for key, text in given.live.items() if key not in one.reported}
            given = msgspec.structs.replace(given, live=live)
    return found
