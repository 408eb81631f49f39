"""Read a history from its files without running them, in a few milliseconds.

This is what makes "nothing to do" cheap: neither Alembic nor SQLAlchemy is imported. It reads the
common layout only and answers None where anything is unusual (a computed revision id, a history
that `env.py` puts together); then Alembic itself is asked. It never guesses: what it can't read
as a literal, it doesn't read.
"""

import configparser
import hashlib
import os
import re
from pathlib import Path
from typing import cast

from surefoot.model.history import History, Revision

# A module-level assignment of one of the names that make a revision. Alembic's own template
# writes them so, with or without an annotation.
_ASSIGNMENT = re.compile(
    r"^(revision|down_revision|depends_on|branch_labels|release)\s*(?::[^=\n]+)?=[ \t]*(.*)$", re.M
)
_PLAIN_STRING = re.compile(r"""(?:"([^"\\\n]*)"|'([^'\\\n]*)')[ \t]*(?:#.*)?$""")
_DOCSTRING = re.compile(r"""\s*(?:#[^\n]*\n\s*)*[rR]?(?:\"{3}(.*?)\"{3}|'{3}(.*?)'{3})""", re.S)

# How Alembic's ini files separate several paths; the empty name is its oldest way.
_SEPARATORS = {
    "": r",\s*|\s+",
    "space": r"\s+",
    "newline": r"\n",
    "os": re.escape(os.pathsep),
    ":": ":",
    ";": ";",
}

# What makes one env.py lead to several places: the same file, another schema.
_WANDERING = re.compile(
    rb"search_path|schema_translate_map|version_table(?:_schema)?\s*=\s*[^\s'\"]"
)

Literal = str | tuple[str, ...] | None


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

    def env_sha256(self) -> str | None:
        """The hash of env.py, None where it can't be found, or where it may lead to another place
        each time (a search path or a schema that comes from somewhere else).
        """
        file = self.working_directory() / (self.get("script_location") or "") / "env.py"
        try:
            text = file.read_bytes()
        except OSError:
            return None
        return None if _WANDERING.search(text) else hashlib.sha256(text).hexdigest()

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


RevisionFiles = dict[Path, bytes]
"""The revision files of a history with their content, in the order that Alembic lists them."""


def read_revision_files(ini: IniFile) -> RevisionFiles | None:
    """Every revision file that the ini file leads to; None if only Alembic can tell which."""
    directories = ini.version_directories()
    if directories is None:
        return None
    try:
        return {
            file: file.read_bytes()
            for directory in directories
            for file in sorted(directory.glob("*.py"))
            # Alembic's own test for a revision file's name
            if not file.name.startswith((".", "__init__.", "#"))
        }
    except OSError:
        return None


def manifest(ini: IniFile, files: RevisionFiles | None = None) -> str | None:
    """One hash of a history's files: which directories and revision files there are, and the
    content of each. It doesn't depend on where the project is installed.

    `files` are those of `read_revision_files`, where they were read already. None if only Alembic
    can tell which files make the history.
    """
    directories = ini.version_directories()
    files = read_revision_files(ini) if files is None else files
    if directories is None or files is None:
        return None
    base = ini.working_directory()
    lines = [f"{os.path.relpath(directory, base)}/" for directory in directories]
    lines += [
        f"{os.path.relpath(file, base)} {hashlib.sha256(content).hexdigest()}"
        for file, content in files.items()
    ]
    text = "\n".join(sorted(lines))
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def read_history(ini: IniFile, files: RevisionFiles | None = None) -> History | None:
    """The history that the ini file leads to, or None if only Alembic can tell.

    `files` are those of `read_revision_files`, where they were read already.
    """
    files = read_revision_files(ini) if files is None else files
    if files is None:
        return None
    revisions: dict[str, Revision] = {}
    for file, content in files.items():
        try:
            text = content.decode("utf-8").replace("\r\n", "\n").replace("\r", "\n")
        except UnicodeDecodeError:
            return None
        revision = _read_revision(text, file.name)
        if revision is None or revision.id in revisions:
            return None
        revisions[revision.id] = revision
    known = revisions.keys()
    for revision in revisions.values():
        # a parent may be written as a partial id or a branch label: Alembic resolves those
        if not known >= {*revision.parents, *revision.depends_on}:
            return None
    return History(revisions) if revisions else None


def _read_revision(text: str, name: str) -> Revision | None:
    docstring = _DOCSTRING.match(text)
    start = docstring.end() if docstring else 0
    found: dict[str, Literal] = {}
    for match in _ASSIGNMENT.finditer(text, start):
        key, source = match[1], match[2]
        if (
            key in found
            or '"""' in text[start : match.start()]
            or "'''" in text[start : match.start()]
        ):
            return None  # assigned twice, or perhaps inside another string
        plain = _PLAIN_STRING.match(source)
        if plain:
            found[key] = plain[1] if plain[1] is not None else plain[2]
        elif source.strip() == "None":
            found[key] = None
        else:
            try:
                found[key] = _literal(text[match.start(2) :])
            except ValueError:
                return None
    if not isinstance(found.get("revision"), str) or "down_revision" not in found:
        return None
    title = (docstring[1] or docstring[2] or "").strip() if docstring else ""
    release = found.get("release")
    return Revision(
        str(found["revision"]),
        _names(found["down_revision"]),
        _names(found.get("depends_on")),
        title.splitlines()[0].strip() if title else "",
        release if isinstance(release, str) else None,
        name,
    )


def _names(value: Literal) -> tuple[str, ...]:
    if value is None:
        return ()
    return (value,) if isinstance(value, str) else value


def _literal(source: str) -> Literal:
    """The tuple or list of strings that the source begins with. Raises ValueError."""
    import ast

    closing = {"(": ")", "[": "]"}.get(source[:1])
    end = source.find(closing) + 1 if closing else source.find("\n")
    try:
        value: object = ast.literal_eval(source[: end or None].split("#")[0].strip())
    except (SyntaxError, ValueError) as error:
        raise ValueError(source) from error
    if isinstance(value, tuple | list):
        items = cast("tuple[object, ...]", tuple(value))  # pyright: ignore[reportUnknownArgumentType]
        names = tuple(item for item in items if isinstance(item, str))
        if len(names) == len(items):
            return names
    if value is None or isinstance(value, str):
        return value
    raise ValueError(source)
