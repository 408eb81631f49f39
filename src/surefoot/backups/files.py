"""The files in a backup directory: an unfinished backup has its own name and a lock.

A dump under its final name always has its sidecar; what a crash leaves behind is recognised by its
name, and by its free lock.
"""

import contextlib
import errno
import fcntl
import hashlib
import os
from collections.abc import Generator
from pathlib import Path
from typing import Self

from surefoot.backups.names import DUMP, SIDECAR, is_partial, name_of_partial, partial_name
from surefoot.system.files import a_token, create, replace_file


@contextlib.contextmanager
def locked_directory(directory: Path) -> Generator[None, None, None]:
    """Lock a directory for a short block, in which no other run names or removes files.

    Raises OSError.
    """
    descriptor = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class Writing:
    """A dump that is being written. The program that writes it holds its lock, too."""

    def __init__(self, file: Path, name: str, descriptor: int) -> None:
        self.file, self.name, self.descriptor = file, name, descriptor

    @classmethod
    @contextlib.contextmanager
    def begun(cls, directory: Path, name: str) -> Generator[Self, None, None]:
        """Create a new file, readable by its owner only; removed at the end, unless it was
        finished.
        """
        file = directory / partial_name(name, _writer())
        with locked_directory(directory):
            descriptor = create(file)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        try:
            yield cls(file, name, descriptor)
        finally:
            file.unlink(missing_ok=True)
            os.close(descriptor)

    @property
    def size(self) -> int:
        """Its size in bytes so far."""
        return os.fstat(self.descriptor).st_size

    def sha256(self) -> str:
        """Return the hash of what was written, whichever file has the name by now."""
        with open(os.dup(self.descriptor), "rb") as written:
            written.seek(0)
            return hashlib.file_digest(written, "sha256").hexdigest()

    def sync(self) -> None:
        """Flush it to the disk."""
        os.fsync(self.descriptor)


def finished(writing: Writing, sidecar: bytes) -> Path:
    """Give the dump its name and its sidecar: the sidecar first, so that no dump lacks it."""
    directory = writing.file.parent
    with locked_directory(directory):
        name, number = writing.name, 2
        while any(os.path.lexists(directory / f"{name}{ending}") for ending in (DUMP, SIDECAR)):
            name, number = f"{writing.name}-{number}", number + 1
        replace_sidecar(directory / f"{name}{SIDECAR}", sidecar)
        file = directory / f"{name}{DUMP}"
        try:
            writing.file.rename(file)
            if not os.path.samestat(file.lstat(), os.fstat(writing.descriptor)):
                raise OSError(errno.EBUSY, "somebody has put another file in its place", str(file))
        except OSError:
            file.with_suffix(SIDECAR).unlink()
            raise
    return file


def _writer() -> str:
    """Return a unique name for this writer."""
    return f"{os.getpid()}.{a_token()}"


def replace_sidecar(file: Path, text: bytes) -> None:
    """Write a sidecar atomically."""
    beside = file.with_name(f"{partial_name(file.stem, _writer())}{SIDECAR}")
    replace_file(file, text, beside=beside)


def removed(directory: Path, name: str) -> None:
    """Remove a backup: from the first step on, the rest is recognised as an unfinished backup."""
    file = directory / name
    partial = directory / partial_name(file.stem, _writer())
    file.rename(partial)
    file.with_suffix(SIDECAR).unlink(missing_ok=True)
    partial.unlink()


def cleaned(directory: Path) -> None:
    """Remove what this user's killed runs have left unfinished, and nothing else."""
    for file in directory.iterdir():
        if not is_partial(file.name) or not file.is_file() or file.is_symlink():
            continue
        try:
            flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.open(file, flags)
        except OSError:
            continue  # another user's, or already removed
        try:
            if os.fstat(descriptor).st_uid != os.geteuid():
                continue
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            continue  # another run is using it
        else:
            _remove_with_sidecar(file)
        finally:
            os.close(descriptor)


def _remove_with_sidecar(file: Path) -> None:
    """Remove it with its sidecar, which describes a dump that never got its name."""
    name = name_of_partial(file.name)
    if not (file.parent / f"{name}{DUMP}").exists():
        (file.parent / f"{name}{SIDECAR}").unlink(missing_ok=True)
    file.unlink(missing_ok=True)
