"""The init scripts on a scratch database, run as a fresh install runs them."""

from collections.abc import Callable

import msgspec
import psycopg
from psycopg import sql

from surefoot.catalogue_build.messages import SCRATCH, Opened
from surefoot.catalogue_build.scratch import Scratch
from surefoot.decision.facts import Code
from surefoot.decision.install import refused_beforehand
from surefoot.decision.plan import Install
from surefoot.errors import SurefootError
from surefoot.look.code import code_of
from surefoot.look.database import observe_database, observe_version_rows
from surefoot.model.progress import Session
from surefoot.model.target import Target
from surefoot.postgres.connect import connect
from surefoot.project.config import Project
from surefoot.run.journal import Journal
from surefoot.run.steps.install import install
from surefoot.scripts.reader import check
from surefoot.scripts.run import ScriptFailed


class _Quiet:
    """Ignore a script's notices: they are reported when it runs on a real database."""

    def begin(self, kind: str, name: str, message: str) -> None: ...
    def prepares(self, what: str) -> None: ...
    def works_in(self, session: Session) -> None: ...
    def further(self, text: str) -> None: ...
    def end(
        self, kind: str, name: str, message: str, seconds: float, *, committed: bool
    ) -> None: ...
    def committed(self, what: str) -> None: ...
    def stopped(self) -> None: ...
    def raised(self, frames: tuple[str, ...], whole: tuple[str, ...]) -> None: ...
    def notice(self, text: str) -> None: ...


# Elsewhere, the next step is also one of the commands that need the scripts here.
_NEXT: dict[str, str] = {
    "init-revision-missing": "set init_revision in surefoot.toml to the last revision whose "
    "changes the scripts hold (of several branches, to a list of their last ones, or to base if "
    "they hold only what is there before the first revision)",
    "init-script-names-another-revision": "use this release's own script; or correct init_revision "
    "or the header",
    "init-script-edited": "if it's maintained by hand, remove its header, and name the revision "
    "that it stands for in surefoot.toml, as init_revision",
}


def startable_code(project: Project, opened: Opened, scratch: Scratch | None = None) -> Code:
    """The code, if a history can begin with its init scripts.

    With a scratch server, a refusal names the version row that the scripts write.

    Raises SurefootError `init-revision-missing`, `init-revision-unknown`, `script-not-found`.
    """
    code = code_of(project, opened.history)
    refused = refused_beforehand(code, identifiable=False)
    if refused is not None:
        next = _NEXT.get(refused.code, refused.next)
        if refused.code == "init-revision-missing" and scratch is not None:
            rows = _written(project, scratch, code, opened)
            names = ", ".join(f'"{row}"' for row in rows if row)
            if len(rows) == 1:
                next += f". They write the version row {rows[0]}: init_revision = {names}"
            elif names:
                listed = ", ".join(sorted(row for row in rows if row))
                next += f". They write the version rows {listed}: init_revision = [{names}]"
        raise SurefootError.of(msgspec.structs.replace(refused, next=next))
    return code


def _written(
    project: Project, scratch: Scratch, code: Code, opened: Opened
) -> tuple[str | None, ...]:
    """Run the scripts, and return the version rows that they write; none if they fail."""
    target = database(project, scratch)
    try:
        _install_scripts(project, target, Install(code.init, None), opened)
    except SurefootError:
        return ()
    with connect(target, wait=10, say=lambda _: None) as connection:
        return observe_version_rows(connection, opened.version_table)[1]


def database(
    project: Project, scratch: Scratch, shared: Callable[[Target], None] = lambda _: None
) -> Target:
    """A new database; of a tenant, with `shared` objects and its empty schema."""
    target = scratch.database()
    if project.tenant is not None:
        shared(target)
        with connect(target, wait=10, say=lambda _: None) as connection:
            name = sql.Identifier(project.tenant)
            connection.execute(sql.SQL("create schema {}").format(name))
    return target


def installed(
    project: Project,
    scratch: Scratch,
    opened: Opened,
    shared: Callable[[Target], None] = lambda _: None,
) -> Target:
    """A new database, made by the init scripts as a fresh install makes it.

    Raises as `startable_code` does, and SurefootError `script-…`.
    """
    startable_code(project, opened, scratch)
    target = database(project, scratch, shared)
    install_at(project, target, opened)
    return target


def install_at(project: Project, target: Target, opened: Opened) -> None:
    """Run the init scripts on an empty database, as a fresh install does. Raises as `installed`."""
    code = startable_code(project, opened)
    known = opened.history.revisions
    step = Install(code.init, tuple(known[id] for id in code.stands_for or ()))
    _install_scripts(project, target, step, opened)


def _install_scripts(
    project: Project,
    target: Target,
    step: Install,
    opened: Opened,
) -> None:
    """Run them, and record the revision. Raises SurefootError `script-…`."""
    with connect(target, wait=10, say=lambda _: None) as connection:
        seen = observe_database(connection, opened.version_table)
        scripts = [project.script(script) for script in step.scripts]
        check(scripts, server_version=seen.server.version)
        try:
            with connection.transaction():
                install(
                    step,
                    connection,
                    project=project,
                    version_table=opened.version_table,
                    journal=Journal(seen, None),
                    progress=_Quiet(),
                    history=opened.history,
                    look=None,  # what they make is what is to be found out
                )
        except SurefootError as error:
            found = error.finding
            next = _NEXT.get(found.code, found.next)
            raise SurefootError.of(msgspec.structs.replace(found, next=next)) from error
        except ScriptFailed as failed:
            raise SurefootError.of(failed.error(SCRATCH).finding) from failed
        except psycopg.Error as error:
            raise SurefootError(
                "script-failed",
                "The scratch server rejected the init scripts at their commit.",
                seen=str(error).strip().splitlines()[:4],
                database=SCRATCH,
            ) from error
