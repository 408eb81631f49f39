"""Test the downgrades that can't be rolled back: up, down, up, down by their statements, up.

For those that commit by themselves, or that PostgreSQL forbids in their upgrade's transaction. Each
step is its own transaction here, and the next revision runs on the result: so every look must agree
with the one before, or the scratch database is given up.
"""

import importlib.util
from collections.abc import Callable, Iterator
from typing import Any

from surefoot.alembic_env.connection import same_database, untouched
from surefoot.alembic_env.environment import (
    Environment,
    downgrade_step,
    upgrade_step,
    upgrade_steps,
)
from surefoot.alembic_env.loading import ApplicationFailed, wrap_app_errors
from surefoot.alembic_env.looking import Looking, Row
from surefoot.alembic_env.recording import (
    Recording,
    candidates,
    recorded,
    repeat,
    search_path,
    with_search_path,
)
from surefoot.alembic_env.upgrade import RevisionFailed
from surefoot.catalogue.catalogue import DownStatement
from surefoot.catalogue_build.replay import Attempt, Ruined, Watching, in_a_word
from surefoot.decision.facts import ServerInfo, VersionTableName
from surefoot.model.history import Revision


def commit_downgrades(
    environment: Environment,
    revisions: frozenset[str],
    *,
    server: ServerInfo,
    version_table: VersionTableName,
    watching: Watching,
) -> None:
    """Upgrade, one transaction for each revision, and undo each of these and apply it again.

    It ends after the last of them. Raises RevisionFailed, Ruined, or SurefootError if env.py itself
    fails.
    """
    looking = Looking(version_table)
    running: Revision | None = None
    trying: _Trying | None = None

    def steps(heads: Any, context: Any) -> Iterator[Any]:
        nonlocal running, trying
        path = search_path(context.connection)
        left = set(revisions)
        for step in upgrade_steps(context, heads):
            if not left:
                return
            running = environment.revision(step.revision)
            watching.begin(running)
            yield step
            rows = _look(context, looking)
            watching.end(running, rows)
            if running.id in left:
                left.discard(running.id)
                trying = _Trying(running, context, step, looking, watching, path)
                yield from trying.steps(rows)
                watching.tried(running, trying.attempt)
                trying = None

    try:
        with wrap_app_errors(environment.root):
            environment.run(steps, lambda context: same_database(context, server), each=True)
    except ApplicationFailed as failed:
        cause = failed.__cause__
        if isinstance(cause, Ruined):
            raise cause from None
        if running is None or cause is None:
            raise
        if trying is not None:
            raise Ruined(running, trying.failed(cause)) from cause
        raise RevisionFailed(running, cause, environment.root, at_end=False) from cause


def _look(context: Any, looking: Looking) -> list[Row]:
    with untouched(context.connection) as connection:
        return looking.rows(connection)


class _Trying:
    """One revision's tests; `attempt` is what is known about its downgrade so far."""

    def __init__(
        self,
        revision: Revision,
        context: Any,
        step: Any,
        looking: Looking,
        watching: Watching,
        path: str,
    ) -> None:
        self.attempt = Attempt()
        self._revision, self._context, self._step = revision, context, step
        self._looking, self._same, self._path = looking, watching.same, path
        self._recording = Recording()
        self._repeating = False

    def steps(self, above: list[Row]) -> Iterator[Any]:
        """Return Alembic's steps; `above` is the structure now. Raises Ruined."""
        attempt, context = self.attempt, self._context
        if getattr(self._step.revision.module, "downgrade", None) is None:
            attempt.failure = "there is none"
            return
        if context.connection.in_transaction():  # env.py has put its own around everything
            attempt.untried, attempt.failure = True, "env.py keeps all in one transaction"
            return
        yield self._down(self._record)
        attempt.rows = self._look()
        yield from self._up(above)
        if not self._recording.complete:
            return
        if not self._recording.statements:
            attempt.statements = [] if self._same(attempt.rows, above) else None
            return
        self._repeating = True
        yield self._down(self._repeat)
        if not self._same(self._look(), attempt.rows):
            raise Ruined(self._revision, attempt)
        attempt.statements = self._statements()
        yield from self._up(above)

    def failed(self, error: BaseException) -> Attempt:
        """Return what is known after one of the steps has raised this."""
        attempt = self.attempt
        if attempt.rows is None:
            attempt.failure = in_a_word(error)
        elif not self._repeating or attempt.statements is not None:
            attempt.again = in_a_word(error)
        return attempt

    def _look(self) -> list[Row]:
        return _look(self._context, self._looking)

    def _down(self, run: Callable[..., None]) -> Any:
        step = downgrade_step(self._step)
        step.migration_fn = run
        return step

    def _up(self, above: list[Row]) -> Iterator[Any]:
        """Upgrade again with a new copy of the file: what it keeps in memory belongs to another
        process.
        """
        step = upgrade_step(self._step)
        step.migration_fn = _anew(self._step.revision).upgrade
        yield step
        if not self._same(self._look(), above):
            self.attempt.again = "another structure"
            raise Ruined(self._revision, self.attempt)

    def _record(self, **keywords: Any) -> None:
        with recorded(self._context.connection) as self._recording:
            _anew(self._step.revision).downgrade(**keywords)

    def _repeat(self, **_: Any) -> None:
        connection = self._context.connection
        with with_search_path(connection, self._path, local=False):
            repeat(self._context, self._statements())

    def _statements(self) -> list[DownStatement]:
        return candidates(self._context.connection, self._recording.statements)[0]


def _anew(script: Any) -> Any:
    """Load the revision's file once more."""
    spec = importlib.util.spec_from_file_location(f"surefoot_again_{script.revision}", script.path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
