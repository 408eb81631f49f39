"""Decide whether this code can run on a database that is newer. Pure.

If the newer release declares a floor (the journal keeps it), that decides; otherwise the structure
does.
"""

import msgspec

from surefoot.catalogue.match import Verdict
from surefoot.decision.facts import Facts
from surefoot.decision.version_rows import judge


class Ahead(msgspec.Struct, frozen=True):
    """Whether the code can run (None: unknown), and the reason.

    `floor` is what a newer revision declares: the revision, and the oldest code that can run on it.
    `verdict` is the structure's, if there is a catalogue. `behind` are revisions of this code that
    have not run: the database is newer on one branch, and older on another.
    """

    can_run: bool | None
    floor: tuple[str, str] | None = None
    verdict: Verdict | None = None
    behind: tuple[str, ...] = ()


def ahead(facts: Facts) -> Ahead:
    """Decide for a database whose version rows are newer than the code.

    A floor that the code doesn't reach forbids it. A floor of exactly the revision that the
    database is at allows it, whatever the structure; a floor of an earlier revision says nothing
    about later ones.
    """
    history, database = facts.code.history, facts.database
    verdict = facts.standing.ahead if facts.standing else None
    behind = _behind(facts)
    if behind:
        return Ahead(can_run=False, verdict=verdict, behind=behind)
    newer = [r for r in database.journaled if r.id not in history.revisions]
    releases = {revision.release for revision in history.revisions.values()}
    declared = [(r.id, r.floor) for r in newer if r.floor]
    for id, floor in declared:
        # unlike a person's shorthand: "3" is the beginning of many ids
        if floor not in history.revisions and floor not in releases:
            return Ahead(can_run=False, floor=(id, floor), verdict=verdict)
    floors = dict(declared)
    unknown = judge(facts)
    if unknown and all(one.certain and one.row in floors for one in unknown):
        row = str(unknown[0].row)
        return Ahead(can_run=True, floor=(row, floors[row]), verdict=verdict)
    if verdict is None:
        return Ahead(None)
    # A newer revision may have dropped what is missing, or it was never made: unless the journal
    # has the row, it may be that of a branch on which this code's own head never ran.
    lost = any(told.found is None and told.expected is not None for told in verdict.remarks)
    if verdict.compatible and lost and not all(one.certain for one in unknown):
        return Ahead(None, verdict=verdict)
    return Ahead(verdict.compatible, verdict=verdict)


def _behind(facts: Facts) -> tuple[str, ...]:
    """Return the code's revisions that no version row names or implies.

    The journal says what a newer row includes. Otherwise a row may stand for any of the code's
    heads, but not for what comes after a row that the code knows.
    """
    history, database = facts.code.history, facts.database
    below = dict(database.places)
    below |= {one.id: one.below for one in database.journaled if one.below}
    known = {row for row in database.rows if row and row in history.revisions}
    certain = True
    for one in judge(facts):
        certain = certain and one.certain
        todo, seen = [str(one.row)], set[str]()
        while one.certain and todo:
            id = todo.pop()
            if id in history.revisions:
                known.add(id)
            elif id not in seen:
                seen.add(id)
                todo += below.get(id, ())
    ran = history.applied(known)
    if certain:
        return tuple(id for id in history.revisions if id not in ran)
    return tuple(
        id
        for id in history.revisions
        if id not in ran and any(row in history.applied((id,)) for row in known)
    )
