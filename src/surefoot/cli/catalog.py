"""`surefoot catalog`: build, show, diff, check."""

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from surefoot.cli.complete import required_downgrades, revisions
from surefoot.cli.console import (
    CommandContext,
    arguments_option,
    command_body,
    load_project,
    project_options,
    server_option,
    servers_option,
)
from surefoot.errors import NOT_REACHED, ExitCode, SurefootError
from surefoot.errors.steps import to_type

if TYPE_CHECKING:
    from surefoot.catalogue.catalogue import Catalogue, Way
    from surefoot.catalogue_build.build import Built
    from surefoot.errors import Finding


@click.group("catalog")
def command() -> None:
    """Make, read and check the catalogue: the structure that each revision makes."""


_NO_DOWNGRADE = click.option(
    "--no-downgrade", is_flag=True, help="Don't test the revisions' downgrades."
)
_STEPWISE = click.option(
    "--stepwise/--no-stepwise",
    default=True,
    help="Also run the history one revision at a time, like a database that was upgraded release "
    "by release, and record the differences.",
)


def _build(
    context: CommandContext,
    config_file: Path | None,
    servers: tuple[str, ...],
    stepwise: bool,
    no_downgrade: bool,
) -> "Built":
    from surefoot.catalogue_build.build import Options, build
    from surefoot.report.building import BuildReport

    project = load_project(config_file)
    report = BuildReport(context.terminal)
    context.said()
    try:
        return build(project, Options(servers, stepwise, not no_downgrade), report)
    finally:
        report.close()


def _file(config_file: Path | None) -> Path:
    from surefoot.look.code import catalogue_file, find_ini

    project = load_project(config_file)
    return catalogue_file(project, find_ini(project))


def _before(file: Path) -> "Catalogue | None":
    """Read the catalogue that a build will replace; None if there is none that can be read."""
    from surefoot.look.catalogue import read_catalogue

    with contextlib.suppress(SurefootError):
        return read_catalogue(file)
    return None


@command.command("build")
@project_options
@arguments_option
@servers_option
@_STEPWISE
@_NO_DOWNGRADE
@command_body("catalog build")
def build_command(
    context: CommandContext,
    *,
    config_file: Path | None,
    servers: tuple[str, ...],
    stepwise: bool,
    no_downgrade: bool,
) -> ExitCode:
    """Replay the history on a scratch server and write the catalogue.

    Only scratch databases are touched. Commit the file with the migrations, and copy it into the
    image with them.
    """
    from surefoot.catalogue.removed import no_longer_recognised, with_removed
    from surefoot.catalogue.write import dumps
    from surefoot.look.catalogue import require_writable, write_catalogue
    from surefoot.look.code import catalogue_file, find_ini, require_script_directory
    from surefoot.report.catalogue import built_lines, classes, labelled
    from surefoot.system.files import shown

    project = load_project(config_file)
    ini = find_ini(project)
    require_script_directory(ini)
    file = catalogue_file(project, ini)
    require_writable(file)
    before = _before(file)
    built = _build(context, config_file, servers, stepwise, no_downgrade)
    catalogue = with_removed(built.catalogue, before)
    text = dumps(catalogue)
    changed = write_catalogue(file, text)
    if context.as_json:
        verdicts = classes(built.catalogue)
        context.emit_json(
            ExitCode.DONE,
            catalogue=shown(file),
            changed=changed,
            revisions=len(built.catalogue.history.revisions),
            ways=[way.name for way in built.catalogue.ways],
            downgrades=dict(sorted(verdicts.items())),
            server=built.servers[0],
            servers=list(built.servers),
        )
    lines = built_lines(
        context.terminal, built.catalogue, shown(file), len(text), changed, built.unasked
    )
    if len(built.servers) > 1:
        lines += labelled(context.terminal, "servers", *built.servers)
    if before is not None and (lost := no_longer_recognised(before, catalogue)):
        lines += labelled(
            context.terminal,
            "lost",
            *(f"revision {id}: {', '.join(names)}" for id, names in lost.items()),
            "the catalogue before this one also recognised another form of these; to keep it, "
            "build on the same servers (--server for each), with --stepwise",
        )
    for line in lines:
        context.terminal.line(line)
    return ExitCode.DONE


