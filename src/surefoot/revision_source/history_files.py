"""Read a history from its files without running them, in a few milliseconds.

For commands that may not run the application's code: `releases`, `init`, a backup. It reads the
common layout only, and returns None if anything is unusual (a computed revision id, a history that
`env.py` assembles). It never guesses: anything but a literal is unusual.
"""

import re
from pathlib import Path
from typing import cast

from surefoot.model.history import History, Revision
from surefoot.revision_source.ini import IniFile

# A module-level assignment of one of the names that make a revision, as Alembic's own template
# writes it, with or without an annotation.
_ASSIGNMENT = re.compile(
    r"^(revision|down_revision|depends_on|branch_labels|release)\s*(?::[^=\n]+)?=[ \t]*(.*)$", re.M
)
_PLAIN_STRING = re.compile(r"""(?:"([^"\\\n]*)"|'([^'\\\n]*)')[ \t]*(?:#.*)?$""")
_DOCSTRING = re.compile(r"""\s*(?:#[^\n]*\n\s*)*[rR]?(?:\"{3}(.*?)\"{3}|'{3}(.*?)'{3})""", re.S)

Literal = str | tuple[str, ...] | None


def _revision_files(ini: IniFile) -> dict[Path, bytes] | None:
    """Return every revision file of the ini file with its content, in Alembic's order.

    None if only Alembic can tell which.
    """
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


def read_history(ini: IniFile) -> History | None:
    """Return the history of the ini file, or None if only Alembic can tell."""
    found = read_with_files(ini)
    return None if found is None else found[0]


def read_with_files(ini: IniFile) -> tuple[History, dict[str, Path]] | None:
    """Return the history, and each revision's file."""
    files = _revision_files(ini)
    if files is None:
        return None
    revisions: dict[str, Revision] = {}
    paths: dict[str, Path] = {}
    for file, content in files.items():
        try:
            text = content.decode("utf-8").replace("\r\n", "\n").replace("\r", "\n")
        except UnicodeDecodeError:
            return None
        revision = _read_revision(text, file.name)
        if revision is None or revision.id in revisions:
            return None
        revisions[revision.id] = revision
        paths[revision.id] = file
    known = revisions.keys()
    for revision in revisions.values():
        # a parent may be written as a partial id or a branch label, which only Alembic resolves
        if not known >= {*revision.parents, *revision.depends_on}:
            return None
    return (History(revisions), paths) if revisions else None


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
    """Return the tuple or list of strings with which the source begins. Raises ValueError."""
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
