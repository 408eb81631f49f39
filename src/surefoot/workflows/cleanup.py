"""`surefoot cleanup`: show what is left of revisions that aren't applied, ask, drop it."""

from collections.abc import Callable
from typing import Any

import msgspec
import psycopg

from surefoot.confirmed import Looked, confirmed
from surefoot.decision.tidying import Remains, decide_cleanup
from surefoot.observation import Facts
from surefoot.observe.facts import Application, application
from surefoot.observe.structure import observe_structure
from surefoot.observe.ways_back import journal_writers, observe_ways_back
from surefoot.outcome import Outcome
from surefoot.plan import Plan
from surefoot.session import Report, Session
from surefoot.structure.catalogue import state
from surefoot.structure.facts import Key
from surefoot.structure.leftovers import leftovers


def cleanup(
    session: Session, report: Report, confirm: Callable[[Plan], None], *, trust_journal: bool
) -> Outcome:
    """Drop what revisions have made that aren't applied any more, and nothing of the user's own.

    `confirm` gets what would be done, with the rows that go, and raises SurefootError where the
    answer is no. `trust_journal`: the journal counts although others may write it. Raises
    SurefootError for what can't be looked at.
    """
    with (
        session.connect() as connection,
        application(session.project, session.ini, session.target, connection) as asked,
    ):

        def look() -> Looked:
            with session.connect() as looking:
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
            *(session, connection, asked, report),
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
        if way.start <= applied:
            known |= state(way, applied).keys()
    live = {
        (fact.kind, fact.name): fact.definition
        for fact in observe_structure(connection, seen.version_table)
    }
    left = leftovers(kept.values(), applied, known, live)
    return Remains(left, writers=journal_writers(connection, seen))
