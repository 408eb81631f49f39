"""`surefoot up`."""

import shlex
from pathlib import Path

import click

from surefoot.cli.console import (
    CommandContext,
    account_options,
    arguments_option,
    command_body,
    common_options,
    emit_outcome,
    open_session,
    shared_option,
    tenant_option,
)
from surefoot.errors import NOT_REACHED, ExitCode, SurefootError
from surefoot.errors.steps import to_type
from surefoot.serve import listening
from surefoot.system import supervisor
from surefoot.system.successor import found


class _Up(click.Command):
    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        from surefoot.cli.mistakes import Mistake

        given = list(args)  # the parser consumes them
        try:
            rest = super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            words = [arg for arg in given if not arg.startswith("-")]
            if words and "--" not in given and not error.possibilities:
                first = given.index(words[0])
                line = shlex.join(["surefoot", "up", *given[:first], "--", *given[first:]])
                raise Mistake(
                    error.format_message(),
                    ctx,
                    next=to_type("the command to start goes after two dashes", line),
                ) from error
            raise
        # there is a program of this name, and it reads standard input
        if (ctx.params.get("run") or ())[:1] in (("head",), ("heads",)) and "--" not in given:
            raise Mistake(
                "surefoot up takes no revision: it always brings the database to the code's head.",
                ctx,
                next=to_type("type instead", "surefoot up"),
            )
        return rest


@click.command("up", cls=_Up)
@common_options
@arguments_option
@tenant_option
@click.option(
    "--accept-data-loss",
    is_flag=True,
    help='Begin even if pending revisions destroy data, where destructive = "refuse" is set.',
)
@account_options
@click.argument("run", nargs=-1, metavar="[-- COMMAND …]", type=click.UNPROCESSED)
@shared_option
@click.option(
    "--serve",
    "address",
    metavar="HOST:PORT",
    envvar="SUREFOOT_SERVE",
    help="While there is something to do, answer /livez, /readyz and other requests; then hand the "
    "listening socket to the command.",
)
@command_body("up")
def command(
    context: CommandContext,
    *,
    config_file: Path | None,
    database_url: str | None,
    shared: bool,
    address: str | None,
    accept_data_loss: bool,
    run: tuple[str, ...],
) -> ExitCode:
    """Bring the database to the code's head, or refuse, having changed nothing.

    With COMMAND, a container's entrypoint: after success, surefoot replaces itself with the
    command; otherwise the command is never started.

    \b
      surefoot up
      surefoot up -- python -m myapp
    """
    if address is not None:
        try:
            page = listening.listen(address)
        except listening.AddressError as error:
            raise SurefootError(
                "cannot-listen",
                f"The address {address} can't be used.",
                seen=[str(error)],
                database=NOT_REACHED,
                next="give --serve (SUREFOOT_SERVE) an address of this machine and a free port: "
                "0.0.0.0:8000, say",
            ) from error
        supervisor.keep(page.fileno())
        page.answer()
    if run and found(run[0]) is None:
        raise SurefootError(
            "command-not-found",
            f"There is no command {run[0]} to start after the upgrade.",
            database=NOT_REACHED,
            next="correct the words after --",
        )
    with open_session(context, config_file, database_url, shared=shared) as workspace:
        from surefoot.cli.ask import with_approval
        from surefoot.workflows.up import up

        if accept_data_loss and workspace.project.config.destructive == "refuse":
            workspace.project = workspace.project.accepting_losses()
        report = context.report(workspace)
        try:
            outcome = up(workspace, report)
        finally:
            report.close()
        outcome = with_approval(workspace, outcome)
        emit_outcome(context, workspace.target, outcome)
        report.outcome(workspace.target, outcome)
        if run and outcome.exit_code is ExitCode.DONE:
            context.command_environment = workspace.leave_server_to_command()
        return outcome.exit_code
