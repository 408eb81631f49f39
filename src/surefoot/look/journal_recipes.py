"""The downgrade recipes in the journal for the revisions that have run here, and who can write
there.
"""

from contextlib import suppress
from typing import Any

import msgspec
import psycopg

from surefoot.decision.facts import DatabaseState
from surefoot.downgrades.recipe import DowngradeRecipe, reassessed
from surefoot.errors import SurefootError
from surefoot.postgres.look import looking
from surefoot.schema.fact import Key
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


def observe_made_by_others(
    connection: psycopg.Connection[Any], seen: DatabaseState
) -> dict[Key, str]:
    """Return what revisions of other applications have made here, by the journal, each with the
    revision in words.

    A journal that untrusted roles can write says nothing. Raises SurefootError `look-failed`,
    `server-unreachable`.
    """
    if not (seen.journal and seen.journal_readable) or seen.journal_writers:
        return {}
    with looking(connection) as look:
        rows = look.cursor.execute(query("made_by_others"), {"history": seen.history}).fetchall()
    made: dict[tuple[str, str], tuple[Key, ...]] = {}
    for row in rows:
        if row["step"] == "down":
            for id in row["name"].split():
                made.pop((row["history"], id), None)
        elif row["down"] is not None:
            with suppress(msgspec.DecodeError):
                for one in _DECODER.decode(row["down"]):
                    keys = (c.key for c in one.changes if None not in c.after and not c.before)
                    made[row["history"], one.id] = tuple(keys)
    return {
        key: f"revision {id} of {history}" for (history, id), keys in made.items() for key in keys
    }


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
