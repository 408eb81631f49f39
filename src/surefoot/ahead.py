"""Can this code run on a database that is newer than it? Pure.

What the newer release says of itself (a floor, kept in the journal) counts; else the structure.
"""

import msgspec

from surefoot.observation import Facts
from surefoot.structure.compatible import Verdict
from surefoot.version_rows import judge


class Ahead(msgspec.Struct, frozen=True):
    """Whether the code can run (None: nobody can tell), and by what that is known.

    `floor` is what a newer revision says: which, and the oldest code that can run on it. `verdict`
    is the structure's, where there is a catalogue to go by.
    """

    can_run: bool | None
    floor: tuple[str, str] | None = None
    verdict: Verdict | None = None


def ahead(facts: Facts) -> Ahead:
    """For a database whose version rows are newer than the code.

    A floor that the code doesn't reach forbids it. One of the very revision that the database is at
    allows it, whatever the structure looks like; one of an earlier revision says nothing of what
    came behind it.
    """
    history, database = facts.code.history, facts.database
    verdict = facts.standing.ahead if facts.standing else None
    newer = [r for r in database.journaled if r.id not in history.revisions]
    declared = [(r.id, r.floor) for r in newer if r.floor]
    for id, floor in declared:
        if not history.named(floor):
            return Ahead(can_run=False, floor=(id, floor), verdict=verdict)
    floors = dict(declared)
    unknown = judge(facts)
    if unknown and all(one.certain and one.row in floors for one in unknown):
        row = str(unknown[0].row)
        return Ahead(can_run=True, floor=(row, floors[row]), verdict=verdict)
    return Ahead(None if verdict is None else verdict.compatible, verdict=verdict)
