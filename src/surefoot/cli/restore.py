"""`surefoot restore`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from surefoot.cli.ask import ask_about
from surefoot.cli.complete import backups
from surefoot.cli.console import (
    CommandContext,
    account_options,
    command_body,
    common_options,
    open_session,
)
from surefoot.errors import ExitCode

if TYPE_CHECKING:
    from surefoot.backups.mark import SetAsideDatabase
    from surefoot.report.text import TextReport
    from surefoot.workflows.restore import Intended, RestoreOptions
    from surefoot.workflows.workspace import Workspace


@click.command("restore")
@common_options
@click.argument("file", required=False, shell_complete=backups)
@click.option("--yes", is_flag=True, help="Don't ask.")
@click.option("--disconnect", is_flag=True, help="End the database's other sessions at the swap.")
@click.option(
    "--no-owner",
    is_flag=True,
    help="Ignore the backup's owners and grants: everything belongs to this role.",
)
@click.option("--jobs", type=click.IntRange(1, 64), default=1, help="pg_restore's. Default: 1.")
@click.option(
    "--without-sidecar",
    is_flag=True,
    help="Restore a dump that has no sidecar, or contradicts it: nothing can be verified.",
)
@click.option(
    "--trust-files",
    is_flag=True,
    help="Restore from files that another user owns, or that everybody may write to.",
)
@click.option(
    "--of-another-database", is_flag=True, help="Restore a backup of a database with another name."
)
@click.option(
    "--with-others",
    is_flag=True,
    help="Also restore what others keep in the same database.",
)
@click.option(
    "--drop-old",
    is_flag=True,
    help="Without FILE: drop the databases that restores have set aside or left incomplete.",
)
@account_options
@command_body("restore")
def command(
    context: CommandContext,
    *,
    config_file: Path | None,
    database_url: str | None,
    file: str | None,
    yes: bool,
    disconnect: bool,
    no_owner: bool,
    jobs: int,
    without_sidecar: bool,
    trust_files: bool,
    of_another_database: bool,
    with_others: bool,
    drop_old: bool,
) -> ExitCode:
    """Restore a backup in place of the current database.

    FILE is a path or a name that surefoot backups lists. surefoot restores it into a new database
    and compares that with the sidecar. Only then does it swap the two databases by their names; the
    old one is kept under another name, until surefoot restore --drop-old.
    """
    from surefoot.workflows.restore import RestoreOptions

    if (file is None) is not drop_old:
        raise click.UsageError("Name a FILE, or --drop-old.")
    options = RestoreOptions(
        *(disconnect, not no_owner, without_sidecar, of_another_database, jobs, trust_files),
        with_others=with_others,
    )
    with open_session(context, config_file, database_url, needs_code=False) as workspace:
        report = context.report(workspace)
        try:
            if file is None:
                return _drop_old(context, workspace, yes=yes)
            return _restore(context, workspace, file, options, report, yes=yes)
        finally:
            report.close()
            if report.told_steps:
                context.said()


def _restore(
    context: CommandContext,
    workspace: "Workspace",
    file: str,
    options: "RestoreOptions",
    report: "TextReport",
    *,
    yes: bool,
) -> ExitCode:
    from surefoot.backups.directory import find_backup
    from surefoot.report.backup import intended_lines, restored_json, restored_lines
    from surefoot.workflows.restore import restore, told

    kept = find_backup(workspace.project, file)

    def confirm(intended: "Intended") -> None:
        shown = intended_lines(context.terminal, workspace.target, intended)
        for line in shown:
            context.terminal.line(line)
        if not yes and not workspace.approval_used:
            done = [line.strip() for line in shown if line]
            ask_about(context, workspace, "Do this?", done, intended.word)

    restored = restore(workspace, kept, options, report, confirm)
    report.close()
    if context.as_json:
        from surefoot.report import json

        context.emit_json(
            ExitCode.DONE,
            database=json.database(workspace.target, None),
            file=str(kept.file),
            **restored_json(restored),
        )
    for line in restored_lines(context.terminal, kept, restored):
        context.terminal.line(line)
    told(workspace, restored)
    return ExitCode.DONE


def _drop_old(context: CommandContext, workspace: "Workspace", *, yes: bool) -> ExitCode:
    from surefoot.report import json
    from surefoot.report.backup import beside_json, beside_text
    from surefoot.report.terminal import labelled
    from surefoot.workflows.drop_old import drop_old

    def confirm(found: "tuple[SetAsideDatabase, ...]", word: str) -> None:
        texts = [beside_text(one) for one in found]
        for line in labelled(context.terminal, "drop", *texts):
            context.terminal.line(line)
        if not yes and not workspace.approval_used:
            ask_about(context, workspace, "Drop this permanently?", texts, word)

    dropped = drop_old(workspace, confirm)
    if context.as_json:
        context.emit_json(
            ExitCode.DONE,
            database=json.database(workspace.target, None),
            dropped=[beside_json(one) for one in dropped],
        )
    if dropped:
        context.say(f"dropped: {', '.join(one.name for one in dropped)}")
    else:
        context.say("no restore has left a database beside this one")
    return ExitCode.DONE
