"""`surefoot cleanup`: look, show what is left of revisions that aren't applied, ask, drop it."""

from collections.abc import Callable
from typing import Any

import msgspec
import psycopg

from surefoot.decision.decide import Decision, Ready
from surefoot.decision.tidying import Remains, decide_cleanup
from surefoot.errors import SurefootError
from surefoot.observation import Facts
from surefoot.observe.counting import row_lines
from surefoot.observe.facts import Application, application
from surefoot.observe.structure import observe_structure
from surefoot.observe.ways_back import observe_ways_back
from surefoot.outcome import Outcome
from surefoot.plan import Plan
from surefoot.session import Report, Session, carry_out, ended, take_lock
from surefoot.structure.catalogue import state
from surefoot.structure.facts import Key
from surefoot.structure.leftovers import leftovers


def cleanup(session: Session, report: Report, confirm: Callable[[Plan], None]) -> Outcome:
    """Drop what revisions have made that aren't applied any more, and nothing of the user's own.

    `confirm` gets what would be done, with the rows that go, and raises SurefootError where the
    answer is no. Raises SurefootError for what can't be looked at.
    """
    with (
        session.connect() as connection,
        application(session.project, session.ini, session.target, connection) as asked,
    ):

        def look() -> tuple[Facts, Remains, Decision]:
            with session.connect() as looking:
                facts = asked.facts(looking)
                remains = _remains(asked, looking, facts)
                return facts, remains, decide_cleanup(facts, remains)

        facts, remains, decision = look()
        if isinstance(decision, Ready):
            decision = _with_rows(session, decision, remains)
        report.found(session.target, facts, decision)
        if not isinstance(decision, Ready):
            return ended(facts, decision)
        confirm(decision.plan)
        with take_lock(session, connection, report) as lock:
            again, now, decision = look()
            if (again.fingerprint, now) != (facts.fingerprint, remains):
                raise SurefootError(
                    "plan-outdated",
                    "The database changed while the answer was awaited.",
                    next="start again, and see what is shown then",
                )
            if not isinstance(decision, Ready):
                return ended(again, decision)
            outcome = carry_out(session, asked, again, decision.plan, lock, report)
            outcome = session.ended(outcome)
        return msgspec.structs.replace(outcome, state=decision.state)


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
    return Remains(leftovers(kept.values(), applied, known, live))


def _with_rows(session: Session, decision: Ready, remains: Remains) -> Ready:
    """With the rows that are lost. They may become more meanwhile, so no plan depends on them."""
    dropped = [one.key for one in remains.left if one.has_rows and one.statements]
    with session.connect() as connection:
        lines = row_lines(connection, dropped)
    plan = decision.plan
    return msgspec.structs.replace(
        decision, plan=msgspec.structs.replace(plan, remarks=(*lines, *plan.remarks))
    )
