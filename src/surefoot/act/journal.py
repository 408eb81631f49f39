"""The journal: one row a step, written in the transaction of what it tells of."""

import secrets
import socket
from collections.abc import Callable, Iterable, Mapping

from surefoot import __version__
from surefoot.history import Revision
from surefoot.observation import Observation, ScriptFile
from surefoot.sql import query

Execute = Callable[[str, Mapping[str, object]], None]


class Journal:
    """Writes this run's rows, and makes the table with the first of them.

    The table appears in the same transaction as its first row: a run that is rolled back leaves
    not even an empty journal behind.
    """

    def __init__(self, seen: Observation, env_sha256: str | None, run: str | None = None) -> None:
        """`seen` is the database as the plan was made for it, `env_sha256` the env.py that runs.

        `run` is the name of a run that has begun already.
        """
        self.run = run or secrets.token_hex(8)
        self._history, self._env = seen.history, env_sha256
        self._table, self._schema = seen.journal, seen.journal_schema

    def anew(self, seen: Observation) -> "Journal":
        """The same run's journal, for a database as it is seen now."""
        return Journal(seen, self._env, self.run)

    def revision(
        self,
        execute: Execute,
        revision: Revision,
        seconds: float,
        *,
        stamped: bool = False,
        evidence: str | None = None,
    ) -> None:
        """A revision that has run, or (`stamped`) that the init scripts stand for. One that an
        earlier run left half-way and that is all there has `evidence` for that, as JSON.
        """
        self._row(
            execute,
            step="stamp" if stamped else "revision",
            name=revision.id,
            parents=" ".join((*revision.parents, *revision.depends_on)),
            release=revision.release,
            floor=revision.floor,
            hash=revision.sha256,
            evidence=evidence,
            seconds=seconds,
        )

    def adoption(self, execute: Execute, rows: Iterable[str], evidence: str) -> None:
        """A database that was found where it stands; `evidence` is JSON."""
        self._row(execute, step="adopt", name=" ".join(rows), evidence=evidence, seconds=0.0)

    def end(self, execute: Execute, rows: Iterable[str], *, reached: bool) -> None:
        """The end of a run was looked at: head is reached, or the structure is another."""
        step = "reached" if reached else "unreached"
        self._row(execute, step=step, name=" ".join(rows), seconds=0.0)

    def interrupted(self, execute: Execute, revisions: Iterable[str]) -> None:
        """Revisions that were seen to be applied half-way: they committed by themselves."""
        self._row(execute, step="interrupted", name=" ".join(revisions), seconds=0.0)

    def mended(self, execute: Execute, step: str, name: str, statements: Iterable[str]) -> None:
        """Something that was done about a revision that was left half-way, with its SQL."""
        self._row(execute, step=step, name=name, evidence="; ".join(statements), seconds=0.0)

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
        parents: str = "",
        release: str | None = None,
        floor: str | None = None,
        hash: str | None = None,
        evidence: str | None = None,
    ) -> None:
        # "if not exists" asks for the privilege even where there is nothing to create
        if not self._schema:
            execute(query("create_journal_schema"), {})
        if not self._table:
            execute(query("create_journal"), {})
        self._schema = self._table = True
        execute(
            query("insert_journal"),
            {
                "run": self.run,
                "history": self._history,
                "env": self._env,
                "step": step,
                "name": name,
                "parents": parents,
                "release": release,
                "floor": floor,
                "hash": hash,
                "evidence": evidence,
                "milliseconds": round(seconds * 1000, 3),
                "host": socket.gethostname(),
                "surefoot": __version__,
            },
        )
