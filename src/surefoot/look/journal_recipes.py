"""The downgrade recipes in the journal for the revisions that have run here, and who can write
there.
"""

from typing import Any

import msgspec
import psycopg

from surefoot.decision.facts import DatabaseState
from surefoot.downgrades.recipe import DowngradeRecipe, reassessed
from surefoot.errors import SurefootError
from surefoot.postgres.look import looking
from surefoot.sql import query

_DECODER = msgspec.json.Decoder(tuple[DowngradeRecipe, ...])


def observe_ways_back(
    connection: psycopg.Connection[Any], seen: DatabaseState
) -> dict[str, DowngradeRecipe]:
    """Return the recipes by revision, in the order in which they ran; the last record counts.

    Raises SurefootError `look-failed`, `server-unreachable`.
    """
    if not (seen.journal and seen.journal_readable):
        return {}
    with looking(connection) as look:
        rows = look.cursor.execute(query("ways_back"), {"history": seen.history}).fetchall()
    found: dict[str, DowngradeRecipe] = {}
    try:
        for row in rows:
            for reversal in _DECODER.decode(row["down"]):
                found.pop(reversal.id, None)
                found[reversal.id] = reassessed(reversal)
    except msgspec.DecodeError as error:
        raise SurefootError(
            "look-failed",
            "The downgrades that the journal records can't be read.",
            seen=[str(error)],
            next="surefoot.journal was written by hand, or by another version of surefoot: set its "
            "column down to null in the rows to ignore",
        ) from error
    return found


def journal_writers(connection: psycopg.Connection[Any], seen: DatabaseState) -> tuple[str, ...]:
    """Return the roles that can write the journal, and could not change the database otherwise.

    Superusers, the database's owner and this session's own roles are not among them. Raises
    SurefootError `look-failed`, `server-unreachable`.
    """
    if not seen.journal:
        return ()
    with looking(connection) as look:
        rows = look.cursor.execute(query("journal_writers")).fetchall()
    return tuple(row["role"] for row in rows)
