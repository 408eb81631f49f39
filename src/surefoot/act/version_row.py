"""Write the version table's rows, in the transaction that the caller opened."""

from collections.abc import Iterable
from typing import Any

import psycopg
from psycopg import sql

from surefoot.observation import VersionTableName


def write_version_rows(
    connection: psycopg.Connection[Any],
    name: VersionTableName,
    schema: str | None,
    rows: Iterable[str],
) -> None:
    """Make `rows` the version table's only ones. `schema` is where it is; None: it is made first.

    The table is exactly the one that Alembic would make.
    """
    place = schema or name.schema
    if place is None:
        row = connection.execute("select pg_catalog.current_schema()").fetchone()
        place = str(row[0]) if row and row[0] else "public"
    if schema is None:
        connection.execute(
            sql.SQL(
                "create table {} (version_num varchar(32) not null,"
                " constraint {} primary key (version_num))"
            ).format(sql.Identifier(place, name.name), sql.Identifier(f"{name.name}_pkc"))
        )
    table = sql.Identifier(place, name.name)
    connection.execute(sql.SQL("delete from {}").format(table))
    for revision in rows:
        # a literal, not a parameter: with parameters, a % in the table's name would be one
        connection.execute(
            sql.SQL("insert into {} (version_num) values ({})").format(table, sql.Literal(revision))
        )
