"""What the application's code wants, read from its files."""

from pathlib import Path

from surefoot.application.history_files import IniFile, read_history
from surefoot.config import Project, ScriptEntry
from surefoot.errors import NOT_REACHED, SurefootError
from surefoot.history import History
from surefoot.observation import Code, ScriptFile
from surefoot.observe.script_file import hashed, sha256_of


def find_ini(project: Project) -> IniFile | None:
    """The application's alembic.ini; None where its history is configured in another way.

    Raises SurefootError `history-not-found`.
    """
    import configparser

    config = project.config
    if config.alembic is not None:
        candidates = [config.alembic]
    elif config.flask_app:
        candidates = ["migrations/alembic.ini", "alembic.ini"]
    else:
        candidates = ["alembic.ini"]
    file = next((f for c in candidates if (f := project.path(c)).is_file()), None)
    if file is None:
        return _without_ini(project, candidates)
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


def _without_ini(project: Project, candidates: list[str]) -> None:
    config = project.config
    if config.alembic is None and (config.alembic_config or config.flask_app):
        return
    found = sorted(str(f.relative_to(project.root)) for f in _ini_files(project.root))
    raise SurefootError(
        "history-not-found",
        f"There is no Alembic history at {project.path(candidates[0])}.",
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
    )


def quick_code(project: Project, ini: IniFile | None) -> Code | None:
    """The same, from the revision files alone; None if only Alembic can read the history."""
    if ini is None or project.config.alembic_config:
        return None
    history = read_history(ini)
    return None if history is None else code_of(project, history)
