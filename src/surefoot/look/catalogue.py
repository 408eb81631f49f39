"""The catalogue's file: where it is, and what it holds."""

from pathlib import Path

from surefoot.catalogue.catalogue import Catalogue, InitScripts, Origin
from surefoot.decision.facts import Code
from surefoot.errors import NOT_REACHED, SurefootError
from surefoot.errors.steps import to_type
from surefoot.project.config import OriginEntry, Project
from surefoot.scripts.file import hashed
from surefoot.system.files import obstacle, read_file, replace, shown


def read_catalogue(file: Path, tenant: str | None = None) -> Catalogue:
    """The catalogue; with a `tenant`, as it is in that schema.

    Raises SurefootError `catalogue-missing` or `catalogue-unreadable`.
    """
    from surefoot.catalogue.read import loads

    name = shown(file)
    try:
        text = read_file(file).decode("utf-8")
    except FileNotFoundError as error:
        raise SurefootError(
            "catalogue-missing",
            f"There is no catalogue {name}.",
            database=NOT_REACHED,
            next=to_type(
                "where the application is developed, make it",
                "surefoot catalog build",
                then="then commit it, and copy it into the image",
            ),
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise SurefootError(
            "catalogue-unreadable",
            f"The catalogue {name} can't be read.",
            seen=[str(error)],
            database=NOT_REACHED,
            next=to_type("make it again", "surefoot catalog build"),
        ) from error
    return loads(text, name, tenant)


def require_writable(file: Path) -> None:
    """To be asked before minutes are spent. Raises SurefootError `catalogue-not-written`."""
    why = obstacle(file)
    if why is not None:
        raise _not_written(file, why)


def _not_written(file: Path, why: str) -> SurefootError:
    return SurefootError(
        "catalogue-not-written",
        f"The catalogue {shown(file)} can't be written.",
        seen=[why],
        database="No database was changed.",
        next='correct the permissions, or name another place: catalog = "…" in surefoot.toml',
    )


def write_catalogue(file: Path, text: str) -> bool:
    """Write it, all or nothing; whether it differs from what was there.

    Raises SurefootError `catalogue-not-written`.
    """
    try:
        return replace(file, text.encode())
    except OSError as error:
        raise _not_written(file, error.strerror or str(error)) from error


def init_scripts(project: Project, code: Code) -> InitScripts | None:
    """The project's init scripts, as a catalogue records them: whatever line ends they have.

    Without the header that `surefoot dump` writes: it names the catalogue in its turn.
    """
    if not code.init or code.stands_for is None:
        return None
    scripts = tuple((s.path, hashed(project.path(s.path), s.path).content) for s in code.init)
    former = tuple(
        tuple((entry.path, _if_there(project, entry.path)) for entry in run)
        for run in project.config.former()
    )
    return InitScripts(code.stands_for, scripts, former)


def origins(project: Project) -> tuple[Origin, ...]:
    """The configuration's origins as a catalogue records them, their version rows left open."""
    return tuple(origin(project, entry, ()) for entry in project.config.origins)


def origin(project: Project, entry: OriginEntry, rows: tuple[str, ...]) -> Origin:
    """One of them, with the version rows that it stands for."""
    scripts = project.config.scripts(entry.scripts)
    hashes = tuple((one.path, _if_there(project, one.path)) for one in scripts)
    return Origin(entry.called, rows, entry.create or "", hashes)


def _if_there(project: Project, path: str) -> str:
    """Return a former script's hash; "" if it can't be read, which is reported when it is run."""
    try:
        return hashed(project.path(path), path).content
    except OSError:
        return ""
