"""`surefoot repair`."""

from pathlib import Path

import click

from surefoot.cli.adopt import record
from surefoot.cli.edge import Edge, command_body, common_options
from surefoot.errors import ExitCode


@click.command("repair")
@common_options
@click.option(
    "--accept-difference",
    is_flag=True,
    help="Write REV although the structure differs from it; the difference is kept in the journal "
    "and no longer held against the database.",
)
@click.option("--yes", is_flag=True, help="Don't ask.")
@click.argument("rev", nargs=-1)
@command_body("repair")
def command(
    edge: Edge,
    *,
    config_file: Path | None,
    database_url: str | None,
    accept_difference: bool,
    yes: bool,
    rev: tuple[str, ...],
) -> ExitCode:
    """Put a version table right that holds nonsense: by the structure, never by a guess.

    For a table that holds NULL, a revision that nobody knows, one cut short, a row twice, or a
    revision with its ancestor; or that has another column type than Alembic gives it. Shows what it
    holds and what would be written, asks, and writes it in one transaction; the old content is kept
    in the journal. Without REV: where the structure stands. Nothing is migrated.
    """
    return record(
        edge,
        config_file,
        database_url,
        rev,
        accept_difference=accept_difference,
        yes=yes,
        repair=True,
    )
