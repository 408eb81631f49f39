"""`surefoot catalog`: build, show, diff, check."""

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

import click

from surefoot.cli.edge import Edge, command_body, load_project, project_options, server_option
from surefoot.errors import NOT_REACHED, ExitCode, SurefootError
from surefoot.errors.steps import to_type

if TYPE_CHECKING:
    from surefoot.replay.story import Built
    from surefoot.structure.catalogue import Catalogue, Way


@click.group("catalog")
def command() -> None:
    """Make, read and check the catalogue: the structure that each revision makes."""


_NO_DOWNGRADE = click.option(
    "--no-downgrade", is_flag=True, help="Don't try the revisions' downgrades."
)
_STEPWISE = click.option(
    "--stepwise",
    is_flag=True,
    help="Run the history once more, one revision a run, and record where that makes a difference.",
)


def _build(
    edge: Edge, config_file: Path | None, server: str | None, stepwise: bool, no_downgrade: bool
) -> "Built":
    from surefoot.replay.story import Options, build
    from surefoot.report.building import BuildReport

    project = load_project(config_file)
    report = BuildReport(edge.terminal)
    edge.said()
    try:
        return build(project, Options(server, stepwise, not no_downgrade), report)
    finally:
        report.close()


def _file(config_file: Path | None) -> Path:
    from surefoot.observe.code import catalogue_file, find_ini

    project = load_project(config_file)
    return catalogue_file(project, find_ini(project))


def _before(file: Path) -> "Catalogue | None":
    """The catalogue that is there before a build; None where there is none, or none to read."""
    from surefoot.observe.catalogue import read_catalogue

    with contextlib.suppress(SurefootError):
        return read_catalogue(file)
    return None


@command.command("build")
@project_options
@server_option
@_STEPWISE
@_NO_DOWNGRADE
@command_body("catalog build")
def build_command(
    edge: Edge, *, config_file: Path | None, server: str | None, stepwise: bool, no_downgrade: bool
) -> ExitCode:
    """Replay the history on a scratch server and write the catalogue.

    No database of yours is touched. Commit the file beside the migrations, and copy it into the
    image with them.
    """
    from surefoot.observe.catalogue import require_writable, write_catalogue
    from surefoot.observe.generated import shown
    from surefoot.report.catalogue import built_lines, classes
    from surefoot.structure.removed import with_removed
    from surefoot.structure.write import dumps

    file = _file(config_file)
    require_writable(file)
    built = _build(edge, config_file, server, stepwise, no_downgrade)
    catalogue = with_removed(built.catalogue, _before(file))
    text = dumps(catalogue)
    changed = write_catalogue(file, text)
    if edge.as_json:
        verdicts = classes(built.catalogue)
        edge.emit_json(
            ExitCode.DONE,
            catalogue=shown(file),
            changed=changed,
            revisions=len(built.catalogue.history.revisions),
            ways=[way.name for way in built.catalogue.ways],
            downgrades=dict(sorted(verdicts.items())),
            server=built.server,
        )
    for line in built_lines(edge.terminal, built.catalogue, shown(file), len(text), changed):
        edge.terminal.line(line)
    return ExitCode.DONE


@command.command("check")
@project_options
@server_option
@_NO_DOWNGRADE
@click.option(
    "--require-downgrade",
    "required",
    metavar="[all|new|REV]",
    is_flag=False,
    flag_value="all",
    help="Each revision must have a way back; or only new ones, or those behind REV.",
)
@command_body("catalog check")
def check_command(
    edge: Edge,
    *,
    config_file: Path | None,
    server: str | None,
    no_downgrade: bool,
    required: str | None,
) -> ExitCode:
    """Hold the committed catalogue against the code: for the application's own CI.

    Replays the history once more. Exit code 3, and why, if something differs.
    """
    if required is not None and no_downgrade:
        raise click.UsageError("--require-downgrade needs the downgrades to be tried.")
    from surefoot.history import applied_at
    from surefoot.observe.catalogue import read_catalogue
    from surefoot.observe.generated import shown
    from surefoot.report import json
    from surefoot.report.structure import count
    from surefoot.report.text import finding_lines
    from surefoot.structure.check import broken, check
    from surefoot.structure.required import asked, without_a_way_back

    file = _file(config_file)
    old = read_catalogue(file)
    behind: frozenset[str] = frozenset()
    if required not in (None, "all", "new"):
        behind = applied_at(old.history, required)
    built = _build(edge, config_file, server, False, no_downgrade)
    heads = load_project(config_file).config.heads
    findings = check(old, built.catalogue, heads=heads)
    if required is not None:
        revisions = asked(old, built.catalogue, required, behind)
        told = frozenset(broken(old, built.catalogue))
        findings = (*findings, *without_a_way_back(built.catalogue, revisions, told))
    code = max((f.exit_code for f in findings), default=ExitCode.DONE)
    if edge.as_json:
        edge.emit_json(code, catalogue=shown(file), findings=[json.finding(f) for f in findings])
    for finding in findings:
        edge.terminal.line()
        for line in finding_lines(edge.terminal, finding):
            edge.terminal.line(line)
    if not findings:
        number = len(old.history.revisions)
        edge.say(f"{shown(file)} is what the code does now ({count(number, 'revision')})")
    return code


