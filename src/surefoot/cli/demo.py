"""`surefoot demo`."""

import click

from surefoot.cli.console import CommandContext, command_body, common_options
from surefoot.errors import ExitCode


@click.command("demo")
@common_options
@command_body("demo")
def command(context: CommandContext, **_: object) -> ExitCode:
    """Show surefoot at work on an embedded PostgreSQL, then tidy up.

    Five scenes with the example application: a fresh install; a database of an old release, with a
    user's own column, brought to head; one without a version row; one with a wrong version row; an
    init script that fails half-way. Only a temporary directory is touched, and no database of
    yours.
    """
    from surefoot.workflows.demo import Demo

    scenes = Demo(context.terminal).play()
    failed = [scene.title for scene in scenes if not scene.as_promised]
    code = ExitCode.BUG if failed else ExitCode.DONE
    if context.as_json:
        context.emit_json(
            code,
            scenes=[
                {"title": s.title, "as_promised": s.as_promised, "shown": list(s.shown)}
                for s in scenes
            ],
        )
    return code