@command.command("check")
@project_options
@arguments_option
@server_option
@_NO_DOWNGRADE
@click.option(
    "--require-downgrade",
    "required",
    metavar="[all|new|REV]",
    shell_complete=required_downgrades,
    is_flag=False,
    flag_value="all",
    help="Each revision must have a way back; or only new ones, or those after REV.",
)
@click.option(
    "--quick",
    is_flag=True,
    help="Only compare hashes of the files, without a server. For a commit hook.",
)
@command_body("catalog check")
def check_command(
    context: CommandContext,
    *,
    config_file: Path | None,
    server: str | None,
    no_downgrade: bool,
    required: str | None,
    quick: bool,
) -> ExitCode:
    """Compare the committed catalogue with the code, for the application's own CI.

    Replays the history again. Exit code 3, with the reason, if something differs. With --quick,
    only compares the catalogue with the files that it was made from.
    """
    if required is not None and no_downgrade:
        raise click.UsageError("--require-downgrade needs the downgrades to be tested.")
    if quick:
        if server is not None or required is not None:
            raise click.UsageError("--quick needs no server, and tests no downgrade.")
        return _quick_check(context, config_file)
    from surefoot.catalogue.check import broken, check
    from surefoot.downgrades.required import asked, without_a_way_back
    from surefoot.errors.wording import count
    from surefoot.look.catalogue import read_catalogue
    from surefoot.model.history import applied_at
    from surefoot.system.files import shown

    file = _file(config_file)
    old = read_catalogue(file)
    behind: frozenset[str] = frozenset()
    if required not in (None, "all", "new"):
        behind = applied_at(old.history, required)
    servers = (server,) if server else ()
    built = _build(context, config_file, servers, False, no_downgrade)
    heads = load_project(config_file).config.heads
    findings = check(old, built.catalogue, heads=heads)
    if required is not None:
        revisions = asked(old, built.catalogue, required, behind)
        told = frozenset(broken(old, built.catalogue))
        findings = (*findings, *without_a_way_back(built.catalogue, revisions, told))
    number = count(len(old.history.revisions), "revision")
    return _report_check(context, file, findings, f"{shown(file)} matches the code ({number})")


def _quick_check(context: CommandContext, config_file: Path | None) -> ExitCode:
    from surefoot.errors.wording import count
    from surefoot.look.catalogue import read_catalogue
    from surefoot.look.outdated import findings_of_files
    from surefoot.system.files import shown

    file = _file(config_file)
    catalogue = read_catalogue(file)
    findings = findings_of_files(load_project(config_file), catalogue)
    number = count(len(catalogue.history.revisions), "revision")
    return _report_check(
        context, file, findings, f"{shown(file)} was made from these files ({number})"
    )


def _report_check(
    context: CommandContext, file: Path, findings: "tuple[Finding, ...]", good: str
) -> ExitCode:
    """Report the findings, or `good` if there are none."""
    from surefoot.report import json
    from surefoot.report.text import finding_lines
    from surefoot.system.files import shown

    code = max((f.exit_code for f in findings), default=ExitCode.DONE)
    if context.as_json:
        context.emit_json(code, catalogue=shown(file), findings=[json.finding(f) for f in findings])
    for finding in findings:
        context.terminal.line()
        for line in finding_lines(context.terminal, finding):
            context.terminal.line(line)
    if not findings:
        context.say(good)
    return code


@command.command("learn")
@project_options
@click.option("--from", "url", metavar="URL", required=True, help="The database to look at.")
@click.option(
    "--as",
    "revision",
    metavar="REVISION",
    required=True,
    shell_complete=revisions,
    help="The revision that it stands for.",
)
@click.option("--name", metavar="NAME", help="The origin's name. Default: the revision's.")
@command_body("catalog learn")
def learn_command(
    context: CommandContext,
    *,
    config_file: Path | None,
    url: str,
    revision: str,
    name: str | None,
) -> ExitCode:
    """Write down the structure of an existing database, for review.

    Writes a script next to the catalogue, and prints the configuration that makes it an origin:
    surefoot then recognises databases like this one as REVISION, and upgrades them. The database is
    only read.
    """
    from surefoot.catalogue.differences import difference_json, difference_lines
    from surefoot.catalogue_build.learn import learn
    from surefoot.errors.wording import count
    from surefoot.look.catalogue import read_catalogue, require_writable, write_catalogue
    from surefoot.look.survey import configured_version_table
    from surefoot.model.target import parse
    from surefoot.project.config import is_origin_name
    from surefoot.report.terminal import keep_secret
    from surefoot.system.files import shown

    file = _file(config_file)
    project = load_project(config_file)
    catalogue = read_catalogue(file)
    target = parse(url, "--from")
    keep_secret(target)
    rows = catalogue.history.heads if revision in ("head", "heads") else ()
    rows = rows or (_one(catalogue, revision),)
    called = name or f"learned-{'-'.join(rows)}"
    if not is_origin_name(called):
        raise click.UsageError(f"--name: {called!r} is no name: letters, digits, and . _ -")
    if len(rows) != 1:
        raise click.UsageError("--as names several heads, and an origin's script has one revision.")
    (stands_for,) = rows
    found = learn(target, catalogue, rows, configured_version_table(project))
    script = file.parent / f"{called}.sql"
    require_writable(script)
    changed = write_catalogue(script, found.script.decode("utf-8", "surrogateescape"))
    relative = os.path.relpath(script.absolute(), project.root)
    if context.as_json:
        context.emit_json(
            ExitCode.DONE,
            script=shown(script),
            changed=changed,
            revisions=list(rows),
            differences=[difference_json(one) for one in found.held.differences],
            own=list(found.own),
        )
        return ExitCode.DONE
    number = len(found.held.differences)
    lines = [
        f"{shown(script)} has the structure, which differs from {' '.join(rows)} in "
        f"{count(number, 'name')}",
        *(f"  {line}" for line in difference_lines(found.held.differences)),
    ]
    if found.own:
        lines.append("no revision makes these; remove the user's own from the script:")
        lines += [f"  {one}" for one in found.own]
    lines += [
        "read the script, commit it, add this to surefoot.toml, and run surefoot catalog build:",
        "",
        "  [[origins]]",
        f'  name = "{called}"',
        f'  revision = "{stands_for}"',
        f'  scripts = ["{relative}"]',
    ]
    context.write_lines(lines)
    return ExitCode.DONE


