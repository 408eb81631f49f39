"""The main job: observe, decide, show, take the lock, observe again, decide again, act, look."""

from collections.abc import Generator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

import msgspec
import psycopg

from surefoot.decision.approval import offering
from surefoot.decision.decide import Decision, NothingToDo, Ready, Refused
from surefoot.decision.facts import Facts
from surefoot.look.database import observe_database
from surefoot.look.survey import Application, application, configured_version_table
from surefoot.model.outcome import Outcome
from surefoot.model.states import State
from surefoot.revision_source.history_files import read_history
from surefoot.workflows.carry_out import carry_out, ended, finished, take_lock, wait_for_others
from surefoot.workflows.jobs import job_for, offered, offers
from surefoot.workflows.last_look import mark_end, seen_at_head
from surefoot.workflows.workspace import Report, Workspace

if TYPE_CHECKING:
    from surefoot.run.lock import Lock

# A structure that is refused may be another replica's migration in progress, which isn't always one
# transaction: under the lock it is checked once more.
_MAY_PASS = frozenset(
    (
        *(State.CONTRADICTED, State.UNIDENTIFIED, State.AMBIGUOUS, State.JOURNAL_CONTRADICTS),
        *(State.BEHIND, State.IDENTIFIED),  # because of what is in the way
        State.INTERRUPTED,  # another run may be working on it
    )
)


def up(workspace: Workspace, report: Report) -> Outcome:
    """Bring the database to the code's head, or refuse, having changed nothing.

    Returns what verifiably happened. Raises SurefootError for what stops the run before the plan
    begins.
    """
    with _turn(workspace, report) as turn:
        if turn is not None and turn.waited and (settled := workspace.settled()) is not None:
            return Outcome(State.AT_HEAD, settled.rows, remarks=settled.remarks)
        session = workspace.look_session
        with application(workspace.project, workspace.ini, workspace.target, session) as asked:
            facts, decision = workspace.thorough(asked)
            return _act(workspace, asked, facts, decision, report, turn)


@contextmanager
def _turn(workspace: Workspace, report: Report) -> Generator["Lock | None", None, None]:
    """Hold the lock if there is certainly something to do.

    Replicas that start together wait for the first one before they load the application, not after
    it. Raises `lock-held-elsewhere`.
    """
    with workspace.look_session() as connection:
        plainly_behind = _is_plainly_behind(workspace, connection)
    with take_lock(workspace, report) if plainly_behind else nullcontext() as lock:
        yield lock


def _is_plainly_behind(workspace: Workspace, connection: psycopg.Connection[Any]) -> bool:
    """Whether the files and the version rows alone show that there is something to do.

    And nothing shows that it will be refused. At head no run waits.
    """
    seen = observe_database(connection, configured_version_table(workspace.project), lenient=True)
    if seen.distrusted or seen.read_only or not seen.journal_writable:
        return False
    if not seen.rows:
        return not seen.objects
    if workspace.ini is None or workspace.project.config.alembic_config:
        return False
    history = read_history(workspace.ini)
    if history is None or history.unknown(seen.rows):
        return False
    return not history.at_head(seen.rows)


def _act(
    workspace: Workspace,
    asked: Application,
    facts: Facts,
    decision: Decision,
    report: Report,
    turn: "Lock | None",
) -> Outcome:
    if isinstance(decision, NothingToDo):
        return _seen_by_us(workspace, asked, facts, decision, locked=turn is not None)
    report.found(workspace.target, facts, decision)
    if isinstance(decision, Refused) and decision.state not in _MAY_PASS:
        ways = offers(workspace, asked, decision)
        if all(one.word != workspace.approval for one in ways):
            return ended(facts, offering(decision, ways, workspace.approval))
    with nullcontext(turn) if turn else take_lock(workspace, report) as lock:
        # A role that env.py sets may have left statements that only it knows of.
        if turn is not None and workspace.role_set is not None:
            wait_for_others(workspace, report)
        if turn is None or workspace.role_set is not None:
            again = workspace.thorough(asked)
            if again[0].fingerprint != facts.fingerprint:
                facts, decision = again
                report.changed_meanwhile(facts, decision)
        while True:
            if isinstance(decision, NothingToDo):
                return _seen_by_us(workspace, asked, facts, decision, locked=True)
            if isinstance(decision, Refused):
                return _approved(workspace, asked, facts, decision, lock, report)
            outcome = carry_out(workspace, asked, facts, decision.plan, lock, report)
            overtaken = _overtaken(workspace, asked, facts, outcome)
            if overtaken is None:
                break
            facts, decision = overtaken
            report.notice(f"{outcome.findings[0].message} Looking again.")
            report.changed_meanwhile(facts, decision)
        if decision.plan.open_ended and not outcome.findings:
            outcome, decision = _go_on(workspace, asked, outcome, decision, lock, report)
        if not outcome.findings:
            outcome = seen_at_head(workspace, asked, outcome, decision.plan)
        return finished(workspace, outcome)


