"""Revisions that are taken back, as Alembic's own steps: by their files, or by what is known.

A revision whose file isn't there (the image is older than the database) is added to Alembic's map
as the journal tells of it. So version rows, branches, transactions and env.py are Alembic's
business in both cases, and what runs is one and the same step.
"""

import itertools
import types
from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext
from typing import Any, Protocol

from alembic.runtime.migration import MigrationStep
from alembic.script import Script, ScriptDirectory
from alembic.util import CommandError

from surefoot.alembic_env.recording import execute, search_path, set_search_path
from surefoot.alembic_env.running import Running
from surefoot.downgrades.path import DowngradeStep
from surefoot.downgrades.recipe import DowngradeRecipe
from surefoot.model.history import Revision


class Checking(Protocol):
    """Who looks at the structure before and behind each revision, in its transaction, and before
    each further transaction of it.

    What they raise stops the run before its next commit.
    """

    def before(self, connection: Any, revision: str) -> None: ...
    def piece(self, connection: Any, revision: str) -> None: ...
    def behind(self, connection: Any, revision: str) -> None: ...


def revision_of(undo: DowngradeStep) -> Revision:
    """The revision, as far as it's known without its file."""
    one = undo.reversal
    return Revision(one.id, one.parents, one.depends_on, one.message, one.release, "its way back")


def undoing_steps(
    context: Any,
    undo: tuple[DowngradeStep, ...],
    staying: Iterable[DowngradeRecipe],
    running: Running,
    checking: Checking,
) -> list[tuple[Revision, Any]]:
    """Alembic's steps back over these revisions, in this order, each looked at.

    `staying` are those that have no file either and stay applied, each behind what is below it.
    """
    known = context.script.revision_map
    for one in (*staying, *(one.reversal for one in reversed(undo))):
        if not _has(context.script, one.id):
            known.add_revision(_script(one))
    found: list[tuple[Revision, Any]] = []
    for one in undo:
        script = context.script.get_revision(one.id)
        step = MigrationStep.downgrade_from_script(known, script)
        if one.statements is not None:
            step.migration_fn = _executing(context, one, running, checking)
        step.migration_fn = _looked_at(step.migration_fn, context, one.id, checking)
        found.append((revision_of(one), step))
    return found


def _has(directory: ScriptDirectory, revision: str) -> bool:
    try:
        directory.get_revision(revision)
    except CommandError:
        return False
    return True


def _script(reversal: DowngradeRecipe) -> Script:
    """A revision that Alembic can place in its history, though it has no file."""

    def nothing() -> None:
        raise AssertionError("what is done is put in its place")

    module = types.ModuleType(f"surefoot_way_back_{reversal.id}", reversal.message)
    parents: Any = reversal.parents
    content: Mapping[str, Any] = {
        "revision": reversal.id,
        "down_revision": parents if len(parents) > 1 else parents[0] if parents else None,
        "depends_on": reversal.depends_on or None,
        "branch_labels": None,
        "upgrade": nothing,
        "downgrade": nothing,
    }
    vars(module).update(content)
    return Script(module, reversal.id, f"<way back over {reversal.id}>")


def _looked_at(
    migrate: Callable[..., None], context: Any, revision: str, checking: Checking
) -> Callable[..., None]:
    def looking(**keywords: Any) -> None:
        checking.before(context.connection, revision)
        migrate(**keywords)

    return looking


def _executing(
    context: Any, one: DowngradeStep, running: Running, checking: Checking
) -> Callable[..., None]:
    """A downgrade() that executes the statements: each alone that was so, the others together.

    With the search path that the revision was run with; what the statements set themselves stays
    from one piece to the next, as it did when they were recorded.
    """
    midway = one.reversal.commits_midway

    def executing(**_: Any) -> None:
        number = one.done
        if number:  # this run may be cut off as well, before anything more is done
            running.progress(context, number)
        was = search_path(context.connection)
        if one.reversal.search_path not in ("", was):
            set_search_path(context.connection, one.reversal.search_path, local=not midway)
        for alone, group in itertools.groupby(one.statements or (), lambda s: s.alone):
            together = tuple(group)
            if not alone and number > one.done:
                checking.piece(context.connection, one.id)
            with context.autocommit_block() if alone else nullcontext():
                for statement in together:
                    execute(context.connection, statement.sql)
                    number += 1
                    if alone:
                        running.progress(context, number)
                if not alone:
                    running.progress(context, number)
        if search_path(context.connection) != was:
            set_search_path(context.connection, was, local=not midway)

    return executing
