"""`surefoot restore`: look, show, restore into a new database, verify it, swap."""

import shlex
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import Any

import msgspec
import psycopg

from surefoot.backups.comparison import differences
from surefoot.backups.contents import observe_contents, require_direct, snapshot
from surefoot.backups.directory import Kept, contradiction, sha256_of
from surefoot.backups.fill import Restoring
from surefoot.backups.mark import Mark
from surefoot.backups.names import kept_name, restoring_name
from surefoot.backups.new_database import Filling
from surefoot.backups.new_database import marked as write_mark
from surefoot.backups.set_aside import (
    Surroundings,
    databases,
    detaching,
    maintenance,
    marked,
    observe_surroundings,
    require_trusted,
    sessions_in,
    subscriptions,
)
from surefoot.backups.sidecar import Sidecar
from surefoot.backups.swap import Swap, in_use, swapped
from surefoot.decision.approval import refuse_outdated, word_of
from surefoot.decision.facts import VersionTableName
from surefoot.errors import SurefootError
from surefoot.errors.steps import to_type
from surefoot.look.ownership import without_running
from surefoot.look.survey import configured_version_table
from surefoot.postgres.programs import Program, closest
from surefoot.project.config import seconds
from surefoot.schema.names import quote_name
from surefoot.system import signals
from surefoot.system.files import open_to_all
from surefoot.workflows.carry_out import take_lock
from surefoot.workflows.workspace import Report, Workspace

_LEAVING = 5.0  # seconds
_PAUSE = 0.1  # seconds


class RestoreOptions(msgspec.Struct, frozen=True):
    """What a person asks for, apart from the backup itself."""

    disconnect: bool = False
    owners: bool = True
    without_sidecar: bool = False
    of_another: bool = False
    jobs: int = 1
    trust_files: bool = False
    with_others: bool = False


class Intended(msgspec.Struct, frozen=True):
    """What will be done; it is shown first."""

    kept: Kept
    sidecar: Sidecar | None
    database: str
    new: str
    old: str
    sessions: tuple[str, ...]
    owners: bool
    elsewhere: bool  # made on another server
    others: tuple[str, ...]  # what isn't the application's and is restored as well
    word: str  # the word with which a person approves it
    slots: tuple[str, ...] = ()  # logical replication slots, which stay with the old database


class Restored(msgspec.Struct, frozen=True):
    """How the restore ended.

    `old` is the database that was set aside. Not `changed`: an earlier start had done it, and
    nothing remained to be done.
    """

    database: str
    rows: tuple[str | None, ...]
    old: str | None
    changed: bool = True


def restore(
    workspace: Workspace,
    kept: Kept,
    options: RestoreOptions,
    report: Report,
    confirm: Callable[[Intended], None],
) -> Restored:
    """Restore the backup.

    `confirm` gets what is intended, and raises if the answer is no. Until the last step, the
    database isn't touched. The caller reports the end, then calls `told`. Raises SurefootError.
    """
    sidecar, sha256 = _trusted(kept, options)
    with workspace.connect() as connection:
        require_direct(connection)
        seen = _surroundings(workspace, connection, sidecar, options)
        _require_possible(seen, kept, sidecar, options)
        pg_restore = _program(sidecar, connection.info.server_version)
        done = _done_before(workspace, seen, sidecar, sha256, connection)
        if done is not None:
            return done
        intended = _intended(connection, seen, kept, sidecar, sha256, options)
        if intended.sessions and not options.disconnect:
            raise in_use(_swap(intended, sha256, options), intended.sessions)
        require_trusted(seen.there, intended.new)
        approved = workspace.approval == intended.word
        if approved:
            workspace.approval_used = True
        confirm(intended)
        with take_lock(workspace, report, on=connection) as lock:
            if approved:
                _require_approved(workspace, intended, kept, sidecar, options)
            mark = Mark("restoring", seen.name, sha256, kept.name)
            filling = Filling(
                *(intended.new, kept.file, sidecar, mark, workspace.target, pg_restore),
                *(_table(workspace, sidecar), options.owners, options.jobs),
            )
            rows = Restoring(filling, lambda: _server(workspace, seen.name), report).made()
            lock.check()
            _report_lost(workspace, intended, report)
            # both sessions are in the database that is renamed: the looks' session, and the lock's
            workspace.close()
            swap = _swap(intended, sha256, options)
            if not options.disconnect:
                _report_wait(workspace, intended, connection.info.backend_pid, report)
            swapped(swap, lambda: _server(workspace, seen.name), connection.close)
            return Restored(seen.name, rows, intended.old)


