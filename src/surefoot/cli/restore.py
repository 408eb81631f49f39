"""`surefoot restore`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from surefoot.cli.ask import ask_about
from surefoot.cli.console import Edge, command_body, common_options, open_session
from surefoot.errors import ExitCode

if TYPE_CHECKING:
    from surefoot.backups.mark import Beside
    from surefoot.report.text import TextReport
    from surefoot.workflows.restore import Intended, Wish
    from surefoot.workflows.workspace import Session


@click.command("restore")
@common_options
@click.argument("file", required=False)
@click.option("--yes", is_flag=True, help="Don't ask.")
@click.option("--disconnect", is_flag=True, help="Cut off whoever is in the database at the swap.")
@click.option(
    "--no-owner",
    is_flag=True,
    help="Leave the backup's owners and grants out: everything belongs to this role.",
)
@click.option("--jobs", type=click.IntRange(1, 64), default=1, help="pg_restore's. Default: 1.")
@click.option(
    "--without-sidecar",
    is_flag=True,
    help="Restore a dump that has no sidecar, or contradicts it: nothing can be verified.",
)
@click.option(
    "--trust-files",
    is_flag=True,
    help="Restore from files that another user owns, or that everybody may write to.",
)
@click.option(
    "--of-another-database", is_flag=True, help="The backup is of a database of another name."
)
@click.option(
    "--drop-old",
    is_flag=True,
    help="No FILE: drop the databases that restores have set aside, or left half-made.",
)
@command_body("restore")
def command(
    edge: Edge,
    *,
    config_file: Path | None,
    database_url: str | None,
    file: str | None,
    yes: bool,
    disconnect: bool,
    no_owner: bool,
    jobs: int,
    without_sidecar: bool,
    trust_files: bool,
    of_another_database: bool,
    drop_old: bool,
) -> ExitCode:
    """Bring a backup back, in place of the database that is there now.

    FILE, a path or a name that surefoot backups lists, is restored into a new database and held
    against its sidecar. Only then the two are swapped, by their names; the one that was there is
    kept under another name, until surefoot restore --drop-old.
    """
    from surefoot.report.text import TextReport
    from surefoot.workflows.restore import Wish

    if (file is None) is not drop_old:
        raise click.UsageError("Name a FILE, or --drop-old.")
    wish = Wish(
        *(disconnect, not no_owner, without_sidecar, of_another_database, jobs, trust_files)
    )
    with open_session(edge, config_file, database_url, needs_code=False) as session:
        report = TextReport(edge.terminal)
        try:
            if file is None:
                return _drop_old(edge, session, yes=yes)
            return _restore(edge, session, file, wish, report, yes=yes)
        finally:
            report.close()
            if report.told_steps:
                edge.said()


def _restore(
    edge: Edge, session: "Session", file: str, wish: "Wish", report: "TextReport", *, yes: bool
) -> ExitCode:
    from surefoot.backups.directory import find_backup
    from surefoot.report.backup import intended_lines, restored_json, restored_lines
    from surefoot.workflows.restore import restore, told

    kept = find_backup(session.project, file)

    def confirm(intended: "Intended") -> None:
        shown = intended_lines(edge.terminal, session.target, intended)
        for line in shown:
            edge.terminal.line(line)
        if not yes:
            ask_about(edge, "Do this?", [line.strip() for line in shown if line])

    restored = restore(session, kept, wish, report, confirm)
    report.close()
    if edge.as_json:
        from surefoot.report import json

        edge.emit_json(
            ExitCode.DONE,
            database=json.database(session.target, None),
            file=str(kept.file),
            **restored_json(restored),
        )
    for line in restored_lines(edge.terminal, kept, restored):
        edge.terminal.line(line)
    told(session, restored)
    return ExitCode.DONE


def _drop_old(edge: Edge, session: "Session", *, yes: bool) -> ExitCode:
    from surefoot.report import json
    from surefoot.report.backup import beside_json, beside_text
    from surefoot.report.text import labelled
    from surefoot.workflows.drop_old import drop_old

    def confirm(found: "tuple[Beside, ...]") -> None:
        texts = [beside_text(one) for one in found]
        for line in labelled(edge.terminal, "drop", *texts):
            edge.terminal.line(line)
        if not yes:
            ask_about(edge, "Drop this for ever?", texts)

    dropped = drop_old(session, confirm)
    if edge.as_json:
        edge.emit_json(
            ExitCode.DONE,
            database=json.database(session.target, None),
            dropped=[beside_json(one) for one in dropped],
        )
    if dropped:
        edge.say(f"dropped: {', '.join(one.name for one in dropped)}")
    else:
        edge.say("no restore has left a database beside this one")
    return ExitCode.DONE
