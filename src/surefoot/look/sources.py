"""Whose objects a query of the operator's or the maintainer's reads and calls.

A view of others would call their functions, and an operator of theirs on the search path may fit
better than PostgreSQL's own.
"""

from typing import Any

import psycopg

from surefoot.errors import NOT_CHANGED, SurefootError
from surefoot.errors.steps import to_type
from surefoot.postgres.look import looking_within
from surefoot.schema.names import quoted
from surefoot.sql import query

_PREPARED = "surefoot_sources"


def require_trusted_sources(connection: psycopg.Connection[Any], text: str, what: str) -> None:
    """Require that all that the query `text` reads and calls is a trusted role's, before it runs.

    In a transaction of the caller's, which has the query's search path: PostgreSQL analyses the
    query, and doesn't plan it, because planning already calls functions. `what` names it in the
    refusal. Raises SurefootError `object-not-trusted`, psycopg.Error if it is no query.
    """
    connection.execute(f"prepare {_PREPARED} as {text}".encode(), binary=True)
    connection.execute(f"deallocate {_PREPARED}".encode())
    with looking_within(connection) as look:
        given = {"trusted": look.trusted, "path": look.path, "text": text}
        found = look.cursor.execute(query("sources"), given).fetchall()
        row = look.cursor.execute("select current_user::text as role").fetchone()
    if not found:
        return
    role = quoted(row["role"]) if row else "the migrating role"
    raise SurefootError(
        "object-not-trusted",
        f"{what} reads or calls what could have been created by somebody else, and was not run.",
        seen=[f"{one['kind']} {one['name']} belongs to {one['owner']}" for one in found],
        database=NOT_CHANGED,
        next=to_type(
            "if that is the application's, as a superuser",
            *(f"alter {one['kind']} {one['name']} owner to {role};" for one in found),
            then="then start again; otherwise correct the query",
        ),
    )
