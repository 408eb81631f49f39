"""Run a plan's revisions.

Again, if another session's lock was in the way; not further, if a signal came or surefoot's own
lock was lost.
"""

import itertools
import random
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import psycopg

from surefoot.alembic_env.account import Account
from surefoot.alembic_env.looking import Looking
from surefoot.alembic_env.raised import cause_of
from surefoot.alembic_env.running import Running
from surefoot.alembic_env.settings import Timeouts
from surefoot.alembic_env.upgrade import RevisionFailed, VersionTableFailed, upgrade
from surefoot.decision.facts import VersionTableName
from surefoot.decision.plan import Upgrade
from surefoot.diagnosis.cause import Cause
from surefoot.diagnosis.sessions import holder_lines
from surefoot.errors import SurefootError
from surefoot.errors.wording import count
from surefoot.look.circumstances import objects_named
from surefoot.look.database import observe_database
from surefoot.look.structure import whole_facts
from surefoot.model.history import Revision
from surefoot.model.progress import Progress
from surefoot.preflight.kept import called, missing, taken, went_along, without_default
from surefoot.project.config import seconds
from surefoot.run.context import Connect, Run
from surefoot.run.failure_report import (
    Stopped,
    applied_half_way,
    interrupted,
    revision_failed,
    version_table_failed,
)
from surefoot.run.journal import Direction
from surefoot.run.lock_holders import holders
from surefoot.run.self_wait import SelfWait
from surefoot.run.verify import look_after
from surefoot.run.version_row import CREATED_MEANWHILE, created_meanwhile
from surefoot.schema.fact import Key, SchemaFact
from surefoot.schema.names import split_name
from surefoot.system import signals

if TYPE_CHECKING:
    from surefoot.model import answers

# A lock wasn't available in time, or two sessions waited for each other. Both are over once the
# other session has ended.
_WAITED = ("55P03", "40P01")

_NEW_VALUE = "55P04"  # an enum value is used in the transaction that adds it

_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 15.0  # seconds


def carry_out(step: Upgrade, run: Run) -> None:
    """Run the revisions through the application's env.py."""
    Upgrading(run).carry_out(step.revisions)


def lines(step: Upgrade) -> list[str]:
    """Return how many revisions run, and where they end."""
    below = {name for r in step.revisions for name in (*r.parents, *r.depends_on)}
    tips = ", ".join(r.id for r in step.revisions if r.id not in below)
    return [f"apply {count(len(step.revisions), 'revision')}, up to {tips}"]


def as_json(step: Upgrade) -> "answers.Upgrade":
    """Return the revisions in their order."""
    from surefoot.model import answers

    return answers.Upgrade(
        revisions=tuple(
            answers.Revision(id=r.id, message=r.message, release=r.release) for r in step.revisions
        )
    )


