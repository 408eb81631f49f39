"""The journal: one row for each step, written in the step's own transaction."""

import copy
import functools
import secrets
import socket
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, TypedDict

import psycopg

from surefoot import __version__
from surefoot.alembic_env.account import Begun, Ended, Execute, Setting
from surefoot.alembic_env.rolled_back import rolled_back
from surefoot.decision.facts import DatabaseState
from surefoot.errors import SurefootError
from surefoot.errors.steps import to_type
from surefoot.model.history import Revision
from surefoot.scripts.header import ScriptFile
from surefoot.sql import ids_text, query

Direction = Literal["up", "down"]
End = Literal["reached", "unchecked", "unreached"]

_STEPS: dict[Direction, str] = {"up": "revision", "down": "down"}

Connect = Callable[..., psycopg.Connection[Any]]
Back = Callable[[Iterable[str], bool], str | None]
"""From revisions to their downgrade recipes (and those of all below them), as text; None if nothing
is known.
"""


def _nothing_kept(revisions: Iterable[str], below: bool) -> str | None:
    return None


class Journal:
    """Writes this run's rows, and creates the table with the first of them.

    The table is created in the same transaction as its first row: a run that is rolled back doesn't
    leave even an empty journal.
    """

    def __init__(
        self,
        seen: DatabaseState,
        env_sha256: str | None,
        run: str | None = None,
        back: Back | None = None,
        approved_by: str | None = None,
    ) -> None:
        """`seen` is the database for which the plan was made, `env_sha256` the env.py that runs.

        `run` is the name of a run that has already begun; `back` knows the downgrade recipes.
        `approved_by` is the word with which a person has approved the plan.
        """
        self._approved_by = approved_by
        self.run = run or secrets.token_hex(8)
        self._history, self._env = seen.history, env_sha256
        self._back = back or _nothing_kept
        self._left: set[str] = set()  # recorded as committing outside their transaction
        self.found(seen)

    def found(self, seen: DatabaseState) -> None:
        """Note a new look at the database: what this run had created may have been rolled back."""
        self._found = seen.journal, seen.journal_schema, seen.journal_down
        self.doubt()

    @property
    def made(self) -> bool:
        """Whether this run has created the table."""
        return self._table and not self._found[0]

    def doubt(self) -> None:
        """Note that a transaction was rolled back: the journal may have been created in it.

        Where it was not, creating it again does nothing.
        """
        self._table, self._schema, self._down = self._found

    def begin(
        self,
        execute: Execute,
        revision: Revision,
        setting: Setting,
        before: Ended | None,
        direction: Direction = "up",
    ) -> Begun:
        """Record that a revision, or its downgrade, begins in this `setting`.

        The same statement records the end of the revision `before` it, if that was in the same
        transaction.
        """
        self._make_table(execute)
        values = {
            **self._common(),
            **_of(revision),
            "name": revision.id,
            "direction": direction,
            "down": self._kept(revision, direction),
        }
        if before is not None:
            ended = _end(before, direction, "ended")
            rows = execute(_begin("next_revision", setting), values | ended)
            for row, transaction, pid, *_ in rows:
                return Begun(row, transaction, pid)
            self.done(execute, before, direction)
        ((row, transaction, pid, *_),) = execute(_begin("begin_revision", setting), values)
        return Begun(row, transaction, pid)

    def progress(self, execute: Execute, begun: Begun, statements: int) -> None:
        """Record how many statements of a downgrade are done, if the transaction is committed."""
        execute(query("way_back_done"), {"id": begun.row, "done": str(statements)})

    def left(self, execute: Execute, revisions: Iterable[str], direction: Direction) -> None:
        """Record revisions that failed outside their own transaction, and so without their mark."""
        if names := [one for one in revisions if one not in self._left]:
            name = ids_text(names)
            self._row(execute, step="begun", name=name, seconds=0.0, direction=direction)

    def leaves(self, connect: Connect, revision: str, direction: Direction) -> None:
        """Record at once that a revision is about to commit outside its transaction.

        If this process is then killed, the server rolls back the revision's own mark. Not if this
        run creates the journal: then no other connection can see it yet. Raises psycopg.Error.
        """
        if not all(self._found):
            return
        beside = copy.copy(self)
        beside._approved_by = None  # recorded in the run's own transaction
        with connect() as connection, connection.transaction():
            # the application may have locked the journal: no waiting for ourselves
            connection.execute("set local lock_timeout = '1s'")
            beside.left(executor(connection), (revision,), direction)
        self._left.add(revision)

    def done(self, execute: Execute, ended: Ended, direction: Direction = "up") -> str:
        """Record that the revision has run, or was undone. Returns the transaction's id.

        Raises SurefootError `revision-failed` if it has rolled back what it began with.
        """
        rows = execute(query("end_revision"), _end(ended, direction, "step"))
        if rows:
            return rows[0][0]
        revision = ended.revision
        if not ended.restarted:
            # in the same transaction, the revision has deleted its row by itself
            ((now,),) = execute("select pg_catalog.pg_current_xact_id()::pg_catalog.text", {})
            if now != ended.begun.transaction:
                raise rolled_back(revision)
        return self._row(
            execute,
            step=_STEPS[direction],
            name=revision.id,
            direction=direction,
            down=self._kept(revision, direction),
            seconds=ended.seconds,
            **_of(revision),
        )

    def stamp(self, execute: Execute, revision: Revision) -> None:
        """Record a revision that the init scripts stand for, with all its ancestors."""
        down = self._back((revision.id,), True)
        self._row(execute, step="stamp", name=revision.id, seconds=0.0, down=down, **_of(revision))

    def adoption(self, execute: Execute, rows: Iterable[str], evidence: str) -> None:
        """Record that a database was adopted as it stands; `evidence` is JSON."""
        names = tuple(rows)
        down = self._back(names, True)
        name = ids_text(names)
        self._row(execute, step="adopt", name=name, evidence=evidence, seconds=0.0, down=down)

    def end(
        self, execute: Execute, step: End, rows: Iterable[str], evidence: str, after: int
    ) -> None:
        """Record the last look of a run.

        `evidence` is what was seen, and what that relies on, as JSON. Nothing is written if the
        journal has new rows since `after`, the last row seen.
        """
        self._make_table(execute)
        execute(
            query("insert_mark"),
            {
                **self._common(),
                "step": step,
                "name": ids_text(rows),
                "evidence": evidence,
                "after": after,
            },
        )

    def record(self, execute: Execute, revision: Revision, evidence: str) -> None:
        """Record a half-applied revision that is complete; evidence is JSON."""
        step, of, down = "revision", _of(revision), self._kept(revision)
        self._row(
            execute, step=step, name=revision.id, seconds=0.0, evidence=evidence, down=down, **of
        )

    def mended(self, execute: Execute, step: str, name: str, evidence: str) -> None:
        """Record what was done about a half-applied revision; evidence: its SQL."""
        self._row(execute, step=step, name=name, evidence=evidence, seconds=0.0)

    def cleaned(self, execute: Execute, name: str, evidence: str) -> None:
        """Record that remains of revisions were dropped; evidence: the SQL."""
        self._row(execute, step="cleanup", name=name, evidence=evidence, seconds=0.0)

    def mending(self, execute: Execute, name: str, evidence: str) -> int:
        """Record that this begins, outside a transaction; returns the row's number."""
        values = {**self._common(), "name": name, "evidence": evidence}
        ((row,),) = execute(query("begin_mending"), values)
        return row

    def end_mending(self, execute: Execute, row: int, step: str) -> None:
        """Record that it has ended."""
        execute(query("end_mending"), {"id": row, "step": step})

    def script(
        self,
        execute: Execute,
        step: str,
        script: ScriptFile,
        seconds: float,
        seal: str | None = None,
    ) -> None:
        """Record a script that has run; `step` is install or seed.

        `seal` is the DDL seal after the last script of those that stand for base: no other row says
        that no revision has run.
        """
        self._row(
            execute,
            step=step,
            name=script.path,
            hash=script.sha256,
            evidence=seal,
            seconds=seconds,
        )

    def _row(
        self,
        execute: Execute,
        *,
        step: str,
        name: str,
        seconds: float,
        direction: Direction = "up",
        down: str | None = None,
        parents: str = "",
        release: str | None = None,
        floor: str | None = None,
        hash: str | None = None,
        evidence: str | None = None,
    ) -> str:
        self._make_table(execute)
        ((transaction,),) = execute(
            query("insert_journal"),
            {
                **self._common(),
                "step": step,
                "name": name,
                "parents": parents,
                "release": release,
                "floor": floor,
                "hash": hash,
                "evidence": evidence,
                "direction": direction,
                "down": down,
                "milliseconds": round(seconds * 1000, 3),
            },
        )
        return transaction

    def _kept(self, revision: Revision, direction: Direction = "up") -> str | None:
        return self._back((revision.id,), False) if direction == "up" else None

    def _make_table(self, execute: Execute) -> None:
        # "if not exists" requires the privilege even if there is nothing to create
        if not self._schema:
            execute(query("create_journal_schema"), {})
        if not self._table:
            execute(query("create_journal"), {})
            self._require_own(execute)
        if not self._down:
            execute(query("add_journal_down"), {})
        self._schema = self._table = self._down = True
        if self._approved_by is not None:
            execute(query("insert_approval"), {**self._common(), "name": self._approved_by})

    def _require_own(self, execute: Execute) -> None:
        """Require that the journal is surefoot's own, and that nobody can put a trigger on it.

        Then only its owner and the schema's owner can change or replace it. Raises SurefootError
        `object-not-trusted`.
        """
        ((ours, owner, schema_owner, granted),) = execute(
            query("journal_made"), {"schema": self._schema}
        )
        if not ours:
            raise SurefootError(
                "object-not-trusted",
                "While surefoot was at work, somebody else created a table surefoot.journal.",
                seen=[
                    f"schema surefoot belongs to {schema_owner}",
                    f"surefoot.journal belongs to {owner}",
                ],
                next=to_type(
                    "as a superuser", "drop schema surefoot cascade;", then="then start again"
                ),
            )
        for role in granted:  # quoted by the server
            execute(f"revoke trigger on surefoot.journal from {role}", {})

    def _common(self) -> dict[str, str | None]:
        return {
            "run": self.run,
            "history": self._history,
            "env": self._env,
            "host": socket.gethostname(),
            "surefoot": __version__,
        }


