"""Files that surefoot generates: whether they can be written, and writing them all or nothing."""

import os
from pathlib import Path

from surefoot.system.files import a_token, replace_file


def shown(file: Path) -> str:
    """The file's path as a person here would write it."""
    try:
        return str(file.relative_to(Path.cwd()))
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
