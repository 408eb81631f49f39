"""A fresh install: the init scripts, the version row and the journal, in one transaction."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import psycopg

from surefoot.catalogue.match import Identification
from surefoot.decision.facts import VersionTableName
from surefoot.decision.install import made
from surefoot.decision.plan import Install
from surefoot.errors import SurefootError
from surefoot.look.database import observe_version_rows
from surefoot.model.history import History
from surefoot.model.progress import Progress
from surefoot.postgres.connect import keep_own_settings
from surefoot.postgres.look import looking_within
from surefoot.project.config import Project
from surefoot.run.context import Run
from surefoot.run.journal import Journal, executor
from surefoot.run.version_row import write_version_rows
from surefoot.scripts.header import ScriptFile
from surefoot.scripts.run import run_script
from surefoot.sql import query

if TYPE_CHECKING:
    from surefoot.model import answers

Look = Callable[[psycopg.Connection[Any], tuple[str, ...] | None], Identification | None]
"""From a connection in a transaction, and version rows (or None), to a comparison of the structure.
"""


def carry_out(step: Install, run: Run) -> None:
    """Run the scripts and record the revision, in one transaction."""

    def work(connection: psycopg.Connection[Any]) -> None:
        install(
            step,
            connection,
            project=run.project,
            version_table=run.seen.version_table,
            journal=run.journal,
            progress=run.progress,
            history=run.before.code.history,
            look=run.env.installed,
        )

    run.in_transaction(step.scripts[-1].path, work)
    run.progress.committed("the installation, in one transaction")


def lines(step: Install) -> list[str]:
    """Return the scripts, and the revisions that they stand for."""
    paths = ", ".join(script.path for script in step.scripts)
    if step.revisions is None:
        return [f"install {paths}; identify its revision by what it made, and continue"]
    stand = "which stands for" if len(step.scripts) == 1 else "which stand for"
    return [f"install {paths}, {stand} {', '.join(one.id for one in step.revisions) or 'base'}"]


def as_json(step: Install) -> "answers.Install":
    """Return the scripts, and the revisions that they stand for."""
    from surefoot.model import answers

    names = None if step.revisions is None else tuple(one.id for one in step.revisions)
    return answers.Install(
        scripts=tuple(script.path for script in step.scripts),
        revision=names[0] if names and len(names) == 1 else "base" if names == () else None,
        revisions=names or (),
    )


def install(
    step: Install,
    connection: psycopg.Connection[Any],
    *,
    project: Project,
    version_table: VersionTableName,
    journal: Journal,
    progress: Progress,
    history: History,
    look: Look | None,
) -> None:
    """Carry out the step inside the transaction that the caller opened on `connection`.

    `look` compares the structure. Raises ScriptFailed, or SurefootError `plan-outdated`,
    `init-script-newer-than-code`, `init-script-names-another-revision`, `init-script-unidentified`.
    """
    for script in step.scripts:
        started = time.monotonic()
        run_one(
            "install",
            script,
            connection,
            project=project,
            journal=journal,
            progress=progress,
            seal=_seal
            if step.revisions == () and script is step.scripts[-1] and not version_table.tenant
            else None,
        )
        took = time.monotonic() - started
        progress.end("install", script.path, "", took, committed=False)
    schema, written = observe_version_rows(connection, version_table)
    said = None if step.revisions is None else tuple(sorted(one.id for one in step.revisions))
    claim = tuple(row for row in written if row) or said
    known = claim is not None and not history.unknown(claim)
    standing = look(connection, claim if known else None) if look else None
    rows = made(history, said, written, standing)
    if rows and not written:
        write_version_rows(connection, version_table, schema, rows)
    for id in rows:
        journal.stamp(executor(connection), history.revisions[id])
        stands = "the revision of the init scripts"
        if said is None:
            stands += ", by their version row" if written else ", by the structure"
        progress.end("stamp", id, stands, 0.0, committed=False)


def run_one(
    kind: str,
    script: ScriptFile,
    connection: psycopg.Connection[Any],
    *,
    project: Project,
    journal: Journal,
    progress: Progress,
    seal: Callable[[psycopg.Connection[Any]], str] | None = None,
) -> None:
    """Run a script and write its row in the journal; `kind` is install or seed.

    `seal` returns the DDL seal that the row records; None records none.

    Raises ScriptFailed, or SurefootError `plan-outdated` if the file isn't the one that was shown.
    """
    progress.begin(kind, script.path, "")
    result = run_script(connection, project.script(script))
    keep_own_settings(connection)  # the script had the role's
    if result.sha256 != script.sha256:
        raise SurefootError(
            "plan-outdated",
            f"The script {script.path} was changed while surefoot was at work.",
            seen=[f"planned: SHA-256 {script.sha256}", f"run: SHA-256 {result.sha256}"],
            next="start again when no program writes the file",
        )
    for text in (*result.notices, *result.warnings):
        progress.notice(text)
    if result.warning_count > len(result.warnings):
        progress.notice(f"and {result.warning_count - len(result.warnings)} more warnings")
    sealed = seal(connection) if seal is not None else None
    journal.script(executor(connection), kind, script, result.seconds, sealed)


def _seal(connection: psycopg.Connection[Any]) -> str:
    with looking_within(connection) as look:
        row = look.cursor.execute(query("seal")).fetchone()
    assert row is not None
    return row["seal"]
