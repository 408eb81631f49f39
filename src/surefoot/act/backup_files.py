"""The files of a directory of backups: what is half-written has a name and a lock of its own.

A dump under its final name always has its sidecar; what a crash leaves is told by its name, and by
nobody's holding its lock any more.
"""

import contextlib
import fcntl
import os
from collections.abc import Generator
from pathlib import Path
from typing import Self

from surefoot.backup.names import DUMP, SIDECAR, is_partial, name_of_partial, partial_name


@contextlib.contextmanager
def locked_directory(directory: Path) -> Generator[None, None, None]:
    """For a moment: nobody else gives names there or takes them away. Raises OSError."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class Writing:
    """A dump that is being written. The program that writes holds its lock, too."""

    def __init__(self, file: Path, name: str, descriptor: int) -> None:
        self.file, self.name, self.descriptor = file, name, descriptor

    @classmethod
    @contextlib.contextmanager
    def begun(cls, directory: Path, name: str) -> Generator[Self, None, None]:
        """A new file, for its owner's eyes only; gone at the end, unless it was finished."""
        file = directory / partial_name(name, os.getpid())
        with locked_directory(directory):
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            descriptor = os.open(file, flags, 0o600)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        try:
            yield cls(file, name, descriptor)
        finally:
            file.unlink(missing_ok=True)
            os.close(descriptor)

    @property
    def size(self) -> int:
        """In bytes, by now."""
        return os.fstat(self.descriptor).st_size

    def sync(self) -> None:
        """It is on the disk, and not only on its way there."""
        os.fsync(self.descriptor)


def finished(writing: Writing, sidecar: bytes) -> Path:
    """Give the dump its name and its sidecar: the sidecar first, so that no dump lacks it."""
    directory = writing.file.parent
    with locked_directory(directory):
        name, number = writing.name, 2
        while (directory / f"{name}{DUMP}").exists() or (directory / f"{name}{SIDECAR}").exists():
            name, number = f"{writing.name}-{number}", number + 1
        replace_sidecar(directory / f"{name}{SIDECAR}", sidecar)
        file = directory / f"{name}{DUMP}"
        try:
            writing.file.rename(file)
        except OSError:
            file.with_suffix(SIDECAR).unlink()
            raise
    return file


def replace_sidecar(file: Path, text: bytes) -> None:
    """Write it, all or nothing."""
    beside = file.with_name(f"{partial_name(file.stem, os.getpid())}{SIDECAR}")
    try:
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as opened:
            opened.write(text)
            opened.flush()
            os.fsync(descriptor)
        beside.rename(file)
    finally:
        beside.unlink(missing_ok=True)


def removed(directory: Path, name: str) -> None:
    """Take a backup away: from its first step on, what is left is known as half a backup."""
    file = directory / name
    partial = directory / partial_name(file.stem, os.getpid())
    file.rename(partial)
    file.with_suffix(SIDECAR).unlink(missing_ok=True)
    partial.unlink()


def cleaned(directory: Path) -> None:
    """Remove what killed runs have left half-written, and nothing else."""
    for file in directory.iterdir():
        if not is_partial(file.name) or not file.is_file() or file.is_symlink():
            continue
        descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            continue  # somebody is at it
        else:
            _remove_with_sidecar(file)
        finally:
            os.close(descriptor)


def _remove_with_sidecar(file: Path) -> None:
    """A sidecar whose dump never got its name tells of nothing."""
    name = name_of_partial(file.name)
    if not (file.parent / f"{name}{DUMP}").exists():
        (file.parent / f"{name}{SIDECAR}").unlink(missing_ok=True)
    file.unlink(missing_ok=True)
