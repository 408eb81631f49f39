"""`surefoot drift`."""

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
from surefoot.errors import ExitCode, SurefootError


@click.command("drift")
@common_options
@arguments_option
@tenant_option
@command_body("drift")
def command(
    context: CommandContext, *, config_file: Path | None, database_url: str | None
) -> ExitCode:
    """Compare the structure with what the current revision makes. Reads only.

    Lists missing, changed and premature objects, table by table, and your own objects. Exit code 3
    if an object of the application is missing or changed.
    """
    from surefoot.decision.decide import classify
    from surefoot.decision.refusals import REFUSALS
    from surefoot.decision.refusals.structure import nothing_to_hold_against
    from surefoot.decision.refusals.version_rows import ahead_of_code
    from surefoot.look.survey import application
    from surefoot.report import json
    from surefoot.report.drift import drift_json, drift_lines
    from surefoot.report.terminal import Terminal

    with open_session(context, config_file, database_url, to_act=False) as workspace:
        session = workspace.look_session
        with (
            application(workspace.project, workspace.ini, workspace.target, session) as asked,
            session() as connection,
        ):
            facts = asked.facts(connection)
        standing = facts.standing
        if standing is None:
            raise SurefootError.of(nothing_to_hold_against(facts))
        held = standing.recorded or standing.chosen or next(iter(standing.nearest), None)
        if held is None:
            refusal = REFUSALS.get(classify(facts), ahead_of_code)
            raise SurefootError.of(refusal(facts))
        code = ExitCode.PENDING if held.differences else ExitCode.DONE
        if context.as_json:
            context.emit_json(
                code,
                database=json.database(workspace.target, facts),
                structure=json.structure(facts),
                drift=drift_json(held, standing),
            )
        else:
            terminal = Terminal(context.data)
            for line in drift_lines(terminal, workspace.target, facts, held):
                terminal.line(line)
        return code
