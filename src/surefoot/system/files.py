"""Opening a file that somebody has named, and making files that nobody else has laid ready.

The quick look imports this module: it needs the standard library only, and of that little.
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
    """The file, opened for reading, without a buffer.

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
    """What is in the file, under the same conditions. Raises OSError."""
    with open_file(path) as file:
        return file.read()


def create(path: Path, mode: int = 0o600) -> int:
    """A descriptor of a new file, which no one else has made and no link leads elsewhere.

    Raises OSError, FileExistsError where something has the name already.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    return os.open(path, flags, mode)


def replace_file(path: Path, data: bytes, *, beside: Path, mode: int = 0o600) -> None:
    """Write the file, all or nothing: a new one, under a name `beside`, takes its place.

    A link of that name is replaced, and never followed. Raises OSError.
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
    """Part of a name that nobody can know before the file is there."""
    return os.urandom(6).hex()


def not_ours(path: Path) -> str | None:
    """Why others could have made or changed what the file holds; None where they couldn't.

    It must be a regular file of this user's or root's, and not be writable for everybody. Raises
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
    """That everybody may replace files in the directory, if so. Raises OSError."""
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
    """The file's path as a person here would write it."""
    try:
        return str(file.relative_to(os.getcwd()))
    except ValueError:
        return str(file)


def obstacle(file: Path) -> str | None:
    """Why the file can't be written, to be asked before minutes are spent; None if it can."""
    if not file.parent.is_dir():
        return f"there is no directory {shown(file.parent)}"
    if not os.access(file.parent, os.W_OK):
        return f"the directory {shown(file.parent)} is not writable"
    return None


def replace(file: Path, data: bytes) -> bool:
    """Write it, all or nothing; whether it differs from what was there. Raises OSError."""
    file = file.resolve()  # a link stays one
    if file.is_file() and file.read_bytes() == data:
        return False
    try:
        mode = file.stat().st_mode & 0o777
    except FileNotFoundError:
        mode = 0o666  # and what the umask leaves of it
    replace_file(file, data, beside=file.with_name(f".{file.name}.{a_token()}"), mode=mode)
    return True
