"""What a person is asked about: look, decide, show, ask, take the lock, look again, act, look."""

from collections.abc import Callable

from surefoot.decision.approval import offering, refuse_outdated
from surefoot.decision.decide import Ready, Refused
from surefoot.decision.plan import Plan
from surefoot.decision.request import Request
from surefoot.errors import SurefootError
from surefoot.look.survey import application
from surefoot.model.outcome import Outcome
from surefoot.workflows.carry_out import carry_out, ended, finished, take_lock
from surefoot.workflows.job import with_rows
from surefoot.workflows.jobs import job_for, offers
from surefoot.workflows.workspace import Report, Workspace


def confirmed(
    workspace: Workspace,
    request: Request,
    report: Report,
    confirm: Callable[[Plan, str], None],
) -> Outcome:
    """Do what was asked for, once `confirm` has not raised, if a look under the lock agrees.

    `confirm` gets what would be done, and the word that approves it. It isn't called where that
    word was given: then a look under the lock must lead to the same word. Raises SurefootError
    `plan-outdated`, `approval-outdated`, and for what can't be looked at.
    """
    session = workspace.look_session
    with application(workspace.project, workspace.ini, workspace.target, session) as asked:
        job = job_for(workspace, asked, request)
        seen = job.look()
        decision = with_rows(workspace, seen)
        if isinstance(decision, Refused):
            ways = offers(workspace, asked, decision)
            way = next((one for one in ways if one.word == workspace.approval), None)
            if way is not None:  # what the refusal names is approved already
                job = job_for(workspace, asked, way.request)
                seen = job.look()
                decision = with_rows(workspace, seen)
            else:
                decision = offering(decision, ways, workspace.approval)
        report.found(workspace.target, seen.facts, decision)
        if not isinstance(decision, Ready):
            return ended(seen.facts, decision)
        word = job.word(workspace, seen)
        assert word is not None
        approved = workspace.approval == word
        if not approved:
            confirm(decision.plan, word)
        with take_lock(workspace, report) as lock:
            again = job.look()
            if approved:
                _require_approved(workspace, word, job.word(workspace, again))
            elif not again.same(seen):
                raise SurefootError(
                    "plan-outdated",
                    "The database changed while surefoot waited for the answer.",
                    next="start again, and read the new plan",
                )
            facts, decision = again.facts, again.decision
            if not isinstance(decision, Ready):
                return ended(facts, decision)
            by = word if approved else None
            outcome = carry_out(workspace, asked, facts, decision.plan, lock, report, by)
            if not outcome.findings:
                outcome = job.behind(outcome, facts, decision)
            return finished(workspace, outcome)


def _require_approved(workspace: Workspace, word: str, now: str | None) -> None:
    """Raises `plan-outdated` or `approval-outdated` where the look under the lock led elsewhere."""
    if now is None:
        raise SurefootError(
            "plan-outdated",
            "The database changed before the approved plan was begun.",
            next="start again, and read the new plan",
        )
    if now != word:
        raise refuse_outdated(word, now)
