"""`surefoot cleanup`: show what is left of revisions that aren't applied, ask, drop it."""

from collections.abc import Callable
from typing import Any

import msgspec
import psycopg

from surefoot.catalogue.catalogue import state
from surefoot.decision.cleanup import Remains, decide_cleanup
from surefoot.decision.facts import Facts
from surefoot.decision.plan import Plan
from surefoot.downgrades.leftovers import leftovers
from surefoot.look.journal_recipes import journal_writers, observe_ways_back
from surefoot.look.structure import observe_structure
from surefoot.look.survey import Application, application
from surefoot.model.outcome import Outcome
from surefoot.schema.fact import Key
from surefoot.workflows.confirm import Looked, confirmed
from surefoot.workflows.workspace import Report, Workspace


def cleanup(
    workspace: Workspace, report: Report, confirm: Callable[[Plan], None], *, trust_journal: bool
) -> Outcome:
    """Drop what revisions have made that aren't applied any more, and nothing of the user's own.

    `confirm` gets what would be done, with the rows that go, and raises SurefootError where the
    answer is no. `trust_journal`: the journal counts although others may write it. Raises
    SurefootError for what can't be looked at.
    """
    with (
        workspace.connect() as connection,
        application(workspace.project, workspace.ini, workspace.target, connection) as asked,
    ):

        def look() -> Looked:
            with workspace.connect() as looking:
                facts = asked.facts(looking)
                remains = _remains(asked, looking, facts)
                dropped = [one.key for one in remains.left if one.has_rows and one.statements]
                return Looked(
                    facts,
                    decide_cleanup(facts, remains, trust_journal=trust_journal),
                    remains,
                    tuple(dropped),
                )

        return confirmed(
            *(workspace, connection, asked, report),
            look=look,
            confirm=confirm,
            behind=lambda outcome, _, done: msgspec.structs.replace(outcome, state=done.state),
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
    live = {
        (fact.kind, fact.name): fact.definition
        for fact in observe_structure(connection, seen.version_table)
    }
    left = leftovers(kept.values(), applied, known, live)
    return Remains(left, writers=journal_writers(connection, seen))
