"""Open files that a person has named, and create files that nobody could have prepared.

The quick look imports this module: it needs only a little of the standard library.
"""

from __future__ import annotations

import errno
import os
import stat
from io import FileIO
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def open_file(path: Path | str) -> FileIO:
    """Open a file for reading, without a buffer.

    A pipe may never begin and a device may never end, so neither is opened; nor is a directory.
    Raises OSError.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        return FileIO(descriptor, "rb")
    os.close(descriptor)
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    raise OSError(errno.EINVAL, "It is a pipe or a device, and not a file", str(path))


def read_file(path: Path | str) -> bytes:
    """Return the content of a file, under the same conditions. Raises OSError."""
    with open_file(path) as file:
        return file.read()


def create(path: Path, mode: int = 0o600) -> int:
    """Create a file and return its descriptor; never opens an existing file or follows a link.

    Raises OSError, FileExistsError if something has the name already.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    return os.open(path, flags, mode)


def replace_file(path: Path, data: bytes, *, beside: Path, mode: int = 0o600) -> None:
    """Write a file atomically: a new one, under a name `beside`, replaces it.

    A link of that name is replaced, never followed. Raises OSError.
    """
    descriptor = create(beside, mode)
    try:
        with os.fdopen(descriptor, "wb") as opened:
            opened.write(data)
            opened.flush()
            os.fsync(descriptor)
        beside.rename(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def a_token() -> str:
    """Return an unpredictable part for the name of a new file."""
    return os.urandom(6).hex()


def not_ours(path: Path) -> str | None:
    """Return why others could have made or changed the file; None if they couldn't.

    It must be a regular file of this user's or root's, and not writable for everybody. Raises
    OSError.
    """
    file = path.lstat()
    if not stat.S_ISREG(file.st_mode):
        return f"{path.name} is a link, and not a file"
    if file.st_uid not in (os.geteuid(), 0):
        return f"{path.name} belongs to {_user(file.st_uid)}, not to {_user(os.geteuid())} or root"
    if file.st_mode & stat.S_IWOTH:
        return f"everybody may write to {path.name}"
    return None


def open_to_all(directory: Path) -> str | None:
    """Say that everybody can replace files in the directory, if so. Raises OSError."""
    mode = directory.stat().st_mode
    if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
        return f"everybody may write to the directory {directory}"
    return None


def _user(uid: int) -> str:
    import pwd

    try:
        return f"{pwd.getpwuid(uid).pw_name} (uid {uid})"
    except KeyError:
        return f"uid {uid}"


def shown(file: Path) -> str:
    """Return the file's path as a person would write it here."""
    try:
        return str(file.relative_to(os.getcwd()))
    except ValueError:
        return str(file)


def obstacle(file: Path) -> str | None:
    """Return why the file can't be written, before minutes are spent; None if it can."""
    if not file.parent.is_dir():
        return f"there is no directory {shown(file.parent)}"
    if not os.access(file.parent, os.W_OK):
        return f"the directory {shown(file.parent)} is not writable"
    return None


def replace(file: Path, data: bytes) -> bool:
    """Write a file atomically; returns whether it differs from before. Raises OSError."""
    file = type(file)(os.path.realpath(file))  # a link stays one; a loop fails below, as OSError
    if file.is_file() and file.read_bytes() == data:
        return False
    try:
        mode = file.stat().st_mode & 0o777
    except FileNotFoundError:
        mode = 0o666  # reduced by the umask
    replace_file(file, data, beside=file.with_name(f".{file.name}.{a_token()}"), mode=mode)
    return True