@command.command("show")
@project_options
@click.option("--facts", is_flag=True, help="The whole structure at REV, not only what it changes.")
@click.argument("rev", required=False)
@command_body("catalog show")
def show_command(edge: Edge, *, config_file: Path | None, facts: bool, rev: str | None) -> ExitCode:
    """Print what revision REV changes; without REV, a line for each revision.

    REV is an id or its beginning, a release, or head; with --facts base, too. No database is
    reached.
    """
    from surefoot.observe.catalogue import read_catalogue
    from surefoot.report import catalogue as report
    from surefoot.report.terminal import Terminal
    from surefoot.structure.catalogue import facts_of, state

    if facts and rev is None:
        raise click.UsageError("--facts is of one revision: name it, or head.")
    catalogue = read_catalogue(_file(config_file))
    terminal = Terminal(edge.data)
    if rev is None:
        if edge.as_json:
            edge.emit_json(ExitCode.DONE, revisions=report.revisions_json(catalogue))
            return ExitCode.DONE
        lines = report.revision_list(terminal, catalogue)
    elif facts:
        applied, way = _applied(catalogue, rev)
        found = facts_of(state(way, applied))
        if edge.as_json:
            edge.emit_json(ExitCode.DONE, facts=[report.fact_json(fact) for fact in found])
            return ExitCode.DONE
        lines = report.fact_lines(found)
    else:
        revision = _one(catalogue, rev)
        if edge.as_json:
            edge.emit_json(ExitCode.DONE, **report.revision_json(catalogue, revision))
            return ExitCode.DONE
        lines = report.revision_lines(terminal, catalogue, revision)
    edge.write_lines(lines)
    return ExitCode.DONE


@command.command("diff")
@project_options
@click.argument("a")
@click.argument("b")
@command_body("catalog diff")
def diff_command(edge: Edge, *, config_file: Path | None, a: str, b: str) -> ExitCode:
    """Print what differs between the structures at A and at B.

    Each is a revision's id or its beginning, a release, head or base. No database is reached.
    """
    from surefoot.observe.catalogue import read_catalogue
    from surefoot.report import catalogue as report
    from surefoot.report.terminal import Terminal
    from surefoot.structure.catalogue import changes, state

    catalogue = read_catalogue(_file(config_file))
    one, two = _applied(catalogue, a), _applied(catalogue, b)
    found = changes(state(one[1], one[0]), state(two[1], two[0]))
    if edge.as_json:
        edge.emit_json(ExitCode.DONE, changes=[report.change_json(c) for c in found])
        return ExitCode.DONE
    terminal = Terminal(edge.data)
    edge.write_lines(report.change_lines(terminal, found) or ["no difference"])
    return ExitCode.DONE


def _one(catalogue: "Catalogue", word: str) -> str:
    from surefoot.history import one_revision

    if word == "base":
        raise SurefootError(
            "revision-not-found",
            "base is before the first revision: it changes nothing.",
            database=NOT_REACHED,
            next=to_type("list the revisions, and name one of them", "surefoot catalog show"),
        )
    return one_revision(catalogue.history, word)


def _applied(catalogue: "Catalogue", word: str) -> tuple[frozenset[str], "Way"]:
    """The set of revisions that are applied at a revision, and a way that leads there."""
    names = () if word == "base" else catalogue.history.named(word)
    if word != "base" and not (names and word in ("head", "heads")):
        names = (_one(catalogue, word),)
    applied = catalogue.history.applied(names)
    way = catalogue.way_to(applied)
    if way is None:
        begins = catalogue.init.revision if catalogue.init else ""
        raise SurefootError(
            "revision-not-found",
            f"The catalogue doesn't know the structure at {word}.",
            seen=[f"it begins with the init scripts, at {begins}"],
            database=NOT_REACHED,
            next=to_type("list the revisions, and name one of them", "surefoot catalog show"),
        )
    return applied, way
