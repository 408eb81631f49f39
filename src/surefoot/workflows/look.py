"""What `up` would find and decide: for `status` and `plan`. Reads only."""

import msgspec

from surefoot.decision.decide import Decision, NothingToDo, Refused
from surefoot.decision.facts import Facts, Mark
from surefoot.look.survey import Application, application
from surefoot.model.states import State
from surefoot.workflows.jobs import offered
from surefoot.workflows.workspace import Workspace


def look(workspace: Workspace) -> tuple[Facts, Decision]:
    """What `up` would find and decide; a refusal with the words that approve its ways out.

    Raises SurefootError for everything that can't be looked at.
    """
    project, target = workspace.project, workspace.target
    with application(project, workspace.ini, target, workspace.look_session) as asked:
        facts, decision = workspace.thorough(asked)
        if isinstance(decision, Refused):
            decision = offered(workspace, asked, decision)
    if isinstance(decision, NothingToDo) and decision.state is State.AT_HEAD:
        facts = msgspec.structs.replace(facts, verified=_verified(facts, asked))
    return facts, decision


def _verified(facts: Facts, asked: Application) -> Mark | None:
    """The mark of an earlier run that has seen just this, and as much of it."""
    mark = facts.database.marked(asked.manifest)
    if mark is None or mark.evidence is None or mark.evidence.structure == "verified":
        return mark
    unusable = facts.catalogue is not None and facts.catalogue.condition != "missing"
    return None if unusable or facts.code.requires_catalogue else mark
