"""Carry out a plan: take the lock, take a backup if configured, run the steps."""

from collections.abc import Generator, Iterable
from contextlib import contextmanager, nullcontext, suppress
from typing import TYPE_CHECKING, Any

import msgspec
import psycopg

from surefoot.decision.decide import Decision, NothingToDo, Refused, classify
from surefoot.decision.facts import Facts
from surefoot.decision.plan import Install, Plan
from surefoot.errors import SurefootError
from surefoot.look.survey import Application
from surefoot.model.outcome import Outcome
from surefoot.model.states import State
from surefoot.postgres import turn
from surefoot.project.config import seconds
from surefoot.workflows.workspace import Report, Workspace

if TYPE_CHECKING:
    from surefoot.run.context import Run
    from surefoot.run.journal import Back
    from surefoot.run.lock import Lock


@contextmanager
def take_lock(
    workspace: Workspace, report: Report, on: psycopg.Connection[Any] | None = None
) -> Generator["Lock", None, None]:
    """Hold the lock for a block; waits, as configured, until no other run is at work.

    `on`: the connection that holds it, instead of a new one. Raises `lock-held-elsewhere`,
    `orphaned-statement`.
    """
    from surefoot.run.lock import locked

    wait = seconds(workspace.project.config.lock_wait)
    with (
        nullcontext(on) if on else workspace.connect() as connection,
        locked(connection, wait=wait, say=report.notice, every=workspace.every) as lock,
    ):
        turn.give_back()  # a process that starts now waits for the lock
        wait_for_others(workspace, report)
        yield lock


def wait_for_others(workspace: Workspace, report: Report) -> None:
    """Under the lock: wait until no statement of an earlier surefoot is at work any more.

    Raises `orphaned-statement`.
    """
    from surefoot.run.orphans import wait_for_orphans

    wait, role = seconds(workspace.project.config.lock_wait), workspace.role_set
    session, every = workspace.look_session, workspace.every
    wait_for_orphans(session, role, wait=wait, say=report.notice, every=every)


def carry_out(
    workspace: Workspace,
    asked: Application,
    facts: Facts,
    plan: Plan,
    lock: "Lock",
    report: Report,
    approved_by: str | None = None,
) -> Outcome:
    """Carry out a plan that was made for these facts, under the lock.

    Steps that this session has already done belong to the same run. `approved_by` is the approval
    that was given for the plan; the journal records it.
    """
    from surefoot.run import carry_out as running
    from surefoot.run.context import Run
    from surefoot.run.journal import Journal

    back = _ways_back(asked, facts, plan)
    journal = Journal(facts.database, asked.env_sha256, workspace.run, back, approved_by)
    if approved_by is not None:
        workspace.approval_used = True
    workspace.run = journal.run
    run = Run(
        project=workspace.project,
        before=facts,
        env=asked,
        lock=lock,
        connect=workspace.connect,
        look_session=workspace.look_session,
        aside=workspace.connect_aside,
        progress=report,
        journal=journal,
    )
    there = classify(facts) is not State.EMPTY and not workspace.installs
    if there and plan.worth_a_backup and facts.code.backups is None:
        workspace.unsaved = True
    if workspace.backs_up(facts, plan):
        from surefoot.workflows.backup import before_upgrade

        workspace.backup = before_upgrade(workspace, facts, report)
        lock.check()
    workspace.begun = True
    if any(isinstance(step, Install) for step in plan.steps):
        workspace.installs = True
    asked.was_empty, asked.loaded_from = False, None
    if not workspace.makes_schema:
        return running.carry_out(plan, run)
    return _in_new_schema(workspace, plan, run, report)


def _in_new_schema(workspace: Workspace, plan: Plan, run: "Run", report: Report) -> Outcome:
    """Make the tenant's schema, which env.py needs before its own transaction begins, and carry the
    plan out in it. Where nothing of that was committed, the schema goes again.
    """
    from surefoot.look.tenants import make, unmake
    from surefoot.run import carry_out as running

    with workspace.connect() as connection:
        make(workspace.project, connection)
    workspace.makes_schema = False
    report.notice(f"the schema {workspace.project.tenant} was made")
    outcome = running.carry_out(plan, run)
    if outcome.findings and outcome.rows is not None and not outcome.done:
        with suppress(SurefootError, psycopg.Error), workspace.connect() as connection:
            unmake(workspace.project, connection)
            workspace.makes_schema = True
            report.notice(
                f"the schema {workspace.project.tenant}, which is empty, was dropped again"
            )
    return outcome


def finished(workspace: Workspace, outcome: Outcome) -> Outcome:
    """Record in the backup's sidecar how the run ended: a failed upgrade's backup is kept."""
    if workspace.backup is None:
        return msgspec.structs.replace(outcome, unsaved=workspace.unsaved)
    from surefoot.workflows.backup import mark_upgrade

    mark_upgrade(workspace.backup, succeeded=not outcome.findings)
    return msgspec.structs.replace(outcome, backup=str(workspace.backup.file))


def ended(facts: Facts, decision: Decision) -> Outcome:
    """Return the outcome if nothing was begun: there is nothing to do, or it was refused."""
    rows = tuple(str(row) for row in facts.database.rows)
    findings = decision.findings if isinstance(decision, Refused) else ()
    assert findings or isinstance(decision, NothingToDo)
    remarks = decision.remarks if isinstance(decision, NothingToDo) else ()
    return Outcome(decision.state, rows, findings=findings, remarks=remarks)


def _ways_back(asked: Application, facts: Facts, plan: Plan) -> "Back | None":
    """Return the downgrades that the journal keeps for the revisions of the plan."""
    catalogue = asked.catalogue
    if catalogue is None:
        return None
    from surefoot.downgrades.path import kept_of
    from surefoot.look.downgrade import way_of

    installs = any(isinstance(step, Install) for step in plan.steps)
    way = "init" if installs else way_of(facts, catalogue)

    def back(revisions: Iterable[str], below: bool) -> str | None:
        found = tuple(
            msgspec.structs.replace(one, row_changes=asked.environment.row_changes(one.id))
            for one in kept_of(
                catalogue, way, revisions, below=below, search_path=asked.search_path
            )
        )
        return msgspec.json.encode(found).decode() if found else None

    return back
