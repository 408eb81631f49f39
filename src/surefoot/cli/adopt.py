"""`surefoot adopt`."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from surefoot.cli.complete import revisions
from surefoot.cli.console import (
    CommandContext,
    account_options,
    arguments_option,
    command_body,
    common_options,
    open_session,
    tenant_option,
)
from surefoot.errors import ExitCode

if TYPE_CHECKING:
    from surefoot.interrupted.repair_sql import RepairMode


def recording_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options and the argument that `adopt` and `repair` share."""
    for option in (
        click.argument("rev", nargs=-1, shell_complete=revisions),
        click.option("--yes", is_flag=True, help="Don't ask."),
        click.option(
            "--accept-difference",
            is_flag=True,
            help="Record REV although the structure differs from it; the journal keeps the "
            "difference, which then no longer counts.",
        ),
        account_options,
        arguments_option,
        tenant_option,
        common_options,
    ):
        command = option(command)
    return command


@click.command("adopt")
@recording_options
@command_body("adopt")
def command(
    context: CommandContext,
    *,
    config_file: Path | None,
    database_url: str | None,
    accept_difference: bool,
    yes: bool,
    rev: tuple[str, ...],
) -> ExitCode:
    """Record the revision at which the database stands, after a look at its structure.

    Without REV, surefoot records the identified revision. With REV (an id, its beginning, or a
    release; once for each branch), it records REV if the structure matches. Nothing is migrated:
    surefoot up continues from there.
    """
    return record(
        context,
        config_file,
        database_url,
        rev,
        accept_difference=accept_difference,
        yes=yes,
        repair=False,
    )


def record(
    context: CommandContext,
    config_file: Path | None,
    database_url: str | None,
    rev: tuple[str, ...],
    *,
    accept_difference: bool,
    yes: bool,
    repair: bool,
    how: "RepairMode | None" = None,
) -> ExitCode:
    """Run the part that `adopt` and `repair` share."""
    with open_session(context, config_file, database_url) as workspace:
        from surefoot.cli.ask import asked
        from surefoot.decision.plan import Repair
        from surefoot.decision.request import Request

        return asked(
            context,
            workspace,
            Request("repair" if repair else "adopt", rev, accept=accept_difference, how=how),
            lambda report: report.recorded,
            verb=lambda plan: "Do" if any(isinstance(s, Repair) for s in plan.steps) else "Record",
            yes=yes,
        )
