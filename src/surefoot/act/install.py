"""A fresh install: the init scripts, the version row and the journal, in one transaction."""

import time
from typing import Any

import psycopg
from psycopg import sql

from surefoot.act.journal import Journal
from surefoot.act.run_script import run_script
from surefoot.config import Project
from surefoot.errors import SurefootError
from surefoot.history import Revision
from surefoot.observation import VersionTableName
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

    Raises SurefootError `script-failed` or `init-script-names-another-revision`.
    """

    def execute(statement: str, parameters: Any) -> None:
        connection.execute(statement, parameters or None)  # pyright: ignore[reportArgumentType]

    for script in step.scripts:
        progress.begin("install", script.path, "")
        started = time.monotonic()
        result = run_script(connection, project.script(script))
        seconds = time.monotonic() - started
        for warning in result.warnings:
            progress.notice(warning)
        journal.script(execute, "install", script, seconds)
        progress.end("install", script.path, "", seconds)
    _stamp(connection, step.revision, version_table)
    journal.revision(execute, step.revision, 0.0, stamped=True)
    progress.end("stamp", step.revision.id, "what the init scripts stand for", 0.0)


def _stamp(connection: psycopg.Connection[Any], revision: Revision, name: VersionTableName) -> None:
    """Write the version row; a script that wrote one itself must have written the same."""
    schema, rows = observe_version_rows(connection, name)
    if rows:
        if set(rows) != {revision.id}:
            raise SurefootError(
                "init-script-names-another-revision",
                f"The init scripts write the version row {', '.join(map(str, rows))}, "
                f"and surefoot.toml says that they stand for {revision.id}.",
                seen=[f"{schema}.{name.name} holds {', '.join(map(str, rows))} after the scripts"],
                next="one of the two is wrong: correct init_revision, or make the script again",
            )
        return
    if schema is None:
        row = connection.execute("select pg_catalog.current_schema()").fetchone()
        schema = name.schema or (row[0] if row else None) or "public"
        # exactly the table that Alembic would make
        connection.execute(
            sql.SQL(
                "create table {} (version_num varchar(32) not null,"
                " constraint {} primary key (version_num))"
            ).format(sql.Identifier(schema, name.name), sql.Identifier(f"{name.name}_pkc"))
        )
    connection.execute(
        sql.SQL("insert into {} (version_num) values (%s)").format(
            sql.Identifier(schema, name.name)
        ),
        (revision.id,),
    )
