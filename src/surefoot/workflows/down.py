"""`surefoot down`: ask a person, undo revisions, and take the last look."""

from contextlib import suppress

import msgspec

from surefoot.backups.directory import backup_directory, backups_in
from surefoot.catalogue.differences import difference_lines
from surefoot.decision.downgrade import decide_going_back
from surefoot.decision.downgrade_assessment import DowngradeAssessment
from surefoot.decision.facts import Facts
from surefoot.decision.ownership import histories_among
from surefoot.decision.plan import Downgrade, Plan
from surefoot.decision.request import Request
from surefoot.downgrades.rows_stay import rows_that_stay
from surefoot.errors import Finding, SurefootError
from surefoot.look.downgrade import observe_retreat
from surefoot.look.survey import Application
from surefoot.model.outcome import Outcome
from surefoot.model.states import State
from surefoot.workflows.job import Job, Looked
from surefoot.workflows.last_look import mark_end, triggers_named
from surefoot.workflows.workspace import Workspace

_SHOWN, _WIDTH = 12, 80
_LEFT = "some objects remain: surefoot cleanup shows and drops them"
_LEFT_BESIDE = (
    "some objects remain: surefoot drift shows them. Another application keeps its history here "
    "and may use them, so surefoot cleanup doesn't drop them"
)


def going_back(workspace: Workspace, asked: Application, request: Request) -> Job:
    """Undo every revision that ran after those that the request names.

    The request may accept that data is lost, and may trust the journal: then SQL from the journal
    is executed that comparing structures can't verify. Raises what its looks raise.
    """

    def look() -> Looked:
        with workspace.look_session() as looking:
            facts = asked.facts(looking)
            facts, assessment, lost = observe_retreat(asked, looking, facts, request.revisions)
            backup = _backup_below(workspace, facts, assessment)
            assessment = msgspec.structs.replace(assessment, backup=backup)
            accept, trust = request.accept, request.trust_journal
            decision = decide_going_back(
                facts, assessment, lost, accept=accept, trust_journal=trust
            )
            return Looked(facts, decision, assessment)

    return Job(
        request,
        look,
        lambda outcome, before, done: _seen_below(workspace, asked, outcome, done.plan, before),
    )


def _backup_below(
    workspace: Workspace, facts: Facts, assessment: DowngradeAssessment
) -> str | None:
    """Return the name of the newest backup from before the revisions that would be undone."""
    history, database = facts.code.history, facts.database.server.database
    below = history.applied(row for row in assessment.rows if row in history.revisions)
    with suppress(OSError):
        for one in backups_in(backup_directory(workspace.project)):
            taken = one.sidecar
            if taken is None or one.problem or one.foreign or taken.database != database:
                continue
            if taken.contents.version_rows and below.issuperset(taken.contents.version_rows):
                return one.name
    return None


def _seen_below(
    workspace: Workspace, asked: Application, outcome: Outcome, plan: Plan, before: Facts
) -> Outcome:
    """Take the last look: success is the older revision seen, not the absence of an exception."""
    (step,) = (step for step in plan.steps if isinstance(step, Downgrade))
    done = f"Every step of the plan was committed ({len(outcome.done)})."
    try:
        facts, decision = workspace.thorough(asked)
    except SurefootError as error:
        finding = msgspec.structs.replace(error.finding, database=done)
        return msgspec.structs.replace(outcome, findings=(finding,))
    rows = tuple(str(row) for row in facts.database.rows)
    outcome = msgspec.structs.replace(outcome, state=decision.state, rows=rows)
    finding = _unreached(facts, step, before, done)
    mark_end(workspace, asked, facts, reached=finding is None)
    if finding is not None:
        if tuple(facts.database.rows) != step.rows:
            finding = triggers_named(workspace, finding, facts, step.rows) or finding
        return msgspec.structs.replace(outcome, findings=(finding,))
    remarks = [one.text for one in rows_that_stay(one.reversal for one in step.undo)]
    if any(one.reversal.left for one in step.undo):
        beside = facts.standing is not None and histories_among(facts.standing.own)
        remarks.append(_LEFT_BESIDE if beside and decision.state is State.CONTRADICTED else _LEFT)
    return msgspec.structs.replace(outcome, remarks=tuple(remarks))


def _unreached(facts: Facts, step: Downgrade, before: Facts, done: str) -> Finding | None:
    """Return what the last look found wrong, except for known differences and leftovers."""
    left = {change.key for one in step.undo for change in one.reversal.left}
    recorded = facts.standing.recorded if facts.standing else None
    was = before.standing.recorded if before.standing else None
    known = set(was.differences if was else ())
    wrong = tuple(
        d
        for d in (recorded.differences if recorded else ())
        if d not in known and (d.kind, d.name) not in left
    )
    rows = tuple(row for row in facts.database.rows if row)
    if rows == step.rows and not wrong:
        return None
    return Finding(
        "structure-not-reached",
        "Every revision was undone, but the structure is not the one below.",
        (
            f"version rows: {', '.join(rows) or 'none'}; planned: {', '.join(step.rows) or 'none'}",
            *difference_lines(wrong, _SHOWN, _WIDTH),
        ),
        done,
        "surefoot drift shows the differences; another program may have changed the database in "
        "the meantime",
    )
