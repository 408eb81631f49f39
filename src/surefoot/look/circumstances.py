"""The circumstances of a failure: objects with the names involved, and the holders of locks."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
import psycopg

from surefoot.diagnosis.cause import Holder, Object, Part
from surefoot.postgres.look import looking
from surefoot.sql import query


def objects_named(connection: psycopg.Connection[Any], names: Iterable[str]) -> tuple[Object, ...]:
    """Return everything in the database that has one of these names.

    Raises SurefootError `server-unreachable`, `look-failed`.
    """
    rows = _rows(connection, "objects_named", {"names": list(names)})
    return msgspec.convert(rows, tuple[Object, ...])


def parts_of(
    connection: psycopg.Connection[Any], objects: Iterable[Object], end: str
) -> tuple[tuple[Part, ...], frozenset[str]]:
    """Return the named parts of these objects; and all names with this end.

    Raises SurefootError `server-unreachable`, `look-failed`.
    """
    given = list(objects)
    asked = {
        "kinds": [one.kind for one in given],
        "schemas": [one.schema for one in given],
        "names": [one.name for one in given],
        "tables": [one.table for one in given],
    }
    rows = [{**row, "number": row["number"] - 1} for row in _rows(connection, "aside", asked)]
    taken = _rows(connection, "names_taken", {"end": rf"{end}\d*$"})
    return msgspec.convert(rows, tuple[Part, ...]), frozenset(row["name"] for row in taken)


def lock_holders(
    connection: psycopg.Connection[Any],
    names: Iterable[str],
    numbers: Iterable[int] = (),
    *,
    readers: bool = True,
    advisory: bool = False,
    uncommitted: bool = False,
) -> tuple[Holder, ...]:
    """Return the other sessions and the prepared transactions that hold locks on these objects.

    On tables, types, functions or schemas of these names, or on tables with these OIDs. `readers`:
    also those that only read. `advisory`: also those with an advisory lock. `uncommitted`: also
    those that have created a table and not committed it, because its name can't be seen. Raises
    SurefootError `server-unreachable`, `look-failed`.
    """
    asked = {
        "names": list(names),
        "numbers": list(numbers),
        "readers": readers,
        "advisory": advisory,
        "uncommitted": uncommitted,
    }
    rows = _rows(connection, "lock_holders", asked)
    return msgspec.convert(rows, tuple[Holder, ...])


def _rows(
    connection: psycopg.Connection[Any], name: str, asked: Mapping[str, object]
) -> list[dict[str, Any]]:
    with looking(connection) as look:
        return look.cursor.execute(query(name), asked).fetchall()
