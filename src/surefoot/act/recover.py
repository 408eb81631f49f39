"""Go on with a revision that an earlier run left half-way: drop what is in its way, record it."""

from typing import Any

import msgspec
import psycopg
from psycopg import sql

from surefoot.act.adopt import lock_version_table, require_rows
from surefoot.act.install import executor
from surefoot.act.journal import Journal
from surefoot.act.version_row import write_version_rows
from surefoot.errors import SurefootError
from surefoot.observation import VersionTableName
from surefoot.observe.database import observe_version_rows
from surefoot.observe.structure import observe_structure
from surefoot.plan import DropIndexes, Record, Undone
from surefoot.progress import Progress


def record(
    step: Record,
    connection: psycopg.Connection[Any],
    *,
    version_table: VersionTableName,
    journal: Journal,
) -> None:
    """Write the version rows and the journal's row, in the transaction that the caller opened."""
    schema, _ = observe_version_rows(connection, version_table)
    if schema is not None:
        lock_version_table(connection, sql.Identifier(schema, version_table.name), mend=False)
    schema, before = observe_version_rows(connection, version_table)
    require_rows(before, step.before)
    write_version_rows(connection, version_table, schema, step.rows)
    evidence = {"by": step.by, "matching": step.matching, "made": step.made, "before": before}
    encoded = msgspec.json.encode(evidence).decode()
    journal.record(executor(connection), step.revision, encoded)


def undone(
    step: Undone,
    connection: psycopg.Connection[Any],
    *,
    version_table: VersionTableName,
    journal: Journal,
) -> None:
    """Write the journal's row that lets it be run again, in the caller's transaction."""
    _, before = observe_version_rows(connection, version_table)
    require_rows(before, step.rows)
    journal.mended(executor(connection), "undone", step.revision, (step.by,))


def drop_indexes(
    step: DropIndexes,
    connection: psycopg.Connection[Any],
    *,
    version_table: VersionTableName,
    journal: Journal,
    progress: Progress,
) -> None:
    """Drop them one by one, on a connection in autocommit; then look whether they are gone.

    Where that is cut off, an index is invalid as before or gone, and the next start sees which.
    Raises SurefootError `plan-outdated` where one is there again, or psycopg.Error.
    """
    # the application's readers are waited for, as the revision itself will wait for them
    connection.execute("set statement_timeout = 0")
    connection.execute("set lock_timeout = 0")
    for statement in step.statements:
        progress.begin("drop-indexes", statement, "")
        connection.execute(statement.encode())
    with connection.transaction():
        names = " ".join(step.names)
        journal.mended(executor(connection), "drop-indexes", names, step.statements)
    left = {f.name for f in observe_structure(connection, version_table) if f.kind == "index"}
    again = [name for name in step.names if name in left]
    if again:
        raise SurefootError(
            "plan-outdated",
            "An index that was dropped is there again.",
            seen=again,
            next="something else changes this database; start again when it has come to its end",
        )
