"""Invalid indexes that a pending revision would take for its own.

An interrupted CREATE INDEX CONCURRENTLY leaves its index there, INVALID. IF NOT EXISTS skips it,
and the revision would seem to have created the index.
"""

from surefoot.errors import Finding
from surefoot.errors.steps import to_type
from surefoot.preflight.check import Found, Given
from surefoot.preflight.surroundings import InvalidIndex
from surefoot.schema.fact import Key
from surefoot.schema.names import quote_name, split_name

CODES = ("invalid-index-in-the-way",)


def check(given: Given) -> Found:
    """Return each that a pending revision creates, by the catalogue or by its source."""
    path = given.path
    findings: list[Finding] = []
    told: set[Key] = set()
    for index in given.around.invalid:
        key = ("index", index.name)
        if key in given.going:
            continue
        by = next(
            (
                (f"revision {revision.id} ({revision.path}:{one.line})", one)
                for revision, one in given.statements
                if one.is_about(key) and (one.schema or given.schema) == split_name(index.name)[0]
            ),
            None,
        )
        made = path.made.get(key) if path is not None else None
        if by is not None and by[1].drops:
            told.add(key)  # the revision drops it first
        elif by is not None and by[1].passes_over:
            told.add(key)
            findings.append(_finding(index, by[0], "which skips it: it says IF NOT EXISTS"))
        elif made is not None:
            told.add(key)
            findings.append(_finding(index, made.by.text, "which makes it"))
    return Found(tuple(findings), reported=frozenset(told))


def _finding(index: InvalidIndex, by: str, which: str) -> Finding:
    found = split_name(index.name)
    how = "index" if index.partitioned else "index concurrently"
    return Finding(
        "invalid-index-in-the-way",
        f"The index {index.name} is invalid, and in the way of {by}, {which}.",
        (
            "an interrupted CREATE INDEX CONCURRENTLY left it: no query uses it, and it does not "
            "make values unique",
        ),
        next=to_type(
            "drop it", f"drop {how} {quote_name(found[0], found[-1])};", then="then start again"
        ),
    )
