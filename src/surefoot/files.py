"""Opening a file that somebody has named."""

import errno
import os
import stat
from io import FileIO
from pathlib import Path


def open_file(path: Path) -> FileIO:
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


def read_file(path: Path) -> bytes:
    """What is in the file, under the same conditions. Raises OSError."""
    with open_file(path) as file:
        return file.read()
