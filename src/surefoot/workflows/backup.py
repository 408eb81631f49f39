"""A backup: asked for by a person, or taken before an upgrade is begun."""

import contextlib
from collections.abc import Callable

import msgspec

from surefoot.backups.directory import backup_directory
from surefoot.backups.files import locked_directory, replace_sidecar
from surefoot.backups.names import SIDECAR
from surefoot.backups.retention import Retention
from surefoot.backups.sidecar import encode
from surefoot.backups.take import Order, Taken, take
from surefoot.decision.facts import Facts, VersionTableName
from surefoot.errors import SurefootError
from surefoot.look.survey import configured_version_table
from surefoot.model.history import History
from surefoot.model.progress import Progress
from surefoot.project.config import seconds
from surefoot.revision_source.history_files import read_history
from surefoot.workflows.workspace import Workspace


def take_backup(workspace: Workspace, progress: Progress) -> Taken:
    """Take one now. It reads only, so it needs no lock, and none of the application's code.

    Raises as `act.backup.take` does.
    """
    history = None
    with contextlib.suppress(SurefootError):  # it only names the release
        if workspace.ini is not None and not workspace.project.config.alembic_config:
            history = read_history(workspace.ini)
    table = configured_version_table(workspace.project)
    order = _order(workspace, table, history, before_upgrade=False)
    return take(order, workspace.target, workspace.connect, progress)


def before_upgrade(workspace: Workspace, facts: Facts, progress: Progress) -> Taken:
    """Take the one without which the upgrade isn't begun. Raises as `act.backup.take` does."""
    table = facts.database.version_table
    order = _order(workspace, table, facts.code.history, before_upgrade=True)
    return take(order, workspace.target, workspace.connect, progress)


def mark_upgrade(taken: Taken, *, succeeded: bool) -> None:
    """Tell the sidecar how the upgrade has ended. Where that can't be written, it counts as one
    that wasn't seen to succeed: then the backup stays.
    """
    ended = msgspec.structs.replace(taken.sidecar, upgrade="succeeded" if succeeded else "failed")
    with contextlib.suppress(OSError), locked_directory(taken.file.parent):
        replace_sidecar(taken.file.with_suffix(SIDECAR), encode(ended))


def _order(
    workspace: Workspace, table: VersionTableName, history: History | None, *, before_upgrade: bool
) -> Order:
    config = workspace.project.config
    return Order(
        backup_directory(workspace.project),
        Retention(config.backup_keep, config.backup_keep_days),
        table,
        _release_of(history),
        seconds(config.lock_wait),
        before_upgrade,
    )


def _release_of(history: History | None) -> Callable[[tuple[str | None, ...]], str | None]:
    """The release that ends with these version rows, if it's one."""

    def release(rows: tuple[str | None, ...]) -> str | None:
        known = history.revisions if history else {}
        releases = {known[row].release for row in rows if row in known}
        return releases.pop() if len(releases) == 1 else None

    return release
