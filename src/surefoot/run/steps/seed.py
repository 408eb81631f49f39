"""Run a seed script, in a transaction of its own."""

import time
from typing import TYPE_CHECKING, Any

import psycopg

from surefoot.decision.plan import Seed
from surefoot.run.context import Run
from surefoot.run.steps.install import run_one

if TYPE_CHECKING:
    from surefoot.model import answers


def carry_out(step: Seed, run: Run) -> None:
    """Run the script and write its row in the journal."""

    def work(connection: psycopg.Connection[Any]) -> None:
        run_one(
            "seed",
            step.script,
            connection,
            project=run.project,
            journal=run.journal,
            progress=run.progress,
        )

    path, started = step.script.path, time.monotonic()
    run.in_transaction(path, work)
    run.progress.end("seed", path, "", time.monotonic() - started, committed=True)


def lines(step: Seed) -> list[str]:
    """Return the script, and why it runs again."""
    why = ": its content changed" if step.changed else ""
    return [f"run the seed script {step.script.path}{why}"]


def as_json(step: Seed) -> "answers.Seed":
    """Return the script, and whether its content changed."""
    from surefoot.model import answers

    return answers.Seed(script=step.script.path, changed=step.changed)
