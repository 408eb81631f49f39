"""Shell completion for revisions, releases and backups. It reads files and runs nothing."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

if TYPE_CHECKING:
    from surefoot.model.history import History
    from surefoot.project.config import Project


def revisions(ctx: click.Context, _: click.Parameter, begun: str) -> list[CompletionItem]:
    """Complete a revision: releases, ids with their titles, and head."""
    from surefoot.errors import SurefootError
    from surefoot.look.history import history_of_files

    try:
        history = history_of_files(_project(ctx))
    except (SurefootError, OSError):  # the command itself will report the error
        return []
    found = _beginning(begun, [*_releases(history), "head"])
    return found + [
        CompletionItem(id, help=revision.message)
        for id, revision in history.revisions.items()
        if id.startswith(begun)
    ]


def releases(ctx: click.Context, parameter: click.Parameter, begun: str) -> list[CompletionItem]:
    """Complete a release; if none matches, a revision."""
    from surefoot.errors import SurefootError
    from surefoot.look.history import history_of_files

    try:
        named = _beginning(begun, _releases(history_of_files(_project(ctx))))
    except (SurefootError, OSError):
        return []
    return named or revisions(ctx, parameter, begun)


def required_downgrades(
    ctx: click.Context, parameter: click.Parameter, begun: str
) -> list[CompletionItem]:
    """Complete what must have a way back: all, new, or a revision."""
    return [*_beginning(begun, ("all", "new")), *revisions(ctx, parameter, begun)]


def backups(ctx: click.Context, _: click.Parameter, begun: str) -> list[CompletionItem]:
    """Complete a backup's name, the newest first; if none matches, a path, as the shell does."""
    from surefoot.backups.directory import backup_directory, backups_in
    from surefoot.errors import SurefootError

    try:
        names = [kept.file.name for kept in backups_in(backup_directory(_project(ctx)))]
    except (SurefootError, OSError):
        names = []
    return _beginning(begun, names) or [CompletionItem(begun, type="file")]


def _project(ctx: click.Context) -> "Project":
    from surefoot.project.config import load

    given = ctx.params.get("config_file")
    return load(Path(given) if given else None, Path.cwd())


def _releases(history: "History") -> Iterator[str]:
    return (r.release for r in history.revisions.values() if r.release)


def _beginning(begun: str, names: Iterable[str]) -> list[CompletionItem]:
    return [CompletionItem(name) for name in names if name.startswith(begun)]
