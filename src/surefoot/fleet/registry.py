"""A database that knows the others, and the query that lists them."""

from collections.abc import Iterable, Mapping
from typing import Any, LiteralString, cast

import psycopg

from surefoot.errors.masking import masked
from surefoot.fleet.targets import unreadable
from surefoot.look.sources import require_trusted_sources
from surefoot.model.target import Target
from surefoot.postgres.connect import connect
from surefoot.system import signals


def ask(query: str, target: Target, *, wait: float) -> Iterable[Mapping[str, Any]]:
    """Run a query in a read-only transaction; returns its rows by column name.

    Raises SurefootError `targets-unreadable`, `object-not-trusted`, or as `postgres.connect` does.
    """
    with connect(target, wait=wait, say=lambda _: None) as connection:
        try:
            with connection.transaction():
                connection.execute("set transaction read only")
                require_trusted_sources(connection, query, "The query that lists the databases")
                # the operator's own query, from the command line
                cursor = connection.execute(cast("LiteralString", query))
                columns = [column.name for column in cursor.description or ()]
                rows = cursor.fetchall() if columns else []
        except psycopg.Error as error:
            signals.check()  # a statement that was cancelled for a signal is no failure
            seen = masked(str(error)).splitlines()
            message = "The query that lists the databases failed."
            raise unreadable(message, f"sql:{query}", *seen[:4]) from error
    return [dict(zip(columns, row, strict=True)) for row in rows]
