"""`surefoot init`."""

from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from surefoot.cli.console import CommandContext, command_body, common_options, working_directory
from surefoot.errors import NOT_REACHED, ExitCode, SurefootError
from surefoot.errors.steps import to_type
from surefoot.project.config import FILE_NAME

if TYPE_CHECKING:
    from surefoot.workflows.ci import Forge


@click.command("init")
@common_options
@click.option("--force", is_flag=True, help="Overwrite an existing file.")
@click.option(
    "--ci",
    "forge",
    type=click.Choice(["github", "gitlab"]),
    help="Instead, write a workflow that checks the catalogue.",
)
@click.option("--package", metavar="NAME", help="An installed package that has the history.")
@command_body("init")
def command(
    context: CommandContext,
    *,
    config_file: Path | None,
    force: bool,
    package: str | None,
    forge: str | None,
    **_: object,
) -> ExitCode:
    """Write a commented surefoot.toml after a look at the project.

    Looks for alembic.ini or env.py, a Flask application, init scripts and seed scripts below the
    current directory, or for the history of an installed package. No database is reached. For
    anything that it can't find, the file says what to fill in.

    With --ci, writes a workflow file for the repository instead: it checks the committed catalogue.
    """
    if forge is not None:
        return _workflow(context, cast("Forge", forge), force=force)
    from surefoot.workflows.init import propose

    file = config_file or Path(FILE_NAME)
    if (file.exists() or file.is_symlink()) and not force:
        raise _exists(file)
    root = file.absolute().parent
    found = propose(root, package)
    if not (found.histories or found.init or found.seeds or force):
        raise SurefootError(
            "history-not-found",
            "surefoot found nothing here that it could be set up for.",
            seen=[
                "no alembic.ini, no env.py with revisions beside it, no init script and no seed "
                "script was found"
            ],
            database=NOT_REACHED,
            next=to_type(
                "run it in the application's directory; or write the file anyway",
                "surefoot init --force",
            ),
        )
    _write(file, found.text.encode(), force=force)
    if context.as_json:
        context.emit_json(
            ExitCode.DONE,
            file=str(file),
            alembic=found.alembic,
            init=list(found.init),
            seeds=list(found.seeds),
            to_fill_in=list(found.to_fill_in),
        )
        return ExitCode.DONE
    context.say(f"wrote {file}")
    for line in found.to_fill_in:
        context.say(f"to fill in: {line}")
    for line in _NEXT:
        context.say(line)
    return ExitCode.DONE


_NEXT = (
    "next: surefoot catalog build writes the structure of each revision into a file next to the "
    "migrations; commit it, and build it again with each new revision",
    "then: surefoot plan shows what surefoot up would do with a database",
    "in CI: surefoot catalog check reports a catalogue that is out of date; surefoot init --ci "
    "github (or gitlab) writes the workflow",
    'releases: write release = "v1.2" into the file of the last revision of a release; surefoot '
    "releases then says what an upgrade and a rollback mean",
)


def _workflow(context: CommandContext, forge: "Forge", *, force: bool) -> ExitCode:
    from surefoot.workflows.ci import workflow

    file, text = workflow(working_directory(), forge)
    if (file.exists() or file.is_symlink()) and not force:
        raise _exists(file, f"surefoot init --ci {forge} --force")
    file.parent.mkdir(parents=True, exist_ok=True)
    _write(file, text.encode(), force=force)
    if context.as_json:
        context.emit_json(ExitCode.DONE, file=str(file))
        return ExitCode.DONE
    context.say(f"wrote {file}")
    context.say("next: read it, correct INSTALL if the application needs more, and commit it")
    if forge == "gitlab":
        context.say("then: include it in .gitlab-ci.yml, as its first lines say")
    return ExitCode.DONE


def _write(file: Path, text: bytes, *, force: bool) -> None:
    """Write a new file, or replace an existing one with `force`; a link's target is left alone."""
    from surefoot.system.files import a_token, create, replace_file

    if force:
        beside = file.with_name(f".{file.name}.{a_token()}")
        replace_file(file, text, beside=beside, mode=0o666)
        return
    try:
        descriptor = create(file, 0o666)
    except FileExistsError as error:
        raise _exists(file) from error
    with open(descriptor, "wb") as opened:
        opened.write(text)


def _exists(file: Path, command: str = "surefoot init --force") -> SurefootError:
    return SurefootError(
        "config-exists",
        f"{file} already exists.",
        database=NOT_REACHED,
        next=to_type("edit it; or overwrite it", command),
    )
