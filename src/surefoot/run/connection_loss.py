"""A step's connection was lost: whose doing that was, asked when the server is there again."""

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
    """The same stop with what is known of a lost connection, if it was one.

    `before` is the server as it was when the plan was made; the lock's connection, which a restart
    or a crash ends as well, is asked for its last words.
    """
    finding = stopped.finding
    if finding.code not in _TELLS_LITTLE:
        return stopped
    state = _sqlstate(stopped, failed)
    restarted = before.started != after.started
    lost = stopped.lost or loses_connection(state) or finding.code == "lock-lost"
    # behind a restart a driver may only say that its transaction is of no use
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
    """What the step's connection said last, as far as the driver tells."""
    if failed is not None:
        return failed.cause.sqlstate if failed.cause is not None else ""
    error = stopped.__cause__
    return error.sqlstate or "" if isinstance(error, psycopg.Error) else ""
