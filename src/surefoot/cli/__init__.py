"""The command line. Each command has its own file, imported only when the command is called."""

import importlib
import sys
from typing import Any

import click

from surefoot import __version__

_COMMANDS = {
    "up": "Bring the database to the code's head, or refuse, having changed nothing.",
    "status": "Report where the database stands. Reads only.",
    "plan": "Show what `up` would do. Reads only.",
    "adopt": "Record the revision at which a database stands, after a look at its structure.",
    "repair": "Repair a damaged version table, using the structure.",
    "down": "Undo revisions, with downgrades that were tested.",
    "cleanup": "Drop the remains of revisions that are no longer applied.",
    "fleet": "Run up, status or plan on many databases.",
    "drift": "Compare the structure with what the current revision makes. Reads only.",
    "backup": "Take a backup, read it back, and describe it in a sidecar. Reads only.",
    "backups": "List the backups, and the databases that restores have set aside. Reads only.",
    "restore": "Restore a backup into a new database, verify it, then swap it in.",
    "catalog": "Make, read and check the catalogue: the structure that each revision makes.",
    "certify": "Test the upgrade from every release, on a scratch server.",
    "history": "List or draw the revisions, and show where the database is. Reads only.",
    "releases": "Compare releases: what up, a rollback and down mean.",
    "dump": "Write an init script from the history, with a header.",
    "explain": "Explain an error code, a state, a command, a key; or print a document.",
    "init": "Write a commented surefoot.toml after a look at the project.",
    "demo": "Show surefoot at work on an embedded PostgreSQL.",
    "completion": "Print the completion script for bash, zsh or fish.",
}


class LazyGroup(click.Group):
    """The top-level command group: knows each command's name and summary without importing it."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        return importlib.import_module(f"surefoot.cli.{cmd_name}").command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            from difflib import get_close_matches

            from surefoot.cli.mistakes import ALEMBIC, of_alembic

            if args[0] in ALEMBIC:
                raise of_alembic(args[0], args[1:], ctx) from error
            near = get_close_matches(args[0], _COMMANDS, 1)
            if not near:
                raise
            hint = f"{error.format_message()} Did you mean {near[0]}?"
            raise click.UsageError(hint, ctx) from error

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 done or nothing to do, 2 usage, 3 pending, 4 refused and nothing "
    "changed, 5 failed and rolled back, 6 a person must look, 7 busy, try again.",
)
@click.version_option(__version__, message="surefoot %(version)s")
def group() -> None:
    """Bring a PostgreSQL database to the head of an application's Alembic history.

    surefoot looks, thinks, shows, then moves. Whatever state the database is in, surefoot brings it
    to head, or refuses with a precise diagnosis, having changed nothing.
    """


def main(arguments: list[str] | None = None, inherited: dict[str, str] | None = None) -> Any:
    """Run the program and end the process with one of the documented exit codes.

    `inherited` are options of a `surefoot up --` that preceded this command. They apply where the
    command doesn't set its own.
    """
    words = sys.argv[1:] if arguments is None else arguments
    try:
        # commands end the process themselves; a return value is the exit code of help
        code = group.main(
            args=list(words), prog_name="surefoot", standalone_mode=False, obj=inherited or {}
        )
        sys.exit(code or 0)
    except click.ClickException as error:
        from surefoot.cli.mistakes import report

        sys.exit(report(error, words))
    except click.Abort:
        from surefoot.cli.mistakes import report_early_signal

        sys.exit(report_early_signal(words))
    except Exception as error:  # noqa: BLE001 (nothing above knows it: a bug, and said so)
        from surefoot.cli.console import report_bug

        sys.exit(report_bug(error))
