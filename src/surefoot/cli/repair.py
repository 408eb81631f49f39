"""`surefoot repair`."""

from pathlib import Path

import click

from surefoot.cli.adopt import record, recording_options
from surefoot.cli.console import CommandContext, command_body
from surefoot.errors import ExitCode


@click.command("repair")
@recording_options
@click.option(
    "--finish",
    is_flag=True,
    help="Finish the revision that an earlier run left incomplete: create the missing part.",
)
@click.option(
    "--undo",
    is_flag=True,
    help="Undo the revision that an earlier run left half-way: drop its objects.",
)
@command_body("repair")
def command(
    context: CommandContext,
    *,
    config_file: Path | None,
    database_url: str | None,
    accept_difference: bool,
    yes: bool,
    finish: bool,
    undo: bool,
    rev: tuple[str, ...],
) -> ExitCode:
    """Repair what surefoot up can't: a damaged version table, or a half-applied revision.

    For a version table that contains NULL, an unknown or shortened revision, a duplicate row, or a
    revision with its ancestor; or whose column has the wrong type. Shows the old rows and the new,
    asks, and writes them in one transaction; the journal keeps the old content. Without REV,
    records the revision that the structure shows. Nothing is migrated.

    With --finish or --undo: shows the SQL that completes the half-applied revision, or drops its
    objects; asks, executes it, and compares the structure before the commit.
    """
    if finish and undo:
        raise click.UsageError("--finish and --undo can't be used together.")
    if (finish or undo) and (rev or accept_difference):
        raise click.UsageError(
            "--finish and --undo are about the revision that was left half-way; leave REV out."
        )
    return record(
        context,
        config_file,
        database_url,
        rev,
        accept_difference=accept_difference,
        yes=yes,
        repair=True,
        how="finish" if finish else "undo" if undo else None,
    )
