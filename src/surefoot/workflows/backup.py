"""Take a backup: on request, or before an upgrade."""

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
    """Take a backup now. It only reads, so it needs neither the lock nor the application's code.

    Raises as `backups.take` does.
    """
    history = None
    with contextlib.suppress(SurefootError):  # only the release's name depends on it
        if workspace.ini is not None and not workspace.project.config.alembic_config:
            history = read_history(workspace.ini)
    table = configured_version_table(workspace.project)
    order = _order(workspace, table, history, before_upgrade=False)
    return take(order, workspace.target, workspace.connect, progress)


def before_upgrade(workspace: Workspace, facts: Facts, progress: Progress) -> Taken:
    """Take the backup that must precede the upgrade. Raises as `backups.take` does."""
    table = facts.database.version_table
    order = _order(workspace, table, facts.code.history, before_upgrade=True)
    return take(order, workspace.target, workspace.connect, progress)


def mark_upgrade(taken: Taken, *, succeeded: bool) -> None:
    """Record in the sidecar how the upgrade ended.

    If it can't be written, the upgrade counts as not seen to succeed, and the backup is kept.
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
    """Return the release that ends with these version rows, if they are one revision."""

    def release(rows: tuple[str | None, ...]) -> str | None:
        known = history.revisions if history else {}
        releases = {known[row].release for row in rows if row in known}
        return releases.pop() if len(releases) == 1 else None

    return release
