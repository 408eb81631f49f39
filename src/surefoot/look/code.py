"""What the application's code wants, read from its files."""

import re
from pathlib import Path

from surefoot.compatibility.releases import Declared
from surefoot.decision.facts import Code
from surefoot.errors import NOT_REACHED, SurefootError
from surefoot.model.history import History
from surefoot.project.config import Project, ScriptEntry
from surefoot.revision_source.history_files import read_history
from surefoot.revision_source.ini import IniFile, candidates
from surefoot.scripts.file import hashed, sha256_of
from surefoot.scripts.header import ScriptFile

CATALOGUE_NAME = "surefoot-catalog.txt"


def catalogue_file(project: Project, ini: IniFile | None) -> Path:
    """Where the catalogue is or will be: as configured, else beside the application's env.py.

    Where that isn't among the project's own files, in the project's directory.
    """
    if project.config.catalog_file is not None:
        return project.path(project.config.catalog_file)
    location = ini.get("script_location") if ini else None
    if ini is not None and location and ":" not in location:
        directory = (ini.working_directory() / location).resolve()
        root = project.root.resolve()
        if directory.is_relative_to(root) and "site-packages" not in directory.parts:
            return project.root / directory.relative_to(root) / CATALOGUE_NAME
    return project.path(CATALOGUE_NAME)


def find_ini(project: Project) -> IniFile | None:
    """The application's alembic.ini; None where its history is configured in another way.

    Raises SurefootError `history-not-found`.
    """
    import configparser

    config = project.config
    named = candidates(config.alembic, config.flask_app)
    file = next((f for c in named if (f := project.path(c)).is_file()), None)
    if file is None:
        return _without_ini(project, named[0])
    try:
        # Flask-Migrate's history is in its ini file's directory, whatever is written there
        location = str(file.parent) if config.flask_app else None
        return IniFile(file, config.alembic_section, project.root, location)
    except (configparser.Error, OSError, UnicodeDecodeError) as error:
        raise SurefootError(
            "history-not-found",
            f"{file} can't be read as an ini file with a section [{config.alembic_section}].",
            seen=[" ".join(str(error).split())],
            database=NOT_REACHED,
            next="correct the file, or `alembic` and `alembic_section` in surefoot.toml",
        ) from error


def _without_ini(project: Project, expected: str) -> None:
    config = project.config
    if config.alembic is None and (config.alembic_config or config.flask_app):
        return
    found = sorted(str(f.relative_to(project.root)) for f in _ini_files(project.root))
    raise SurefootError(
        "history-not-found",
        f"There is no Alembic history at {project.path(expected)}.",
        seen=[f"found: {', '.join(found)}"] if found else ["no alembic.ini below the project"],
        database=NOT_REACHED,
        next=f'write alembic = "{found[0]}" in surefoot.toml'
        if found
        else "run surefoot in the application's directory, or name its alembic.ini in "
        'surefoot.toml: alembic = "…"',
    )


def _ini_files(root: Path) -> list[Path]:
    """alembic.ini files up to three directories down, those of installed packages left out."""
    patterns = ("*/alembic.ini", "*/*/alembic.ini", "*/*/*/alembic.ini", "alembic.ini")
    found = [file for pattern in patterns for file in root.glob(pattern)]
    return [f for f in found if not {"site-packages", "node_modules"} & set(f.parts)]


def read_scripts(
    project: Project, entries: list[ScriptEntry], *, init: bool = False
) -> tuple[ScriptFile, ...]:
    """The scripts of `init` or `seeds`, each with its content's hash; of `init`, their headers.

    Raises SurefootError `script-not-found`, `init-script-header-invalid`.
    """
    return tuple(_script_file(project, entry, init=init) for entry in entries)


def _script_file(project: Project, entry: ScriptEntry, *, init: bool) -> ScriptFile:
    path = project.path(entry.path)
    try:
        if path.is_fifo():
            raise OSError(None, "it is a pipe, and a script is read twice")
        if not init:
            return ScriptFile(entry.path, entry.search_path, sha256_of(path))
        found = hashed(path, entry.path)
    except OSError as error:
        raise SurefootError(
            "script-not-found",
            f"The script {entry.path} can't be read.",
            seen=[f"{path}: {error.strerror}"],
            next="correct its path in surefoot.toml, or copy the file into the image",
        ) from error
    return ScriptFile(entry.path, entry.search_path, found.sha256, found.header, found.edited)


def code_of(project: Project, history: History) -> Code:
    """The code's wishes: this history, and the project's scripts.

    Raises SurefootError `history-empty` or `script-not-found`.
    """
    if not history.revisions:
        raise SurefootError(
            "history-empty",
            "The application's history has no revision.",
            seen=["Alembic finds no revision file where it looks for them"],
            next="was the directory versions/ copied into the image? see .dockerignore, and "
            "version_locations in alembic.ini",
        )
    config = project.config
    return Code(
        history,
        read_scripts(project, config.scripts(config.init), init=True),
        config.init_revision,
        read_scripts(project, config.scripts(config.seeds)),
        config.ahead,
        config.accept_newer,
        config.requires_catalogue,
        config.destructive,
        config.backup_directory if config.backup == "before-upgrade" else None,
    )


_FLOOR = re.compile(
    r"""^surefoot_floor\s*(?::[^=\n]+)?=[ \t]*(?:"([^"\\\n]*)"|'([^'\\\n]*)')[ \t]*(?:#.*)?$""",
    re.M,
)
_COMMITS = re.compile(r"autocommit|\bcommit\b", re.IGNORECASE)


def declared(ini: IniFile | None) -> tuple[History, Declared] | None:
    """The history as its files have it, and what they say; None if only Alembic can read it."""
    history = read_history(ini) if ini else None
    directories = ini.version_directories() if ini else None
    if history is None or directories is None:
        return None
    floors: dict[str, str] = {}
    midway: set[str] = set()
    for id, revision in history.revisions.items():
        text = _text(directories, revision.path)
        if found := _FLOOR.search(text):
            floors[id] = found[1] if found[1] is not None else found[2]
        if _COMMITS.search(text):
            midway.add(id)
    return history, Declared(floors, frozenset(midway))


def _text(directories: list[Path], name: str) -> str:
    file = next(d / name for d in directories if (d / name).is_file())
    return file.read_text(encoding="utf-8")
