"""Find Alembic's histories in a project by reading its files. None of them is run."""

import configparser
import re
from collections.abc import Iterable
from pathlib import Path

import msgspec

from surefoot.revision_source.ini import IniFile, PyprojectUnusable, tool_alembic

_LEFT_OUT = {"node_modules", "site-packages", "__pycache__", "tests", "test", "examples"}
_MOST_FILES = 5000  # files of a tree: enough for any project, and a home directory ends the search


class Found(msgspec.Struct, frozen=True):
    """A history: the file that configures it, as the key `alembic` names it, and its section.

    `flask`: it is Flask-Migrate's, and the application says where it is.
    """

    file: str
    section: str = "alembic"
    flask: bool = False

    def __str__(self) -> str:
        return self.file if self.section == "alembic" else f"{self.file} [{self.section}]"

    @property
    def settings(self) -> list[str]:
        """Return the lines of surefoot.toml that name it."""
        lines = [f'alembic = "{self.file}"']
        return (
            lines if self.section == "alembic" else [*lines, f'alembic_section = "{self.section}"']
        )


def files_below(root: Path) -> list[Path]:
    """Return the project's files, relative to `root`, up to four directories down, in order."""
    found: list[Path] = []
    level = [root]
    for _ in range(5):
        below: list[Path] = []
        for directory in level:
            try:
                entries = sorted(directory.iterdir())
            except OSError:
                continue
            for entry in entries:
                if entry.name.startswith(".") or entry.name in _LEFT_OUT or entry.is_symlink():
                    continue
                if entry.is_dir():
                    if not (entry / "pyvenv.cfg").exists():
                        below.append(entry)
                else:
                    found.append(entry.relative_to(root))
            if len(found) > _MOST_FILES:
                return found
        level = below
    return found


def histories(root: Path, files: Iterable[Path]) -> list[Found]:
    """Return the histories among these files, the nearest to `root` first.

    By the ini file or pyproject.toml that leads to an env.py; otherwise by the directory of an
    env.py and its revisions. A file that leads nowhere counts only if nothing else was found: it
    may be a template, or code fills it in.
    """
    paths = list(files)
    found: list[tuple[Path, Found]] = []
    astray: list[tuple[Path, Found]] = []
    scripts: set[Path] = set()
    for file in paths:
        configured = _configured(root, file)
        if not configured and file.name == "alembic.ini":
            astray.append((file, Found(file.as_posix())))
        for one in configured:
            directory = _script_directory(root, file, one)
            leads = directory is None or (directory / "env.py").is_file()
            (found if leads else astray).append((file, one))
            if directory is not None:
                scripts.add(directory.resolve())
    found += [
        (file.parent, Found(file.parent.as_posix()))
        for file in paths
        if file.name == "env.py"
        and any((root / file.parent / "versions").glob("*.py"))
        and (root / file.parent).resolve() not in scripts
    ]
    return [one for _, one in sorted(found or astray, key=lambda one: (len(one[0].parts), one[0]))]


def in_package(directory: Path, package: str) -> list[Found]:
    """Return the histories in a package's directory, each named as the key `alembic` names it."""
    return [
        msgspec.structs.replace(one, file=f"{package}:{one.file}")
        for one in histories(directory, files_below(directory))
    ]


def _configured(root: Path, file: Path) -> list[Found]:
    """Return the histories that an ini file or a pyproject.toml configures."""
    name = file.as_posix()
    if file.suffix == ".ini":
        sections = sections_with_scripts(root / file)
        if file.name == "alembic.ini" and is_flask_migrates(root / file):
            return [Found(name, flask=True)]
        return [Found(name, section) for section in sections]
    if file.name != "pyproject.toml" or not _names_scripts(root / file):
        return []
    # Alembic prefers an alembic.ini that also names a history
    beside = sections_with_scripts(root / file.with_name("alembic.ini"))
    return [] if "alembic" in beside else [Found(name)]


def _script_directory(root: Path, file: Path, one: Found) -> Path | None:
    """Return where its env.py must be; None if only Alembic can tell."""
    if one.flask:
        return root / file.parent
    pyproject = root / file if file.name == "pyproject.toml" else None
    ini = root / (file if pyproject is None else file.with_name("alembic.ini"))
    try:
        return IniFile(ini, one.section, root, None, pyproject).script_directory()
    except (configparser.Error, OSError, UnicodeDecodeError, PyprojectUnusable):
        return None


def sections_with_scripts(file: Path) -> list[str]:
    """Return the sections of an ini file that name a script directory, `alembic` first."""
    parser = configparser.RawConfigParser()
    try:
        parser.read(file, encoding="utf-8")
    except (configparser.Error, UnicodeDecodeError):
        return []
    named = [name for name in parser.sections() if parser.has_option(name, "script_location")]
    return sorted(named, key=lambda name: name != "alembic")


def is_flask_migrates(file: Path) -> bool:
    """Whether the ini file is Flask-Migrate's.

    It has no script directory, because that is its own, and stands next to an env.py that asks the
    application.
    """
    env = file.parent / "env.py"
    if not file.is_file() or sections_with_scripts(file) or not env.is_file():
        return False
    return "current_app" in env.read_text(encoding="utf-8", errors="replace")


def _names_scripts(pyproject: Path) -> bool:
    try:
        return "script_location" in (tool_alembic(pyproject) or {})
    except PyprojectUnusable:
        return False


_APP = re.compile(r"^(?:def (create_app|make_app)\(|(app|application)\s*=\s*Flask\()", re.M)


def flask_app(root: Path, files: Iterable[Path], package: str = "") -> str | None:
    """Return the Flask application as "module:name"; None if it isn't obvious.

    `package` is the one whose directory `root` is.
    """
    found: set[str] = set()
    for file in files:
        if file.suffix != ".py" or not all(
            part.isidentifier() for part in file.with_suffix("").parts
        ):
            continue
        named = _APP.findall((root / file).read_text(encoding="utf-8", errors="replace"))
        parts = (*filter(None, [package]), *file.with_suffix("").parts)
        module = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        found.update(f"{module}:{maker or made}" for maker, made in named)
    return found.pop() if len(found) == 1 else None
