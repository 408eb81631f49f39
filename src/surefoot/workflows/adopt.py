"""`surefoot adopt` and `repair`: ask a person, then record the revision or repair the table."""

from collections.abc import Callable

import msgspec

from surefoot.decision.adopt import AdoptOptions, decide_adoption
from surefoot.decision.request import Request
from surefoot.errors import SurefootError
from surefoot.interrupted.repair_sql import remedy
from surefoot.look.downgrade import observe_not_undone
from surefoot.look.survey import Application
from surefoot.model.history import one_revision
from surefoot.model.outcome import Outcome
from surefoot.workflows.job import Job, Looked
from surefoot.workflows.workspace import Workspace


def adoption(workspace: Workspace, asked: Application, request: Request) -> Job:
    """Record where the database stands: the identified revision, or the one that a person names.

    `repair` does so whatever the version table says. Raises SurefootError `revision-not-found`, and
    what its looks raise.
    """
    named, how = request.revisions, request.how
    base = asked.history.is_base(named)
    ids = () if base else _ids(asked, named)
    rows = asked.history.rows(asked.history.applied(ids))
    options = AdoptOptions(rows, request.accept, request.verb == "repair", base, how, ids)

    def look() -> Looked:
        with workspace.look_session() as looking:
            facts = asked.facts(looking, rows if rows or base else None)
            half_way = facts.interruption
            dropped = remedy(half_way, how).dropped if how and half_way else ()
            decision = decide_adoption(facts, options, observe_not_undone(looking, facts))
            return Looked(facts, decision, dropped=dropped)

    return Job(request, look, lambda outcome, before, done: _seen_after(outcome, look))


def _seen_after(outcome: Outcome, look: Callable[[], Looked]) -> Outcome:
    """Take the last look."""
    try:
        seen = look()
    except SurefootError as error:
        finding = msgspec.structs.replace(error.finding, database="The adoption was committed.")
        return msgspec.structs.replace(outcome, findings=(finding,))
    rows = tuple(str(row) for row in seen.facts.database.rows)
    return msgspec.structs.replace(outcome, state=seen.decision.state, rows=rows)


def _ids(asked: Application, named: tuple[str, ...]) -> tuple[str, ...]:
    """Return the ids of the named revisions.

    Raises SurefootError `revision-not-found`.
    """
    history = asked.history
    found: list[str] = []
    for word in named:
        heads = word in ("head", "heads")
        found += history.heads if heads else (one_revision(history, word),)
    return tuple(found)
