"""What a role without privileges plants in a database, and whether any of it ran."""

import re
from collections.abc import Generator
from contextlib import contextmanager

import psycopg

from surefoot.postgres.embedded import Server
from tests.support.database import Database

ROLE = "mallory"
MARK = "PLANTED"

# Runs for every role, and reports only runs by another role. It reports to the server's log,
# because a read-only transaction can't write anywhere else.
HIT = f"""
create function {{schema}}.hit(what text) returns void language plpgsql volatile as $$
begin
  if current_user <> '{ROLE}' then
    raise log '{MARK} % by % in %', what, current_user, pg_catalog.current_query();
  end if;
end $$;
"""


class Planted:
    """A role that may create what it likes, in one database."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._log = database.server._log  # pyright: ignore[reportPrivateUsage]
        self._from = self._log.stat().st_size

    def plant(self, *statements: str) -> None:
        """Execute statements as that role."""
        conninfo = re.sub(r"user=\S+", f"user={ROLE}", self.database.conninfo)
        conninfo = re.sub(r"password=\S+", f"password={ROLE}", conninfo)
        with psycopg.connect(conninfo) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def hits(self) -> list[str]:
        """Return what has run since, a line each."""
        with self._log.open(encoding="utf-8", errors="replace") as log:
            log.seek(self._from)
            return [line.strip() for line in log if MARK in line and "STATEMENT" not in line]


@contextmanager
def role_of_a_stranger(server: Server) -> Generator[None]:
    """Create a role without privileges, for the block. Its databases must be dropped by the end."""
    with psycopg.connect(server.conninfo(), autocommit=True) as connection:
        connection.execute(f"drop role if exists {ROLE}".encode())
        connection.execute(f"create role {ROLE} login password '{ROLE}'".encode())
        yield
        connection.execute(f"drop role {ROLE}".encode())
