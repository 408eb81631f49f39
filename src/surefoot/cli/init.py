"""`surefoot init`."""

from pathlib import Path

import click

from surefoot.cli.console import CommandContext, command_body, common_options
from surefoot.errors import NOT_REACHED, ExitCode, SurefootError
from surefoot.errors.steps import to_type
from surefoot.project.config import FILE_NAME


@click.command("init")
@common_options
@click.option("--force", is_flag=True, help="Write over a file that is there.")
@click.option("--package", metavar="NAME", help="An installed package that has the history.")
@command_body("init")
def command(
    context: CommandContext,
    *,
    config_file: Path | None,
    force: bool,
    package: str | None,
    **_: object,
) -> ExitCode:
    """Write a commented surefoot.toml after a look at the project.

    Looks for alembic.ini, a Flask application, init scripts and seed scripts below the current
    directory, or for the history of an installed package. No database is reached. What can't be
    known is left out, with a line that says what to fill in.
    """
    from surefoot.workflows.init import propose

    file = config_file or Path(FILE_NAME)
    if (file.exists() or file.is_symlink()) and not force:
        raise _exists(file)
    root = file.absolute().parent
    found = propose(root, () if package is None else _histories_of(root, package))
    if not (found.histories or found.init or found.seeds or force):
        raise SurefootError(
            "history-not-found",
            "There is nothing here that surefoot could be set up for.",
            seen=["no alembic.ini, no init script and no seed script was found"],
            database=NOT_REACHED,
            next=to_type(
                "run it in the application's directory; or write the file all the same",
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
    context.say("then: surefoot plan" if found.to_fill_in else "next: surefoot plan")
    return ExitCode.DONE


def _histories_of(root: Path, package: str) -> list[str]:
    """The histories in an installed package, or in one of the project's own."""
    from surefoot.revision_source.found import in_package
    from surefoot.revision_source.ini import path_in_package

    directory = path_in_package(package, (root,))
    found = in_package(directory, package) if directory is not None else []
    if found:
        return found
    raise SurefootError(
        "history-not-found",
        f"There is no Alembic history in a package {package}.",
        seen=[
            f"{directory} has no alembic.ini, and no env.py beside a directory versions"
            if directory is not None
            else "no package of this name is installed"
        ],
        database=NOT_REACHED,
        next="correct the name, which is the one that Python imports; or install the package "
        "beside surefoot",
    )


def _write(file: Path, text: bytes, *, force: bool) -> None:
    """A new file, or one in the place of the old one; where a link leads is left alone."""
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


def _exists(file: Path) -> SurefootError:
    return SurefootError(
        "config-exists",
        f"{file} is there already.",
        database=NOT_REACHED,
        next=to_type("edit it; or write over it", "surefoot init --force"),
    )
