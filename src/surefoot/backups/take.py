"""Take a backup: pg_dump of one snapshot, read back, with a sidecar that describes it."""

import contextlib
import errno
import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import psycopg

from surefoot import __version__
from surefoot.backups.contents import (
    Needs,
    observe_contents,
    observe_needs,
    require_every_row,
    resolved,
    snapshot,
)
from surefoot.backups.directory import backups_in, lies_in_container
from surefoot.backups.files import Writing, cleaned, finished, locked_directory, removed
from surefoot.backups.names import backup_name
from surefoot.backups.retention import Retention, outlived
from surefoot.backups.room import estimate, needed, size_text
from surefoot.backups.sidecar import Sidecar, encode
from surefoot.decision.facts import VersionTableName
from surefoot.errors import SurefootError
from surefoot.look.database import observe_others
from surefoot.model.progress import Progress
from surefoot.model.target import Target
from surefoot.postgres.look import looking_within
from surefoot.postgres.programs import Program, called, closest
from surefoot.postgres.run_program import Ended, run
from surefoot.sql import query
from surefoot.system.files import open_to_all

_CLOCKS_APART = 3600.0  # seconds between two clocks of which one must be wrong
_FULL = ("No space left on device", "Disk quota exceeded")


class Order(msgspec.Struct, frozen=True):
    """The backup to take, and where. `release` is that of the version rows, if known."""

    directory: Path
    retention: Retention
    version_table: VersionTableName
    release_of: Callable[[tuple[str | None, ...]], str | None]
    lock_wait: float
    before_upgrade: bool


class Taken(msgspec.Struct, frozen=True):
    """A finished backup, and the older ones that were removed for it.

    `others` are the histories of other applications that it also contains.
    """

    file: Path
    sidecar: Sidecar
    removed: tuple[str, ...]
    others: tuple[str, ...] = ()


def take(
    order: Order,
    target: Target,
    connect: Callable[[], psycopg.Connection[Any]],
    progress: Progress,
) -> Taken:
    """Take a backup, verify that it can be read, and remove older ones.

    Raises SurefootError `backup-failed`, `backup-no-room`, `pooler-in-the-way`, and whatever a look
    at the database raises. Then nothing is left of it.
    """
    started = time.monotonic()
    try:
        order.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        with locked_directory(order.directory):
            cleaned(order.directory)
        if why := open_to_all(order.directory):
            progress.notice(f"{why}: anybody can remove or replace a backup there")
    except OSError as error:
        raise _unusable(order.directory, error) from error
    if lies_in_container(order.directory):
        progress.notice(
            f"{order.directory} is in the container itself and is lost with it: mount a volume "
            "there"
        )
    with connect() as connection:
        pg_dump, pg_restore = _programs(connection.info.server_version)
        database = connection.info.dbname
        with snapshot(connection) as name:
            taken_at = datetime.now(UTC)
            now = _believed(connection, taken_at, progress)
            require_every_row(connection)
            needs = observe_needs(connection)
            estimated = _require_room(order.directory, database, needs, progress)
            progress.begin("backup", "backup", "")
            version_table = resolved(connection, order.version_table)
            contents = observe_contents(connection, version_table, needs.largest)
            with looking_within(connection) as look:
                others = observe_others(look, version_table)
            called_so = backup_name(database, contents.version_rows, taken_at)
            with _writing(order.directory, called_so) as writing:
                _dump(pg_dump, target, name, order, writing, estimated, progress)
                _read_back(pg_restore, target, writing)
                sequence = _next_number(order.directory, taken_at, progress)
                sidecar = Sidecar(
                    database=database,
                    taken_at=taken_at,
                    reason="before-upgrade" if order.before_upgrade else "asked",
                    contents=contents,
                    version_table=version_table.name,
                    version_schema=version_table.schema,
                    release=order.release_of(contents.version_rows),
                    server_version=connection.info.server_version,
                    pg_dump=pg_dump.version,
                    surefoot=__version__,
                    roles=needs.roles,
                    extensions=needs.extensions,
                    sizes=needs.sizes,
                    bytes=writing.size,
                    sha256=writing.sha256(),
                    upgrade="begun" if order.before_upgrade else None,
                    server=needs.server,
                    sequence=sequence,
                )
                file = finished(writing, encode(sidecar))
    gone = _let_go(order, database, file.name, now)
    size = size_text(sidecar.bytes)
    seconds = time.monotonic() - started
    progress.end("backup", f"backup {file.name}", size, seconds, committed=True)
    return Taken(file, sidecar, gone, others)


