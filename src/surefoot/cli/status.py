"""`surefoot status`."""

from pathlib import Path

import click

from surefoot.cli.console import Edge, command_body, common_options, open_session
from surefoot.errors import ExitCode


@click.command("status")
@common_options
@command_body("status")
def command(edge: Edge, *, config_file: Path | None, database_url: str | None) -> ExitCode:
    """Say where the database stands and where its address came from. Reads only.

    Exit code 0 at head, 3 if something is pending, 4 if `up` would refuse.
    """
    from surefoot.decision.decide import NothingToDo, Ready, Refused
    from surefoot.report import json
    from surefoot.report.status import status_lines
    from surefoot.report.terminal import Terminal

    with open_session(edge, config_file, database_url, to_act=False) as session:
        with session.connect() as connection:
            facts, decision = session.look(connection)
            others = None
            if not isinstance(decision, NothingToDo):
                others = session.at_work(connection)
        if others is not None:
            edge.say(f"this is what is there now, and it may change any moment: {others}")
        code = ExitCode.PENDING if isinstance(decision, Ready) else ExitCode.DONE
        if isinstance(decision, Refused):
            code = decision.findings[0].exit_code
        if edge.as_json:
            edge.emit_json(
                code,
                database=json.database(session.target, facts),
                structure=json.structure(facts),
                **json.decision(decision),
            )
        else:
            terminal = Terminal(edge.data)
            for line in status_lines(terminal, session.target, facts, decision):
                terminal.line(line)
        return code
