"""Nobody gets a connection: why, by libpq's words, and what is worth waiting for.

libpq tells no SQLSTATE of a connection that failed, only the text. What isn't recognised here (a
server that speaks another language) is waited for, and told at the deadline as it was said.
"""

import re

import msgspec

from surefoot.causes import pooler
from surefoot.causes.cause import Cause
from surefoot.causes.server import more_connections

_FULL = re.compile(
    r"sorry, too many clients already|remaining connection slots are reserved"
    r"|too many connections for (?:role|database)|too many clients"
)
_NOT_READY = re.compile(
    r"the database system is (?:starting up|shutting down|in recovery mode"
    r"|not (?:yet )?accepting connections)"
)
_NO_PRIMARY = re.compile(
    r"session is read-only|server is in hot standby mode|server is not in hot standby mode"
)


class Refusal(msgspec.Struct, frozen=True):
    """The condition, and what to do about it. `waits`: it may pass by itself."""

    code: str
    message: str
    next: str
    waits: bool = True


def refusal(text: str, sqlstate: str = "") -> Refusal | None:
    """What libpq's (or a driver's) words, or its SQLSTATE, say; None where it is nothing of these.

    `message` is a sentence without its end.
    """
    if sqlstate == "53300" or _FULL.search(text) or pooler.is_full(text):
        return Refusal(
            "too-many-connections",
            "The server has no connection left",
            more_connections(text) + "; `wait` in surefoot.toml sets how long to wait",
        )
    if sqlstate == "57P03" or _NOT_READY.search(text):
        return Refusal(
            "server-not-ready",
            "The server is there, and lets nobody in",
            "see its log for how far it is (recovery takes its time); `wait` in surefoot.toml sets "
            "how long to wait",
        )
    if _NO_PRIMARY.search(text):
        return Refusal(
            "server-not-ready",
            "No server is what target_session_attrs asks for",
            "see which server is the primary; after a failover a standby must be promoted first. "
            "Or correct target_session_attrs in the address",
        )
    if pooler.refuses_parameter(text):
        return Refusal(
            "pooler-in-the-way",
            "The pooler doesn't take what the address sets",
            pooler.OWN_ADDRESS + "; or add the parameter to ignore_startup_parameters in "
            "pgbouncer.ini, where nothing depends on it",
            waits=False,
        )
    if pooler.server_behind_is_down(text):
        return Refusal(
            "server-unreachable",
            "The pooler answers, and the server behind it doesn't",
            "start the server, or correct its address in the pooler's configuration; `wait` in "
            "surefoot.toml sets how long to wait",
        )
    if pooler.gave_no_connection(text):
        return Refusal(
            "server-unreachable",
            "The pooler answers, and gives no connection to the server",
            "see whether the server behind the pooler is up; if it is, all connections of the pool "
            "are taken: raise default_pool_size. Or " + pooler.OWN_ADDRESS,
        )
    return None


def state_by_words(text: str) -> str | None:
    """The SQLSTATE of a connection that was refused, where the driver tells the words only."""
    if _FULL.search(text):
        return "53300"
    return "57P03" if _NOT_READY.search(text) else None


def before_anything(cause: Cause | None, text: str) -> Refusal | None:
    """The same of what the application's own code raised before the first revision."""
    state = cause.sqlstate if cause is not None else ""
    if state in ("26000", "42P05") and cause is not None:
        next = pooler.prepared_statement(cause).next
        return Refusal("pooler-in-the-way", "A prepared statement was lost", next, waits=False)
    return refusal(text, state)
