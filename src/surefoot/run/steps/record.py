"""Settle what became of a revision that an earlier run left half-way: it is done, or undone."""

from typing import Any

import msgspec
import psycopg
from psycopg import sql

from surefoot.decision.facts import VersionTableName
from surefoot.decision.plan import Record, Undone
from surefoot.look.database import observe_version_rows
from surefoot.run.journal import Journal
from surefoot.run.steps.adopt import lock_version_table, require_rows
from surefoot.run.steps.install import executor
from surefoot.run.version_row import write_version_rows


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
    journal.mended(executor(connection), "undone", step.revision, step.by)
