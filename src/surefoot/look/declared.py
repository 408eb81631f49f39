"""What revision files say of themselves, read without running them."""

import re
from pathlib import Path

from surefoot.compatibility.releases import Declared
from surefoot.model.history import History
from surefoot.revision_source.history_files import read_history
from surefoot.revision_source.ini import IniFile

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
