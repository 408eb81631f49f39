"""The command line: one command a file, each imported only when it's called."""

import importlib
import sys
from typing import Any

import click

from surefoot import __version__

_COMMANDS = {
    "up": "Bring the database to the code's head, or refuse, having changed nothing.",
    "status": "Say where the database stands. Reads only.",
    "plan": "Show what `up` would do. Reads only.",
    "adopt": "Record the revision at which a database stands, after a look at its structure.",
    "repair": "Repair a damaged version table, using the structure.",
    "down": "Take revisions back, with downgrades that were tested.",
    "cleanup": "Drop the remains of revisions that are no longer applied.",
    "fleet": "Do the same with many databases: up, status, plan.",
    "drift": "Compare the structure with what the current revision makes. Reads only.",
    "backup": "Take a backup, read it back, and describe it in a sidecar. Reads only.",
    "backups": "List the backups, and the databases that restores have set aside. Reads only.",
    "restore": "Bring a backup back: into a new database, verified, then swapped in.",
    "catalog": "Make, read and check the catalogue: the structure that each revision makes.",
    "certify": "Prove the upgrade path on a scratch server, from every release.",
    "history": "List the revisions, or draw them, and where the database is. Reads only.",
    "releases": "Compare releases: what up, a rollback and down mean.",
    "dump": "Write an init script from the history, with a header.",
    "explain": "Explain an error code, a state, a command, a key; or print a document.",
    "init": "Write a commented surefoot.toml after a look at the project.",
    "demo": "Show surefoot at work on an embedded PostgreSQL.",
    "completion": "Print the completion script for bash, zsh or fish.",
}


class LazyGroup(click.Group):
    """Knows every command's name and one line about it; the rest is in the command's own file."""

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

    surefoot looks, thinks, shows, then moves: whatever state the database is in, it is brought to
    head, or refused with a precise diagnosis, having changed nothing.
    """


def main(arguments: list[str] | None = None, inherited: dict[str, str] | None = None) -> Any:
    """The program. Ends the process with one of the documented exit codes.

    `inherited`: options of a `surefoot up --` that stood before the command. They hold where the
    command has none of its own.
    """
    words = sys.argv[1:] if arguments is None else arguments
    try:
        # commands end the process themselves: what comes back is the exit code of help
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
