"""`surefoot certify`."""

import math
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

import click

from surefoot.cli.complete import releases as complete_releases
from surefoot.cli.console import (
    CommandContext,
    arguments_option,
    command_body,
    load_project,
    project_options,
    server_option,
)
from surefoot.errors import ExitCode, Finding, SurefootError


def _lost(file: Path, why: str) -> Finding:
    from surefoot.system.files import shown

    return Finding(
        "output-lost",
        f"{shown(file)} could not be written.",
        (why,),
        "Only scratch databases were touched.",
        "correct the path, the permissions of its directory, or the disk, and run it again",
    )


def _written(files: Iterable[tuple[Path, Callable[[], object]]]) -> list[Finding]:
    """Write the files, and return what could not be written: the report is worth more."""
    found: list[Finding] = []
    for file, write in files:
        try:
            write()
        except SurefootError as error:
            found.append(error.finding)
        except OSError as error:
            found.append(_lost(file, error.strerror or str(error)))
    return found


def _finite(context: click.Context, parameter: click.Parameter, value: float) -> float:
    if not math.isfinite(value):
        raise click.BadParameter(f"{value} is not a number of minutes.")
    return value


def _writable(
    context: click.Context, parameter: click.Parameter, value: Path | None
) -> Path | None:
    """Refuse a file that can't be written before minutes are spent."""
    from surefoot.system.files import obstacle

    if value is not None and (why := obstacle(value)):
        raise click.BadParameter(f"{value} can't be written: {why}.")
    return value


@click.command("certify")
@project_options
@arguments_option
@server_option
@click.option(
    "--minutes",
    type=click.FloatRange(min=0.0),
    callback=_finite,
    default=10.0,
    help="How long to try cases. Default: 10.",
)
@click.option("--seed", type=int, default=1, help="Decides what is sampled. Default: 1.")
@click.option(
    "--from",
    "releases",
    multiple=True,
    metavar="RELEASE",
    shell_complete=complete_releases,
    help="Begin only at this release, or revision. May be repeated.",
)
@click.option(
    "--case",
    "cases",
    multiple=True,
    metavar="CASE",
    help="Try only this case, as the report names it, or all cases whose names begin so. May be "
    "repeated.",
)
@click.option(
    "--exhaustive", is_flag=True, help="Don't sample: end when each commit has been tried."
)
@click.option("--plan", "only_plan", is_flag=True, help="Print the plan, and try nothing.")
@click.option(
    "--junit",
    type=click.Path(path_type=Path, dir_okay=False),
    callback=_writable,
    metavar="FILE",
    help="Write JUnit XML.",
)
@click.option(
    "--html",
    type=click.Path(path_type=Path, dir_okay=False),
    callback=_writable,
    metavar="FILE",
    help="Write one page of HTML.",
)
@command_body("certify")
def command(
    context: CommandContext,
    *,
    config_file: Path | None,
    server: str | None,
    minutes: float,
    seed: int,
    releases: tuple[str, ...],
    cases: tuple[str, ...],
    exhaustive: bool,
    only_plan: bool,
    junit: Path | None,
    html: Path | None,
) -> ExitCode:
    """Test the upgrade before it is released, on a scratch server.

    From every released structure: the upgrade, killed and cut off at each commit, by several
    replicas at once, with objects that a user added, with data, down and up again, on the older
    image. Only scratch databases are touched. Exit code 3 if something fails.

    \b
      surefoot certify
      surefoot certify --minutes 60 --seed 7 --html certify.html
    """
    import msgspec

    from surefoot.certify.campaign import Options, certify
    from surefoot.certify.kept import FILE, write_failed
    from surefoot.certify.plan import FIXTURES
    from surefoot.report.certify_html import html as html_of
    from surefoot.report.certify_junit import junit as junit_of
    from surefoot.report.certifying import (
        CertifyReport,
        plan_json,
        plan_lines,
        report_json,
        report_lines,
    )
    from surefoot.report.terminal import Terminal

    project = load_project(config_file)
    options = Options(minutes, seed, releases, cases, server, not exhaustive, only_plan)
    progress = CertifyReport(context.terminal)
    context.said()
    try:
        report = certify(project, options, progress)
    finally:
        progress.close()
    if only_plan:
        if context.as_json:
            context.emit_json(ExitCode.DONE, **plan_json(report.plan))
        else:
            context.write_lines(plan_lines(report.plan))
        return ExitCode.DONE
    files: list[tuple[Path, Callable[[], object]]] = [
        (project.root / FIXTURES / FILE, partial(write_failed, project.root, report.results))
    ]
    if junit is not None:
        files.append((junit, partial(junit.write_text, junit_of(report), "utf-8")))
    if html is not None:
        files.append((html, partial(html.write_text, html_of(report), "utf-8")))
    report = msgspec.structs.replace(report, lost=tuple(_written(files)))
    code = max((one.exit_code for one in report.findings), default=ExitCode.DONE)
    if context.as_json:
        context.emit_json(code, **report_json(report))
    else:
        context.write_lines(report_lines(Terminal(context.data), report))
    return code
