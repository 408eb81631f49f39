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
    """Return the histories that these files configure, the nearest to `root` first."""
    found: list[tuple[Path, Found]] = []
    for file in files:
        if file.suffix == ".ini":
            found += [(file, one) for one in _of_ini(root, file)]
        elif file.name == "pyproject.toml" and _names_scripts(root / file):
            beside = root / file.with_name("alembic.ini")
            # Alembic prefers an alembic.ini that also names a history
            if "alembic" not in sections_with_scripts(beside):
                found.append((file, Found(file.as_posix())))
    return [one for _, one in sorted(found, key=lambda one: (len(one[0].parts), one[0]))]


def _of_ini(root: Path, file: Path) -> list[Found]:
    name = file.as_posix()
    sections = sections_with_scripts(root / file)
    if sections or file.name != "alembic.ini":
        return [Found(name, section) for section in sections]
    if _names_scripts(root / file.with_name("pyproject.toml")):
        return []
    return [Found(name, flask=is_flask_migrates(root / file))]


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


def flask_app(root: Path, files: Iterable[Path]) -> str | None:
    """Return the Flask application as "module:name"; None if it isn't obvious."""
    found: set[str] = set()
    for file in files:
        if file.suffix != ".py" or not all(
            part.isidentifier() for part in file.with_suffix("").parts
        ):
            continue
        named = _APP.findall((root / file).read_text(encoding="utf-8", errors="replace"))
        parts = file.with_suffix("").parts
        module = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        found.update(f"{module}:{maker or made}" for maker, made in named)
    return found.pop() if len(found) == 1 else None


def in_package(directory: Path, package: str) -> list[str]:
    """Return the histories in a package's directory, each as the key `alembic` names it.

    By an ini file that names its script directory, otherwise by the directory itself.
    """
    files = [file for file in files_below(directory) if file.name in ("alembic.ini", "env.py")]
    inis = [f for f in files if f.name == "alembic.ini" and sections_with_scripts(directory / f)]
    led_to: set[Path] = set()
    for file in inis:
        scripts = IniFile(directory / file, "alembic", directory).script_directory()
        led_to.add((scripts or directory / file.parent).resolve())
    bare = [
        file.parent
        for file in files
        if file.name == "env.py"
        and (directory / file.parent).resolve() not in led_to
        and (directory / file.parent / "versions").is_dir()
    ]
    return [f"{package}:{path.as_posix()}" for path in sorted({*inis, *bare})]
