"""What the application's code wants, read from its files."""

import re
from pathlib import Path
from typing import NamedTuple

from surefoot.compatibility.releases import Declared
from surefoot.decision.facts import Code
from surefoot.errors import NOT_REACHED, SurefootError
from surefoot.errors.steps import to_type
from surefoot.model.history import History
from surefoot.project.config import Project, ScriptEntry
from surefoot.project.locate import PYPROJECT
from surefoot.revision_source.found import (
    files_below,
    flask_app,
    histories,
    is_flask_migrates,
    sections_with_scripts,
)
from surefoot.revision_source.history_files import read_history
from surefoot.revision_source.ini import (
    IniFile,
    PyprojectUnusable,
    candidates,
    is_in_package,
    named_by_variable,
    path_in_package,
    tool_alembic,
)
from surefoot.scripts.file import hashed, sha256_of
from surefoot.scripts.header import ScriptFile
from surefoot.system.files import shown

CATALOGUE_NAME = "surefoot-catalog.txt"
_READS_PYPROJECT = (1, 16)


def catalogue_file(project: Project, ini: IniFile | None) -> Path:
    """Return the catalogue's path: as configured, else next to the application's env.py.

    Where that isn't among the project's own files, in the project's directory.
    """
    if project.config.catalog_file is not None:
        return project.path(project.config.catalog_file)
    scripts = ini.script_directory() if ini is not None else None
    if scripts is not None:
        directory, root = scripts.resolve(), project.root.resolve()
        if directory.is_relative_to(root) and "site-packages" not in directory.parts:
            return project.root / directory.relative_to(root) / CATALOGUE_NAME
    return project.path(CATALOGUE_NAME)


def find_ini(project: Project) -> IniFile | None:
    """The application's Alembic configuration: alembic.ini, `[tool.alembic]` of pyproject.toml, or
    both; None where its history is configured in another way.

    Raises SurefootError `history-not-found`.
    """
    import configparser

    config = project.config
    try:
        place = _place(project)
    except PyprojectUnusable as error:
        raise _unusable(error) from error
    if place is None:
        return _without_ini(project, candidates(config.alembic, config.flask_app)[0])
    try:
        found = IniFile(place.file, config.alembic_section, project.root, *place.others)
    except PyprojectUnusable as error:
        raise _unusable(error) from error
    except (configparser.Error, OSError, UnicodeDecodeError) as error:
        what = f"can't be read as an ini file with a section [{config.alembic_section}]"
        why = " ".join(str(error).split())
        raise _of_no_history(project, place.file, what, why) from error
    if found.get("script_location") is not None:
        _require_readable_by_alembic(found)
    elif not config.alembic_config and is_flask_migrates(found.file):
        raise _of_flask_migrate(project, found.file)
    elif not config.alembic_config and sections_with_scripts(found.file):
        what = f"has no script_location in its section [{config.alembic_section}]"
        raise _of_no_history(project, found.file, what)
    return found


class _Place(NamedTuple):
    """Where Alembic's configuration is. `others` are the script directory, where neither file has
    to name it, and the pyproject.toml that Alembic reads.
    """

    file: Path
    others: tuple[str | None, Path | None]


def _place(project: Project) -> _Place | None:
    config = project.config
    for name in candidates(config.alembic, config.flask_app):
        path = project.path(name)
        if is_in_package(name) and not path.exists():
            path = path_in_package(name, (project.root,)) or path
        if path.name == PYPROJECT and path.is_file():
            if tool_alembic(path) is None:
                raise PyprojectUnusable(path, "it has no table [tool.alembic]")
            return _Place(path.with_name("alembic.ini"), (None, path))
        if path.is_file():
            if config.flask_app:
                # its history is in its ini file's directory, whatever is written there
                return _Place(path, (str(path.parent), None))
            beside = path.with_name(PYPROJECT)
            if tool_alembic(beside) is None:
                beside = project.path(PYPROJECT)
            return _Place(path, (None, beside))
        if (path / "env.py").is_file():
            return _Place(path / "alembic.ini", (name, None))
    if config.alembic or config.flask_app or (named_by_variable() and not config.alembic_config):
        return None
    pyproject = project.path(PYPROJECT)
    if "script_location" not in (tool_alembic(pyproject) or {}):
        return None
    return _Place(project.path("alembic.ini"), (None, pyproject))


def _unusable(error: PyprojectUnusable) -> SurefootError:
    return SurefootError(
        "history-not-found",
        f"{error.file} can't be read as Alembic's configuration.",
        seen=[error.why],
        database=NOT_REACHED,
        next=f'correct {error.file.name}; or name another file in surefoot.toml: alembic = "…"',
    )