class Backwards:
    """Records revisions that are undone."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    @property
    def made(self) -> bool:
        """Whether this run has created the journal."""
        return self._journal.made

    def doubt(self) -> None:
        """Note that a transaction was rolled back."""
        self._journal.doubt()

    def begin(
        self, execute: Execute, revision: Revision, setting: Setting, before: Ended | None
    ) -> Begun:
        """Record that a downgrade begins."""
        return self._journal.begin(execute, revision, setting, before, "down")

    def done(self, execute: Execute, ended: Ended) -> str:
        """Record that it has ended."""
        return self._journal.done(execute, ended, "down")

    def progress(self, execute: Execute, begun: Begun, statements: int) -> None:
        """Record how many of its statements are done."""
        self._journal.progress(execute, begun, statements)


class _Columns(TypedDict):
    parents: str
    release: str | None
    floor: str | None
    hash: str | None


@functools.cache
def _begin(name: str, setting: Setting) -> str:
    """Return the statement of this name, with what it must evaluate.

    Without comments, because it is sent for every revision.
    """
    lines = (line for line in query(name).splitlines() if not line.startswith("--"))
    before, session, after = "\n".join(lines).split("/* session */")
    return f"{before}{setting.session or session}{after}{setting.settings}"


def _end(ended: Ended, direction: Direction, step: str) -> dict[str, object]:
    """Return the parameters of a revision's end; `step` says how it was run."""
    return {
        "id": ended.begun.row,
        step: _STEPS[direction],
        "milliseconds": round(ended.seconds * 1000, 3),
    }


def _of(revision: Revision) -> _Columns:
    return {
        "parents": ids_text((*revision.parents, *revision.depends_on)),
        "release": revision.release,
        "floor": revision.floor,
        "hash": revision.sha256,
    }


def executor(connection: psycopg.Connection[Any]) -> Execute:
    """Return a function that executes the journal's statements in the connection's transaction."""

    def execute(statement: str, parameters: Mapping[str, object]) -> list[tuple[Any, ...]]:
        cursor = connection.execute(statement.encode(), parameters or None)
        return cursor.fetchall() if cursor.description else []

    return execute
