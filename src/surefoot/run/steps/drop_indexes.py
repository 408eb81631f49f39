"""Drop indexes that an interrupted revision left half-made, so that it can make them anew."""

from typing import TYPE_CHECKING

from surefoot.decision.plan import DropIndexes
from surefoot.errors import SurefootError
from surefoot.run.context import Run
from surefoot.run.steps.repair import Repairing

if TYPE_CHECKING:
    from surefoot.model import answers


def carry_out(step: DropIndexes, run: Run) -> None:
    """Drop them one by one; then look whether they are gone. Raises Stopped.

    Where that is cut off, an index is invalid as before or gone, and the next start sees which.
    """
    assert run.before.interruption is not None
    Repairing(run).outside("drop-indexes", ", ".join(step.names), step.statements)
    with run.look_session() as connection:
        _, facts = run.env.half_way(connection, run.before.interruption)
    there = {fact.name for fact in facts}
    again = [name for name in step.names if name in there]
    if again:
        raise SurefootError(
            "plan-outdated",
            "An index that was dropped is there again.",
            seen=again,
            next="another program changes this database; start again when it is done",
        )


def lines(step: DropIndexes) -> list[str]:
    """Whose indexes, and the SQL."""
    noun = "index" if len(step.names) == 1 else "indexes"
    sql = "; ".join(step.statements)
    return [f"drop the half-made {noun} of revision {step.revision}: {sql}"]


def as_json(step: DropIndexes) -> "answers.DropIndexes":
    """The indexes and the SQL."""
    from surefoot.model import answers

    return answers.DropIndexes(revision=step.revision, indexes=step.names, sql=step.statements)
