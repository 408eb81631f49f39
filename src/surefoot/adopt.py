"""`surefoot adopt`: look, decide, show, ask, take the lock, look again, record."""

from collections.abc import Callable

import msgspec

from surefoot.decision.adoption import Wish, decide_adoption
from surefoot.decision.decide import Decision, Ready
from surefoot.errors import SurefootError
from surefoot.history import one_revision
from surefoot.observation import Facts
from surefoot.observe.counting import row_lines
from surefoot.observe.facts import Application, application
from surefoot.outcome import Outcome
from surefoot.plan import Plan
from surefoot.session import Report, Session, carry_out, ended, take_lock
from surefoot.structure.remedy import How, remedy


def adopt(
    session: Session,
    named: tuple[str, ...],
    report: Report,
    confirm: Callable[[Plan], None],
    *,
    accept_difference: bool,
    repair: bool = False,
    how: How | None = None,
) -> Outcome:
    """Record where the database stands: where it is identified, or where a person says.

    `named` are revisions as a person writes them; `repair`: whatever the version table says; `how`:
    what a revision has left half-way is to be finished, or undone.
    `confirm` gets what would be done, and raises SurefootError where the answer is no. Raises
    SurefootError for what can't be looked at.
    """
    with (
        session.connect() as connection,
        application(session.project, session.ini, session.target, connection) as asked,
    ):
        base = named == ("base",) and "base" not in asked.history.revisions
        wish = Wish(() if base else _rows(asked, named), accept_difference, repair, base, how)

        def look() -> tuple[Facts, Decision]:
            with session.connect() as looking:
                facts = asked.facts(looking, wish.rows or None)
                return facts, decide_adoption(facts, wish)

        facts, decision = look()
        if isinstance(decision, Ready):
            decision = _with_rows(session, facts, decision, wish)
        report.found(session.target, facts, decision)
        if not isinstance(decision, Ready):
            return ended(facts, decision)
        confirm(decision.plan)
        with take_lock(session, connection, report) as lock:
            again, decision = look()
            if again.fingerprint != facts.fingerprint:
                raise SurefootError(
                    "plan-outdated",
                    "The database changed while the answer was awaited.",
                    next="start again, and see what is shown then",
                )
            if not isinstance(decision, Ready):
                return ended(again, decision)
            outcome = carry_out(session, asked, again, decision.plan, lock, report)
        outcome = session.ended(outcome)
        if outcome.findings:
            return outcome
        try:
            facts, decision = look()
        except SurefootError as error:
            finding = msgspec.structs.replace(error.finding, database="The adoption was committed.")
            return msgspec.structs.replace(outcome, findings=(finding,))
        rows = tuple(str(row) for row in facts.database.rows)
        return msgspec.structs.replace(outcome, state=decision.state, rows=rows)


def _with_rows(session: Session, facts: Facts, decision: Ready, wish: Wish) -> Ready:
    """With the rows that are lost. They may become more meanwhile, so no plan depends on them."""
    if wish.how is None or facts.interruption is None:
        return decision
    with session.connect() as connection:
        lines = row_lines(connection, remedy(facts.interruption, wish.how).dropped)
    plan = decision.plan
    plan = msgspec.structs.replace(plan, remarks=(*lines, *plan.remarks))
    return msgspec.structs.replace(decision, plan=plan)


def _rows(asked: Application, named: tuple[str, ...]) -> tuple[str, ...]:
    """The version rows for what was named. Raises SurefootError `revision-not-found`."""
    history = asked.history
    found: list[str] = []
    for word in named:
        heads = word in ("head", "heads")
        found += history.heads if heads else (one_revision(history, word),)
    return history.rows(history.applied(found))
