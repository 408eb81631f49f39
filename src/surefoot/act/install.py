"""A fresh install: the init scripts, the version row and the journal, in one transaction."""

import time
from collections.abc import Mapping
from typing import Any

import psycopg

from surefoot.act.journal import Execute, Journal
from surefoot.act.run_script import run_script
from surefoot.act.version_row import write_version_rows
from surefoot.config import Project
from surefoot.errors import SurefootError
from surefoot.history import Revision
from surefoot.observation import ScriptFile, VersionTableName
from surefoot.observe.database import observe_version_rows
from surefoot.plan import Install
from surefoot.progress import Progress


def install(
    step: Install,
    connection: psycopg.Connection[Any],
    *,
    project: Project,
    version_table: VersionTableName,
    journal: Journal,
    progress: Progress,
) -> None:
    """Carry out the step inside the transaction that the caller opened on `connection`.

    Raises ScriptFailed, or SurefootError `plan-outdated` or `init-script-names-another-revision`.
    """
    for script in step.scripts:
        started = time.monotonic()
        run_one("install", script, connection, project=project, journal=journal, progress=progress)
        took = time.monotonic() - started
        progress.end("install", script.path, "", took, committed=False)
    _stamp(connection, step.revision, version_table)
    journal.revision(executor(connection), step.revision, 0.0, stamped=True)
    stands = "what the init scripts stand for"
    progress.end("stamp", step.revision.id, stands, 0.0, committed=False)


def run_one(
    kind: str,
    script: ScriptFile,
    connection: psycopg.Connection[Any],
    *,
    project: Project,
    journal: Journal,
    progress: Progress,
) -> None:
    """Run a script and write its row in the journal; `kind` is install or seed.

    Raises ScriptFailed, or SurefootError `plan-outdated` if the file isn't the one that was shown.
    """
    progress.begin(kind, script.path, "")
    result = run_script(connection, project.script(script))
    if result.sha256 != script.sha256:
        raise SurefootError(
            "plan-outdated",
            f"The script {script.path} was changed while surefoot was at work.",
            seen=[f"planned: SHA-256 {script.sha256}", f"run: SHA-256 {result.sha256}"],
            next="start again, when nobody is writing the file",
        )
    for text in (*result.notices, *result.warnings):
        progress.notice(text)
    if result.warning_count > len(result.warnings):
        progress.notice(f"and {result.warning_count - len(result.warnings)} more warnings")
    journal.script(executor(connection), kind, script, result.seconds)


def executor(connection: psycopg.Connection[Any]) -> Execute:
    """Executes what the journal wants, in the transaction that the connection is in."""

    def execute(statement: str, parameters: Mapping[str, object]) -> None:
        connection.execute(statement.encode(), parameters or None)

    return execute


def _stamp(connection: psycopg.Connection[Any], revision: Revision, name: VersionTableName) -> None:
    """Write the version row; a script that wrote one itself must have written the same."""
    schema, rows = observe_version_rows(connection, name)
    if not rows:
        write_version_rows(connection, name, schema, (revision.id,))
    elif set(rows) != {revision.id}:
        raise SurefootError(
            "init-script-names-another-revision",
            f"The init scripts write the version row {', '.join(map(str, rows))}, "
            f"and surefoot.toml says that they stand for {revision.id}.",
            seen=[f"{schema}.{name.name} holds {', '.join(map(str, rows))} after the scripts"],
            next="one of the two is wrong: correct init_revision, or make the script again",
        )
