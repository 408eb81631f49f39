"""`surefoot completion`."""

import click
from click.shell_completion import get_completion_class

from surefoot.cli.console import CommandContext, command_body, common_options
from surefoot.errors import ExitCode


@click.command("completion")
@common_options
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@command_body("completion")
def command(context: CommandContext, *, shell: str, **_: object) -> ExitCode:
    """Print the completion script for a shell.

    \b
      bash, in ~/.bashrc:  eval "$(surefoot completion bash)"
      zsh, in ~/.zshrc:    eval "$(surefoot completion zsh)"
      fish:  surefoot completion fish > ~/.config/fish/completions/surefoot.fish
    """
    from surefoot.cli import group

    kind = get_completion_class(shell)
    assert kind is not None, shell
    script = kind(group, {}, "surefoot", "_SUREFOOT_COMPLETE").source()
    if context.as_json:
        context.emit_json(ExitCode.DONE, shell=shell, text=script)
    else:
        context.write(script)
    return ExitCode.DONE
