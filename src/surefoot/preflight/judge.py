"""Run the checks: what exists that is in the way of a path."""

import re
from collections.abc import Iterable

import msgspec

from surefoot.catalogue.match import Difference
from surefoot.preflight.check import Given
from surefoot.preflight.checks import CHECKS
from surefoot.preflight.path import PathChange, UpgradePath
from surefoot.preflight.verdict import Preflight
from surefoot.schema.names import split_name, table_of


def judge(given: Given) -> Preflight:
    """Return every finding and every remark of all checks."""
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


_USES_COLUMNS = ("index", "constraint")


def needs(path: UpgradePath, differences: Iterable[Difference]) -> tuple[tuple[str, str, str], ...]:
    """Return for each difference that a pending revision touches: kind, name, and that revision."""
    found: list[tuple[str, str, str]] = []
    for difference in differences:
        by = path.touched.get((difference.kind, difference.name)) or _uses(path, difference)
        if by is not None:
            found.append((difference.kind, difference.name, by.text))
    return tuple(found)


def _uses(path: UpgradePath, difference: Difference) -> PathChange | None:
    """Return the revision that changes something of the table, or indexes the column."""
    if difference.kind not in ("relation", "column"):
        return None
    name = split_name(difference.name)
    column = re.compile(rf"\b{re.escape(name[-1])}\b") if difference.kind == "column" else None
    for doing in path.doings:
        for change in doing.changes:
            definition = next((d for d in change.after if d is not None), "")
            if split_name(table_of(change.key, definition) or "") != name[:2]:
                continue
            if column is None or (change.kind in _USES_COLUMNS and column.search(definition)):
                return doing
    return None