@command.command("show")
@project_options
@click.option("--facts", is_flag=True, help="The whole structure at REV, not only what it changes.")
@click.argument("rev", required=False, shell_complete=revisions)
@command_body("catalog show")
def show_command(
    context: CommandContext, *, config_file: Path | None, facts: bool, rev: str | None
) -> ExitCode:
    """Print what revision REV changes; without REV, a line for each revision.

    REV is an id or its beginning, a release, or head; with --facts also base. No database is
    reached.
    """
    from surefoot.catalogue.catalogue import facts_of, state
    from surefoot.look.catalogue import read_catalogue
    from surefoot.report import catalogue as report
    from surefoot.report.terminal import Terminal

    if facts and rev is None:
        raise click.UsageError("--facts needs one revision: name it, or head.")
    catalogue = read_catalogue(_file(config_file))
    terminal = Terminal(context.data)
    if rev is None:
        if context.as_json:
            context.emit_json(ExitCode.DONE, revisions=report.revisions_json(catalogue))
            return ExitCode.DONE
        lines = report.revision_list(terminal, catalogue)
    elif facts:
        applied, way = _applied(catalogue, rev)
        found = facts_of(state(way, applied))
        if context.as_json:
            context.emit_json(ExitCode.DONE, facts=[report.fact_json(fact) for fact in found])
            return ExitCode.DONE
        lines = report.fact_lines(found)
    else:
        revision = _one(catalogue, rev)
        if context.as_json:
            context.emit_json(ExitCode.DONE, **report.revision_json(catalogue, revision))
            return ExitCode.DONE
        lines = report.revision_lines(terminal, catalogue, revision)
    context.write_lines(lines)
    return ExitCode.DONE


@command.command("diff")
@project_options
@click.argument("a", shell_complete=revisions)
@click.argument("b", shell_complete=revisions)
@command_body("catalog diff")
def diff_command(context: CommandContext, *, config_file: Path | None, a: str, b: str) -> ExitCode:
    """Print the differences between the structures at A and at B.

    Each is a revision's id or its beginning, a release, head or base. No database is reached.
    """
    from surefoot.catalogue.catalogue import changes, state
    from surefoot.look.catalogue import read_catalogue
    from surefoot.report import catalogue as report
    from surefoot.report.terminal import Terminal

    catalogue = read_catalogue(_file(config_file))
    one, two = _applied(catalogue, a), _applied(catalogue, b)
    found = changes(state(one[1], one[0]), state(two[1], two[0]))
    if context.as_json:
        context.emit_json(ExitCode.DONE, changes=[report.change_json(c) for c in found])
        return ExitCode.DONE
    terminal = Terminal(context.data)
    context.write_lines(report.change_lines(terminal, found) or ["no difference"])
    return ExitCode.DONE


def _one(catalogue: "Catalogue", word: str) -> str:
    from surefoot.model.history import one_revision

    if word == "base":
        raise SurefootError(
            "revision-not-found",
            "base is before the first revision: it changes nothing.",
            database=NOT_REACHED,
            next=to_type("list the revisions, and name one of them", "surefoot catalog show"),
        )
    return one_revision(catalogue.history, word)


def _applied(catalogue: "Catalogue", word: str) -> tuple[frozenset[str], "Way"]:
    """Find the revisions that are applied at a revision, and a path that leads there."""
    names = () if word == "base" else catalogue.history.named(word)
    if word != "base" and not (names and word in ("head", "heads")):
        names = (_one(catalogue, word),)
    applied = catalogue.history.applied(names)
    way = catalogue.way_to(applied)
    if way is None:
        begins = ", ".join(catalogue.init.revisions) if catalogue.init else ""
        raise SurefootError(
            "revision-not-found",
            f"The catalogue doesn't know the structure at {word}.",
            seen=[f"it begins with the init scripts, at {begins}"],
            database=NOT_REACHED,
            next=to_type("list the revisions, and name one of them", "surefoot catalog show"),
        )
    return applied, way