def _of_no_history(project: Project, file: Path, what: str, *seen: str) -> SurefootError:
    """The ini file has no such history; perhaps it has others."""
    others = sections_with_scripts(file)
    keys = " or ".join(f'alembic_section = "{name}"' for name in others)
    return SurefootError(
        "history-not-found",
        f"{file} {what}.",
        seen=[*seen, *([f"sections with a history: {', '.join(others)}"] if others else [])],
        database=NOT_REACHED,
        next=f"name the history in surefoot.toml: {keys}"
        if others
        else "correct the file, or `alembic` and `alembic_section` in surefoot.toml",
    )


def _require_readable_by_alembic(ini: IniFile) -> None:
    """Alembic reads pyproject.toml from 1.16 on; before, it would find no script directory."""
    if not ini.needs_pyproject:
        return
    from importlib.metadata import version

    installed = version("alembic")
    if tuple(int(part) for part in re.findall(r"\d+", installed)[:2]) >= _READS_PYPROJECT:
        return
    raise SurefootError(
        "history-not-found",
        f"{ini.pyproject} configures Alembic, and the installed Alembic doesn't read it.",
        seen=[f"Alembic {installed}; [tool.alembic] is read from Alembic 1.16 on"],
        database=NOT_REACHED,
        next=to_type(
            "write script_location into an alembic.ini; or, beside surefoot",
            "pip install 'alembic>=1.16'",
        ),
    )


def require_script_directory(ini: IniFile | None) -> None:
    """Require that what `script_location` names exists, before anything is written there.

    Raises SurefootError `history-unreadable`.
    """
    directory = ini.script_directory() if ini is not None else None
    if ini is None or directory is None or directory.is_dir():
        return
    raise SurefootError(
        "history-unreadable",
        f"The application's script directory doesn't exist: {shown(directory)}.",
        seen=[f"script_location is {ini.get('script_location')}, in {shown(ini.file)}"],
        database=NOT_REACHED,
        next="correct script_location. If the application fills it in when it runs, name the "
        'directory that has env.py instead: alembic = "…" in surefoot.toml',
    )


def _of_flask_migrate(project: Project, file: Path) -> SurefootError:
    """Flask-Migrate's ini file names no script directory: the application does."""
    named = file.relative_to(project.root) if file.is_relative_to(project.root) else file
    return SurefootError(
        "history-not-found",
        f"{file} is Flask-Migrate's, and the configuration names no Flask application.",
        seen=["it has no script_location, and the env.py beside it asks Flask's current_app"],
        database=NOT_REACHED,
        next=_with_flask_app(project, named),
    )


def _with_flask_app(project: Project, file: Path) -> str:

    app = flask_app(project.root, files_below(project.root)) or "package:create_app"
    keys = f'flask_app = "{app}"'
    if file.as_posix() not in candidates(None, app):
        keys = f'alembic = "{file.as_posix()}" and {keys}'
    return f"write {keys} in surefoot.toml: where the application is, or the function that makes it"


def _without_ini(project: Project, expected: str) -> None:

    config = project.config
    if config.alembic is None and (config.alembic_config or config.flask_app):
        return
    found = histories(project.root, files_below(project.root))
    if len(found) == 1 and found[0].flask:
        next = _with_flask_app(project, Path(found[0].file))
    elif found:
        next = f"write {' or '.join(', '.join(one.settings) for one in found)} in surefoot.toml"
    else:
        next = (
            "run surefoot in the application's directory, or name its alembic.ini in "
            'surefoot.toml: alembic = "…"'
        )
    names = ", ".join(map(str, found))
    by_variable = config.alembic is None and named_by_variable() is not None
    if by_variable:
        next = f"correct the environment variable ALEMBIC_CONFIG, or unset it; or {next}"
    raise SurefootError(
        "history-not-found",
        f"There is no Alembic history at {project.path(expected)}.",
        seen=[
            *(["ALEMBIC_CONFIG names that file"] if by_variable else []),
            f"found: {names}"
            if found
            else "no alembic.ini, no [tool.alembic] in a pyproject.toml, and no env.py with "
            "revisions beside it, in the project",
        ],
        database=NOT_REACHED,
        next=next,
    )


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
            raise OSError(None, "it is a pipe, but a script is read twice")
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
            next="check that the directory versions/ was copied into the image (.dockerignore), "
            "and version_locations in alembic.ini",
        )
    config = project.config
    return Code(
        history,
        read_scripts(project, config.scripts(config.init), init=True),
        config.init_revisions,
        read_scripts(project, config.scripts(config.seeds)),
        config.ahead,
        config.accept_newer,
        config.requires_catalogue,
        config.shared,
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
