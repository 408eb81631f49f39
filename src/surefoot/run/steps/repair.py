"""Finish or undo a half-applied revision: the SQL, and a look before each commit."""

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import msgspec
import psycopg

from surefoot.decision.plan import Repair
from surefoot.errors import Finding, SurefootError
from surefoot.errors.wording import count
from surefoot.interrupted.repair_sql import unmet
from surefoot.run.context import Run
from surefoot.run.failure_report import Stopped, interrupted
from surefoot.run.journal import executor
from surefoot.system import signals

if TYPE_CHECKING:
    from surefoot.model import answers

_LOCK_TIMEOUT = "10s"
_STAYS = "What was done outside of a transaction stays, and the revision is still half-way."


def carry_out(step: Repair, run: Run) -> None:
    """Execute the SQL outside a transaction, in one, and the rest. Raises Stopped."""
    Repairing(run).repair(step)


def lines(step: Repair) -> list[str]:
    """Return the SQL in its order, and which part is one transaction."""
    within = ("begin", *(f"  {text}" for text in step.within), "commit") if step.within else ()
    sql = (*step.first, *within, *step.then)
    return [f"{step.how} revision {step.revision}:", *(f"  {text}" for text in sql)]


def as_json(step: Repair) -> "answers.Mend":
    """Return the SQL in its order. In JSON the step is called mend, for compatibility."""
    from surefoot.model import answers

    return answers.Mend(
        revision=step.revision,
        how=step.how,
        outside_before=step.first,
        within=step.within,
        outside_after=step.then,
    )


class Repairing:
    """Executes SQL on what an interrupted revision left, and checks the result."""

    def __init__(self, run: Run) -> None:
        assert run.before.interruption is not None
        self._asked, self._before, self._lock = run.env, run.before.interruption, run.lock
        self._journal, self._connect, self._progress = run.journal, run.connect, run.progress
        self._in_transaction = run.in_transaction

    def repair(self, step: Repair) -> None:
        """Execute the parts outside a transaction, in one, and the rest, each with a look. Raises
        Stopped.

        Wherever that is cut off, the revision is still half-applied: the same command continues.
        """
        with self._connect() as connection:
            _, facts = self._asked.half_way(connection, self._before)
        own = self._asked.own(facts)
        self.outside("mended", step.revision, step.first)
        if step.within:

            def work(connection: psycopg.Connection[Any]) -> None:
                self._execute(connection, step.within)
                self._require(step, connection, own, to_come=bool(step.then))
                self._journal.mended(
                    executor(connection), "mended", step.revision, "; ".join(step.within)
                )

            started = time.monotonic()
            self._in_transaction(step.revision, work)
            took = time.monotonic() - started
            what = count(len(step.within), "statement")
            self._progress.end("mended", step.revision, what, took, committed=True)
        self.outside("mended", step.revision, step.then)
        try:
            with self._connect() as connection:
                self._require(step, connection, own, to_come=False)
        except SurefootError as error:
            raise Stopped(msgspec.structs.replace(error.finding, database=_STAYS)) from error

    def _execute(self, connection: psycopg.Connection[Any], statements: Iterable[str]) -> None:
        """Execute statements as the revision would: with the application's search path."""
        connection.execute(
            "select pg_catalog.set_config('role', %s, true),"
            " pg_catalog.set_config('search_path', %s, true),"
            " pg_catalog.set_config('lock_timeout', %s, true),"
            " pg_catalog.set_config('statement_timeout', '0', true)",
            (self._asked.role, self._asked.search_path, _LOCK_TIMEOUT),
        )
        for statement in statements:
            try:
                connection.execute(statement.encode())
            except psycopg.Error as error:
                signals.check()  # a statement that was cancelled for a signal is no failure
                if error.sqlstate is None:
                    raise
                raise _refused_by_the_server(statement, error) from error

    def _require(
        self,
        step: Repair,
        connection: psycopg.Connection[Any],
        own: frozenset[Any],
        *,
        to_come: bool,
    ) -> None:
        """Look before the commit. Raises SurefootError `repair-failed`."""
        now, facts = self._asked.half_way(connection, self._before)
        wrong = unmet(self._before, now, step.how, (own, self._asked.own(facts)), to_come=to_come)
        if wrong:
            raise SurefootError(
                "repair-failed",
                f"The repair of {step.revision} did not give the expected structure.",
                seen=wrong[:12],
                next="finish or undo it by hand; then surefoot repair REVISION records the result",
            )

    def outside(self, kind: str, name: str, statements: tuple[str, ...]) -> None:
        """Execute statements that can't be in a transaction, one after the other."""
        if not statements:
            return
        started = time.monotonic()
        try:
            with self._connect() as connection:
                connection.execute("set statement_timeout = 0")
                # wait for the application's transactions, as the revision itself does
                connection.execute("set lock_timeout = 0")
                with connection.transaction():
                    row = self._journal.mending(executor(connection), name, "; ".join(statements))
                connection.execute(
                    "select pg_catalog.set_config('role', %s, false),"
                    " pg_catalog.set_config('search_path', %s, false)",
                    (self._asked.role, self._asked.search_path),
                )
                for statement in statements:
                    self._lock.check()
                    self._progress.begin(kind, statement, "")
                    self._one(connection, statement)
                with connection.transaction():
                    self._journal.end_mending(executor(connection), row, kind)
        except KeyboardInterrupt as error:
            raise Stopped(interrupted(name)) from error
        except psycopg.Error as error:
            if signals.requested():
                raise Stopped(interrupted(name)) from error
            lost = error.sqlstate is None
            finding = _refused_by_the_server(name, error).finding
            finding = msgspec.structs.replace(finding, database=_STAYS)
            raise Stopped(finding, lost=lost) from error
        took = time.monotonic() - started
        what = count(len(statements), "statement")
        self._progress.end(kind, name, what, took, committed=True)

    def _one(self, connection: psycopg.Connection[Any], statement: str) -> None:
        try:
            connection.execute(statement.encode())
        except psycopg.Error as error:
            signals.check()  # a statement that was cancelled for a signal is no failure
            if error.sqlstate is None:
                raise
            finding = _refused_by_the_server(statement, error).finding
            raise Stopped(msgspec.structs.replace(finding, database=_STAYS)) from error


def _refused_by_the_server(statement: str, error: psycopg.Error) -> SurefootError:
    lines = [line.strip() for line in str(error).strip().splitlines() if line.strip()]
    if lines and error.sqlstate:
        lines[0] = f"{lines[0]} (SQLSTATE {error.sqlstate})"
    found = Finding(
        "repair-failed",
        "The database rejected a statement of the repair.",
        (f"statement: {statement}", *lines[:6]),
        next="solve the problem that the server reports above, and run the same command again",
    )
    return SurefootError.of(found)
