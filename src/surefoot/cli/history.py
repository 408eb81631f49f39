"""`surefoot history`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from surefoot.cli.console import (
    CommandContext,
    arguments_option,
    command_body,
    common_options,
    load_project,
    open_session,
)
from surefoot.errors import ExitCode, SurefootError

if TYPE_CHECKING:
    from surefoot.model.history import History
    from surefoot.report.history import Position


@click.command("history")
@common_options
@arguments_option
@click.option("--graph", is_flag=True, help="Draw branches and merges next to the list.")
@click.option("--mermaid", is_flag=True, help="A Mermaid diagram, for Markdown.")
@command_body("history")
def command(
    context: CommandContext,
    *,
    config_file: Path | None,
    database_url: str | None,
    graph: bool,
    mermaid: bool,
) -> ExitCode:
    """List the revisions of the code, the newest first, and where the database is. Reads only.

    No database is needed: if none is named, or none answers, prints the history without "you "
    "are here".
    """
    from surefoot.look.history import history_of_files
    from surefoot.report.history import history_json, history_lines, mermaid_lines
    from surefoot.report.terminal import Terminal

    if graph + mermaid + context.as_json > 1:
        raise click.UsageError("Only one of --graph, --mermaid and --json can be meant.")
    found = _asked(context, config_file, database_url)
    history, position = (
        found if found is not None else (history_of_files(load_project(config_file)), None)
    )
    if context.as_json:
        context.emit_json(
            ExitCode.DONE,
            current=None if position is None else list(position.rows),
            heads=list(history.heads),
            revisions=history_json(history, position),
        )
    elif mermaid:
        context.write_lines(mermaid_lines(history, position))
    else:
        terminal = Terminal(context.data)
        context.write_lines(history_lines(terminal, history, position, graph=graph))
    return ExitCode.DONE


def _asked(
    context: CommandContext, config_file: Path | None, database_url: str | None
) -> "tuple[History, Position] | None":
    """The history as the application's env.py has it, and where the database is in it; None where
    no database is named or none can be asked, which is said.
    """
    import os

    from surefoot.look.code import find_ini
    from surefoot.project.locate import locate

    project = load_project(config_file)
    ini = find_ini(project)
    url = ini.get("sqlalchemy.url") if ini else None
    if locate(database_url, os.environ, url, project.config.url_variables) is None:
        return None
    with open_session(context, config_file, database_url, to_act=False) as workspace:
        from surefoot.report.history import Position
        from surefoot.workflows.look import look

        workspace.wait = 0.0
        try:
            facts, _ = look(workspace)
        except SurefootError as error:
            why = error.finding.message
            if error.finding.code == "server-unreachable":
                why = "no database server answered"
            context.say(f"it isn't known where the database is: {why}")
            return None
        history, rows = facts.code.history, facts.database.rows
        here = tuple(row for row in rows if row is not None and row in history.revisions)
        chosen = facts.standing.chosen if facts.standing is not None and not rows else None
        if chosen is not None:
            here = chosen.rows
        elif unknown := history.unknown(rows):
            context.say(f"the database is at {', '.join(unknown)}, which the code doesn't have")
        elif not rows:
            context.say(f"{workspace.target.label} has no version row")
        return history, Position(rows, here, by_structure=chosen is not None)
