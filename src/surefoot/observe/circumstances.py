"""What is around a failure: what has the names that it's about, and who holds locks there."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
import psycopg

from surefoot.causes.cause import Holder, Object
from surefoot.observe.look import looking
from surefoot.sql import query


def objects_named(connection: psycopg.Connection[Any], names: Iterable[str]) -> tuple[Object, ...]:
    """Everything in the database that has one of these names.

    Raises SurefootError `server-unreachable`, `look-failed`.
    """
    rows = _rows(connection, "objects_named", {"names": list(names)})
    return msgspec.convert(rows, tuple[Object, ...])


def lock_holders(
    connection: psycopg.Connection[Any],
    names: Iterable[str],
    numbers: Iterable[int] = (),
    *,
    readers: bool = True,
    advisory: bool = False,
) -> tuple[Holder, ...]:
    """The other sessions and the prepared transactions that hold locks on tables, types, functions
    or schemas of these names, or on tables with these OIDs.

    `readers`: those that only read count, too. `advisory`: those with an advisory lock also. Raises
    SurefootError `server-unreachable`, `look-failed`.
    """
    asked = {
        "names": list(names),
        "numbers": list(numbers),
        "readers": readers,
        "advisory": advisory,
    }
    rows = _rows(connection, "lock_holders", asked)
    return msgspec.convert(rows, tuple[Holder, ...])


def _rows(
    connection: psycopg.Connection[Any], name: str, asked: Mapping[str, object]
) -> list[dict[str, Any]]:
    with looking(connection) as look:
        return look.cursor.execute(query(name), asked).fetchall()