def _surroundings(
    workspace: Workspace,
    connection: psycopg.Connection[Any],
    sidecar: Sidecar | None,
    options: RestoreOptions,
) -> Surroundings:
    ownership = partial(without_running, workspace.project, workspace.ini)
    table = _table(workspace, sidecar)
    return observe_surroundings(connection, sidecar, table, ownership, owners=options.owners)


def _require_approved(
    workspace: Workspace,
    intended: Intended,
    kept: Kept,
    sidecar: Sidecar | None,
    options: RestoreOptions,
) -> None:
    """Raise SurefootError `approval-outdated` if the database or the file has changed."""
    with workspace.connect() as connection:  # the lock's connection is in its transaction
        seen = _surroundings(workspace, connection, sidecar, options)
    now = _word(seen, kept, sha256_of(kept.file), options)
    if now != intended.word:
        raise refuse_outdated(intended.word, now)


def _report_lost(workspace: Workspace, intended: Intended, report: Report) -> None:
    """Report subscriptions that aren't in the backup: pg_dump has them only for a superuser."""
    with _server(workspace, intended.database) as m:
        found = subscriptions(m, (intended.database, intended.new))
    there = {one.name for one in found if one.database == intended.new}
    lost = [quote_name(one.name) for one in found if one.name not in there]
    if lost:
        report.notice(
            f"not in the backup, and only in {intended.old}: subscription {', '.join(lost)}. "
            f"Create it again in {intended.database} if it is still needed"
        )


def _report_wait(workspace: Workspace, intended: Intended, own: int, report: Report) -> None:
    """Report sessions that connected meanwhile: PostgreSQL waits for them to leave."""
    with _server(workspace, intended.database) as m:
        names = (intended.database, intended.new)
        others = sessions_in(m, names, (m.info.backend_pid, own))
    for one in others[:1]:
        more = f" and {len(others) - 1} more" if len(others) > 1 else ""
        report.notice(f"waiting up to 5 s for others to leave: {one}{more}")


def told(workspace: Workspace, restored: Restored) -> None:
    """Note that the outcome was reported: the same command again then restores again."""
    if restored.old is None:
        return
    with suppress(SurefootError, psycopg.Error), _server(workspace, restored.database) as m:
        for one in marked(databases(m, restored.database), restored.database):
            if one.name == restored.old and one.mark.untold:
                write_mark(m, one.name, msgspec.structs.replace(one.mark, untold=False))


def _server(workspace: Workspace, database: str) -> psycopg.Connection[Any]:
    wait = seconds(workspace.project.config.wait)
    return maintenance(workspace.target, database, wait, lambda _: None)


def _trusted(kept: Kept, options: RestoreOptions) -> tuple[Sidecar | None, str]:
    """Return the sidecar and the dump's hash. Raises SurefootError `backup-unverified`."""
    why = kept.foreign or open_to_all(kept.file.absolute().parent)
    if why is not None and not options.trust_files:
        raise SurefootError(
            "backup-unverified",
            f"Another user could have created or changed the backup {kept.name}.",
            seen=[why, "a restore runs the statements of the dump with this role's rights"],
            next="if you know where the files come from, add --trust-files; or give both files and "
            "their directory to this user, and let no other user write them",
        )
    if options.without_sidecar:
        return None, sha256_of(kept.file)
    problem = contradiction(kept)
    if problem is None and kept.sidecar is not None:
        return kept.sidecar, kept.sidecar.sha256
    raise SurefootError(
        "backup-unverified",
        f"The backup {kept.name} can't be verified against its sidecar.",
        seen=[str(problem)],
        next="copy both files again, or use another backup; --without-sidecar restores without "
        "verifying",
    )


def _require_possible(
    seen: Surroundings, kept: Kept, sidecar: Sidecar | None, options: RestoreOptions
) -> None:
    if sidecar is not None and sidecar.database != seen.name and not options.of_another:
        raise SurefootError(
            "backup-of-another-database",
            f"The backup is of {sidecar.database}, but the address leads to {seen.name}.",
            seen=[f"taken {sidecar.taken_at:%Y-%m-%d %H:%M:%S UTC}, at {sidecar.revision}"],
            next="name the right database with --database-url; or, to restore its content here, "
            "add --of-another-database",
        )
    if seen.obstacles:
        raise SurefootError(
            "restore-not-possible",
            f"The backup can't be restored in place of {seen.name}.",
            seen=[*seen.obstacles],
            next="solve these problems; --no-owner leaves owners and grants out",
        )
    if seen.subscriptions:
        raise SurefootError(
            "restore-not-possible",
            f"{seen.name} has subscriptions: what they receive would go on into the database that "
            "is set aside, not into the restored one.",
            seen=[f"subscription {name}" for name in seen.subscriptions],
            next=to_type(
                f"in {seen.name}, end their replication; the publisher keeps its slot",
                *detaching(seen.subscriptions),
                then="then start again. The restored subscription is disabled; the guide to "
                "backups says how to continue it",
            ),
        )
    if seen.others and not options.with_others:
        raise SurefootError(
            "restore-takes-others-back",
            f"Not everything in {seen.name} is this application's, and a restore replaces the "
            "whole database.",
            seen=[f"others': {one}" for one in seen.others],
            next=to_type(
                "ask the people whose data it is, and stop what writes it; then restore all of it",
                _command(kept, msgspec.structs.replace(options, with_others=True)),
            ),
        )


