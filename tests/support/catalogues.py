"""Catalogues for tests that need one but don't test how it is built: equal ones are built once.

They are kept in the directory of the test run, for every worker of pytest-xdist, under a hash of
what a catalogue is built from: each file of the application, the options, and surefoot's source.
"""

import hashlib
import os
import tempfile
from functools import cache
from pathlib import Path

import surefoot
from surefoot.postgres.embedded import Server
from tests.support.project import Application

NAME = "surefoot-catalog.txt"


def with_catalogue(application: Application, server: Server, *options: str) -> Path:
    """Give the application the catalogue that `surefoot catalog build OPTIONS` builds."""
    kept = _directory() / _hash(application, server, options)
    if not kept.exists():
        command = ("catalog", "build", "--no-stepwise", *options)
        done = application.run(*command, "--server", server.url())
        assert done.code == 0, done.err
        (file,) = application.root.rglob(NAME)
        with tempfile.NamedTemporaryFile(dir=kept.parent, delete=False) as copy:
            copy.write(f"{file.relative_to(application.root)}\n".encode() + file.read_bytes())
        os.replace(copy.name, kept)  # another worker may have built it, too
    path, _, text = kept.read_bytes().partition(b"\n")
    return application.write(path.decode(), text)


def keep_in(directory: Path) -> None:
    """Set where they are kept: a directory that every worker of this run sees, and no later run."""
    global _kept
    _kept = directory


_kept: Path | None = None


def _directory() -> Path:
    assert _kept is not None
    _kept.mkdir(parents=True, exist_ok=True)
    return _kept


def _hash(application: Application, server: Server, options: tuple[str, ...]) -> str:
    parts = [_source(), str(server.bin_directory), *options]
    parts += _files(application.root, "*")
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


@cache
def _source() -> str:
    files = _files(Path(surefoot.__file__).parent, "*.py") + _files(
        Path(surefoot.__file__).parent, "*.sql"
    )
    return hashlib.sha256("\0".join(files).encode()).hexdigest()


def _files(root: Path, pattern: str) -> list[str]:
    """Hash each file's path and content. A former catalogue counts: the next is built from it."""
    return [
        f"{path.relative_to(root)} {hashlib.sha256(path.read_bytes()).hexdigest()}"
        for path in sorted(root.rglob(pattern))
        if path.is_file() and "__pycache__" not in path.parts
    ]
