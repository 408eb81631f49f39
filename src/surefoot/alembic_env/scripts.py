"""Read Alembic's script directory into values."""

import contextlib
import hashlib
import re
import warnings
from collections.abc import Generator, Iterable
from pathlib import Path
from typing import Any

from alembic.util import CommandError, to_tuple

from surefoot.alembic_env.loading import place, raised_in_imported
from surefoot.alembic_env.raised import describe
from surefoot.errors import SurefootError
from surefoot.model.history import Revision


@contextlib.contextmanager
def readable(root: Path, directories: Iterable[str] = ()) -> Generator[None, None, None]:
    """Turn whatever Alembic or a revision file raises while loading into `history-unreadable`.

    `directories` are those of the revision files, where the faulty file is looked for.
    """
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("always", UserWarning)
        try:
            yield
        except SurefootError:
            raise
        except Exception as error:
            where = None if isinstance(error, CommandError) else place(error, root)
            # a missing parent is a warning that names the revision, then a bare KeyError
            told = [str(warning.message) for warning in warned] or describe(error)
            files = [line for text in told for line in _files_about(text, root, directories)]
            seen = [*([f"at {where}"] if where else []), *told, *files]
            raise _unreadable(seen, imported=raised_in_imported(error)) from error
    # two files with one id: Alembic warns, and runs one of them
    twice = [text for w in warned if "more than once" in (text := str(w.message))]
    if twice:
        files = [line for text in twice for line in _files_about(text, root, directories)]
        raise _unreadable([*twice, *files])


def _files_about(text: str, root: Path, directories: Iterable[str]) -> list[str]:
    """Find the files that Alembic or Python complains about without naming them: a revision that
    is duplicate or missing, and what is no text.
    """
    found = _SAID.match(text)
    if found is not None:
        id = re.escape(found[1])
        begin = r"^revision\b.*" if found[2].startswith("is present") else ""
        named = re.compile(rf"{begin}['\"]{id}['\"]".encode(), re.M)
    elif "null bytes" in text:
        named = re.compile(rb"\0")
    else:
        return []
    files = [file for directory in directories for file in sorted(Path(directory).glob("*.py"))]
    return [
        f"in {file.relative_to(root) if file.is_relative_to(root) else file}"
        for file in files
        if file.is_file() and named.search(file.read_bytes())
    ]


_SAID = re.compile(r"Revision (\S+) (is present more than once|referenced from .* is not present)")


def _unreadable(seen: list[str], *, imported: bool = False) -> SurefootError:
    missing = any("Path doesn't exist" in line for line in seen)
    correct = "correct the file; `alembic history` reads the same files"
    if imported:
        correct = (
            "the file imports code that raised this: give the code what it needs, such as the "
            f"environment variables with which the application starts; or {correct}"
        )
    return SurefootError(
        "history-unreadable",
        "Alembic can't read the application's history.",
        seen=seen,
        next="check that the directory was copied into the image (.dockerignore), and "
        "script_location in alembic.ini"
        if missing
        else correct,
    )


def revision_of(script: Any) -> Revision:
    """Return a revision as Alembic has it, with its dependencies as full ids."""
    return Revision(
        script.revision,
        tuple(to_tuple(script.down_revision, default=())),
        tuple(script._resolved_dependencies),
        (script.doc or "").splitlines()[0] if script.doc else "",
        _text(script.module, "release"),
        Path(script.path).name,
        sha256_of(Path(script.path)),
        _text(script.module, "surefoot_evidence"),
        _text(script.module, "surefoot_floor"),
        getattr(script.module, "surefoot_resumable", False) is True,
    )


def _text(module: Any, name: str) -> str | None:
    """Return the revision file's variable of this name, if it is a string."""
    value = getattr(module, name, None)
    return value if isinstance(value, str) else None


def sha256_of(file: Path) -> str:
    """Return the hash of a text file, independent of its line ends."""
    return hashlib.sha256(file.read_bytes().replace(b"\r\n", b"\n")).hexdigest()
