"""Run the application's env.py, unmodified: once to look, once to migrate.

Only this module touches Alembic's private parts. Its contract with Alembic, which tests verify on
the oldest and the newest version: `EnvironmentContext` looks up `configure` on the instance; the
`fn` that it is given may be a generator; a step's `migration_fn` and the `on_version_apply`
callbacks are called inside the step's transaction.
"""

import contextlib
import hashlib
import logging
import os
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import sqlalchemy
import sqlalchemy.event
from alembic.config import Config as AlembicConfig
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import RevisionStep
from alembic.script import ScriptDirectory
from alembic.util import load_python_file, to_tuple

from surefoot.alembic_env.arguments import watch
from surefoot.alembic_env.connection import (
    ONE_A_RUN,
    did_nothing,
    quiet_pools,
    same_database,
    untouched,
    without_schema,
)
from surefoot.alembic_env.driver import driver_of, is_idle
from surefoot.alembic_env.loading import (
    OpenConfig,
    wrap_app_errors,
)
from surefoot.alembic_env.scripts import readable, revision_of
from surefoot.alembic_env.tenant import Tenant
from surefoot.alembic_env.trust import require_trusted, role_set
from surefoot.decision.facts import ServerInfo, VersionTableName
from surefoot.errors import SurefootError
from surefoot.guards import NOTICE
from surefoot.model.history import History, Revision
from surefoot.revision_source.read import read_upgrade
from surefoot.revision_source.source import Source, Statement
from surefoot.system import signals

_ALEMBIC = logging.getLogger("alembic.runtime.migration")  # announces each step


class View(msgspec.Struct, frozen=True):
    """What env.py really uses: its version table, its history, its connection's search path.

    Also the schema that is current by that path. `role` is the connection's role, `each` whether
    each revision is a transaction of its own; `version_length` is the width of the id in the
    version table that Alembic would create; `autocommit`: its connection commits each statement.
    """

    version_table: VersionTableName
    history: History
    search_path: str
    schema: str
    role: str = ""
    each: bool = False
    version_length: int | None = None
    autocommit: bool = False


