"""`surefoot dump`."""

import os
import shlex
from datetime import UTC, datetime
from pathlib import Path

import click

from surefoot.cli.complete import revisions
from surefoot.cli.console import (
    CommandContext,
    arguments_option,
    command_body,
    load_project,
    project_options,
    server_option,
)
from surefoot.errors import ExitCode, SurefootError
from surefoot.errors.steps import to_type

_FIXED = datetime(2000, 1, 1, tzinfo=UTC)


@click.command("dump")
@project_options
@arguments_option
@server_option
@click.option(
    "--revision",
    default="head",
    metavar="REV",
    shell_complete=revisions,
    help="The last revision to include. Default: head.",
)
@click.option(
    "--release",
    metavar="NAME",
    help="The release that the header names. Default: the one in the revision's file.",
)
@click.option(
    "--from-init",
    is_flag=True,
    help="Begin with the init scripts, even if the history runs from its base.",
)
@click.option(
    "--create",
    metavar="NAME",
    help='Dump what this call makes, such as "package.module:metadata", and not the history.',
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write the script to FILE. Default: standard output.",
)
@click.option("--check", is_flag=True, help="Write nothing: exit code 3 if FILE differs.")
@command_body("dump")
def command(
    context: CommandContext,
    *,
    config_file: Path | None,
    server: str | None,
    revision: str,
    release: str | None,
    from_init: bool,
    create: str | None,
    output: Path | None,
    check: bool,
) -> ExitCode:
    """Write an init script: replay the history up to REV on a scratch server, and dump it.

    REV is a revision's id or its beginning, a release, or head. The script makes a fresh database
    that stands at REV, with its version row; its header names the revision. With --create, the
    script stands for base, unless the call itself writes a version row. It doesn't contain seeds.
    Two runs give the same text. Only a scratch database is touched.
    """
    from surefoot.catalogue_build.dump import Options, dump
    from surefoot.report.building import BuildReport
    from surefoot.system.files import shown

    if check and output is None:
        raise click.UsageError("--check compares a file: name it with -o FILE.")
    if context.as_json and output is None:
        raise click.UsageError(
            "--json and the script can't both go to standard output: write the script with -o FILE."
        )
    if create is not None and (from_init or revision != "head"):
        raise click.UsageError(
            "--create begins with no revision: leave --revision and --from-init."
        )
    options = Options(_moment(), server, revision, release, from_init, create)
    project = load_project(config_file)
    old = _read(output) if check and output is not None else b""
    if output is not None and not check:
        _require_writable(output)
    report = BuildReport(context.terminal)
    context.said()
    try:
        dumped = dump(project, options, report)
    finally:
        report.close()
    if output is None:
        context.write_bytes(dumped.script)
        return ExitCode.DONE
    if check:
        return _check(context, shown(output), old, dumped.script)
    changed = _write(output, dumped.script)
    if context.as_json:
        header = dumped.header
        context.emit_json(
            ExitCode.DONE,
            file=shown(output),
            changed=changed,
            current=list(header.revisions),
            release=header.release,
            server=dumped.server,
        )
    words = "written" if changed else "unchanged"
    revisions = ", ".join(dumped.header.revisions)
    context.say(f"{shown(output)}: at {revisions}, {len(dumped.script):,} bytes, {words}")
    return ExitCode.DONE


def _check(context: CommandContext, file: str, old: bytes, new: bytes) -> ExitCode:
    from surefoot.report import json
    from surefoot.report.text import finding_lines
    from surefoot.scripts.check import outdated

    finding = outdated(file, old, new)
    code = ExitCode.DONE if finding is None else finding.exit_code
    if context.as_json:
        context.emit_json(code, file=file, findings=[json.finding(finding)] if finding else [])
    if finding is None:
        context.say(f"{file} is up to date")
        return code
    context.terminal.line()
    for line in finding_lines(context.terminal, finding):
        context.terminal.line(line)
    return code


def _moment() -> datetime:
    """Return the time that replaces all times of the replay: SOURCE_DATE_EPOCH, or the start of
    2000.
    """
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    if not epoch:
        return _FIXED
    try:
        return datetime.fromtimestamp(int(epoch), UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise click.UsageError(
            "SOURCE_DATE_EPOCH is not a number of seconds since 1970."
        ) from error


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise SurefootError(
            "script-not-found",
            f"The script {file} can't be read.",
            seen=[error.strerror or str(error)],
            next=to_type("make it", f"surefoot dump -o {shlex.quote(str(file))}"),
        ) from error


def _require_writable(file: Path) -> None:
    from surefoot.system.files import obstacle

    why = obstacle(file)
    if why is not None:
        raise _not_written(file, why)


def _write(file: Path, script: bytes) -> bool:
    from surefoot.system.files import replace

    try:
        return replace(file, script)
    except OSError as error:
        raise _not_written(file, error.strerror or str(error)) from error


def _not_written(file: Path, why: str) -> SurefootError:
    return SurefootError(
        "init-script-not-written",
        f"The init script {file} can't be written.",
        seen=[why],
        database="No database was changed.",
        next="make the directory, or correct the permissions; or name another place with -o",
    )
