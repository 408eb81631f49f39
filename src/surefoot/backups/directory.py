"""The backups in a directory: each with its sidecar, or the reason why there is none."""

import hashlib
import os
from pathlib import Path

import msgspec

from surefoot.backups.names import DUMP, SIDECAR, is_partial
from surefoot.backups.sidecar import Sidecar, decode
from surefoot.errors import NOT_REACHED, SurefootError
from surefoot.errors.steps import to_type
from surefoot.project.config import Project
from surefoot.system.files import not_ours, open_file, read_file


class Kept(msgspec.Struct, frozen=True):
    """A backup.

    `problem` says why there is no sidecar, or how the dump contradicts it; `foreign` says why users
    other than this one and root could have made or changed its files.
    """

    file: Path
    bytes: int
    sidecar: Sidecar | None
    problem: str | None
    foreign: str | None = None

    @property
    def name(self) -> str:
        """Its file name, without the directory."""
        return self.file.name


def backup_directory(project: Project) -> Path:
    """Return the directory of this project's backups."""
    return project.path(project.config.backup_directory)


def backups_in(directory: Path) -> tuple[Kept, ...]:
    """Return every backup, the newest first; those without a sidecar last. Raises OSError."""
    if not directory.exists():
        return ()
    found = [
        kept(file)
        for file in directory.iterdir()
        if file.suffix == DUMP and not is_partial(file.name) and file.is_file()
    ]
    found.sort(key=lambda one: one.name)
    found.sort(key=_age, reverse=True)
    return tuple(found)


def _age(one: Kept) -> tuple[int, float]:
    if one.sidecar is None:
        return -1, 0.0
    sequence, taken_at = one.sidecar.age_key
    return sequence, taken_at.timestamp()


def kept(file: Path) -> Kept:
    """Read one backup. Raises OSError if there is no such file."""
    size = file.stat().st_size
    beside = file.with_suffix(SIDECAR)
    foreign = not_ours(file)
    if foreign is None and os.path.lexists(beside):
        foreign = not_ours(beside)
    try:
        sidecar = decode(read_file(beside), beside.name)
    except OSError as error:
        return Kept(file, size, None, f"no sidecar {beside.name}: {error.strerror}", foreign)
    except SurefootError as error:
        why = f"{error.finding.message} {error.finding.seen[0]}"
        return Kept(file, size, None, why, foreign)
    problem = None
    if size != sidecar.bytes:
        problem = f"it has {size:,} bytes, but its sidecar says {sidecar.bytes:,}"
    return Kept(file, size, sidecar, problem, foreign)


def find_backup(project: Project, named: str) -> Kept:
    """Find the backup that a person names: a path, or a file in the backups' directory.

    Raises SurefootError `backup-not-found`.
    """
    directory = backup_directory(project)
    places = [Path(named), directory / named, directory / f"{named}{DUMP}"]
    for place in places:
        if place.is_file():
            return kept(place)
    raise SurefootError(
        "backup-not-found",
        f"There is no backup {named}.",
        seen=[f"neither here, nor in {directory}"],
        database=NOT_REACHED,
        next=to_type("choose an existing one", "surefoot backups"),
    )


def sha256_of(file: Path) -> str:
    """Return the hash of the whole file, using little memory. Raises OSError."""
    with open_file(file) as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def contradiction(one: Kept) -> str | None:
    """Return its `problem`, also if the dump isn't exactly the one that was written."""
    if one.problem is not None or one.sidecar is None:
        return one.problem
    if sha256_of(one.file) != one.sidecar.sha256:
        return "its content has changed since it was written (SHA-256)"
    return None


def lies_in_container(directory: Path) -> bool:
    """Whether the directory is in the container's own layer, and so is lost with the container."""
    try:
        mounts = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    there, best, kind = os.path.realpath(directory), "", ""
    for line in mounts.splitlines():
        before, _, after = line.partition(" - ")
        point = before.split()[4].replace("\\040", " ")
        within = there == point or there.startswith(point.rstrip("/") + "/")
        if within and len(point) >= len(best):
            best, kind = point, after.split()[0]
    return kind == "overlay" and best == "/"
