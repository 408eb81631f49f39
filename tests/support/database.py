"""One database of a test server, and how tests use it."""

import itertools
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from surefoot.postgres.embedded import Server, embedded_bin
from tests.support.cheaper import copied


@dataclass
class Database:
    """One database of the test server."""

    server: Server
    name: str
    pg_bin: Path

    @property
    def conninfo(self) -> str:
        return self.server.conninfo(self.name)

    def url(self, driver: str = "postgresql") -> str:
        return self.server.url(self.name, driver)

    def connect(self, **options: Any) -> psycopg.Connection[Any]:
        return psycopg.connect(self.conninfo, autocommit=True, **options)

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        with self.connect() as connection:
            return connection.execute(statement).fetchall()  # type: ignore[arg-type]

    def execute(self, statements: str) -> None:
        with self.connect() as connection:
            connection.execute(statements)  # type: ignore[arg-type]

    def dump(self, *options: str) -> str:
        """Return `pg_dump`'s text, without lines that differ between runs."""
        # the embedded server's pg_dump reads every older server
        program = embedded_bin() / "pg_dump"
        text = subprocess.run(
            [program, "--no-owner", *options, "-d", self.conninfo],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        noise = ("\\restrict", "\\unrestrict", "-- Dumped ")
        return "\n".join(line for line in text.splitlines() if not line.startswith(noise))

    def tables(self) -> list[str]:
        """Return every user table, qualified, including surefoot's own."""
        rows = self.query(
            "select schemaname || '.' || tablename from pg_tables"
            " where schemaname !~ '^pg_|information_schema' order by 1"
        )
        return [name for (name,) in rows]


_numbers = itertools.count()


@contextmanager
def fresh_database(server: Server, pg_bin: Path, name: str = "") -> Generator[Database]:
    """Create an empty database, which is dropped at the end."""
    name = name or f"test_{next(_numbers)}"
    with psycopg.connect(server.conninfo(), autocommit=True) as connection:
        connection.execute(f"create database {name} {copied(connection)}".encode())
        yield Database(server, name, pg_bin)
        connection.execute(f"drop database {name} with (force)".encode())
