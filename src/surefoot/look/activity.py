"""Ask on a separate session what another session does, while a step runs, from a thread."""

from typing import Any

import msgspec
import psycopg
from psycopg.rows import dict_row

from surefoot.diagnosis.activity import Activity, Measure
from surefoot.diagnosis.cause import Holder
from surefoot.diagnosis.names import without_literals
from surefoot.model.progress import Session
from surefoot.model.target import Target
from surefoot.postgres.connect import connect_aside
from surefoot.sql import query

# The look must not outlive its use, nor hold a snapshot that a CREATE INDEX CONCURRENTLY would wait
# for: all of it is one message, and the server ends what takes long.
_LIMITS = "set local statement_timeout = '5s'; set local lock_timeout = '100ms'"
_TO_CONNECT = 5  # seconds
_WIDTH = 200  # characters of a statement


def observe_activity(target: Target, session: Session) -> Activity | None:
    """Return what the session does at this moment; None if there is no such session any more.

    Safe in any thread. Raises psycopg.Error or OSError if the server can't be asked.
    """
    with connect_aside(target, timeout=_TO_CONNECT) as connection:
        return _asked(connection, session)


def _asked(connection: psycopg.Connection[Any], session: Session) -> Activity | None:
    asked = {
        "pid": session.pid,
        "started": session.started,
        # pg_stat_activity has the lower half of the id
        "transaction": str(int(session.transaction or 0) % 2**32),
    }
    found: dict[str, Any] | None = None
    with psycopg.ClientCursor(connection, row_factory=dict_row) as cursor:
        cursor.execute(
            ";".join(("begin", query("look"), _LIMITS, query("activity"), "commit")), asked
        )
        while cursor.nextset():
            if cursor.description is not None:
                found = cursor.fetchone()
    if found is None:
        return None
    part = {field: found.pop(field) for field in Measure.__struct_fields__}
    measure = None if part["command"] is None else Measure(**part)
    found["query"] = without_literals(found["query"], _WIDTH)
    holders = tuple(_holder(one) for one in found.pop("holders"))
    return Activity(**found, holders=holders, measure=measure)


def _holder(row: dict[str, Any]) -> Holder:
    query = without_literals(row["query"], _WIDTH)
    return msgspec.convert({**row, "query": query, "relations": ()}, Holder)
