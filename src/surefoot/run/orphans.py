"""What an earlier surefoot had begun may still be at work on the server, though that one is gone.

A client that is killed doesn't end the statement that it sent: a CREATE INDEX CONCURRENTLY goes on
to its end, an ALTER TABLE goes on waiting for its lock. Nobody may migrate meanwhile.
"""

import time
from collections.abc import Callable
from typing import Any

import msgspec
import psycopg

from surefoot.decision.facts import VersionTableName
from surefoot.diagnosis.names import literal, without_literals
from surefoot.errors import SurefootError
from surefoot.errors.steps import to_type
from surefoot.look.database import observe_owners
from surefoot.postgres.connect import LookSession, translate_db_errors
from surefoot.postgres.look import looking
from surefoot.sql import query
from surefoot.system import signals
from surefoot.system.pace import Pace

_PAUSE = 0.5  # seconds
_WIDTH = 60  # characters of a statement


class Orphan(msgspec.Struct, frozen=True):
    """A session of the server in which a revision is at work, or the prepared transaction of one,
    which has a `gid` and no pid. What may not be seen is empty.
    """

    pid: int
    application: str
    client: str
    since: str | None
    query: str
    gid: str = ""
    role: str = ""

    @property
    def end(self) -> tuple[str, ...]:
        """The statements that end it."""
        if not self.gid:
            return (f"select pg_cancel_backend({self.pid});",)
        gid = literal(self.gid)
        return f"rollback prepared {gid};", f"-- or keep what it did: commit prepared {gid};"

    def __str__(self) -> str:
        if self.gid:
            return (
                f"the prepared transaction {literal(self.gid)} (of role {self.role}, since "
                f"{self.since})"
            )
        parts = [
            f"pid {self.pid}",
            *([f"from {self.client}"] if self.client else []),
            *([f"since {self.since}"] if self.since else []),
        ]
        doing = f": {without_literals(self.query, _WIDTH)}" if self.query else ""
        return f"{self.application or 'a session'} ({', '.join(parts)}){doing}"


def wait_for_orphans(
    session: LookSession,
    role: str | None,
    *,
    wait: float,
    say: Callable[[str], None],
    every: float = 0.0,
) -> None:
    """Under the lock: wait up to `wait` seconds until nobody else is at work any more.

    `role` is the role that env.py sets, whose journal is trusted as well. `say` gets a line that
    names what is waited for, and another one `every` so many seconds. Raises SurefootError
    `orphaned-statement`.
    """
    deadline = time.monotonic() + wait
    pace = Pace(every)
    told: set[str] = set()
    with translate_db_errors(), session() as connection:
        begun = _begun(connection, role)
        while orphans := _orphans(connection, begun):
            if all(one.gid for one in orphans):  # which nobody but a person ends
                raise _left("A revision's transaction was prepared and never ended.", orphans)
            if time.monotonic() >= deadline:
                raise _left(
                    f"A statement of an earlier surefoot has been running for over {wait:g} s.",
                    orphans,
                )
            for one in orphans:
                if str(one) not in told:
                    say(f"an earlier surefoot is gone, but its statement is still running: {one}")
                    told.add(str(one))
            if pace.due():
                say(f"still waiting, {pace.elapsed:.0f} s of {wait:g} s: {orphans[0]}")
            signals.sleep(_PAUSE)


def _left(message: str, orphans: list[Orphan]) -> SurefootError:
    ends = [statement for one in orphans for statement in one.end]
    prepared = next((one for one in orphans if one.gid), None)
    text = "wait until it ends, and start again; or end it"
    if prepared is not None:
        text = (
            "env.py uses two-phase commit and was stopped between the phases. In this database, as "
        )
        text += f"{prepared.role} or a superuser, undo the prepared transaction"
    return SurefootError(
        "orphaned-statement",
        message,
        seen=[str(one) for one in orphans],
        next=to_type(text, *ends, then="then start again"),
    )


def _begun(connection: psycopg.Connection[Any], role: str | None) -> dict[str, Any]:
    with looking(connection) as look:
        own = look.cursor.execute(query("named"), {"table": ""}).fetchone()
        named = own is None or own["named"]
        owners = observe_owners(look, VersionTableName("", role=role)) if named else ()
        # one that was planted a moment ago is refused by the look that follows
        believed = any(one.name and one.is_journal and one.believed for one in owners)
        seen = look.cursor.execute(query("journal_readable")).fetchone() if believed else None
        rows = look.cursor.execute(query("begun")).fetchall() if seen and seen["readable"] else []
    # or else the mark's own session is the one
    pooled = own is None or own["pid"] != connection.info.backend_pid
    return {
        "pids": [row["pid"] for row in rows],
        "sessions": [row["session"] for row in rows],
        "times": [row["at"] for row in rows],
        "open": pooled and any(row["open"] for row in rows),
    }


def _orphans(connection: psycopg.Connection[Any], begun: dict[str, Any]) -> list[Orphan]:
    with looking(connection) as look:
        return [Orphan(**row) for row in look.cursor.execute(query("orphans"), begun).fetchall()]
