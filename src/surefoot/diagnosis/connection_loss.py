"""Explain why a step's connection was lost, as far as that can be known."""

import msgspec

from surefoot.diagnosis.cause import AGAIN, Diagnosis
from surefoot.errors.steps import to_type

# The server ends the session with these; a driver may lose them.
BY_TIMEOUT = {
    "25P03": "idle_in_transaction_session_timeout",
    "25P04": "transaction_timeout",
    "57P05": "idle_session_timeout",
}
_ENDED = frozenset(("57P01", "57P02", "57P03", *BY_TIMEOUT))


class Loss(msgspec.Struct, frozen=True):
    """What is known once the server has been reached again.

    `sqlstate` is the last one from the step's connection, "" if none; `lock` the one from the
    lock's connection, None if that still exists. `before` and `now` are the server's start times.
    """

    sqlstate: str
    lock: str | None
    before: str
    now: str


def too_short(setting: str, work: str, *, perhaps: bool = False) -> str:
    """Return the next step if a timeout that is set for the role or the database ends `work`.

    The setting of a role in one database takes precedence over the role's and the database's.
    """
    statement = f"'alter role current_user in database %I set {setting} = 0'"
    return to_type(
        f"{'Perhaps ' if perhaps else ''}{setting} is too short for {work}. As the role that "
        "migrates, in this database",
        f"do $$ begin execute format({statement}, current_database()); end $$;",
        then="then start again",
    )


def loses_connection(sqlstate: str) -> bool:
    """Whether this SQLSTATE means that the connection is lost."""
    return sqlstate in _ENDED or sqlstate.startswith("08")


def explain_loss(loss: Loss) -> tuple[str, Diagnosis]:
    """Return what happened, as the end of a sentence, and what to add."""
    if loss.now != loss.before:
        return "the server was restarted, or another took its place", Diagnosis(
            f"read the server's log for the reason; then {AGAIN}",
            (f"up since {loss.before} before; now since {loss.now}",),
            "server-restarted",
        )
    if "57P02" in (loss.sqlstate, loss.lock):
        return "one of the server's processes crashed, so all sessions were ended", Diagnosis(
            "read the server's log for the process and its last statement (usually memory ran "
            f"out); then {AGAIN}",
            ("terminating connection because of crash of another server process (SQLSTATE 57P02)",),
            "server-restarted",
        )
    if loss.sqlstate in BY_TIMEOUT:
        setting = BY_TIMEOUT[loss.sqlstate]
        return f"{setting} ended its session", Diagnosis(
            f"raise {setting}, or set it to 0, where it is set: the revision, env.py or the "
            f"address does so, since surefoot switches off that of the role; then {AGAIN}",
            code="session-terminated",
        )
    if loss.sqlstate == "57P01":
        return "its session was ended by an administrator", Diagnosis(
            "find out who ended it (pg_terminate_backend, or a program that ends long "
            f"transactions); then {AGAIN}",
            code="session-terminated",
        )
    also = ("the lock's connection was lost as well",) if loss.lock is not None else ()
    return "its connection was lost", Diagnosis(
        "read the server's log of that time: somebody ended the session (pg_terminate_backend), "
        "its "
        f"process was killed, or the network was cut (a proxy, a firewall); then {AGAIN}",
        ("the server was not restarted meanwhile", *also),
        "connection-lost",
    )
