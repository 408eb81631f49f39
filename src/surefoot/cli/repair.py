"""`surefoot repair`."""

from pathlib import Path

import click

from surefoot.cli.adopt import record, recording_options
from surefoot.cli.edge import Edge, command_body
from surefoot.errors import ExitCode


@click.command("repair")
@recording_options
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