class Environment:
    """The application's env.py and history, in the context that `loading` sets up."""

    def __init__(
        self,
        open_config: OpenConfig,
        root: Path,
        runner: Callable[[Callable[[], None]], object],
        tenant: Tenant | None = None,
    ) -> None:
        """`runner` calls its argument; some env.py must run in a certain thread or event loop.

        With a `tenant`, env.py is given its name, and must work in its schema.
        """
        self._open_config = open_config
        self.tenant = tenant
        self.root = root
        self._runner = runner
        self._revisions: dict[str, Revision] = {}
        self._config: AlembicConfig | None = None
        self._script: ScriptDirectory | None = None
        self._kept = False  # the scripts were read for an earlier configuration
        self._search_path = self._current_schema = self._role = ""
        self._autocommit = False
        self._without_schema: SurefootError | None = None
        self._spoken: dict[tuple[str, bytes], bool] = {}

    @property
    def _scripts(self) -> ScriptDirectory:
        assert self._script is not None, "look() comes first"
        return self._script

    @property
    def env_sha256(self) -> str | None:
        """The hash of the env.py that was run; None if it isn't a file."""
        try:
            return hashlib.sha256(Path(self._scripts.env_py_location).read_bytes()).hexdigest()
        except OSError:
            return None

    @property
    def env_file(self) -> str:
        """The env.py that was run."""
        return os.path.abspath(self._scripts.env_py_location)

    @property
    def config_file(self) -> str | None:
        """The ini file from which the application's Alembic configuration was read."""
        name = self._config.config_file_name if self._config is not None else None
        return None if name is None else os.path.abspath(name)

    @property
    def version_directories(self) -> tuple[str, ...]:
        """The directories where Alembic looks for revision files."""
        found: Iterable[Any] = self._scripts._version_locations  # pyright: ignore[reportPrivateUsage]
        return tuple(os.path.abspath(directory) for directory in found)

    @property
    def is_recursive(self) -> bool:
        """Whether revision files may also be in subdirectories."""
        return bool(getattr(self._scripts, "recursive_version_locations", False))

    @property
    def is_sourceless(self) -> bool:
        """Whether revision files may be compiled."""
        return bool(self._scripts.sourceless)

    def look(self, server: ServerInfo) -> View:
        """Run env.py without migrating, as `alembic current` does, and return what it uses.

        `server` is the database that surefoot looks at; env.py must lead to the same one. Raises
        SurefootError `another-database`, `history-unreadable`, `application-environment-failed`.
        """
        seen: list[VersionTableName] = []
        each, length = False, None

        def nothing(heads: object, context: Any) -> list[Any]:
            nonlocal each, length
            self._script = context.script
            seen.append(self._version_table(context, server))
            each = bool(context.opts.get("transaction_per_migration", False))
            length = getattr(context._version.c.version_num.type, "length", None)
            return []

        def ready(context: Any) -> None:
            require_trusted(context.connection, self._version_table(context, server))

        def check(context: Any) -> None:
            same_database(context, server, further=bool(seen))

        with wrap_app_errors(self.root):
            self.run(nothing, check, ready=ready, dont_mutate=True)
            if not seen:
                raise did_nothing()
        if self._without_schema is not None and seen[0].schema is None:
            raise self._without_schema
        if len(set(seen)) > 1:
            tables = ", ".join(name.name for name in seen)
            raise SurefootError(
                "application-environment-failed",
                "env.py migrates several version tables in one run.",
                seen=[f"version tables: {tables}"],
                next=ONE_A_RUN.format("version table", "history"),
            )
        return View(
            seen[0],
            self._history(),
            self._search_path,
            self._current_schema,
            self._role,
            each,
            length,
            self._autocommit,
        )

    def pending(self, rows: Iterable[str]) -> tuple[Revision, ...]:
        """Return what Alembic would run from these version rows to the heads, in its order.

        Raises SurefootError `history-unreadable`.
        """
        with readable(self.root, self.version_directories):
            steps = _steps(self._scripts, tuple(rows))
            return tuple(self.revision(step.revision) for step in steps)

    def run(
        self,
        fn: Callable[..., Iterable[Any]],
        check: Callable[[Any], None],
        applied: Callable[..., None] | None = None,
        notice: Callable[[str], None] | None = None,
        *,
        ready: Callable[[Any], None] | None = None,
        fresh: bool = False,
        each: bool = False,
        logged: bool = False,
        keep: bool = False,
        **options: Any,
    ) -> None:
        """Run env.py with `configure` replaced on the instance, where Alembic's proxies find it.

        `fn` is Alembic's: from the version rows and the context to the steps. `check` gets the
        context once it is configured; `ready` is called directly before Alembic reads the version
        table, when env.py has made its settings; `applied` is called after each step, in its
        transaction; `notice` gets what a guard in a revision skips. `fresh`: with a script
        directory of its own, to which revisions may be added. `each`: every step is a transaction
        of its own, whatever env.py says. `logged`: Alembic's log messages about steps go where
        env.py sends them; those of a mere look are dropped. `keep`: the revisions' files aren't
        read again, even if the application makes another configuration for each run.
        """
        # env.py may change the directory; its next run must begin where the first did
        with signals.interruptible(), contextlib.chdir("."), self._open_config() as config:
            if notice is not None:
                config.attributes[NOTICE] = notice
            if self.tenant is not None:
                self.tenant.tell(config.attributes)
            if config is not self._config or self._script is None:
                with readable(self.root):
                    made = ScriptDirectory.from_config(config)
                self._kept = keep and _same(made, self._scripts)
                self._script = self._scripts if self._kept else made
                self._config = config
            script = ScriptDirectory.from_config(config) if fresh else self._script
            environment = EnvironmentContext(config, script, fn=_uninterrupted(fn), **options)
            watch(environment)
            self._intercept(environment, check, applied, ready, each=each, logged=logged)
            quiet_pools()
            level = _ALEMBIC.level
            try:
                with environment:
                    self._runner(script.run_env)
            finally:
                if not logged:
                    _ALEMBIC.setLevel(level)

    def _intercept(
        self,
        environment: EnvironmentContext,
        check: Callable[[Any], None],
        applied: Callable[..., None] | None,
        ready: Callable[[Any], None] | None,
        *,
        each: bool,
        logged: bool,
    ) -> None:
        original = environment.configure

        def ours(**keywords: Any) -> None:
            assert applied is not None
            with signals.uninterrupted():
                applied(**keywords)

        def configure(*args: Any, **keywords: Any) -> None:
            if each:
                keywords["transaction_per_migration"] = True
            if applied is not None:
                own = to_tuple(keywords.get("on_version_apply"), default=())
                keywords["on_version_apply"] = (*own, ours)
            if not logged:  # here, because the logging that env.py sets up would undo it
                _ALEMBIC.setLevel(logging.WARNING)
            original(*args, **keywords)
            context: Any = environment.get_context()
            with signals.uninterrupted():
                check(context)
            if ready is not None:
                context.run_migrations = _after(ready, context, context.run_migrations)

        environment.configure = configure

    def module(self, revision: str) -> Any:
        """Load the revision file as a module."""
        return self._scripts.get_revision(revision).module

    def upgrade_of(self, step: Any) -> Callable[..., None]:
        """Return what an upgrade step runs; from its file, if that was read for an earlier run.

        What the file does while it is loaded may depend on the run's configuration.
        """
        if not self._kept:
            return step.migration_fn
        file = Path(step.revision.path)
        return load_python_file(str(file.parent), file.name).upgrade

    def _version_table(self, context: Any, server: ServerInfo) -> VersionTableName:
        with untouched(context.connection) as connection:
            found, self._search_path, self._role = connection.execute(
                sqlalchemy.text(
                    "select pg_catalog.current_schema(), pg_catalog.current_setting('search_path'),"
                    " current_user"
                )
            ).one()
            self._autocommit = is_idle(driver_of(connection))  # despite having just been used
        if self.tenant is not None:
            self._current_schema = self.tenant.schema(context)
            role = role_set(context.connection, server.role)
            return VersionTableName(
                context.version_table, self.tenant.version_schema, role, self.tenant.name
            )
        self._current_schema = found or ""
        # the server's own schemas and the one for temporary tables contain no user's tables
        unusable = found is None or found.startswith("pg_")
        self._without_schema = without_schema(context.connection) if unusable else None
        schema = context.version_table_schema
        if schema is None:
            # the application's search path may differ from surefoot's; each session has a schema
            # of its own for temporary tables
            schema = found if found != server.default_schema and not unusable else None
        role = role_set(context.connection, server.role)
        return VersionTableName(context.version_table, schema, role)

    def commits_midway(self, revision: str) -> bool:
        """Whether the revision's file mentions committing by itself."""
        return self._speaks_of(revision, rb"autocommit|\bcommit\b")

    def may_widen_version_column(self, revision: str) -> bool:
        """Whether the revision's file mentions the version table's column."""
        return self._speaks_of(revision, rb"version_num")

    def may_handle(self, revision: str) -> tuple[str, ...]:
        """Return which kinds of objects that no facts describe the revision's file may drop."""
        said = {
            "cast": rb"(?i)\bcast\s*\(|\bcascade\b",
            "operator": rb"(?i)\b(?:operator|cascade)\b",
            "publication": rb"(?i)publication",
        }
        return tuple(kind for kind, words in said.items() if self._speaks_of(revision, words))

    def files(self) -> dict[str, Path]:
        """Return each revision's file."""
        return {id: Path(self._scripts.get_revision(id).path) for id in self._revisions}

    def may_vary(self, revision: str) -> bool:
        """Whether the revision's file mentions something that may differ between runs."""
        if not self._speaks_of(revision, rb"\b(?:random|urandom|uuid|secrets|set|hash)\b|\{"):
            return False
        from surefoot.revision_source.varying import may_vary

        return may_vary(Path(self._scripts.get_revision(revision).path).read_bytes())

    def source(self, revision: str) -> Source | None:
        """Return what its upgrade() does, as far as its text shows; None without a text file."""
        script = self._scripts.get_revision(revision)
        file = Path(script.path)
        try:
            text = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            return None
        return read_upgrade(text, file.name, resumable=self.revision(script).resumable)

    def row_changes(self, revision: str) -> tuple[str, ...]:
        """Return the lines of its upgrade() that change rows, or may."""
        if not self._speaks_of(revision, rb"execute|bind|bulk_insert|(?i:session)"):
            return ()
        source = self.source(revision)
        return source.row_changes if source is not None else ()

    def indexes_passed_over(self, revision: str) -> tuple[Statement, ...]:
        """Return what its upgrade() does to indexes, if its file mentions IF NOT EXISTS."""
        if not self._speaks_of(revision, rb"if_not_exists|if\s+not\s+exists"):
            return ()
        source = self.source(revision)
        return tuple(s for s in source.statements if s.kind == "index") if source else ()

    def _speaks_of(self, revision: str, pattern: bytes) -> bool:
        asked = (revision, pattern)
        if asked not in self._spoken:  # a file is read once, like it is loaded once
            file = Path(self._scripts.get_revision(revision).path)
            found = re.search(pattern, file.read_bytes(), re.IGNORECASE)
            self._spoken[asked] = found is not None
        return self._spoken[asked]

    def revision(self, script: Any) -> Revision:
        """Return one of Alembic's scripts as a value."""
        known = self._revisions.get(script.revision)
        if known is None:
            known = self._revisions[script.revision] = revision_of(script)
        return known

    def _history(self) -> History:
        with readable(self.root, self.version_directories):
            revisions = [self.revision(script) for script in self._scripts.walk_revisions()]
        return History({r.id: r for r in sorted(revisions, key=lambda r: r.id)})