class Upgrading:
    """One step of a plan: run these revisions, in this order, through the application's env.py."""

    back = False  # whether they are undone

    def __init__(self, run: Run) -> None:
        self._asked, self._seen, self._lock = run.env, run.seen, run.lock
        self._journal, self._connect, self._progress = run.journal, run.connect, run.progress
        self._aside = run.aside
        config = run.project.config
        self._timeouts = Timeouts(
            seconds(config.lock_timeout),
            seconds(config.statement_timeout or "0s"),
            policies=config.row_security == "apply",
        )
        self._retries = config.lock_retries
        standing = run.before.standing
        self._own = (*standing.own, *standing.beside) if standing is not None else ()
        self._cuts: frozenset[str] = frozenset()  # revisions that a commit must precede
        self._apart = False  # the commit ends a run of env.py

    def carry_out(self, revisions: tuple[Revision, ...]) -> None:
        """Run them. Raises Stopped, whose cause is what a revision raised, if any."""
        begun: dict[str, str] = {}
        pauses = itertools.islice(_pauses(), self._retries)
        started = time.monotonic()
        for attempt in itertools.count(1):
            running = Running(
                self._account(), self._timeouts, self._progress.works_in, self._leaves
            )
            try:
                self._once(revisions, running)
                return
            except RevisionFailed as failed:
                self._progress.stopped()
                begun |= running.transactions
                again = self._had_to_wait(failed) and not running.left
                pause = next(pauses, None) if again else None
                cut = self._can_cut(revisions, failed, running)
                pause = 0.0 if cut else pause
                left = None
                if pause is not None:
                    try:
                        left = self._left(revisions, failed, begun)
                        if left is not None and cut:
                            self._cut(failed, running)
                        elif left is not None and failed.cause is not None:
                            name = failed.revision.id
                            self._wait(failed.cause, name, "was rolled back", pause, attempt)
                    except KeyboardInterrupt as error:
                        name = failed.revision.id
                        raise Stopped(interrupted(name), name, begun) from error
                    except SurefootError:
                        left = None  # the server can't be asked; the failure reports that
                if pause is None or left is None:
                    took = time.monotonic() - started
                    finding = revision_failed(failed, attempt, took, back=self.back)
                    name = failed.revision.id
                    raise Stopped(
                        *(finding, name, begun),
                        lost=failed.lost,
                        failed=failed,
                        left=running.left,
                    ) from failed
                revisions = left
            except VersionTableFailed as failed:
                self._progress.stopped()
                pause = next(pauses, None) if failed.cause.sqlstate in _WAITED else None
                if pause is None:
                    took = time.monotonic() - started
                    raise self._without_version_table(failed, attempt, took) from failed
                name = self._seen.version_table.name
                try:
                    self._wait(failed.cause, name, "could not be created", pause, attempt)
                except KeyboardInterrupt as error:
                    raise Stopped(interrupted("")) from error
            except KeyboardInterrupt as error:
                begun |= running.transactions
                found = interrupted(running.last)
                raise Stopped(found, running.last, begun, left=running.left) from error
            except SurefootError as error:
                begun |= running.transactions
                raise Stopped(error.finding, running.last, begun, left=running.left) from error

    def _once(self, revisions: tuple[Revision, ...], running: Running) -> None:
        watch = SelfWait(running, self._aside, self._timeouts.lock)
        with signals.working(running, self._progress.notice), watch.watching():
            try:
                self._run(revisions, running)
            except (RevisionFailed, SurefootError) as failed:
                if signals.requested():  # it was cancelled, and this exception hid the signal's
                    raise signals.StopRequested from failed
                if running.stopped is not None:
                    raise SurefootError.of(running.stopped) from failed
                raise

    def _account(self) -> Account:
        return self._journal

    def _leaves(self, revision: str) -> None:
        """Record that a revision is about to commit outside its transaction."""
        direction: Direction = "down" if self.back else "up"
        try:
            self._journal.leaves(self._connect, revision, direction)
        except (SurefootError, psycopg.Error) as error:
            self._progress.notice(f"the journal could not record it: {str(error).strip()}")

    def _run(self, revisions: tuple[Revision, ...], running: Running) -> None:
        parts = _parts(revisions, self._cuts) if self._apart else [revisions]
        for part in parts:
            upgrade(
                self._asked.environment,
                part,
                seen=self._seen,
                running=running,
                asking=self._lock,
                progress=self._progress,
                keeping=_Keeping(
                    self._own, self._asked.version_table, self._connect, self._progress
                )
                if self._own
                else None,
                cuts=self._cuts,
                partly=part is not parts[-1],
            )

    def _can_cut(
        self, revisions: tuple[Revision, ...], failed: RevisionFailed, running: Running
    ) -> bool:
        """Whether a commit before the revision may help that it hasn't had yet.

        The revision uses an enum value that was added in the same transaction.
        """
        if failed.cause is None or failed.cause.sqlstate != _NEW_VALUE or running.left:
            return False
        if self.back or revisions[0].id == failed.revision.id:
            return False
        return failed.revision.id not in self._cuts or (running.uncut and not self._apart)

    def _cut(self, failed: RevisionFailed, running: Running) -> None:
        self._cuts |= {failed.revision.id}
        self._apart = self._apart or running.uncut
        self._progress.notice(
            f"{failed.revision.id} uses an enum value before it is committed, which PostgreSQL "
            "doesn't allow: trying again, with a commit before this revision"
        )

    def _without_version_table(
        self, failed: VersionTableFailed, attempt: int, took: float
    ) -> Stopped:
        """Say why Alembic could not create its version table."""
        if failed.cause.sqlstate in CREATED_MEANWHILE:
            return Stopped(created_meanwhile(self._seen.version_table.name).finding)
        if failed.cause.sqlstate in _WAITED:
            found = version_table_failed(self._seen.version_table.name, failed, attempt, took)
            return Stopped(found, cause=failed.cause)
        return Stopped(failed.finding)

    @staticmethod
    def _had_to_wait(failed: RevisionFailed) -> bool:
        return failed.cause is not None and failed.cause.sqlstate in _WAITED

    def _left(
        self, revisions: tuple[Revision, ...], failed: RevisionFailed, begun: dict[str, str]
    ) -> tuple[Revision, ...] | None:
        """Return the revisions to run again; None if the failure left something behind."""
        after = look_after(
            self._connect, self._journal.run, begun.values(), self._seen.version_table
        )
        finding = revision_failed(failed)
        if applied_half_way(Stopped(finding, failed.revision.id, begun), after):
            return None
        if after.fates.get(begun.get(failed.revision.id, "")) != "aborted":
            return None
        done = {one.name for one in after.done}
        with self._connect() as connection:
            self._journal.found(observe_database(connection, self._seen.version_table))
        return tuple(r for r in revisions if r.id not in done)

    def _wait(self, cause: Cause, name: str, how: str, pause: float, attempt: int) -> None:
        """Say who was in the way of a revision or of the version table, and wait."""
        with self._connect() as connection:
            found = holders(connection, cause, name, self._asked.catalogue)
        waited = "a lock was not available" if cause.sqlstate == "55P03" else "a deadlock"
        again = f"again in {pause:.0f} s ({attempt} of {self._retries})"
        self._progress.notice(f"{name} {how}, {waited}: {again}")
        for line in holder_lines(found):
            self._progress.notice(line.strip())
        signals.sleep(pause)


