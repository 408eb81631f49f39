"""`surefoot plan`."""

from pathlib import Path

import click

from surefoot.cli.console import (
    CommandContext,
    arguments_option,
    command_body,
    common_options,
    open_session,
    shared_option,
    tenant_option,
)
from surefoot.errors import ExitCode


@click.command("plan")
@common_options
@shared_option
@arguments_option
@tenant_option
@command_body("plan")
def command(
    context: CommandContext, *, config_file: Path | None, database_url: str | None, shared: bool
) -> ExitCode:
    """Show what `up` would do, step by step. Reads only.

    Exit code 0 if `up` would go ahead or has nothing to do, 4 if it would refuse.
    """
    from surefoot.decision.decide import Ready, Refused
    from surefoot.report import json
    from surefoot.report.plan import plan_lines
    from surefoot.report.status import refusal_lines
    from surefoot.report.terminal import Terminal
    from surefoot.report.text import (
        database_text,
        found_text,
        labelled,
        structure_texts,
    )
    from surefoot.workflows.look import look

    with open_session(context, config_file, database_url, shared=shared) as workspace:
        facts, decision = look(workspace)
        code = decision.findings[0].exit_code if isinstance(decision, Refused) else ExitCode.DONE
        if context.as_json:
            context.answer(json.plan(code, workspace.target, facts, decision))
            return code
        terminal = Terminal(context.data)
        lines = [
            *labelled(terminal, "database", database_text(workspace.target, facts)),
            *labelled(terminal, "found", found_text(facts, decision.state)),
        ]
        texts = structure_texts(facts)
        if texts:
            lines += labelled(terminal, "structure", *texts)
        match decision:
            case Ready(plan=plan):
                lines += ["", *plan_lines(terminal, plan)]
                if plan.loss_texts:
                    lines += ["", *labelled(terminal, "loses", *plan.loss_texts)]
                if plan.remarks:
                    lines += ["", *labelled(terminal, "remarks", *plan.remarks)]
            case Refused():
                lines += refusal_lines(terminal, decision)
            case _:
                lines += labelled(terminal, "plan", "nothing to do")
                if decision.remarks:
                    lines += labelled(terminal, "warning", *decision.remarks)
        for line in lines:
            terminal.line(line)
        return code
