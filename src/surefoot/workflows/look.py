"""What `up` would find and decide: for `status` and `plan`. Reads only."""

from typing import Any

import msgspec
import psycopg

from surefoot.catalogue.match import StructureLook
from surefoot.decision.decide import Decision, NothingToDo, Ready, Refused, decide, loaded_text
from surefoot.decision.facts import Facts, Mark
from surefoot.errors import SurefootError
from surefoot.look.catalogue import read_catalogue
from surefoot.look.code import catalogue_file, code_of
from surefoot.look.database import observe_database
from surefoot.look.survey import Application, application, configured_version_table
from surefoot.model.states import State
from surefoot.system.files import shown
from surefoot.workflows.jobs import offered
from surefoot.workflows.workspace import Workspace


def look(workspace: Workspace) -> tuple[Facts, Decision]:
    """Return what `up` would find and decide; a refusal has the words that approve its ways out.

    Raises SurefootError for everything that can't be read.
    """
    project, target = workspace.project, workspace.target
    with workspace.look_session() as connection:
        unloaded = _unloaded(workspace, connection)
    if unloaded is not None:
        return unloaded
    with application(project, workspace.ini, target, workspace.look_session) as asked:
        facts, decision = workspace.thorough(asked)
        if isinstance(decision, Refused):
            decision = offered(workspace, asked, decision)
    if isinstance(decision, NothingToDo) and decision.state is State.AT_HEAD:
        facts = msgspec.structs.replace(facts, verified=_verified(facts, asked))
    return facts, decision


def _unloaded(
    workspace: Workspace, connection: psycopg.Connection[Any]
) -> tuple[Facts, Decision] | None:
    """What is found and decided where an empty database's application makes tables while it is
    loaded: by the catalogue, so that a look leaves nothing behind. None: it must be loaded.
    """
    from surefoot.look.outdated import findings_of_files

    project, ini = workspace.project, workspace.ini
    seen = observe_database(connection, configured_version_table(project), lenient=True)
    if seen.rows or seen.objects or seen.distrusted or project.config.init:
        return None
    try:
        file = catalogue_file(project, ini)
        catalogue = read_catalogue(file)
    except SurefootError:
        return None  # there is none, or the look tells of it
    if not catalogue.loaded:
        return None
    try:
        stale = bool(findings_of_files(project, catalogue))
    except SurefootError:
        stale = True
    if stale:
        workspace.say(
            f"{loaded_text(catalogue.loaded)}, and they stay in this database; to look without "
            "loading it: surefoot catalog build, where you develop, and ship its file"
        )
        return None
    facts = Facts(
        code_of(project, catalogue.history),
        seen,
        tuple(catalogue.history.revisions.values()),
        was_empty=True,
        catalogue=StructureLook("usable", shown(file)),
    )
    decision = decide(facts, workspace.intent)
    if isinstance(decision, Ready):
        remark = f"{loaded_text(catalogue.loaded)}; it wasn't loaded for this look"
        remarks = (*decision.plan.remarks, remark)
        plan = msgspec.structs.replace(decision.plan, remarks=remarks)
        decision = msgspec.structs.replace(decision, plan=plan)
    return facts, decision


def _verified(facts: Facts, asked: Application) -> Mark | None:
    """Return the mark of an earlier run that has verified exactly this state."""
    mark = facts.database.marked(asked.manifest)
    if mark is None or mark.evidence is None or mark.evidence.structure == "verified":
        return mark
    unusable = facts.catalogue is not None and facts.catalogue.condition != "missing"
    return None if unusable or facts.code.requires_catalogue else mark
