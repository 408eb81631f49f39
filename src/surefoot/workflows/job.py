"""A job that a person is asked about: how it looks, and what is true behind it."""

from collections.abc import Callable

import msgspec

from surefoot.decision.approval import word_for
from surefoot.decision.decide import Decision, Ready
from surefoot.decision.facts import Facts
from surefoot.decision.request import Request
from surefoot.look.counting import row_lines
from surefoot.model.outcome import Outcome
from surefoot.schema.fact import Key
from surefoot.workflows.workspace import Workspace


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


class Job(msgspec.Struct, frozen=True):
    """What was asked for, the look that leads to a plan, and the last look.

    `behind` gets the outcome, what was seen before and what was to be done; it is called under the
    lock.
    """

    request: Request
    look: Callable[[], Looked]
    behind: Callable[[Outcome, Facts, Ready], Outcome]

    def word(self, workspace: Workspace, seen: Looked) -> str | None:
        """The word that approves what this look leads to; None where nothing would be done."""
        decision = with_rows(workspace, seen)
        if not isinstance(decision, Ready):
            return None
        return word_for(self.request, seen.facts, decision.plan)


def with_rows(workspace: Workspace, seen: Looked) -> Decision:
    """With the rows that are lost. They may become more meanwhile, so no plan depends on them."""
    decision = seen.decision
    if not isinstance(decision, Ready) or not seen.dropped:
        return decision
    with workspace.look_session() as connection:
        role = seen.facts.database.version_table.role
        lines = row_lines(connection, seen.dropped, role)
    plan = decision.plan
    plan = msgspec.structs.replace(plan, remarks=(*lines, *plan.remarks))
    return msgspec.structs.replace(decision, plan=plan)
