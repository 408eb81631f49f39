"""`surefoot backup`."""

from pathlib import Path

import click

from surefoot.cli.console import Edge, command_body, common_options, open_session
from surefoot.errors import ExitCode


@click.command("backup")
@common_options
@command_body("backup")
def command(edge: Edge, *, config_file: Path | None, database_url: str | None) -> ExitCode:
    """Take a backup of the database now. The database is only read.

    A file of pg_dump's custom format goes to backup_directory, with a sidecar beside it that says
    what it holds; older ones go as backup_keep and backup_keep_days say.
    """
    from surefoot.report.backup import taken_json, taken_lines
    from surefoot.report.text import TextReport
    from surefoot.workflows.backup import take_backup

    with open_session(edge, config_file, database_url, needs_code=False) as session:
        report = TextReport(edge.terminal)
        try:
            taken = take_backup(session, report)
        finally:
            report.close()
            if report.told_steps:
                edge.said()
        if edge.as_json:
            from surefoot.report import json

            edge.emit_json(
                ExitCode.DONE, database=json.database(session.target, None), **taken_json(taken)
            )
        for line in taken_lines(edge.terminal, taken):
            edge.terminal.line(line)
        return ExitCode.DONE