def _overtaken(
    workspace: Workspace, asked: Application, facts: Facts, outcome: Outcome
) -> tuple[Facts, Decision] | None:
    """Look again, if another program has written the version table before anything was done.

    A container that runs Alembic without surefoot's lock may bring the database to head at the same
    moment. None if that isn't why the run stopped.
    """
    if outcome.done or [one.code for one in outcome.findings] != ["plan-outdated"]:
        return None
    again = workspace.thorough(asked)
    before, now = facts.database, again[0].database
    same = (before.version_schema, before.rows) == (now.version_schema, now.rows)
    return None if same else again


def _approved(
    workspace: Workspace,
    asked: Application,
    facts: Facts,
    decision: Refused,
    lock: "Lock",
    report: Report,
) -> Outcome:
    """Refuse, unless a person has approved one of the ways out as it is under the lock.

    Then that is carried out, and what is pending after it.
    """
    ways = offers(workspace, asked, decision)
    chosen = next((one for one in ways if one.word == workspace.approval), None)
    if chosen is None:
        return ended(facts, offering(decision, ways, workspace.approval))
    job, word = job_for(workspace, asked, chosen.request), chosen.word
    seen = job.look()  # the other ways out have been checked since
    done = seen.decision
    if not isinstance(done, Ready) or job.word(workspace, seen) != word:
        return ended(facts, offered(workspace, asked, decision))
    report.approved(word, done.plan)
    outcome = carry_out(workspace, asked, seen.facts, done.plan, lock, report, word)
    if not outcome.findings:
        outcome = job.behind(outcome, seen.facts, done)
    if not outcome.findings:
        outcome, done = _go_on(workspace, asked, outcome, done, lock, report)
    if not outcome.findings:
        outcome = seen_at_head(workspace, asked, outcome, done.plan)
    return finished(workspace, outcome)


def _go_on(
    workspace: Workspace,
    asked: Application,
    before: Outcome,
    done: Ready,
    lock: "Lock",
    report: Report,
) -> tuple[Outcome, Ready]:
    """Continue with what is pending after an open-ended or an approved plan."""
    facts, decision = workspace.thorough(asked)
    match decision:
        case Ready(plan=plan):
            report.goes_on(facts, decision)
            outcome = carry_out(workspace, asked, facts, plan, lock, report)
            seconds = before.seconds + outcome.seconds
            return msgspec.structs.replace(outcome, seconds=seconds), decision
        case Refused():
            findings = offered(workspace, asked, decision).findings
            there = f"Committed before it, and there: {', '.join(d.name for d in before.done)}."
            told = tuple(msgspec.structs.replace(f, database=there) for f in findings)
            return msgspec.structs.replace(before, findings=told), done
        case NothingToDo():
            return before, done


def _seen_by_us(
    workspace: Workspace,
    asked: Application,
    facts: Facts,
    decision: NothingToDo,
    *,
    locked: bool,
) -> Outcome:
    """Return that there is nothing to do, and record this look if it is news.

    If no earlier run has verified exactly this, or a run was cut off before its last look, this was
    that look: the journal records it, so that the next start can be quick.
    """
    if decision.state is State.AT_HEAD and _is_news(asked, facts):
        mark_end(workspace, asked, facts, reached=True, locked=locked)
    return ended(facts, decision)


def _is_news(asked: Application, facts: Facts) -> bool:
    """Whether the journal exists, has rows of surefoot, and doesn't record this look yet."""
    seen = facts.database
    if seen.mark is None or seen.read_only or not seen.journal_writable or seen.journal_writers:
        return False  # if others can write the journal, no later start relies on it
    unusable = facts.catalogue is not None and facts.catalogue.condition != "missing"
    if facts.standing is None and unusable:
        return False  # nothing was verified, and the next start looks anyway
    return seen.unverified or seen.marked(asked.manifest) is None
