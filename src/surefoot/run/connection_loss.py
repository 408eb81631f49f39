"""Explain why a step's connection was lost, once the server answers again."""

from typing import TYPE_CHECKING

import msgspec
import psycopg

from surefoot.decision.facts import ServerInfo
from surefoot.diagnosis.connection_loss import Loss, explain_loss, loses_connection
from surefoot.run.failure_report import Stopped
from surefoot.run.lock import Lock
from surefoot.run.verify import Aftermath

if TYPE_CHECKING:
    from surefoot.alembic_env.upgrade import RevisionFailed

_TELLS_LITTLE = frozenset(("revision-failed", "script-failed", "lock-lost"))


def whose_loss(
    stopped: Stopped,
    failed: "RevisionFailed | None",
    before: ServerInfo,
    after: Aftermath,
    lock: Lock,
) -> Stopped:
    """Add what is known about a lost connection, if that was the reason for the stop.

    `before` is the server when the plan was made; the lock's connection, which a restart or a crash
    ends as well, has its own last error.
    """
    finding = stopped.finding
    if finding.code not in _TELLS_LITTLE:
        return stopped
    state = _sqlstate(stopped, failed)
    restarted = before.started != after.started
    lost = stopped.lost or loses_connection(state) or finding.code == "lock-lost"
    # after a restart, a driver may only say that its transaction is unusable
    if not lost and (state or not restarted):
        return stopped
    words = lock.last_words()
    what, found = explain_loss(Loss(state, words, before.started, after.started))
    if finding.code == "lock-lost" and found.code != "server-restarted":
        return stopped
    stopped.finding = msgspec.structs.replace(
        finding,
        code=found.code,
        message=f"{finding.message.rstrip('.')}: {what}.",
        seen=(*finding.seen, *found.seen),
        next=found.next,
    )
    return stopped


def _sqlstate(stopped: Stopped, failed: "RevisionFailed | None") -> str:
    """Return the last SQLSTATE from the step's connection, as far as the driver reports it."""
    if failed is not None:
        return failed.cause.sqlstate if failed.cause is not None else ""
    error = stopped.__cause__
    return error.sqlstate or "" if isinstance(error, psycopg.Error) else ""
