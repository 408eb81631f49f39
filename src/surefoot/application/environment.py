"""Run the application's env.py, unmodified: once to look, once to migrate.

This is the only module that touches what is private in Alembic. Its contract with Alembic, held by
the tests on the oldest and the newest version: `EnvironmentContext` looks up `configure` on the
instance; the `fn` that it is given may be a generator; a step's `migration_fn` is called inside
the step's transaction, and so are the `on_version_apply` callbacks.
"""

import contextlib
import hashlib
import logging
import time
import warnings
from collections.abc import Callable, Generator, Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import sqlalchemy
from alembic.config import Config as AlembicConfig
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError, to_tuple

from surefoot.application.connection import did_nothing, same_database, untouched
from surefoot.application.loading import (
    ApplicationFailed,
    OpenConfig,
    describe,
    place,
    told_as_the_applications,
)
from surefoot.application.steps import Execute, Noting, executor, require_same
from surefoot.errors import SurefootError
from surefoot.history import History, Revision
from surefoot.observation import ServerInfo, VersionTableName
from surefoot.progress import Progress


class View(msgspec.Struct, frozen=True):
    """What env.py turned out to use: its version table, its history."""

    version_table: VersionTableName
    history: History


class RevisionFailed(Exception):
    """A revision's own code, or the database on its behalf, raised.

    `at_end`: all of its statements had run; it was the commit, or what env.py does after it.
    """

    def __init__(
        self, revision: Revision, error: BaseException, root: Path, *, at_end: bool
    ) -> None:
        self.revision = revision
        self.file = place(error, root) or revision.path
        self.lines = describe(error)
        self.by_database = any("(SQLSTATE " in line for line in self.lines)
        self.lost = bool(getattr(error, "connection_invalidated", False))
        self.at_end = at_end
        super().__init__(revision.id)


