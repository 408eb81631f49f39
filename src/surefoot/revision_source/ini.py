"""Read the application's Alembic configuration without Alembic: alembic.ini, pyproject.toml.

This module needs the standard library only.
"""

import configparser
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

# How Alembic's ini files separate several paths; the empty name is the oldest form.
_SEPARATORS = {
    "": r",\s*|\s+",
    "space": r"\s+",
    "newline": r"\n",
    "os": re.escape(os.pathsep),
    ":": ":",
    ";": ";",
}

# The options of [tool.alembic] that decide where the revisions are.
_OPTIONS = {
    "script_location": "a string",
    "version_locations": "a list of strings",
    "prepend_sys_path": "a list of strings",
    "recursive_version_locations": "true or false",
    "sourceless": "true or false",
}


def candidates(alembic: str | None, flask_app: str | None) -> tuple[str, ...]:
    """Return where the ini file may be, relative to the project's root, by the configuration's
    keys.
    """
    if alembic is not None:
        return (alembic,)
    if flask_app:  # Flask-Migrate asks no variable
        return ("migrations/alembic.ini", "alembic.ini")
    return (named_by_variable() or "alembic.ini",)


def named_by_variable() -> str | None:
    """What ALEMBIC_CONFIG names, from which Alembic takes its configuration where no --config says
    otherwise: relative to the working directory.
    """
    named = os.environ.get("ALEMBIC_CONFIG")
    return os.path.abspath(named) if named else None


class PyprojectUnusable(Exception):
    """A pyproject.toml that Alembic couldn't use: the file, and the reason."""

    def __init__(self, file: Path, why: str) -> None:
        super().__init__(f"{file}: {why}")
        self.file, self.why = file, why


class IniFile:
    """Alembic's configuration, and where its paths lead.

    The `[alembic]` section of an ini file, and `[tool.alembic]` of a pyproject.toml. The ini file
    takes precedence.
    """

    def __init__(
        self,
        file: Path,
        section: str,
        root: Path,
        script_location: str | None = None,
        pyproject: Path | None = None,
    ) -> None:
        """`script_location` takes precedence over both files.

        Without it and without `[tool.alembic]` in `pyproject`, the ini file must exist. Raises
        OSError, UnicodeDecodeError, configparser.Error or PyprojectUnusable if a file can't be
        read.
        """
        parser = configparser.ConfigParser({"here": file.parent.absolute().as_posix()})
        self._table = {} if pyproject is None else tool_alembic(pyproject) or {}
        self.is_there = file.is_file()
        if self.is_there or not (self._table or script_location):
            with file.open(encoding="utf-8") as stream:
                parser.read_file(stream)
            if parser.has_section(section) or "script_location" not in self._table:
                parser.items(section, raw=True)  # it must exist; values are read on request
        self.file, self.pyproject = file, pyproject
        self._parser, self._section, self._root = parser, section, root
        self.script_location = script_location

    def get(self, name: str) -> str | None:
        """Return an option's value; None if it is missing, empty, or depends on what env.py fills
        in.
        """
        if name == "script_location" and self.script_location is not None:
            return self.script_location
        try:
            found = self._parser.get(self._section, name, fallback=None) or None
        except configparser.InterpolationError:
            return None
        value = self._table.get(name) if found is None else found
        return value if isinstance(value, str) else None

    def raw(self, name: str) -> str:
        """Return an option's text as it is written; "" if it is missing."""
        value = self._parser.get(self._section, name, raw=True, fallback=None)
        return str(self._table.get(name, "") if value is None else value)

    def _paths(self, name: str) -> list[str] | None:
        """Return an option that lists paths; None if only Alembic can tell which."""
        listed = self.get(name)
        if listed is None:
            return self._table.get(name, [])
        separator = self.get("path_separator") or self.get("version_path_separator") or ""
        if separator not in _SEPARATORS:
            return None
        return [s for part in re.split(_SEPARATORS[separator], listed) if (s := part.strip())]

    @property
    def needs_pyproject(self) -> bool:
        """Whether only pyproject.toml names the script directory."""
        own = self.script_location or self._parser.get(
            self._section, "script_location", raw=True, fallback=None
        )
        return own is None and "script_location" in self._table

    def _is_true(self, name: str) -> bool:
        value = self.get(name)
        return self._table.get(name) is True if value is None else _truth(value)

    def script_directory(self) -> Path | None:
        """Return the directory of env.py; None if only Alembic can tell."""
        location = self.get("script_location")
        if location is None:
            return None
        base = self.working_directory()
        if not is_in_package(location):
            return base / location
        return path_in_package(location, (base, *self.first_on_path()))

    def first_on_path(self) -> list[Path]:
        """Return the directories of `prepend_sys_path`, which come first on `sys.path`."""
        base = self.working_directory()
        return [base / path for path in self._paths("prepend_sys_path") or []]

    def working_directory(self) -> Path:
        """Return the directory where `alembic` would be started, from which the ini's relative
        paths begin.

        Alembic uses the current directory: the project's root, the ini file's own directory or one
        above it. The script directory shows which.
        """
        location = self.get("script_location") or ""
        here = self.file.parent.absolute()
        if not location or is_in_package(location):
            return self._root
        candidates = (self._root, here, *here.parents)
        try:
            return next((d for d in candidates if (d / location / "env.py").is_file()), self._root)
        except OSError:  # nothing can have that name, for example because it is too long
            return self._root

    def version_directories(self) -> list[Path] | None:
        """Return where the revision files are; None if only Alembic can tell."""
        scripts, listed = self.script_directory(), self._paths("version_locations")
        if scripts is None or listed is None or self._is_true("sourceless"):
            return None
        base = self.working_directory()
        directories = [base / path for path in listed] or [scripts / "versions"]
        try:
            if not all(d.is_dir() for d in directories):
                return None
        except OSError:
            return None
        if self._is_true("recursive_version_locations"):
            below = [d for top in directories for d in sorted(top.rglob("*")) if d.is_dir()]
            directories += [d for d in below if d.name != "__pycache__"]
        return directories


