"""Compare several installations of one application in a database: which of them has the data?"""

from collections import defaultdict
from contextlib import suppress
from typing import Any

import msgspec
import psycopg

from surefoot.decision.facts import DatabaseState, Elsewhere
from surefoot.decision.ownership import installations
from surefoot.errors import SurefootError
from surefoot.look.database import observe_elsewhere
from surefoot.model.history import History
from surefoot.postgres.look import Look, looking
from surefoot.sql import query


def observe_fuller(
    connection: psycopg.Connection[Any],
    database: DatabaseState,
    history: History,
    makes_in: frozenset[str],
) -> tuple[Elsewhere, ...]:
    """Return the installations in other schemas that have the data which the tables here lack.

    `makes_in` are the schemas of the tables here. Raises as `observe_database` does.
    """
    found: tuple[Elsewhere, ...] = ()
    with looking(connection) as look:
        if database.mark is None:
            return _fuller(look, database, history, makes_in)
        # then the database isn't refused for it, so nothing is waited for either
        with suppress(psycopg.errors.LockNotAvailable, SurefootError), connection.transaction():
            look.cursor.execute("set local lock_timeout = '100ms'")
            found = _fuller(look, database, history, makes_in)
    return found


def _fuller(
    look: Look, database: DatabaseState, history: History, makes_in: frozenset[str]
) -> tuple[Elsewhere, ...]:
    elsewhere = observe_elsewhere(look, database)
    others = installations(msgspec.structs.replace(database, elsewhere=elsewhere), history)
    if not others:
        return ()
    here = makes_in - {one.schema for one in others}
    asked = {
        "schemas": [*here, *(one.schema for one in others)],
        "table": database.version_table.name,
    }
    tables: dict[str, set[str]] = defaultdict(set)
    filled: dict[str, set[str]] = defaultdict(set)
    for row in look.cursor.execute(query("filled"), asked).fetchall():
        schema = "" if row["schema"] in here else row["schema"]
        tables[schema].add(row["name"])
        if row["filled"]:
            filled[schema].add(row["name"])
    return tuple(
        msgspec.structs.replace(one, fuller=True)
        for one in others
        if _is_unused(filled[""], filled[one.schema] & tables[""])
    )


def _is_unused(here: set[str], there: set[str]) -> bool:
    """Whether the tables that have rows here are few of those that have rows there.

    Revisions insert rows into every installation, and a table of a used one may be empty just now.
    """
    return bool(there) and here <= there and len(here) <= len(there) / 2
