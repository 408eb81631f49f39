"""`surefoot down`."""

from pathlib import Path

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


@click.command("down")
@common_options
@arguments_option
@tenant_option
@click.option(
    "--to",
    "words",
    multiple=True,
    required=True,
    metavar="REV",
    shell_complete=revisions,
    help="Where to go back to: a revision's id or its beginning, a release, head (this code's "
    "own), base, or -1 for one revision less. Repeat it for each branch.",
)
@click.option(
    "--accept-data-loss",
    is_flag=True,
    help="Go back even if that loses the data of tables or columns.",
)
@click.option(
    "--trust-journal",
    is_flag=True,
    help="Run the SQL from surefoot's journal even if surefoot can't verify all of it. Read "
    "it first: surefoot down without this option shows it.",
)
@click.option("--yes", is_flag=True, help="Don't ask.")
@account_options
@command_body("down")
def command(
    context: CommandContext,
    *,
    config_file: Path | None,
    database_url: str | None,
    words: tuple[str, ...],
    accept_data_loss: bool,
    trust_journal: bool,
    yes: bool,
) -> ExitCode:
    """Undo the revisions after REV, with downgrades that were tested.

    The newer image runs the revisions' own downgrade(). An older one, which doesn't have their
    files, executes the statements that the journal keeps. Shows what would be done and lost, asks,
    and checks the structure after each revision, before the commit.

    \b
      surefoot down --to v1.0.28
      surefoot down --to head          # in an older image: to its code's head
    """
    with open_session(context, config_file, database_url) as workspace:
        from surefoot.cli.ask import asked
        from surefoot.decision.request import Request

        return asked(
            context,
            workspace,
            Request("down", words, accept=accept_data_loss, trust_journal=trust_journal),
            lambda report: report.went_back,
            verb=lambda _: "Do",
            yes=yes,
        )
