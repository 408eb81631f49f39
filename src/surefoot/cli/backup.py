"""`surefoot backup`."""

from pathlib import Path

import click

from surefoot.cli.console import (
    CommandContext,
    account_options,
    command_body,
    common_options,
    open_session,
)
from surefoot.errors import ExitCode


@click.command("backup")
@common_options
@account_options
@command_body("backup")
def command(
    context: CommandContext, *, config_file: Path | None, database_url: str | None
) -> ExitCode:
    """Take a backup of the database now. The database is only read.

    Writes a file in pg_dump's custom format to backup_directory, with a sidecar that describes its
    contents. Deletes older backups according to backup_keep and backup_keep_days.
    """
    from surefoot.report.backup import taken_json, taken_lines
    from surefoot.workflows.backup import take_backup

    with open_session(context, config_file, database_url, needs_code=False) as workspace:
        report = context.report(workspace)
        try:
            taken = take_backup(workspace, report)
        finally:
            report.close()
            if report.told_steps:
                context.said()
        if context.as_json:
            from surefoot.report import json

            context.emit_json(
                ExitCode.DONE, database=json.database(workspace.target, None), **taken_json(taken)
            )
        for line in taken_lines(context.terminal, taken):
            context.terminal.line(line)
        return ExitCode.DONE
