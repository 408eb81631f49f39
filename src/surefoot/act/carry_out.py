"""Do what the plan says, step by step, and look after each failure.

What runs scripts is imported where there are scripts: most upgrades have none.
The steps run on connections of their own; the lock's connection does nothing but hold the lock.
"""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec
import psycopg

from surefoot.act.journal import Journal
from surefoot.act.lock import Lock
from surefoot.act.verify import Aftermath, look_after
from surefoot.config import Project
from surefoot.errors import NOT_CHANGED, Finding, SurefootError
from surefoot.observation import Observation, VersionTableName
from surefoot.outcome import Outcome
from surefoot.plan import Install, Plan, Seed, Upgrade
from surefoot.progress import Progress

if TYPE_CHECKING:
    from surefoot.application.environment import Environment, RevisionFailed

Connect = Callable[[], psycopg.Connection[Any]]


class Stopped(Exception):
    """A step did not get to its end. `finding` says why; what it left is looked at afterwards."""

    def __init__(self, finding: Finding, step: str, transaction: str | None) -> None:
        self.finding = finding
        self.step = step
        self.transaction = transaction
        super().__init__(finding.code)


class Run:
    """One run of a plan, under the lock."""

    def __init__(
        self,
        *,
        project: Project,
        seen: Observation,
        environment: "Environment | None",
        lock: Lock,
        connect: Connect,
        progress: Progress,
    ) -> None:
        self._project = project
        self._seen = seen
        self._environment = environment
        self._lock = lock
        self._connect = connect
        self._progress = progress
        self._journal = Journal(seen)

    def carry_out(self, plan: Plan) -> Outcome:
        """Do the steps in order; stop at the first that fails, and say what is true afterwards."""
        started = time.monotonic()
        stopped: Stopped | None = None
        try:
            for step in plan.steps:
                self._lock.check()
                match step:
                    case Install():
                        self._install(step)
                    case Upgrade():
                        self._upgrade(step)
                    case Seed():
                        self._seed(step)
        except Stopped as stop:
            stopped = stop
        except SurefootError as error:
            stopped = Stopped(error.finding, "", None)
        after, lost = self._look(stopped)
        findings = self._findings(stopped, after, lost)
        return Outcome(
            state=None,
            rows=None if after is None else tuple(str(row) for row in after.rows),
            done=() if after is None else after.done,
            findings=findings,
            seconds=time.monotonic() - started,
        )

    def _install(self, step: Install) -> None:
        from surefoot.act.install import install

        def work(connection: psycopg.Connection[Any]) -> None:
            install(
                step,
                connection,
                project=self._project,
                version_table=self._seen.version_table,
                journal=self._journal,
                progress=self._progress,
            )

        self._in_one_transaction(step.scripts[-1].path, work)

    def _seed(self, step: Seed) -> None:
        from surefoot.act.run_script import run_script

        script = step.script

        def work(connection: psycopg.Connection[Any]) -> None:
            started = time.monotonic()
            self._progress.begin("seed", script.path, "")
            result = run_script(connection, self._project.script(script))
            seconds = time.monotonic() - started
            for warning in result.warnings:
                self._progress.notice(warning)

            def execute(statement: str, parameters: Any) -> None:
                connection.execute(statement, parameters or None)  # pyright: ignore[reportArgumentType]

            self._journal.script(execute, "seed", script, seconds)
            self._progress.end("seed", script.path, "", seconds)

        self._in_one_transaction(script.path, work)

    def _in_one_transaction(
        self, step: str, work: Callable[[psycopg.Connection[Any]], None]
    ) -> None:
        """Run `work` in a transaction whose id is known, so that its end can be asked for."""
        from surefoot.act.run_script import ScriptFailed

        transaction: str | None = None
        with self._connect() as connection:
            try:
                with connection.transaction():
                    row = connection.execute(
                        "select pg_catalog.pg_current_xact_id()::text"
                    ).fetchone()
                    transaction = row[0] if row else None
                    work(connection)
                    self._lock.check()
            except ScriptFailed as error:
                raise Stopped(error.error(NOT_CHANGED).finding, step, transaction) from error
            except SurefootError as error:
                raise Stopped(error.finding, step, transaction) from error
            except KeyboardInterrupt as error:
                raise Stopped(_interrupted(step), step, transaction) from error
            except psycopg.Error as error:
                raise Stopped(_database_error(error), step, transaction) from error

    def _upgrade(self, step: Upgrade) -> None:
        from surefoot.application.environment import RevisionFailed

        assert self._environment is not None
        transactions: dict[str, str] = {}

        try:
            self._environment.upgrade(
                step.revisions,
                server=self._seen.server,
                applied=self._journal.revision,
                before_commit=self._lock.check,
                progress=self._progress,
                transactions=transactions,
            )
        except RevisionFailed as failed:
            transaction = transactions.get(failed.revision.id)
            raise Stopped(_revision_failed(failed), failed.revision.id, transaction) from failed
        except KeyboardInterrupt as error:
            name, transaction = next(reversed(transactions.items()), ("", None))
            raise Stopped(_interrupted(name), name, transaction) from error
        except SurefootError as error:
            name, transaction = next(reversed(transactions.items()), ("", None))
            raise Stopped(error.finding, name, transaction) from error

    def _look(self, stopped: Stopped | None) -> tuple[Aftermath | None, SurefootError | None]:
        asked = [stopped.transaction] if stopped and stopped.transaction else []
        table = self._seen.version_table
        try:
            return look_after(self._connect, self._journal.run, asked, table), None
        except SurefootError as error:
            return None, error

    def _findings(
        self, stopped: Stopped | None, after: Aftermath | None, lost: SurefootError | None
    ) -> tuple[Finding, ...]:
        if stopped is None and lost is None:
            return ()
        if after is None:
            assert lost is not None
            seen = stopped.finding.seen if stopped else ()
            message = stopped.finding.message if stopped else "The run came to its end."
            return (
                Finding(
                    "connection-lost-at-commit",
                    f"{message} The server could not be asked what became of it.",
                    (*seen, *lost.finding.seen),
                    "Unknown: what was not committed when the connection was lost may have been "
                    "committed or rolled back, entirely.",
                    "when the server is back, run surefoot status, then surefoot up: both look "
                    "before they do anything",
                ),
            )
        assert stopped is not None
        return (self._with_fate(stopped, after),)

    def _with_fate(self, stopped: Stopped, after: Aftermath) -> Finding:
        """The finding, with what the server said about the transaction of the step."""
        stands = _stands(self._seen.version_table, after.rows)
        kept = [done.name for done in after.done if done.kind != "stamp"]
        before = " Nothing was changed."
        if kept:
            one = len(kept) == 1
            steps = "1 step was" if one else f"{len(kept)} steps were"
            before = f" {steps} committed before it and {'stays' if one else 'stay'}."
        if stopped.transaction is None:
            unbegun = f"The step had not begun.{before} {stands}"
            return msgspec.structs.replace(stopped.finding, database=unbegun)
        match after.fates[stopped.transaction]:
            case "aborted":
                rolled_back = f"Rolled back, verified.{before} {stands}"
                return msgspec.structs.replace(stopped.finding, database=rolled_back)
            case "committed" if stopped.step in kept:
                return Finding(
                    "connection-lost-at-commit",
                    stopped.finding.message,
                    stopped.finding.seen,
                    f"{stopped.step} was committed all the same, verified. {stands}",
                    "start again: what is still to be done is done then",
                )
            case "committed":
                return Finding(
                    "revision-partly-applied",
                    stopped.finding.message,
                    stopped.finding.seen,
                    f"The step commits on its own half-way: a part of it may stay. {stands}",
                    "compare the structure with the revision's file: what it did before it failed "
                    "is there; undo that or finish it by hand, then start again",
                )
            case _:
                return Finding(
                    "connection-lost-at-commit",
                    stopped.finding.message,
                    stopped.finding.seen,
                    f"Unknown: transaction {stopped.transaction} has not ended. {stands}",
                    "see in pg_stat_activity what it does; then start again",
                )


