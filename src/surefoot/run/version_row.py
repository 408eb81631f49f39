"""Write the version table's rows, in the transaction that the caller opened."""

import re
from collections.abc import Iterable
from typing import Any

import psycopg
from psycopg import sql

from surefoot.decision.facts import VersionTableName
from surefoot.postgres.look import looking_within
from surefoot.sql import query


def write_version_rows(
    connection: psycopg.Connection[Any],
    name: VersionTableName,
    schema: str | None,
    rows: Iterable[str],
) -> None:
    """Make `rows` the version table's only ones. `schema` is where it is; None: create it.

    The table is exactly the one that Alembic would create.
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


def mend_version_table(
    connection: psycopg.Connection[Any], name: VersionTableName, schema: str, width: int
) -> str:
    """Empty the version table and give it Alembic's form, its column `width` characters wide.

    Grants and comments stay. Returns the column's former type.
    """
    table = sql.Identifier(schema, name.name)
    was, has_key = _column(connection, name.name, schema)
    connection.execute(sql.SQL("delete from {}").format(table))
    wide = re.fullmatch(r"text|citext|character varying(?:\((\d+)\))?", was)
    if wide is None or (wide[1] and int(wide[1]) < width):
        connection.execute(
            sql.SQL(
                "alter table {} alter column version_num drop default,"
                " alter column version_num type varchar({}) using version_num::text"
            ).format(table, sql.Literal(width))
        )
    if not has_key:
        key = sql.Identifier(f"{name.name}_pkc")
        connection.execute(
            sql.SQL("alter table {} add constraint {} primary key (version_num)").format(table, key)
        )
    return was


def _column(connection: psycopg.Connection[Any], table: str, schema: str) -> tuple[str, bool]:
    """Return the version column's type, and whether the table has a primary key."""
    with looking_within(connection) as look:
        asked = {"table": table, "schema": schema}
        row = look.cursor.execute(query("version_column"), asked).fetchone()
    assert row is not None, "its rows have just been read"
    return row["type"], row["has_key"]
