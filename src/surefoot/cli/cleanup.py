"""`surefoot cleanup`."""

from pathlib import Path

import click

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


@click.command("cleanup")
@common_options
@arguments_option
@tenant_option
@click.option(
    "--trust-journal",
    is_flag=True,
    help="Drop what surefoot's journal names, although other roles can write the journal.",
)
@click.option("--yes", is_flag=True, help="Don't ask.")
@account_options
@command_body("cleanup")
def command(
    context: CommandContext,
    *,
    config_file: Path | None,
    database_url: str | None,
    trust_journal: bool,
    yes: bool,
) -> ExitCode:
    """Drop the remains of revisions that are no longer applied.

    Drops only objects that a revision made according to the journal, that are unchanged, and that
    no applied revision has; never an object of your own. Shows the objects, their rows and the SQL,
    asks, and checks before the commit that nothing else would be dropped.
    """
    with open_session(context, config_file, database_url) as workspace:
        from surefoot.cli.ask import asked
        from surefoot.decision.request import Request

        return asked(
            context,
            workspace,
            Request("cleanup", trust_journal=trust_journal),
            lambda report: report.cleaned,
            verb=lambda _: "Drop",
            yes=yes,
        )