@contextlib.contextmanager
def _writing(directory: Path, name: str) -> Any:
    """Report file system errors by their meaning."""
    try:
        with Writing.begun(directory, name) as writing:
            yield writing
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise _no_room(directory, [error.strerror or str(error)]) from error
        raise _unusable(directory, error) from error


def _programs(server_version: int) -> tuple[Program, Program]:
    """Find pg_dump, and a pg_restore that reads its output."""
    major = server_version // 10000
    pg_dump, there = closest("pg_dump", major)
    if pg_dump is None:
        raise _program_missing("pg_dump", major, there)
    beside = pg_dump.path.with_name("pg_restore")
    if beside.exists():
        return pg_dump, msgspec.structs.replace(pg_dump, path=beside)
    pg_restore, there = closest("pg_restore", pg_dump.major)
    if pg_restore is None:
        raise _program_missing("pg_restore", pg_dump.major, there)
    return pg_dump, pg_restore


def _program_missing(name: str, major: int, there: tuple[Program, ...]) -> SurefootError:
    return SurefootError(
        "backup-failed",
        f"There is no {name} for PostgreSQL {major} here.",
        seen=[str(one) for one in there] or ["neither on the PATH, nor embedded"],
        next=f"put PostgreSQL's clients into the image, of version {major} or newer (Debian: "
        f'postgresql-client-{major}); or turn backups off: backup = "off" in surefoot.toml',
    )


def _require_room(directory: Path, database: str, needs: Needs, progress: Progress) -> int | None:
    """Return the expected number of bytes. Raises SurefootError `backup-no-room`."""
    earlier = [
        one.sidecar
        for one in backups_in(directory)
        if one.sidecar is not None and one.foreign is None and one.sidecar.database == database
    ]
    estimated = estimate(needs.sizes, earlier)
    least, free = needed(needs.sizes, estimated), _free(directory)
    tables = f"the tables without their indexes take {size_text(needs.sizes.tables)}"
    if free < least:
        why = "by the last backup" if estimated is not None else f"at least: {tables}"
        raise _no_room(directory, [f"it needs about {size_text(least)}, {why}"])
    if estimated is None and free < needs.sizes.tables:
        progress.notice(f"the backup may not fit: {tables}, {size_text(free)} are free")
    return estimated


def _free(directory: Path) -> int:
    found = os.statvfs(directory)
    return found.f_bavail * found.f_frsize


def _dump(
    pg_dump: Program,
    target: Target,
    snapshot_name: str,
    order: Order,
    writing: Writing,
    estimated: int | None,
    progress: Progress,
) -> None:
    def look() -> None:
        of = f" of about {size_text(estimated)}" if estimated else ""
        progress.further(f"backup  {size_text(writing.size)}{of}")

    with called(target, application_name="surefoot backup") as call:
        command = [
            *(str(pg_dump.path), "--format=custom", "--no-password", "--no-sync"),
            *(f"--snapshot={snapshot_name}", f"--lock-wait-timeout={order.lock_wait * 1000:.0f}"),
            *("-d", call.conninfo),
        ]
        ended = run(command, call, look, output=writing.descriptor)
    if ended.code != 0:
        raise _dump_failed(pg_dump, order.directory, ended)
    for line in ended.said:  # what this role can't dump isn't in the backup
        if " warning: " in line:
            progress.notice(line)
    writing.sync()


