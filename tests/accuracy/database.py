"""The databases that are measured: looked at, tried on, dumped and restored."""

import re
import subprocess
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.conninfo import make_conninfo

from surefoot.decision.facts import VersionTableName
from surefoot.look.structure import facts_of
from surefoot.schema.fact import SchemaFact
from surefoot.sql import query

Connection = psycopg.Connection[Any]

# What pg_dump 18 writes and an older server doesn't know.
_HARMLESS = re.compile(r'unrecognized configuration parameter "transaction_timeout"')


class Catalog:
    """What the application has: for choosing, not for judging."""

    def __init__(self, connection: Connection) -> None:
        rows = connection.execute(
            "select n.nspname, c.relname, a.attname from pg_class c"
            " join pg_namespace n on n.oid = c.relnamespace"
            " join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped"
            " where c.relkind in ('r', 'p') and not c.relispartition and n.nspname !~ '^pg_'"
            " and n.nspname <> 'information_schema' and not exists (select from pg_depend d"
            " where d.objid = c.oid and d.classid = 'pg_class'::regclass and d.deptype = 'e')"
            ' order by n.nspname collate "C", c.relname collate "C", a.attname collate "C"'
        ).fetchall()
        self.columns: dict[tuple[str, str], list[str]] = {}
        for schema, table, column in rows:
            self.columns.setdefault((schema, table), []).append(column)
        self.tables = list(self.columns)
        self.names = sorted({name for row in rows for name in row[1:]})
        self.functions: list[tuple[str, str]] = [
            (schema, name)
            for schema, name in connection.execute(
                "select distinct n.nspname, p.proname from pg_proc p"
                " join pg_namespace n on n.oid = p.pronamespace where n.nspname !~ '^pg_'"
                " and n.nspname <> 'information_schema' and not exists (select from pg_depend d"
                " where d.objid = p.oid and d.classid = 'pg_proc'::regclass and d.deptype = 'e')"
            )
        ]
        self.functions.sort()


def facts_within(connection: Connection, version_table: VersionTableName) -> tuple[SchemaFact, ...]:
    """The facts as the transaction that is under way sees them."""
    names = {"table": version_table.name, "schema": version_table.schema}
    with connection.transaction(force_rollback=True):
        connection.execute(query("facts_settings"))
        return facts_of(connection.execute(query("facts"), names).fetchall())


@contextmanager
def taken_back(connection: Connection) -> Generator[None, None, None]:
    """Whatever is done within is gone at its end."""
    with connection.transaction(force_rollback=True):
        connection.execute("set local lock_timeout = '20s'")
        yield


def tried(connection: Connection, statements: Iterable[str]) -> bool:
    """Run them all, or none: whether the server took them."""
    try:
        with connection.transaction():
            for statement in statements:
                connection.execute(statement)  # type: ignore[call-overload]
    except psycopg.errors.LockNotAvailable:
        raise
    except psycopg.Error:
        return False
    return True


def restored(
    programs: str, source: dict[str, str], to: dict[str, str]
) -> tuple[list[str], list[str]]:
    """Dump the structure with pg_dump, read it into another database with psql.

    What failed, and the dump's lines without what differs from dump to dump.
    """
    dump = _client(programs, "pg_dump", "--schema-only", source)
    if dump.returncode != 0:
        return [f"pg_dump: {dump.stderr.strip()}"], []
    read = _client(programs, "psql", "-Xq", to, dump.stdout)
    errors = [line for line in read.stderr.splitlines() if "ERROR:" in line or "FATAL:" in line]
    lines = [
        x for x in dump.stdout.splitlines() if not x.startswith(("\\restrict", "\\unrestrict"))
    ]
    return [line for line in errors if not _HARMLESS.search(line)], lines


def _client(
    programs: str, program: str, option: str, at: dict[str, str], text: str | None = None
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [f"{programs}/{program}", option, "-d", make_conninfo(**at)],
        input=text,
        capture_output=True,
        text=True,
        check=False,
        env={"LANG": "C.UTF-8", "PGOPTIONS": "-c client_min_messages=warning"},
    )


def run_script(programs: str, file: str, at: dict[str, str]) -> None:
    """An init script, as a container's entrypoint runs it."""
    subprocess.run(
        [
            *(f"{programs}/psql", "-Xq", "-v", "ON_ERROR_STOP=1", "-f", file),
            *("-d", make_conninfo(**at)),
        ],
        check=True,
        stdout=subprocess.DEVNULL,
        env={"LANG": "C.UTF-8", "PGOPTIONS": "-c client_min_messages=warning"},
    )
