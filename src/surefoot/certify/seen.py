"""What can be seen of a database with PostgreSQL's own means: nothing here trusts surefoot."""

import subprocess
import time
from pathlib import Path
from typing import Any

import msgspec
import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from surefoot.model.target import Target
from surefoot.postgres.programs import called
from surefoot.sql import query

_NOISE = ("\\restrict", "\\unrestrict", "-- Dumped ")


class JournalRow(msgspec.Struct, frozen=True):
    """A row of surefoot's journal."""

    step: str
    name: str
    parents: str
    run: str


class Seen(msgspec.Struct, frozen=True):
    """One database at one moment. Missing parts are empty.

    `structure` is pg_dump's text, without surefoot's own schema and the version table. `contents`
    has a row for each table (its number of rows) and for each column (a hash of its values,
    sorted). `invalid` are indexes, `advisory` is a number of locks.
    """

    structure: str
    versions: frozenset[str] = frozenset()
    invalid: tuple[str, ...] = ()
    journal: tuple[JournalRow, ...] = ()
    contents: tuple[tuple[str, str], ...] = ()
    sessions: tuple[str, ...] = ()
    advisory: int = 0
    processes: tuple[str, ...] = ()


class Place(msgspec.Struct, frozen=True):
    """Where to look: the database, the pg_dump to use, the version table's name.

    `ignored` are tables, qualified, whose rows don't count.
    """

    target: Target
    pg_dump: Path
    version_table: str = "alembic_version"
    version_schema: str = "public"
    ignored: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The database's name."""
        return self.target.parameters["dbname"]

    def connect(self) -> psycopg.Connection[Any]:
        """A connection to it, in autocommit."""
        return psycopg.connect(make_conninfo(**self.target.parameters), autocommit=True)


def look(place: Place, *, everything: bool = True) -> Seen:
    """Look at this database. Without `everything`, contents are left out."""
    structure = dump(place)
    with place.connect() as connection:
        return Seen(
            structure,
            versions=_versions(connection, place),
            invalid=tuple(name for (name,) in connection.execute(query("certify_invalid"))),
            journal=journal(connection),
            contents=contents(connection, place) if everything else (),
            sessions=sessions(connection, place.name),
            advisory=len(connection.execute(query("certify_advisory")).fetchall()),
        )


def dump(place: Place) -> str:
    """Return the structure as pg_dump prints it, without lines that differ between dumps."""
    with called(place.target) as call:
        done = subprocess.run(
            [
                *(place.pg_dump, "--schema-only", "--no-owner", "--exclude-schema=surefoot"),
                *(f"--exclude-table=*.{place.version_table}", "-d", call.conninfo),
            ],
            check=True,
            capture_output=True,
            text=True,
            env=call.environment,
            pass_fds=call.pass_fds,
        )
    return "\n".join(line for line in done.stdout.splitlines() if not line.startswith(_NOISE))


def journal(connection: psycopg.Connection[Any]) -> tuple[JournalRow, ...]:
    """Return surefoot's journal; empty if there is none."""
    (there,) = connection.execute("select to_regclass('surefoot.journal')").fetchone() or (None,)
    if there is None:
        return ()
    rows = connection.execute("select step, name, parents, run from surefoot.journal order by id")
    return tuple(JournalRow(*row) for row in rows)


def sessions(connection: psycopg.Connection[Any], name: str) -> tuple[str, ...]:
    """Return every session in the database of this name, except this one."""
    found = connection.execute(query("certify_sessions"), {"database": name}).fetchall()
    return tuple(session for (session,) in found)


def sessions_left(
    connection: psycopg.Connection[Any], name: str, seconds: float = 15.0
) -> tuple[str, ...]:
    """Wait for the sessions of a dead run to end; return those that didn't.

    A statement continues for a while without its client.
    """
    deadline = time.monotonic() + seconds
    while (left := sessions(connection, name)) and time.monotonic() < deadline:
        time.sleep(0.01)
    return left


def contents(connection: psycopg.Connection[Any], place: Place) -> tuple[tuple[str, str], ...]:
    """Return a row for each table and each column that two runs should fill equally.

    Times, and numbers from sequences, differ between runs; so do references to the latter.
    """
    found: list[tuple[str, str]] = []
    version_table = f"{place.version_schema}.{place.version_table}"
    for schema, table, columns in connection.execute(query("certify_columns")).fetchall():
        name = f"{schema}.{table}"
        if name in (version_table, *place.ignored):
            continue
        hashes = [
            sql.SQL(
                "md5(coalesce(string_agg({0}::text, E'\\n' order by {0}::text collate \"C\"), ''))"
            ).format(sql.Identifier(column))
            for column in columns
        ]
        # a target list has at most 1,664 entries, one more than a table may have columns
        select = sql.SQL("select count(*)::text{} from {}").format(
            sql.SQL("").join(sql.SQL(", {}").format(one) for one in hashes),
            sql.Identifier(schema, table),
        )
        row: Any = connection.execute(select).fetchone()
        names = (name, *(f"{name}.{column}" for column in columns))
        found += zip(names, row, strict=True)
    return tuple(found)


def _versions(connection: psycopg.Connection[Any], place: Place) -> frozenset[str]:
    name = sql.Identifier(place.version_schema, place.version_table)
    (there,) = connection.execute(
        "select to_regclass(%s)", (name.as_string(connection),)
    ).fetchone() or (None,)
    if there is None:
        return frozenset()
    rows = connection.execute(sql.SQL("select version_num from {}").format(name)).fetchall()
    return frozenset(version for (version,) in rows)