# Another session can drop these while the application's tables are locked: an import's own tables,
# for example.
_DROPPED_BY_OTHERS = ("relation", "sequence", "function", "procedure", "enum", "domain")


class _Keeping:
    """Looks at the user's own objects on the application's connection."""

    def __init__(
        self,
        own: Sequence[SchemaFact],
        version_table: VersionTableName,
        connect: Connect,
        progress: Progress,
    ) -> None:
        self._own, self._connect, self._progress = own, connect, progress
        self._looking = Looking(version_table)
        self._live: dict[Key, str] = {}

    def before(self, connection: Any) -> None:
        """Note the structure in which the revisions begin."""
        self._live = self._structure(connection)

    def committing(self, connection: Any, revisions: Sequence[Revision]) -> None:
        """Require that all of them are there. Raises SurefootError `customisation-in-the-way`."""
        now = self._structure(connection)
        lost = missing(self._own, self._live, now)
        along = frozenset(went_along(lost, self._own))
        others = [fact for fact in lost if fact not in along]
        if others := self._visible_outside(others):
            raise SurefootError.of(taken(others, self._own, self._live, revisions))
        self._tell([fact for fact in lost if fact in along], now)

    def gone(self, connection: Any, revision: Revision) -> None:
        """Report what the revision took: it has committed that already."""
        now = self._structure(connection)
        self._tell(missing(self._own, self._live, now), now)

    def _visible_outside(self, lost: Sequence[SchemaFact]) -> list[SchemaFact]:
        """Return those that others still see: it wasn't another session that has dropped them."""
        if not lost:
            return []
        names = {fact: split_name(fact.name) for fact in lost}
        with self._connect() as connection:
            found = objects_named(connection, [name[-1] for name in names.values()])
        there = {(one.schema, one.name) for one in found}
        return [
            fact
            for fact in lost
            if (names[fact][0], names[fact][-1]) in there or fact.kind not in _DROPPED_BY_OTHERS
        ]

    def _tell(self, gone: Sequence[SchemaFact], now: dict[Key, str]) -> None:
        for fact in gone:
            self._progress.notice(f"your own {called(fact)} is gone")
        for fact in without_default(self._own, self._live, now):
            self._progress.notice(f"the default of your own {called(fact)} is gone")
        told = frozenset(gone)
        self._own = tuple(fact for fact in self._own if fact not in told)
        self._live = {key: now.get(key, text) for key, text in self._live.items()}

    def _structure(self, connection: Any) -> dict[Key, str]:
        facts = whole_facts(lambda: self._looking.rows_once(connection), _was_dropped)
        return {(fact.kind, fact.name): fact.definition for fact in facts}


def _was_dropped(error: Exception) -> bool:
    """Whether the server didn't find what another session has dropped, in any driver's words."""
    cause = cause_of(error)
    return cause is not None and cause.sqlstate.startswith(("42", "XX"))


def _parts(revisions: tuple[Revision, ...], cuts: frozenset[str]) -> list[tuple[Revision, ...]]:
    """Split the revisions: each part but the first begins with one of `cuts`."""
    parts: list[list[Revision]] = [[]]
    for revision in revisions:
        if parts[-1] and revision.id in cuts:
            parts.append([])
        parts[-1].append(revision)
    return [tuple(part) for part in parts]


def _pauses() -> Iterator[float]:
    """Yield pauses with jitter, so that several runs don't retry at the same instant."""
    pause = _FIRST_PAUSE
    while True:
        yield pause * random.uniform(0.7, 1.3)
        pause = min(pause * 1.6, _LONGEST_PAUSE)
