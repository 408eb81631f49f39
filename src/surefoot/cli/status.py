"""`surefoot status`."""

from pathlib import Path

import click

from surefoot.cli.console import (
    CommandContext,
    arguments_option,
    command_body,
    common_options,
    open_session,
    tenant_option,
)
from surefoot.errors import ExitCode


@click.command("status")
@common_options
@arguments_option
@tenant_option
@command_body("status")
def command(
    context: CommandContext, *, config_file: Path | None, database_url: str | None
) -> ExitCode:
    """Report where the database stands and where its address came from. Reads only.

    Exit code 0 at head, 3 if something is pending, 4 if `up` would refuse.
    """
    from surefoot.decision.decide import NothingToDo, Ready, Refused
    from surefoot.look.code import catalogue_file
    from surefoot.report import json
    from surefoot.report.status import status_lines
    from surefoot.report.terminal import Terminal
    from surefoot.workflows.look import look

    with open_session(context, config_file, database_url, to_act=False) as workspace:
        facts, decision = look(workspace)
        others = None if isinstance(decision, NothingToDo) else workspace.at_work()
        if others is not None:
            context.say(f"this is the current state, which may change at any moment: {others}")
        catalogue = catalogue_file(workspace.project, workspace.ini)
        code = ExitCode.PENDING if isinstance(decision, Ready) else ExitCode.DONE
        if isinstance(decision, Refused):
            code = decision.findings[0].exit_code
        if context.as_json:
            of = (workspace.project, catalogue)
            context.answer(json.status(code, workspace.target, facts, decision, *of))
        else:
            terminal = Terminal(context.data)
            of = (workspace.project, catalogue)
            for line in status_lines(terminal, workspace.target, facts, decision, *of):
                terminal.line(line)
        return code