def _same(one: ScriptDirectory, other: ScriptDirectory) -> bool:
    """Whether both would find the same files; `one` hasn't read them yet."""
    missing = object()
    return all(
        vars(other).get(name, missing) == value
        for name, value in vars(one).items()
        if name != "revision_map"
    )


def _after(
    ready: Callable[[Any], None], context: Any, migrate: Callable[..., None]
) -> Callable[..., None]:
    def run_migrations(**keywords: Any) -> None:
        with signals.uninterrupted():
            ready(context)
        migrate(**keywords)

    return run_migrations


def around_version_table(
    context: Any, before: Callable[[Any], None], after: Callable[[], None]
) -> None:
    """Call `before` directly before Alembic creates its version table, in the same transaction.

    It gets the connection. `after` is called once the table is there. Neither, if it is there
    already.
    """

    def making(_table: Any, connection: Any, **_: Any) -> None:
        with signals.uninterrupted():
            before(connection)

    def made(*_: Any, **__: Any) -> None:
        after()

    sqlalchemy.event.listen(context._version, "before_create", making)
    sqlalchemy.event.listen(context._version, "after_create", made)


def commit_between(context: Any) -> bool:
    """Commit between two steps what the earlier ones did.

    False if env.py began the transaction itself, because Alembic then leaves it alone.
    """
    if context._transaction is None:
        return False
    with context.autocommit_block():
        return True


def _uninterrupted(fn: Callable[..., Iterable[Any]]) -> Callable[..., Iterable[Any]]:
    """Return the same steps, protected from signals while Alembic computes them, not while it runs
    them.
    """

    def steps(heads: Any, context: Any) -> Iterator[Any]:
        with signals.uninterrupted():
            made = iter(fn(heads, context))
        while True:
            with signals.uninterrupted():
                step = next(made, None)
            if step is None:
                return
            yield step

    return steps


def upgrade_steps(context: Any, heads: Any) -> list[Any]:
    """Return Alembic's own steps from these version rows to the heads, for `run`."""
    return _steps(context.script, heads)


def downgrade_step(step: Any) -> Any:
    """Return Alembic's step that undoes the revision of an upgrade step."""
    return RevisionStep(step.revision_map, step.revision, False)


def upgrade_step(step: Any) -> Any:
    """Return the same upgrade step again."""
    return RevisionStep(step.revision_map, step.revision, True)


def _steps(script: ScriptDirectory, heads: Any) -> list[Any]:
    return script._upgrade_revs("heads", heads)  # pyright: ignore[reportPrivateUsage]
