"""The main job: observe, decide, show, take the lock, observe again, decide again, act, look."""

import contextlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
import psycopg

from surefoot.application.history_files import IniFile
from surefoot.config import Project, seconds
from surefoot.decide import Decision, Intent, NothingToDo, Ready, Refused, classify, decide
from surefoot.errors import Finding, SurefootError
from surefoot.observation import Facts
from surefoot.observe.connect import connect
from surefoot.observe.facts import Application, application, quick_facts
from surefoot.outcome import Outcome
from surefoot.plan import Plan, Seed
from surefoot.progress import Progress
from surefoot.states import State
from surefoot.target import Target, environment

if TYPE_CHECKING:
    from surefoot.act.lock import Lock
    from surefoot.server import Server


# What is refused for its structure may be in the middle of another replica's migration, which isn't
# always one transaction: under the lock it's looked at once more.
_MAY_PASS = frozenset(
    (
        *(State.CONTRADICTED, State.UNIDENTIFIED, State.AMBIGUOUS, State.JOURNAL_CONTRADICTS),
        *(State.BEHIND, State.IDENTIFIED),  # by what is in the way
    )
)


class Report(Progress, Protocol):
    """Who is told what was found and what will be done, before it's done."""

    def found(self, target: Target, facts: Facts, decision: Decision) -> None: ...
    def changed_meanwhile(self, facts: Facts, decision: Decision) -> None: ...


class Session:
    """One command's way to the database and to the application's code."""

    def __init__(
        self,
        project: Project,
        ini: IniFile | None,
        target: Target,
        say: Callable[[str], None],
        intent: Intent = Intent.ACT,
    ) -> None:
        self.project, self.ini, self.target, self.intent = project, ini, target, intent
        self._say = say
        self.server: Server | None = None  # the embedded one, where no database was named
        self.run: str | None = None  # in the journal's rows, once a plan was begun
        self.begun = False  # whether a plan was begun: from then on, "not changed" is to be proved

    def leave_server_to_command(self) -> dict[str, str]:
        """The embedded server, if it's ours, shall live as long as the command that replaces us.

        Gives the names by which the command finds it.
        """
        if self.server is None:
            return {}
        self.server.keep_until_exec_ends()
        return {"DATABASE_URL": self.target.url(), **environment(self.target)}

    def connect(self) -> psycopg.Connection[Any]:
        """A new connection, waiting for the server as configured."""
        wait = seconds(self.project.config.wait)
        connection = connect(self.target, wait=wait, say=self._say)
        if "dbname" not in self.target.parameters:
            # An address may leave it to libpq; whoever reads the account wants its name.
            named = self.target.parameters | {"dbname": connection.info.dbname}
            self.target = msgspec.structs.replace(self.target, parameters=named)
        return connection

    def quick(self, connection: psycopg.Connection[Any]) -> tuple[Facts, Decision] | None:
        """What can be settled without Alembic: at head, with or without seeds to run."""
        facts = quick_facts(self.project, self.ini, connection)
        if facts is None or classify(facts) is not State.AT_HEAD:
            return None
        return facts, self._decide(facts)

    def thorough(
        self, connection: psycopg.Connection[Any], application: Application
    ) -> tuple[Facts, Decision]:
        """The same with all that Alembic knows."""
        facts = application.facts(connection)
        return facts, self._decide(facts)

    def look(self, connection: psycopg.Connection[Any]) -> tuple[Facts, Decision]:
        """What `up` would find and decide. Nothing is written.

        Raises SurefootError for everything that can't be looked at.
        """
        quick = self.quick(connection)
        if quick is not None:
            return quick
        with application(self.project, self.ini, self.target, connection) as asked:
            return self.thorough(connection, asked)

    def _decide(self, facts: Facts) -> Decision:
        decision = decide(facts, self.intent)
        if isinstance(decision, Ready):
            self._check_scripts(decision.plan, facts)
        return decision

    def _check_scripts(self, plan: Plan, facts: Facts) -> None:
        """Read every script to its end before anything is sent. Raises SurefootError script-…."""
        scripts = plan.scripts
        if scripts:
            from surefoot.script import check

            check(
                [self.project.script(script) for script in scripts],
                server_version=facts.database.server.version,
            )


def up(session: Session, report: Report) -> Outcome:
    """Bring the database to the code's head, or refuse, having changed nothing.

    Returns what verifiably happened. Raises SurefootError for what stops the run before the plan
    is begun.
    """
    with session.connect() as connection:
        quick = session.quick(connection)
        if quick is not None:
            facts, decision = quick
            if isinstance(decision, NothingToDo):
                return _nothing_to_do(facts, decision)
            return _act(session, connection, None, facts, decision, report)
        with application(session.project, session.ini, session.target, connection) as asked:
            facts, decision = session.thorough(connection, asked)
            return _act(session, connection, asked, facts, decision, report)


