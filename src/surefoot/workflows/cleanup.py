"""`surefoot cleanup`: show the remains of revisions that aren't applied, ask, drop them."""

from typing import Any

import msgspec
import psycopg

from surefoot.catalogue.catalogue import state
from surefoot.decision.cleanup import Remains, decide_cleanup
from surefoot.decision.facts import Facts
from surefoot.decision.request import Request
from surefoot.downgrades.leftovers import leftovers
from surefoot.look.journal_recipes import (
    journal_writers,
    observe_made_by_others,
    observe_ways_back,
)
from surefoot.look.structure import observe_structure
from surefoot.look.survey import Application
from surefoot.schema.fact import Key
from surefoot.workflows.job import Job, Looked
from surefoot.workflows.workspace import Workspace


def clearing(workspace: Workspace, asked: Application, request: Request) -> Job:
    """Drop the objects of revisions that are no longer applied, and no user objects.

    The request may trust the journal even if others can write to it. Raises what its looks raise.
    """

    def look() -> Looked:
        with workspace.look_session() as looking:
            facts = asked.facts(looking)
            remains = _remains(asked, looking, facts)
            dropped = [one.key for one in remains.left if one.has_rows and one.statements]
            decision = decide_cleanup(facts, remains, trust_journal=request.trust_journal)
            return Looked(facts, decision, remains, tuple(dropped))

    return Job(
        request,
        look,
        lambda outcome, _, done: msgspec.structs.replace(outcome, state=done.state),
    )


def _remains(asked: Application, connection: psycopg.Connection[Any], facts: Facts) -> Remains:
    seen, catalogue = facts.database, asked.catalogue
    kept = observe_ways_back(connection, seen)
    rows = tuple(row for row in seen.rows if row)
    if catalogue is None or catalogue.history.unknown(seen.rows):
        return Remains(known=catalogue is not None)
    applied = catalogue.history.applied(rows)
    known: set[Key] = set()
    for way in catalogue.ways:
        if way.leads_to(applied):
            known |= state(way, applied).keys()
    others = observe_made_by_others(connection, seen)
    live: dict[Key, str] = {
        key: fact.definition
        for fact in observe_structure(connection, seen.version_table)
        if (key := (fact.kind, fact.name)) not in others
    }
    left = leftovers(kept.values(), applied, known, live)
    return Remains(left, writers=journal_writers(connection, seen))