def _truth(value: str) -> bool:
    return value.strip().lower() not in ("false", "0", "no", "off")


def tool_alembic(pyproject: Path) -> dict[str, Any] | None:
    """Return Alembic's options in `[tool.alembic]`, `%(here)s` filled in; None without such a
    table.

    Raises PyprojectUnusable.
    """
    try:
        content = pyproject.read_bytes() if pyproject.is_file() else b""
        if b"alembic" not in content:  # most files have no such table, and aren't worth parsing
            return None
        import tomllib

        document = tomllib.loads(content.decode().replace("\r\n", "\n"))
        tool: Any = document.get("tool")
        table: Any = cast("dict[str, Any]", tool).get("alembic") if isinstance(tool, dict) else None
        if table is None:
            return None
        if not isinstance(table, dict):
            raise ValueError("tool.alembic is not a table")
        return _options(pyproject, cast("dict[str, Any]", table))
    except RecursionError as error:
        raise PyprojectUnusable(pyproject, "it is nested too deep") from error
    except (OSError, ValueError) as error:  # not TOML, not UTF-8, a value of another kind
        raise PyprojectUnusable(pyproject, str(error)) from error


def _options(pyproject: Path, table: dict[str, Any]) -> dict[str, Any]:
    here = {"here": pyproject.absolute().parent.as_posix()}
    return {
        name: _value(name, kind, table[name], here)
        for name, kind in _OPTIONS.items()
        if name in table
    }


def _value(name: str, kind: str, value: Any, here: dict[str, str]) -> Any:
    """Return a value as Alembic reads it. Raises ValueError."""
    every = cast("list[Any]", value) if isinstance(value, list) else [value]
    wanted = str if "string" in kind else bool
    if isinstance(value, list) != ("list" in kind) or not all(
        isinstance(one, wanted) for one in every
    ):
        raise ValueError(f"tool.alembic.{name} can't be {value!r}: expected {kind}")
    if wanted is bool:
        return every[0]
    try:
        filled: list[Any] = [one % here for one in every]
    except (KeyError, ValueError, TypeError) as error:
        hint = "only %(here)s is filled in, and % itself is written %%"
        raise ValueError(f"tool.alembic.{name} can't be {value!r}: {hint}") from error
    return filled if "list" in kind else filled[0]


def is_in_package(location: str) -> bool:
    """Whether it has the form package:path, which Alembic looks up in an installed package."""
    return ":" in location and not os.path.isabs(location)


def path_in_package(location: str, first: Iterable[Path]) -> Path | None:
    """Return where package:path leads, without running the package's code.

    None if there is no such package. It is looked for in the directories `first`, then where Python
    looks.
    """
    import importlib.util
    from importlib.machinery import PathFinder

    package, *below = location.split(":")
    top, *inner = package.split(".")
    try:
        spec = PathFinder.find_spec(top, [str(path) for path in first])
        spec = spec or importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return None
    for directory in (spec and spec.submodule_search_locations) or ():
        if (found := Path(directory, *inner)).is_dir():
            return found.joinpath(*below)
    return None