def _stands(name: VersionTableName, rows: tuple[str | None, ...]) -> str:
    if not rows:
        return f"There is no row in {name.name}."
    return f"The database is at {', '.join(str(row) for row in rows)}."


def _revision_failed(failed: "RevisionFailed") -> Finding:
    revision = failed.revision
    title = f" ({revision.message})" if revision.message else ""
    when = " when it was to be committed" if failed.at_end else ""
    return Finding(
        "revision-failed",
        f"Revision {revision.id}{title} failed{when}.",
        (f"at {failed.file}", *failed.lines),
        next="correct what PostgreSQL names above, in the database or in the revision, and start "
        "again: surefoot goes on from where the database stands",
    )


def _interrupted(step: str) -> Finding:
    return Finding(
        "interrupted",
        f"A signal ended the run while {step or 'a step'} was running.",
        next="start again: surefoot goes on from where the database stands",
    )


def _database_error(error: psycopg.Error) -> Finding:
    lines = [line.strip() for line in str(error).strip().splitlines() if line.strip()]
    if error.sqlstate:
        lines[0] = f"{lines[0]} (SQLSTATE {error.sqlstate})"
    return Finding(
        "script-failed",
        "The database refused a step.",
        tuple(lines[:6]) or (type(error).__name__,),
        next="see the server's log for what happened at this time, then start again",
    )
