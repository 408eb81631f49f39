"""What a person is asked about: look, decide, show, ask, take the lock, look again, act, look."""

from collections.abc import Callable

import msgspec
import psycopg

from surefoot.decision.decide import Decision, Ready
from surefoot.decision.facts import Facts
from surefoot.decision.plan import Plan
from surefoot.errors import SurefootError
from surefoot.look.counting import row_lines
from surefoot.look.survey import Application
from surefoot.model.outcome import Outcome
from surefoot.schema.fact import Key
from surefoot.workflows.carry_out import carry_out, ended, finished, take_lock
from surefoot.workflows.workspace import Report, Workspace


class Looked(msgspec.Struct, frozen=True):
    """What a look has seen, and what is decided upon it.

    `beside` is what else the plan rests on; `dropped` are the tables and columns that go with all
    that is in them.
    """

    facts: Facts
    decision: Decision
    beside: object = None
    dropped: tuple[Key, ...] = ()

    def same(self, other: "Looked") -> bool:
        """Whether nothing has changed that matters to the plan."""
        return (self.facts.fingerprint, self.beside) == (other.facts.fingerprint, other.beside)


def confirmed(
    workspace: Workspace,
    connection: psycopg.Connection[object],
    asked: Application,
    report: Report,
    *,
    look: Callable[[], Looked],
    confirm: Callable[[Plan], None],
    behind: Callable[[Outcome, Facts, Ready], Outcome],
) -> Outcome:
    """Do what `look` leads to, once `confirm` has not raised, if a look under the lock agrees.

    `behind` gets the outcome, what was seen before and what was to be done; it has the last look,
    still under the lock. Raises SurefootError `plan-outdated`, and for what can't be looked at.
    """
    seen = look()
    decision = _with_rows(workspace, seen)
    report.found(workspace.target, seen.facts, decision)
    if not isinstance(decision, Ready):
        return ended(seen.facts, decision)
    confirm(decision.plan)
    with take_lock(workspace, connection, report) as lock:
        again = look()
        if not again.same(seen):
            raise SurefootError(
                "plan-outdated",
                "The database changed while the answer was awaited.",
                next="start again, and see what is shown then",
            )
        facts, decision = again.facts, again.decision
        if not isinstance(decision, Ready):
            return ended(facts, decision)
        outcome = carry_out(workspace, asked, facts, decision.plan, lock, report)
        if not outcome.findings:
            outcome = behind(outcome, facts, decision)
        return finished(workspace, outcome)


def _with_rows(workspace: Workspace, seen: Looked) -> Decision:
    """With the rows that are lost. They may become more meanwhile, so no plan depends on them."""
    decision = seen.decision
    if not isinstance(decision, Ready) or not seen.dropped:
        return decision
    with workspace.connect() as connection:
        role = seen.facts.database.version_table.role
        lines = row_lines(connection, seen.dropped, role)
    plan = decision.plan
    plan = msgspec.structs.replace(plan, remarks=(*lines, *plan.remarks))
    return msgspec.structs.replace(decision, plan=plan)
