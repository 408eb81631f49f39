"""The journal: one row a step, written in the transaction of what it tells of."""

import functools
import secrets
import socket
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, TypedDict

import psycopg

from surefoot import __version__
from surefoot.alembic_env.account import Begun, Ended, Execute, Setting
from surefoot.decision.facts import DatabaseState
from surefoot.errors import SurefootError
from surefoot.errors.steps import to_type
from surefoot.model.history import Revision
from surefoot.scripts.header import ScriptFile
from surefoot.sql import query

Direction = Literal["up", "down"]
End = Literal["reached", "unchecked", "unreached"]

_STEPS: dict[Direction, str] = {"up": "revision", "down": "down"}

Back = Callable[[Iterable[str], bool], str | None]
"""From revisions to what is kept of the way back over them (and over all that is below them), as
text; None where nothing is known."""


def _nothing_kept(revisions: Iterable[str], below: bool) -> str | None:
    return None


class Journal:
    """Writes this run's rows, and makes the table with the first of them.

    The table appears in the same transaction as its first row: a run that is rolled back leaves
    not even an empty journal behind.
    """

    def __init__(
        self,
        seen: DatabaseState,
        env_sha256: str | None,
        run: str | None = None,
        back: Back | None = None,
        approved_by: str | None = None,
    ) -> None:
        """`seen` is the database as the plan was made for it, `env_sha256` the env.py that runs.

        `run` is the name of a run that has begun already; `back` knows the ways back. `approved_by`
        is the word by which a person has approved the plan.
        """
        self._approved_by = approved_by
        self.run = run or secrets.token_hex(8)
        self._history, self._env = seen.history, env_sha256
        self._back = back or _nothing_kept
        self.found(seen)

    def found(self, seen: DatabaseState) -> None:
        """The database was looked at again: what this run had made may have been rolled back."""
        self._table, self._schema = seen.journal, seen.journal_schema
        self._down = seen.journal_down

    def begin(
        self,
        execute: Execute,
        revision: Revision,
        setting: Setting,
        before: Ended | None,
        direction: Direction = "up",
    ) -> Begun:
        """A revision begins, or the way back over it, in this `setting`; in the same statement the
        revision `before` it ends, if that was in the same transaction.
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
        """So many statements of a way back are done, if the transaction is committed."""
        execute(query("way_back_done"), {"id": begun.row, "done": str(statements)})

    def left(self, execute: Execute, revisions: str) -> None:
        """Revisions that failed where their own transaction, and their mark, didn't hold them."""
        self._row(execute, step="begun", name=revisions, seconds=0.0)

    def done(self, execute: Execute, ended: Ended, direction: Direction = "up") -> str:
        """The revision has run, or was taken back. Returns the transaction's id."""
        rows = execute(query("end_revision"), _end(ended, direction, "step"))
        if rows:
            return rows[0][0]
        # it has rolled back what it began with
        revision = ended.revision
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
        """A revision that the init scripts stand for, with all that is below it."""
        down = self._back((revision.id,), True)
        self._row(execute, step="stamp", name=revision.id, seconds=0.0, down=down, **_of(revision))

    def adoption(self, execute: Execute, rows: Iterable[str], evidence: str) -> None:
        """A database that was found where it stands; `evidence` is JSON."""
        names = tuple(rows)
        down = self._back(names, True)
        name = " ".join(names)
        self._row(execute, step="adopt", name=name, evidence=evidence, seconds=0.0, down=down)

    def end(
        self, execute: Execute, step: End, rows: Iterable[str], evidence: str, after: int
    ) -> None:
        """The end of a run was looked at. `evidence` is what was seen, and on what that rests, as
        JSON. Nothing is written where the journal has gone on since `after`, the last row seen.
        """
        self._make_table(execute)
        execute(
            query("insert_mark"),
            {
                **self._common(),
                "step": step,
                "name": " ".join(rows),
                "evidence": evidence,
                "after": after,
            },
        )

    def record(self, execute: Execute, revision: Revision, evidence: str) -> None:
        """A revision that an earlier run left half-way and that is all there; evidence is JSON."""
        step, of, down = "revision", _of(revision), self._kept(revision)
        self._row(
            execute, step=step, name=revision.id, seconds=0.0, evidence=evidence, down=down, **of
        )

    def mended(self, execute: Execute, step: str, name: str, evidence: str) -> None:
        """Something that was done about a revision that was left half-way; evidence: its SQL."""
        self._row(execute, step=step, name=name, evidence=evidence, seconds=0.0)

    def cleaned(self, execute: Execute, name: str, evidence: str) -> None:
        """What was left of revisions that aren't applied any more is dropped; evidence: its SQL."""
        self._row(execute, step="cleanup", name=name, evidence=evidence, seconds=0.0)

    def mending(self, execute: Execute, name: str, evidence: str) -> int:
        """The same, begun, outside a transaction; gives its row."""
        values = {**self._common(), "name": name, "evidence": evidence}
        ((row,),) = execute(query("begin_mending"), values)
        return row

    def end_mending(self, execute: Execute, row: int, step: str) -> None:
        """What was begun has come to its end."""
        execute(query("end_mending"), {"id": row, "step": step})

    def script(self, execute: Execute, step: str, script: ScriptFile, seconds: float) -> None:
        """A script that has run; `step` is install or seed."""
        self._row(execute, step=step, name=script.path, hash=script.sha256, seconds=seconds)

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
        # "if not exists" asks for the privilege even where there is nothing to create
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
        """Nobody was quicker than us to make the journal, nor will be able to put a trigger on it.

        Once it is ours, nobody but its owner and the schema's owner can change or replace it.
        Raises SurefootError `object-not-trusted`.
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
    """The journal as the account of revisions that are taken back."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def begin(
        self, execute: Execute, revision: Revision, setting: Setting, before: Ended | None
    ) -> Begun:
        """The way back over the revision begins."""
        return self._journal.begin(execute, revision, setting, before, "down")

    def done(self, execute: Execute, ended: Ended) -> str:
        """It is gone."""
        return self._journal.done(execute, ended, "down")

    def progress(self, execute: Execute, begun: Begun, statements: int) -> None:
        """So many of its statements are done."""
        self._journal.progress(execute, begun, statements)


class _Columns(TypedDict):
    parents: str
    release: str | None
    floor: str | None
    hash: str | None


@functools.cache
def _begin(name: str, setting: Setting) -> str:
    """The statement of this name, with what it is to evaluate.

    It is sent for every revision, so without the comments.
    """
    lines = (line for line in query(name).splitlines() if not line.startswith("--"))
    before, session, after = "\n".join(lines).split("/* session */")
    return f"{before}{setting.session or session}{after}{setting.settings}"


def _end(ended: Ended, direction: Direction, step: str) -> dict[str, object]:
    """The parameters of a revision's end; `step` is the one that says how it was run."""
    return {
        "id": ended.begun.row,
        step: _STEPS[direction],
        "milliseconds": round(ended.seconds * 1000, 3),
    }


def _of(revision: Revision) -> _Columns:
    return {
        "parents": " ".join((*revision.parents, *revision.depends_on)),
        "release": revision.release,
        "floor": revision.floor,
        "hash": revision.sha256,
    }


def executor(connection: psycopg.Connection[Any]) -> Execute:
    """Executes what the journal wants, in the transaction that the connection is in."""

    def execute(statement: str, parameters: Mapping[str, object]) -> list[tuple[Any, ...]]:
        cursor = connection.execute(statement.encode(), parameters or None)
        return cursor.fetchall() if cursor.description else []

    return execute
