"""`surefoot releases`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from surefoot.cli.complete import releases
from surefoot.cli.console import CommandContext, command_body, load_project, project_options
from surefoot.errors import ExitCode

if TYPE_CHECKING:
    from surefoot.catalogue.catalogue import Catalogue
    from surefoot.compatibility.releases import Declared, Release
    from surefoot.model.history import History


@click.command("releases")
@project_options
@click.option(
    "--from", "older", metavar="REL", shell_complete=releases, help="Only from this release."
)
@click.option(
    "--to",
    "newer",
    metavar="REL",
    shell_complete=releases,
    help="To this release. Default: the newest.",
)
@click.option("--all", "everything", is_flag=True, help="Compare each release with each older one.")
@click.option(
    "--markdown", is_flag=True, help="Print Markdown, for the application's release notes."
)
@command_body("releases")
def command(
    context: CommandContext,
    *,
    config_file: Path | None,
    older: str | None,
    newer: str | None,
    everything: bool,
    markdown: bool,
) -> ExitCode:
    """Compare the application's releases: what up, a rollback and down mean.

    For the newest release and each older one: what the upgrade runs, whether the older image can
    run on the newer database, whether down leads back, and what that loses. From the catalogue and
    the revision files; no database is reached. REL is a release, or a revision.
    """
    from surefoot.compatibility.releases import Declared, pair
    from surefoot.look.catalogue import read_catalogue
    from surefoot.look.code import catalogue_file, declared, find_ini
    from surefoot.report.releases import markdown as markdown_lines
    from surefoot.report.releases import pair_json, pair_lines
    from surefoot.report.terminal import Terminal

    if everything and (older or newer):
        raise click.UsageError("--all has no --from and no --to.")
    project = load_project(config_file)
    ini = find_ini(project)
    catalogue = read_catalogue(catalogue_file(project, ini))
    found = declared(ini)
    _tell(context, catalogue, found)
    said = found[1] if found else Declared()
    chosen = _chosen(catalogue, older, newer, everything)
    pairs = [pair(catalogue, one, other, said) for one, other in chosen]
    if context.as_json:
        context.emit_json(ExitCode.DONE, pairs=[pair_json(found) for found in pairs])
        return ExitCode.DONE
    if not pairs:
        context.say(
            "there is no older release to compare with: a revision names the release that ends "
            'with it, release = "v1.2"'
        )
        return ExitCode.DONE
    if markdown:
        context.write_lines(markdown_lines(catalogue, pairs))
        return ExitCode.DONE
    terminal = Terminal(context.data)
    several = [["", *pair_lines(terminal, catalogue, p)] for p in pairs]
    context.write_lines(line for lines in several for line in lines[lines is several[0] :])
    return ExitCode.DONE


def _tell(
    context: CommandContext, catalogue: "Catalogue", found: "tuple[History, Declared] | None"
) -> None:
    """Say what is not known."""
    if found is None:
        context.say(
            "the revision files can't be read without running the application, so what they "
            "declare themselves, such as surefoot_floor, isn't included"
        )
        return
    missing = [id for id in found[0].revisions if id not in catalogue.history.revisions]
    if missing:
        context.say(
            f"the catalogue is older than the code and doesn't have {', '.join(missing[:3])}: "
            "surefoot catalog build"
        )


def _chosen(
    catalogue: "Catalogue", older: str | None, newer: str | None, everything: bool
) -> list[tuple["Release", "Release"]]:
    """Choose the pairs to compare, the newest release and its nearest predecessors first."""
    from surefoot.compatibility.releases import releases

    ends = releases(catalogue)[::-1]
    if everything:
        return [(one, other) for other in ends for one in ends if one.applied < other.applied]
    to = ends[0] if newer is None else _named(catalogue, newer)
    if older is None:
        return [(one, to) for one in ends if one.applied < to.applied]
    start = _named(catalogue, older)
    if not start.applied < to.applied:
        raise click.UsageError(f"{to.name} is not behind {start.name}.")
    return [(start, to)]


def _named(catalogue: "Catalogue", word: str) -> "Release":
    """Find the release or revision that a person names."""
    from surefoot.compatibility.releases import Release, releases
    from surefoot.model.history import one_revision

    for release in releases(catalogue)[::-1]:
        if word in (release.name, "head"):
            return release
    id = one_revision(catalogue.history, word)
    return Release(id, catalogue.history.applied((id,)), (id,))