def _dump_failed(pg_dump: Program, directory: Path, ended: Ended) -> SurefootError:
    if any(word in line and "ERROR:" not in line for word in _FULL for line in ended.said):
        return _no_room(directory, [*ended.said])
    how = [f"it was ended by signal {-ended.code}"] if ended.code < 0 else []
    return SurefootError(
        "backup-failed",
        "pg_dump could not dump the database.",
        seen=[str(pg_dump.path), *how, *ended.said],
        next="read the message of pg_dump; the role must be able to read every table "
        "(pg_read_all_data "
        "from PostgreSQL 14 on, or the tables' owner)",
    )


def _read_back(pg_restore: Program, target: Target, writing: Writing) -> None:
    """Raise SurefootError `backup-failed` if pg_restore can't read its table of contents."""
    with called(target) as call:
        command = [str(pg_restore.path), "--list", str(writing.file)]
        ended = run(command, call, lambda: None)
    if ended.code != 0 or not writing.size:
        raise SurefootError(
            "backup-failed",
            "The backup was written, but can't be read back.",
            seen=[f"{pg_restore.path} --list", f"{writing.size:,} bytes", *ended.said],
            next="check the disk, and that pg_restore isn't older than pg_dump",
        )


def _believed(
    connection: psycopg.Connection[Any], now: datetime, progress: Progress
) -> datetime | None:
    """Return the time if the server's clock agrees.

    Either clock may be wrong, and a backup must not be deleted for its age by a wrong one.
    """
    row = connection.execute(query("server_clock")).fetchone()
    apart = abs(now.timestamp() - row[0]) if row else 0.0
    if apart <= _CLOCKS_APART:
        return now
    progress.notice(
        f"this machine's clock and the server's are {apart:,.0f} s apart: no backup is removed for "
        "its age"
    )
    return None


def _next_number(directory: Path, now: datetime, progress: Progress) -> int:
    """Return the next sequence number, which orders backups even if clocks are corrected."""
    there = [one.sidecar for one in backups_in(directory) if one.sidecar and not one.foreign]
    ahead = [one for one in there if (one.taken_at - now).total_seconds() > _CLOCKS_APART]
    if ahead:
        latest = max(one.taken_at for one in ahead)
        progress.notice(
            f"{len(ahead)} of the backups there {'says' if len(ahead) == 1 else 'say'} to be from "
            f"a later time than now (up to {latest:%Y-%m-%d %H:%M UTC}): a clock was or is wrong. "
            "This one still counts as the newest"
        )
    return 1 + max((one.sequence for one in there), default=0)


def _let_go(order: Order, database: str, taken: str, now: datetime | None) -> tuple[str, ...]:
    """Remove the older backups of this database that the configuration doesn't keep.

    Backups that others have made or could have changed don't count, and aren't touched.
    """
    with contextlib.suppress(OSError), locked_directory(order.directory):
        whole = [
            (one.name, one.sidecar)
            for one in backups_in(order.directory)
            if one.sidecar is not None and one.problem is None and one.sidecar.database == database
            if one.foreign is None
        ]
        gone = outlived(whole, order.retention, now, taken)
        for name in gone:
            removed(order.directory, name)
        return gone
    return ()


def _no_room(directory: Path, seen: list[str]) -> SurefootError:
    free = f"{size_text(_free(directory))} are free in {directory}"
    return SurefootError(
        "backup-no-room",
        "There is no room for the backup.",
        seen=[*seen, free],
        next="free space there, or set backup_directory to a directory on a larger disk; "
        "backup_keep sets how many stay, and old ones are deleted only after the new one is "
        "complete",
    )


def _unusable(directory: Path, error: OSError) -> SurefootError:
    return SurefootError(
        "backup-failed",
        f"The directory for backups, {directory}, can't be used.",
        seen=[f"{error.filename or directory}: {error.strerror or error}"],
        next="mount a volume there that this user may write to, or set backup_directory in "
        "surefoot.toml",
    )