def _act(
    session: Session,
    connection: psycopg.Connection[Any],
    asked: Application | None,
    facts: Facts,
    decision: Decision,
    report: Report,
) -> Outcome:
    if isinstance(decision, NothingToDo):
        cut_off = decision.state is State.AT_HEAD and facts.database.unverified
        if asked is not None and cut_off and facts.database.journal_writable:
            _mark_end(session, asked, facts, reached=True)  # that run was cut off before its end
        return _nothing_to_do(facts, decision)
    report.found(session.target, facts, decision)
    if isinstance(decision, Refused) and decision.state not in _MAY_PASS:
        return _refused(facts, decision)
    with take_lock(session, connection, report) as lock:
        again = _look_again(session, asked)
        if again is not None:
            if again[0].fingerprint != facts.fingerprint:
                facts, decision = again
                report.changed_meanwhile(facts, decision)
            if isinstance(decision, NothingToDo):
                return _nothing_to_do(facts, decision)
            if isinstance(decision, Refused):
                return _refused(facts, decision)
            outcome = carry_out(session, asked, facts, decision.plan, lock, report)
            if outcome.findings:
                return outcome
            return _seen_at_head(session, asked, outcome, decision.plan)
    # It was at head, and isn't any more: Alembic must be asked, from the beginning. Out here,
    # since whoever begins anew takes the lock anew.
    return up(session, report)


def take_lock(
    session: Session, connection: psycopg.Connection[Any], report: Report
) -> AbstractContextManager["Lock"]:
    """The lock, for a block; waiting for it as configured. Raises `lock-held-elsewhere`."""
    from surefoot.act.lock import locked

    wait = seconds(session.project.config.lock_wait)
    return locked(connection, wait=wait, say=report.notice)


def carry_out(
    session: Session,
    asked: Application | None,
    facts: Facts,
    plan: Plan,
    lock: "Lock",
    report: Report,
) -> Outcome:
    """Do what the plan says, which was made for these facts, under the lock."""
    from surefoot.act.carry_out import Run
    from surefoot.act.journal import Journal

    journal = Journal(facts.database, asked.env_sha256 if asked else None)
    session.run = journal.run
    run = Run(
        project=session.project,
        before=facts,
        asked=asked,
        lock=lock,
        connect=session.connect,
        progress=report,
        journal=journal,
    )
    session.begun = True
    if asked is not None:
        asked.was_empty = False
    return run.carry_out(plan)


def _look_again(session: Session, asked: Application | None) -> tuple[Facts, Decision] | None:
    """On a connection of its own: one that waited all the while may have been cut for idleness."""
    with session.connect() as connection:
        return session.thorough(connection, asked) if asked else session.quick(connection)


def _seen_at_head(
    session: Session, asked: Application | None, outcome: Outcome, plan: Plan
) -> Outcome:
    """The last look. Whatever comes in its way, what was committed is said."""
    try:
        again = _look_again(session, asked)
        if again is None:
            with session.connect() as connection:
                again = session.look(connection)
        confirmed = _confirmed(outcome, plan, *again)
        unreached = any(f.code == "structure-not-reached" for f in confirmed.findings)
        if asked is not None and (unreached or not confirmed.findings):
            _mark_end(session, asked, again[0], reached=not unreached)
        return confirmed
    except SurefootError as error:
        finding = error.finding
    except KeyboardInterrupt:
        finding = Finding(
            "interrupted",
            "A signal ended the run before its last look.",
            next="surefoot status says where the database stands",
        )
    done = f"Every step of the plan was committed ({len(outcome.done)})."
    finding = msgspec.structs.replace(finding, database=done)
    return msgspec.structs.replace(outcome, findings=(finding,))


def _mark_end(session: Session, asked: Application | None, facts: Facts, *, reached: bool) -> None:
    """What the last look saw. Only this makes later starts take head for granted.

    Where it can't be written, they look for themselves; what was seen is worth more.
    """
    from surefoot.act.install import executor
    from surefoot.act.journal import Journal

    rows = [row for row in facts.database.rows if row]
    env = asked.env_sha256 if asked else None
    with contextlib.suppress(SurefootError, psycopg.Error), session.connect() as connection:
        Journal(facts.database, env, session.run).end(executor(connection), rows, reached=reached)


def _confirmed(outcome: Outcome, plan: Plan, facts: Facts, decision: Decision) -> Outcome:
    """Success is head seen, not the absence of an exception."""
    rows = tuple(str(row) for row in facts.database.rows)
    outcome = msgspec.structs.replace(outcome, state=decision.state, rows=rows)
    migrated = any(not isinstance(step, Seed) for step in plan.steps)
    if migrated and facts.standing is not None and facts.standing.contradicted:
        from surefoot.structure_refusals import structure_not_reached

        finding = structure_not_reached(facts, len(outcome.done))
        return msgspec.structs.replace(outcome, findings=(finding,))
    if isinstance(decision, NothingToDo):
        return outcome
    left = decision.plan if isinstance(decision, Ready) else None
    seeds = [s.script.path for s in left.steps if isinstance(s, Seed)] if left else []
    pending = [r.id for r in left.revisions] if left else []
    finding = Finding(
        "database-not-at-head",
        "Every step ran without an error, and yet the database is not at head.",
        (
            f"state: {decision.state.value}; version rows: {', '.join(rows) or 'none'}",
            *([f"still pending: {', '.join(pending)}"] if pending else []),
            *([f"still to run: {', '.join(seeds)}"] if seeds else []),
        ),
        f"Every step of the plan was committed ({len(outcome.done)}).",
        "something else changes the version table, or env.py doesn't commit: see what it does "
        "after run_migrations()",
    )
    return msgspec.structs.replace(outcome, findings=(finding,))


def _nothing_to_do(facts: Facts, decision: NothingToDo) -> Outcome:
    rows = tuple(str(row) for row in facts.database.rows)
    return Outcome(decision.state, rows, remarks=decision.remarks)


def _refused(facts: Facts, decision: Refused) -> Outcome:
    rows = tuple(str(row) for row in facts.database.rows)
    return Outcome(decision.state, rows, findings=decision.findings)
