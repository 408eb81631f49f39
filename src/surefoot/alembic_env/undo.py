"""Undo revisions as Alembic's own steps: by their files, or by what is recorded.

A revision without a file (the image is older than the database) is added to Alembic's map from the
journal. So Alembic handles version rows, branches, transactions and env.py in both cases, and the
same kind of step runs.
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
    """Looks at the structure before and after each revision, in its transaction.

    Also before each further transaction of it. What it raises stops the run before its next commit.
    """

    def before(self, connection: Any, revision: str) -> None: ...
    def piece(self, connection: Any, revision: str) -> None: ...
    def behind(self, connection: Any, revision: str) -> None: ...


def revision_of(undo: DowngradeStep) -> Revision:
    """Return the revision, as far as it is known without its file."""
    one = undo.reversal
    return Revision(one.id, one.parents, one.depends_on, one.message, one.release, "its way back")


def undoing_steps(
    context: Any,
    undo: tuple[DowngradeStep, ...],
    staying: Iterable[DowngradeRecipe],
    running: Running,
    checking: Checking,
) -> list[tuple[Revision, Any]]:
    """Return Alembic's steps that undo these revisions, in this order, each with its looks.

    `staying` are those that also have no file and stay applied, each after its ancestors.
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
    """Return a revision without a file that Alembic can place in its history."""

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

    looking.__name__ = "downgrade"  # Alembic logs it: Running downgrade …
    return looking


def _executing(
    context: Any, one: DowngradeStep, running: Running, checking: Checking
) -> Callable[..., None]:
    """Return a downgrade() that executes the statements: some alone, the others together, as
    recorded.

    With the search path that the revision was run with; settings made by the statements last from
    one piece to the next, as when they were recorded.
    """
    midway = one.reversal.commits_midway

    def executing(**_: Any) -> None:
        number = one.done
        if midway:  # also if it is cut off before its first statement is done
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
