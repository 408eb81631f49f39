"""Drop a database that surefoot has made, whoever is in it."""

from typing import Any

import psycopg
from psycopg import sql


def drop_database(connection: psycopg.Connection[Any], name: str) -> None:
    """Drop the database if it exists, and end the sessions in it.

    The connection must be in autocommit. Raises psycopg.Error.
    """
    database = sql.Identifier(name)
    try:
        connection.execute(sql.SQL("drop database if exists {} with (force)").format(database))
    except psycopg.errors.InsufficientPrivilege:
        # A role may not end a superuser's session, nor autovacuum. Without FORCE, PostgreSQL ends
        # autovacuum itself and gives others five seconds to leave.
        connection.execute(sql.SQL("drop database if exists {}").format(database))