class Environment:
    """The application's env.py and history, inside the circumstances that `loading` made."""

    def __init__(
        self, open_config: OpenConfig, root: Path, runner: Callable[[Callable[[], None]], object]
    ) -> None:
        """`runner` calls what it's given; some env.py want to run in a certain thread or loop."""
        self._open_config = open_config
        self._root = root
        self._runner = runner
        self._revisions: dict[str, Revision] = {}
        self._config: AlembicConfig | None = None
        self._script: ScriptDirectory | None = None

    @property
    def _scripts(self) -> ScriptDirectory:
        assert self._script is not None, "look() comes first"
        return self._script

    @property
    def env_sha256(self) -> str | None:
        """The hash of the env.py that was run, None where it isn't a file."""
        try:
            return hashlib.sha256(Path(self._scripts.env_py_location).read_bytes()).hexdigest()
        except OSError:
            return None

    def look(self, server: ServerInfo) -> View:
        """Run env.py without migrating, as `alembic current` does, and say what it uses.

        `server` is the database that surefoot looks at: env.py must lead to the same one. Raises
        SurefootError `another-database`, `history-unreadable`, `application-environment-failed`.
        """
        seen: list[VersionTableName] = []

        def nothing(heads: object, context: Any) -> list[Any]:
            self._script = context.script
            seen.append(self._version_table(context, server))
            return []

        with told_as_the_applications(self._root):
            self._run(nothing, lambda context: same_database(context, server), dont_mutate=True)
            if not seen:
                raise did_nothing()
        if len(set(seen)) > 1:
            tables = ", ".join(name.name for name in seen)
            raise SurefootError(
                "application-environment-failed",
                "env.py migrates several version tables in one run.",
                seen=[f"version tables: {tables}"],
                next="give surefoot one history at a time",
            )
        return View(seen[0], self._history())

    def pending(self, rows: Iterable[str]) -> tuple[Revision, ...]:
        """What Alembic would run from these version rows to the heads, in its order.

        Raises SurefootError `history-unreadable`.
        """
        with _readable(self._root):
            steps = self._scripts._upgrade_revs("heads", tuple(rows))  # pyright: ignore[reportPrivateUsage, reportArgumentType]
            return tuple(self._revision(step.revision) for step in steps)

    def upgrade(
        self,
        revisions: tuple[Revision, ...],
        *,
        server: ServerInfo,
        applied: Callable[[Execute, Revision, float], None],
        before_commit: Callable[[], None],
        progress: Progress,
        transactions: dict[str, str],
    ) -> None:
        """Run these revisions through env.py, in one run, with its own transaction settings.

        `applied` gets a function that executes on the application's own connection, the revision
        and its duration in seconds; it is called inside the revision's transaction, after its
        version row. `before_commit` is called where Alembic is about to commit: after each revision
        or after the last, as env.py has it. `transactions` is filled with the id of the transaction
        that each revision began in, to ask the server about afterwards. Raises RevisionFailed, or
        SurefootError where env.py itself fails or wants to run anything else.
        """
        noting = Noting(transactions)
        together = False
        running: Revision | None = None
        at_end = False
        started = 0.0

        def steps(heads: Any, context: Any) -> Iterator[Any]:
            nonlocal running, started, at_end, together
            found = context.script._upgrade_revs("heads", heads)
            require_same(revisions, found)
            for revision, step in zip(revisions, found, strict=True):
                progress.begin("revision", revision.id, revision.message)
                running, at_end, started = revision, False, time.monotonic()
                step.migration_fn = noting.before(step.migration_fn, context, revision.id)
                yield step
                # Only here, behind Alembic's own commit (if it commits each), is it done.
                took = time.monotonic() - started
                together = not context._transaction_per_migration
                progress.end(
                    "revision", revision.id, revision.message, took, committed=not together
                )
            at_end = True

        def on_version_apply(*, ctx: Any, **_: Any) -> None:
            nonlocal at_end
            assert running is not None
            applied(executor(ctx.connection), running, time.monotonic() - started)
            if running is revisions[-1] or ctx._transaction_per_migration:
                before_commit()
            at_end = True

        try:
            with told_as_the_applications(self._root):
                self._run(steps, lambda context: same_database(context, server), on_version_apply)
        except ApplicationFailed as failed:
            cause = failed.__cause__
            if running is None or cause is None:
                raise
            raise RevisionFailed(running, cause, self._root, at_end=at_end) from cause
        if noting.raised is not None and running is not None:
            # env.py kept it to itself
            raise RevisionFailed(running, noting.raised, self._root, at_end=False)
        if together:
            noun = "revision" if len(revisions) == 1 else "revisions"
            progress.committed(f"{len(revisions)} {noun}, in one transaction")

    def _run(
        self,
        fn: Callable[..., Iterable[Any]],
        check: Callable[[Any], None],
        applied: Callable[..., None] | None = None,
        **options: Any,
    ) -> None:
        """Run env.py with `configure` replaced on the instance; Alembic's proxies look it up."""
        with self._open_config() as config:
            if config is not self._config or self._script is None:
                with _readable(self._root):
                    self._script = ScriptDirectory.from_config(config)
                self._config = config
            environment = EnvironmentContext(config, self._script, fn=fn, **options)
            self._intercept(environment, check, applied)
            with environment:
                self._runner(self._script.run_env)

    def _intercept(
        self,
        environment: EnvironmentContext,
        check: Callable[[Any], None],
        applied: Callable[..., None] | None,
    ) -> None:
        original = environment.configure

        def configure(*args: Any, **keywords: Any) -> None:
            if applied is not None:
                own = to_tuple(keywords.get("on_version_apply"), default=())
                keywords["on_version_apply"] = (*own, applied)
            # Alembic announces each revision too; one account is enough. Here, because the
            # logging that env.py sets up would undo it earlier.
            logging.getLogger("alembic.runtime.migration").setLevel(logging.WARNING)
            original(*args, **keywords)
            check(environment.get_context())

        environment.configure = configure

    def _version_table(self, context: Any, server: ServerInfo) -> VersionTableName:
        schema = context.version_table_schema
        if schema is None:
            with untouched(context.connection) as connection:
                found = connection.execute(
                    sqlalchemy.text("select pg_catalog.current_schema()")
                ).scalar()
            # The application's own search path may differ from ours.
            schema = found if found != server.default_schema else None
        return VersionTableName(context.version_table, schema)

    def _revision(self, script: Any) -> Revision:
        known = self._revisions.get(script.revision)
        if known is None:
            known = self._revisions[script.revision] = _revision(script)
        return known

    def _history(self) -> History:
        with _readable(self._root):
            revisions = [self._revision(script) for script in self._scripts.walk_revisions()]
        return History({r.id: r for r in sorted(revisions, key=lambda r: r.id)})


@contextlib.contextmanager
def _readable(root: Path) -> Generator[None, None, None]:
    """Turn whatever Alembic or a revision file raises while loading into `history-unreadable`."""
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("always", UserWarning)
        try:
            yield
        except SurefootError:
            raise
        except Exception as error:
            where = None if isinstance(error, CommandError) else place(error, root)
            # A parent that isn't there is a warning that names the revision, then a bare KeyError.
            told = [str(warning.message) for warning in warned] or describe(error)
            raise _unreadable([*([f"at {where}"] if where else []), *told]) from error
    # Two files with one id: Alembic warns, and runs one of them.
    twice = [text for w in warned if "more than once" in (text := str(w.message))]
    if twice:
        raise _unreadable(twice)


def _unreadable(seen: list[str]) -> SurefootError:
    missing = any("Path doesn't exist" in line for line in seen)
    return SurefootError(
        "history-unreadable",
        "Alembic can't read the application's history.",
        seen=seen,
        next="was the directory copied into the image? see .dockerignore, and script_location in "
        "alembic.ini"
        if missing
        else "correct the file; `alembic history` reads the same files",
    )


def _revision(script: Any) -> Revision:
    return Revision(
        script.revision,
        tuple(to_tuple(script.down_revision, default=())),
        tuple(script._resolved_dependencies),
        (script.doc or "").splitlines()[0] if script.doc else "",
        getattr(script.module, "release", None),
        Path(script.path).name,
        hashlib.sha256(Path(script.path).read_bytes()).hexdigest(),
    )
