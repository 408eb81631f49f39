"""A pooler stands between, and the two don't go together."""

import re

from surefoot.diagnosis.cause import Cause, Diagnosis

OWN_ADDRESS = (
    "give surefoot the server's own address, past the pooler: set SUREFOOT_DATABASE_URL, which "
    "goes before DATABASE_URL (env.py gets the same, the application keeps its own)"
)

# PgBouncer's own words, which it says in English only
_PARAMETER = re.compile(r"unsupported startup parameter")
_BEHIND = re.compile(r"server_login_retry|cannot connect to server|server login failed", re.I)
_WAITED = re.compile(r"query_wait_timeout")
_FULL = re.compile(r"no more connections allowed|max_client_conn|client_connections")


def prepared_statement(cause: Cause) -> Diagnosis:
    """26000, 42P05: a statement was prepared on another of the server's connections."""
    return Diagnosis(
        OWN_ADDRESS + "; or let the application's driver prepare nothing (asyncpg: "
        "statement_cache_size=0, psycopg: prepare_threshold=None)",
        (
            "a pooler that gives each transaction another connection of the server's (PgBouncer in "
            "transaction mode) loses prepared statements",
        ),
    )


def refuses_parameter(text: str) -> bool:
    """Whether the pooler doesn't take what the address sets (options, search_path)."""
    return bool(_PARAMETER.search(text))


def server_behind_is_down(text: str) -> bool:
    """Whether the pooler is there, and the server behind it isn't."""
    return bool(_BEHIND.search(text))


def is_full(text: str) -> bool:
    """Whether it takes no more clients."""
    return bool(_FULL.search(text))


def gave_no_connection(text: str) -> bool:
    """Whether none of the server's was to be had in time: the pool is too small, or it's down."""
    return bool(_WAITED.search(text))
