"""Failures that a connection pooler causes."""

import re

from surefoot.diagnosis.cause import Cause, Diagnosis

OWN_ADDRESS = (
    "give surefoot the server's own address, past the pooler: set SUREFOOT_DATABASE_URL, which "
    "goes before DATABASE_URL (env.py gets the same, the application keeps its own)"
)

# PgBouncer's own messages, which are always in English.
_PARAMETER = re.compile(r"unsupported startup parameter")
_BEHIND = re.compile(r"server_login_retry|cannot connect to server|server login failed", re.I)
_WAITED = re.compile(r"query_wait_timeout")
_FULL = re.compile(r"no more connections allowed|max_client_conn|client_connections")


def prepared_statement(cause: Cause) -> Diagnosis:
    """Explain 26000 and 42P05: a statement was prepared on another of the server's connections."""
    return Diagnosis(
        OWN_ADDRESS + "; or let the application's driver prepare nothing (asyncpg: "
        "statement_cache_size=0, psycopg: prepare_threshold=None)",
        (
            "a pooler that gives each transaction another connection of the server's (PgBouncer in "
            "transaction mode) loses prepared statements",
        ),
    )


def refuses_parameter(text: str) -> bool:
    """Whether the pooler rejects a parameter of the address (options, search_path)."""
    return bool(_PARAMETER.search(text))


def server_behind_is_down(text: str) -> bool:
    """Whether the pooler is up, and its server is down."""
    return bool(_BEHIND.search(text))


def is_full(text: str) -> bool:
    """Whether the pooler accepts no more clients."""
    return bool(_FULL.search(text))


def gave_no_connection(text: str) -> bool:
    """Whether the pooler gave no connection in time: the pool is too small, or the server down."""
    return bool(_WAITED.search(text))
