"""The jobs that a person must confirm, by request, and those that a refusal offers."""

import msgspec

from surefoot.decision.approval import Way, offering, word_for
from surefoot.decision.decide import Ready, Refused
from surefoot.decision.request import Request, named
from surefoot.errors import SurefootError
from surefoot.look.survey import Application
from surefoot.model.states import State
from surefoot.report.plan import step_lines
from surefoot.workflows.adopt import adoption
from surefoot.workflows.cleanup import clearing
from surefoot.workflows.down import going_back
from surefoot.workflows.job import Job, Looked, with_rows
from surefoot.workflows.workspace import Workspace


def job_for(workspace: Workspace, asked: Application, request: Request) -> Job:
    """Return the job. Raises SurefootError if the request names an unknown revision."""
    match request.verb:
        case "adopt" | "repair":
            return adoption(workspace, asked, request)
        case "down":
            return going_back(workspace, asked, request)
        case "cleanup":
            return clearing(workspace, asked, request)
        case "up":
            return _upgrading(workspace, asked, request)


def _upgrading(workspace: Workspace, asked: Application, request: Request) -> Job:
    """Return the upgrade that `up` refuses only because it destroys data."""

    def look() -> Looked:
        facts, _ = workspace.thorough(asked)
        code = msgspec.structs.replace(facts.code, destructive="warn")
        facts = msgspec.structs.replace(facts, code=code)
        return Looked(facts, workspace.decided(facts))

    return Job(request, look, lambda outcome, before, done: outcome)


def offers(workspace: Workspace, asked: Application, decision: Refused) -> tuple[Way, ...]:
    """Return the ways out of this refusal that a person may approve, as far as they are certain.

    A way out that needs manual work first isn't one of them.
    """
    found: list[Way] = []
    for request in named(decision.findings):
        by_hand = decision.state is State.INTERRUPTED and request.revisions
        if by_hand and request.verb != "down":
            continue
        try:
            seen = job_for(workspace, asked, request).look()
            decided = with_rows(workspace, seen)
        except SurefootError:  # the command reports it when it is typed
            continue
        if isinstance(decided, Ready):
            plan = decided.plan
            lines = (*step_lines(plan), *plan.remarks)
            found.append(Way(request, word_for(request, seen.facts, plan), lines))
    return tuple(found)


def offered(workspace: Workspace, asked: Application, decision: Refused) -> Refused:
    """Return the refusal with the words that approve its ways out."""
    return offering(decision, offers(workspace, asked, decision), workspace.approval)
