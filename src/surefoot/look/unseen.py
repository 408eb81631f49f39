"""Ask about objects of which no fact tells: partitions, extensions' members, collations."""

from collections.abc import Iterable
from typing import Any

import psycopg

from surefoot.catalogue.match import Named, Unseen
from surefoot.postgres.look import looking
from surefoot.schema.names import quote_name, quoted, split_name
from surefoot.sql import query


def observe_unseen(
    connection: psycopg.Connection[Any], names: Iterable[Named]
) -> dict[Named, Unseen]:
    """Return which of these exist, though there is no fact of them.

    The kinds are "class" (relations, indexes, sequences), "type", "collation" and "text search
    configuration"; the names are those of facts. Raises SurefootError `server-unreachable`,
    `look-failed`.
    """
    asked = list(dict.fromkeys(names))
    if not asked:
        return {}
    parts = [split_name(name) for _, name in asked]
    values = {
        "kinds": [kind for kind, _ in asked],
        "schemas": [part[0] for part in parts],
        "names": [part[-1] for part in parts],
    }
    with looking(connection) as look:
        rows = look.cursor.execute(query("unseen"), values).fetchall()
    return {asked[row["number"] - 1]: _unseen(row) for row in rows}


def _unseen(row: dict[str, Any]) -> Unseen:
    schema, name = row["of_schema"], row["of"]
    of = quote_name(schema, name) if schema else quoted(name)
    return Unseen(row["kind"] or "", row["how"], of)