def _command(kept: Kept, options: RestoreOptions) -> str:
    """Return the command line with these options."""
    flags = {
        "--disconnect": options.disconnect,
        "--no-owner": not options.owners,
        "--without-sidecar": options.without_sidecar,
        "--of-another-database": options.of_another,
        "--trust-files": options.trust_files,
        "--with-others": options.with_others,
        f"--jobs {options.jobs}": options.jobs > 1,
    }
    given = (flag for flag, is_given in flags.items() if is_given)
    return " ".join(("surefoot restore", shlex.quote(kept.name), *given))


def _program(sidecar: Sidecar | None, server_version: int) -> Program:
    """Find a pg_restore that isn't older than the pg_dump, and fits the server if possible."""
    written = sidecar.pg_dump.rpartition(") ")[2].partition(".")[0] if sidecar else ""
    major = int(written) if written.isdigit() else server_version // 10000
    program, there = closest("pg_restore", major)
    if program is not None:
        return program
    raise SurefootError(
        "restore-not-possible",
        f"There is no pg_restore for a dump of PostgreSQL {major} here.",
        seen=[str(one) for one in there] or ["neither on the PATH, nor embedded"],
        next=f"install PostgreSQL's clients, of version {major} or newer (Debian: "
        f"postgresql-client-{major})",
    )


def _done_before(
    workspace: Workspace,
    seen: Surroundings,
    sidecar: Sidecar | None,
    sha256: str,
    connection: psycopg.Connection[Any],
) -> Restored | None:
    """Whether an earlier start did everything and was cut off before it reported it.

    And nothing that can be seen has changed since. Changed rows can't be seen; so once the outcome
    was reported, nothing counts as done.
    """
    by_us = [
        one.name
        for one in marked(seen.there, seen.name)
        if (one.mark.state, one.mark.backup, one.mark.successor) == ("kept", sha256, seen.oid)
        and one.mark.untold
    ]
    if not by_us or sidecar is None:
        return None
    with snapshot(connection):
        found = observe_contents(connection, _table(workspace, sidecar), sidecar.contents.tables)
    if differences(sidecar.contents, found):
        return None
    return Restored(seen.name, found.version_rows, by_us[0], changed=False)


def _table(workspace: Workspace, sidecar: Sidecar | None) -> VersionTableName:
    if sidecar is None:
        return configured_version_table(workspace.project)
    return VersionTableName(sidecar.version_table, sidecar.version_schema)


def _intended(
    connection: psycopg.Connection[Any],
    seen: Surroundings,
    kept: Kept,
    sidecar: Sidecar | None,
    sha256: str,
    options: RestoreOptions,
) -> Intended:
    return Intended(
        kept,
        sidecar,
        seen.name,
        restoring_name(seen.name, sha256),
        kept_name(seen.name, datetime.now(UTC), (one.name for one in seen.there)),
        _sessions(connection, seen.name, options),
        options.owners,
        bool(sidecar and sidecar.server and seen.server and sidecar.server != seen.server),
        seen.others,
        _word(seen, kept, sha256, options),
        seen.slots,
    )


def _sessions(
    connection: psycopg.Connection[Any], name: str, options: RestoreOptions
) -> tuple[str, ...]:
    """List the other sessions in the database, a line each.

    A monitor looks into every database and leaves. So unless sessions are to be ended, they have
    as long for leaving as PostgreSQL gives them at the swap.
    """
    until = time.monotonic() + (0 if options.disconnect else _LEAVING)
    while True:
        found = sessions_in(connection, (name,), (connection.info.backend_pid,))
        if not found or time.monotonic() >= until:
            return found
        signals.sleep(_PAUSE)


def _word(seen: Surroundings, kept: Kept, sha256: str, options: RestoreOptions) -> str:
    """Return the word that approves restoring this backup into this database as it is now."""
    where = (seen.server, seen.oid, seen.name)
    return word_of("restore", kept.name, sha256, *where, options, seen.others)


def _swap(intended: Intended, sha256: str, options: RestoreOptions) -> Swap:
    mark = Mark("kept", intended.database, sha256, intended.kept.name)
    return Swap(intended.database, intended.new, intended.old, mark, options.disconnect)
