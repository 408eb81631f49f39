"""The application's alembic.ini, without Alembic. This module needs the standard library only."""

import configparser
import os
import re
from pathlib import Path

# How Alembic's ini files separate several paths; the empty name is its oldest way.
_SEPARATORS = {
    "": r",\s*|\s+",
    "space": r"\s+",
    "newline": r"\n",
    "os": re.escape(os.pathsep),
    ":": ":",
    ";": ";",
}


def candidates(alembic: str | None, flask_app: str | None) -> tuple[str, ...]:
    """Where the ini file may be, relative to the project's root, by the configuration's keys."""
    if alembic is not None:
        return (alembic,)
    return ("migrations/alembic.ini", "alembic.ini") if flask_app else ("alembic.ini",)


class IniFile:
    """The `[alembic]` section of an ini file, and where its paths lead."""

    def __init__(
        self, file: Path, section: str, root: Path, script_location: str | None = None
    ) -> None:
        """Raises OSError or configparser.Error where the file can't be read."""
        parser = configparser.ConfigParser({"here": file.parent.absolute().as_posix()})
        with file.open(encoding="utf-8") as stream:
            parser.read_file(stream)
        parser.items(section, raw=True)  # it must be there; what it holds is read when it's asked
        self.file = file
        self._parser, self._section, self._root = parser, section, root
        self._own = {} if script_location is None else {"script_location": script_location}

    def get(self, name: str) -> str | None:
        """An option's value; None where it's missing, empty, or refers to what env.py fills in."""
        if name in self._own:
            return self._own[name]
        try:
            return self._parser.get(self._section, name, fallback=None) or None
        except configparser.InterpolationError:
            return None

    def working_directory(self) -> Path:
        """Where `alembic` would have been started: relative paths of the ini start there.

        Alembic takes them from the current directory: the project's root, the ini file's own
        directory or one above it. The script directory tells which.
        """
        location = self.get("script_location") or ""
        here = self.file.parent.absolute()
        if not location or ":" in location:
            return self._root
        candidates = (self._root, here, *here.parents)
        try:
            return next((d for d in candidates if (d / location / "env.py").is_file()), self._root)
        except OSError:  # nothing can be called that: too long, say
            return self._root

    def version_directories(self) -> list[Path] | None:
        """Where the revision files are; None if only Alembic can tell."""
        location = self.get("script_location")
        if location is None or ":" in location or _truth(self.get("sourceless")):
            return None
        base = self.working_directory()
        listed = self.get("version_locations")
        if listed is None:
            directories = [base / location / "versions"]
        else:
            separator = self.get("path_separator") or self.get("version_path_separator") or ""
            if separator not in _SEPARATORS:
                return None
            parts = re.split(_SEPARATORS[separator], listed.strip())
            directories = [base / part.strip() for part in parts if part.strip()]
        try:
            if not all(d.is_dir() for d in directories):
                return None
        except OSError:
            return None
        if _truth(self.get("recursive_version_locations")):
            below = [d for top in directories for d in sorted(top.rglob("*")) if d.is_dir()]
            directories += [d for d in below if d.name != "__pycache__"]
        return directories


def _truth(value: str | None) -> bool:
    return value is not None and value.strip().lower() not in ("false", "0", "no", "off")
