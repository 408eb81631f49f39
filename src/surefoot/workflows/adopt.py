"""`surefoot adopt` and `repair`: what a person is asked about, recorded or mended."""

from collections.abc import Callable

import msgspec

from surefoot.decision.adopt import AdoptOptions, decide_adoption
from surefoot.decision.plan import Plan
from surefoot.errors import SurefootError
from surefoot.interrupted.repair_sql import RepairMode, remedy
from surefoot.look.survey import Application, application
from surefoot.model.history import one_revision
from surefoot.model.outcome import Outcome
from surefoot.workflows.confirm import Looked, confirmed
from surefoot.workflows.workspace import Report, Workspace


def adopt(
    workspace: Workspace,
    named: tuple[str, ...],
    report: Report,
    confirm: Callable[[Plan], None],
    *,
    accept_difference: bool,
    repair: bool = False,
    how: RepairMode | None = None,
) -> Outcome:
    """Record where the database stands: where it is identified, or where a person says.

    `named` are revisions as a person writes them; `repair`: whatever the version table says; `how`:
    what a revision has left half-way is to be finished, or undone.
    `confirm` gets what would be done, and raises SurefootError where the answer is no. Raises
    SurefootError for what can't be looked at.
    """
    with (
        workspace.connect() as connection,
        application(workspace.project, workspace.ini, workspace.target, connection) as asked,
    ):
        base = named == ("base",) and "base" not in asked.history.revisions
        options = AdoptOptions(
            () if base else _rows(asked, named), accept_difference, repair, base, how
        )

        def look() -> Looked:
            with workspace.connect() as looking:
                facts = asked.facts(looking, options.rows or None)
                half_way = facts.interruption
                dropped = remedy(half_way, how).dropped if how and half_way else ()
                return Looked(facts, decide_adoption(facts, options), dropped=dropped)

        return confirmed(
            *(workspace, connection, asked, report),
            look=look,
            confirm=confirm,
            behind=lambda outcome, before, done: _seen_after(outcome, look),
        )


def _seen_after(outcome: Outcome, look: Callable[[], Looked]) -> Outcome:
    """The last look."""
    try:
        seen = look()
    except SurefootError as error:
        finding = msgspec.structs.replace(error.finding, database="The adoption was committed.")
        return msgspec.structs.replace(outcome, findings=(finding,))
    rows = tuple(str(row) for row in seen.facts.database.rows)
    return msgspec.structs.replace(outcome, state=seen.decision.state, rows=rows)


def _rows(asked: Application, named: tuple[str, ...]) -> tuple[str, ...]:
    """The version rows for what was named. Raises SurefootError `revision-not-found`."""
    history = asked.history
    found: list[str] = []
    for word in named:
        heads = word in ("head", "heads")
        found += history.heads if heads else (one_revision(history, word),)
    return history.rows(history.applied(found))
