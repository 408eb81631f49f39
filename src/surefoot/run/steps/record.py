"""Record a revision that an earlier run left half-way, and that is complete."""

from typing import TYPE_CHECKING, Any

import msgspec
import psycopg
from psycopg import sql

from surefoot.decision.plan import Record
from surefoot.errors.wording import count
from surefoot.look.database import observe_version_rows
from surefoot.run.context import Run
from surefoot.run.journal import executor
from surefoot.run.steps.adopt import lock_version_table, require_rows
from surefoot.run.version_row import write_version_rows

if TYPE_CHECKING:
    from surefoot.model import answers


def carry_out(step: Record, run: Run) -> None:
    """Write the version rows and the journal's row."""
    name = step.revision.id
    run.progress.prepares(f"recording {name}")
    run.in_transaction(name, lambda connection: _record(step, connection, run))
    run.progress.end("record", name, "it is all there", 0.0, committed=True)


def lines(step: Record) -> list[str]:
    """Return the revision, and why nothing of it is missing."""
    match step.by:
        case "person":
            why = f"{'they are' if step.below else 'it is'} finished, on your word"
        case "finish":
            why = "then all of it is there"
        case _:
            made = count(step.made, "name")
            why = f"it only changes the structure, and all of it is there ({made})"
    named = ", ".join(one.id for one in (*step.below, step.revision))
    return [f"record revision{'s' if step.below else ''} {named}: {why}"]


def as_json(step: Record) -> "answers.Record":
    """Return the revision, what decided for it, and what it replaces."""
    from surefoot.model import answers

    return answers.Record(
        revision=step.revision.id,
        below=tuple(one.id for one in step.below),
        by=step.by,
        matching=step.matching,
        replaces=step.before,
    )


def _record(step: Record, connection: psycopg.Connection[Any], run: Run) -> None:
    version_table = run.seen.version_table
    schema, _ = observe_version_rows(connection, version_table)
    if schema is not None:
        lock_version_table(connection, sql.Identifier(schema, version_table.name), mend=False)
    schema, before = observe_version_rows(connection, version_table)
    require_rows(before, step.before)
    write_version_rows(connection, version_table, schema, step.rows)
    evidence = {"by": step.by, "matching": step.matching, "made": step.made, "before": before}
    encoded = msgspec.json.encode(evidence).decode()
    for revision in (*step.below, step.revision):
        run.journal.record(executor(connection), revision, encoded)
