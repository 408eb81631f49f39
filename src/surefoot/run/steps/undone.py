"""Record that nothing is left of a revision that an earlier run left half-way."""

from typing import TYPE_CHECKING, Any

import psycopg

from surefoot.decision.plan import Undone
from surefoot.look.database import observe_version_rows
from surefoot.run.context import Run
from surefoot.run.journal import executor
from surefoot.run.steps.adopt import require_rows

if TYPE_CHECKING:
    from surefoot.model import answers


def carry_out(step: Undone, run: Run) -> None:
    """Write the journal's row that lets the revision run again."""

    def work(connection: psycopg.Connection[Any]) -> None:
        _, before = observe_version_rows(connection, run.seen.version_table)
        require_rows(before, step.rows)
        run.journal.mended(executor(connection), "undone", step.revision, step.by)

    run.in_transaction(step.revision, work)
    run.progress.end("undone", step.revision, "to be run again", 0.0, committed=True)


def lines(step: Undone) -> list[str]:
    """Return the revision, and what undid it."""
    why = "on your word" if step.by == "person" else "surefoot up runs it again"
    return [f"note that revision {step.revision} is undone: {why}"]


def as_json(step: Undone) -> "answers.Undone":
    """Return the revision, and what undid it."""
    from surefoot.model import answers

    return answers.Undone(revision=step.revision, by=step.by)
