"""`surefoot backups`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from surefoot.cli.console import (
    CommandContext,
    command_body,
    common_options,
    load_project,
    open_session,
)
from surefoot.errors import NOT_REACHED, ExitCode, SurefootError

if TYPE_CHECKING:
    from surefoot.backups.directory import Kept
    from surefoot.backups.mark import SetAsideDatabase


@click.command("backups")
@common_options
@click.option(
    "--check", is_flag=True, help="Read each of them completely; exit code 3 if one has changed."
)
@command_body("backups")
def command(
    context: CommandContext, *, config_file: Path | None, database_url: str | None, check: bool
) -> ExitCode:
    """List the backups, the newest first, and the databases that restores of this one left behind.

    If no server answers, surefoot says so and lists the backups alone.
    """
    from surefoot.backups.directory import backup_directory, contradiction
    from surefoot.report.backup import backups_json, backups_lines
    from surefoot.report.terminal import Terminal

    directory = backup_directory(load_project(config_file))
    found = _found(directory)
    if check:
        found = tuple(msgspec.structs.replace(one, problem=contradiction(one)) for one in found)
    beside, why_not = _beside(context, config_file, database_url)
    damaged = check and any(one.problem is not None for one in found)
    code = ExitCode.PENDING if damaged else ExitCode.DONE
    if context.as_json:
        context.emit_json(code, **backups_json(directory, found, beside))
        return code
    terminal = Terminal(context.data)
    for line in backups_lines(terminal, directory, found, beside, why_not):
        terminal.line(line)
    return code


def _found(directory: Path) -> "tuple[Kept, ...]":
    from surefoot.backups.directory import backups_in

    try:
        return backups_in(directory)
    except OSError as error:
        raise SurefootError(
            "backup-not-found",
            "The directory for backups can't be read.",
            seen=[f"{directory}: {error.strerror}"],
            database=NOT_REACHED,
            next="correct its permissions, or backup_directory in surefoot.toml",
        ) from error


def _beside(
    context: CommandContext, config_file: Path | None, database_url: str | None
) -> "tuple[tuple[SetAsideDatabase, ...] | None, str]":
    """Find the databases that restores left on the server; None, with the reason, if it can't be
    asked.
    """
    try:
        with open_session(context, config_file, database_url, needs_code=False) as workspace:
            from surefoot.backups.set_aside import databases, marked
            from surefoot.postgres.connect import connect

            with connect(workspace.target, wait=0, say=lambda _: None) as connection:
                name = connection.info.dbname
                return marked(databases(connection, name), name), ""
    except SurefootError as error:
        return None, error.finding.message
