"""Combine the two looks: at the code and at the database."""

import contextlib
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import psycopg

from surefoot.catalogue.match import Difference, Identification
from surefoot.decision.decide import classify
from surefoot.decision.facts import Code, DatabaseState, Elsewhere, Facts, VersionTableName
from surefoot.decision.half_way import still_half_way
from surefoot.decision.ownership import Ownership, doubtful, is_others, set_aside
from surefoot.decision.recovery import recovery
from surefoot.errors import SurefootError
from surefoot.interrupted.interruption import InterruptedRevision
from surefoot.look.code import code_of
from surefoot.look.database import observe_database
from surefoot.look.grounds import chosen_when_run, manifest_of, why_not_quick
from surefoot.look.ownership import by_catalogue, by_files, schemas_of_path
from surefoot.look.tenants import require_named, require_tenant
from surefoot.model.history import Revision
from surefoot.model.states import State
from surefoot.model.target import Target
from surefoot.postgres.connect import LookSession
from surefoot.preflight.losses import PendingLosses
from surefoot.project.config import Project
from surefoot.revision_source.ini import IniFile
from surefoot.schema.fact import SchemaFact
from surefoot.sql import query

if TYPE_CHECKING:  # Alembic and SQLAlchemy are imported when they are needed, and only then
    from surefoot.alembic_env.environment import Environment
    from surefoot.catalogue.catalogue import Catalogue
    from surefoot.look.preflight import Preparation


def configured_version_table(project: Project) -> VersionTableName:
    """The version table's name as the configuration has it, or Alembic's default."""
    config = project.config
    return VersionTableName(
        config.version_table or "alembic_version",
        config.version_table_schema,
        tenant=project.tenant,
    )


_LOOKS = 20  # for a database that others migrate meanwhile


class Application:
    """The application's side, after Alembic was asked: its env.py and all that env.py uses."""

    def __init__(
        self,
        project: Project,
        ini: IniFile | None,
        environment: "Environment",
        before: DatabaseState,
    ) -> None:
        """`before` is the database as it was before the application's code was loaded."""
        self.environment, self._project = environment, project
        self._mark_before = before.mark
        view = environment.look(before.server)
        self.env_sha256 = environment.env_sha256
        self.statement_timeout = project.config.statement_timeout
        self.version_table = view.version_table
        self.server = before.server
        self.history = view.history
        self._code: Code = code_of(project, view.history)
        # before a look reads these files: a file that changes later isn't the one that was used
        self.manifest = manifest_of(project, ini, environment)
        self.not_quick = why_not_quick(project, environment, view.version_table, before.server)
        from surefoot.look.match import Cataloguing

        self.schema, self.autocommit = view.schema, view.autocommit
        self._accepted: tuple[Difference, ...] = ()
        self._view = view
        self._ownership: Ownership | None = None
        self._cataloguing = Cataloguing(
            project,
            ini,
            self._code,
            search_path=view.search_path,
            schema=view.schema,
            files=environment.files,
        )
        # the database before the application's code was loaded; None once a plan is carried out
        self.loaded_from: DatabaseState | None = before
        before = self._with_owners(before)
        self.was_empty = not (before.rows or before.objects or before.distrusted)
        self._began_empty = self.was_empty  # everything that exists now was made by this run

    def _with_owners(self, database: DatabaseState) -> DatabaseState:
        """Return the same database, with the objects of others set apart."""
        if not database.contents:
            return database
        if self._ownership is None:
            self._ownership = self._owned(database)
        makes_in, shared = self._makes_in(database), self._code.shared
        return self._ownership.of(database, self._code.history, makes_in, shared=shared)

    def _makes_in(self, database: DatabaseState) -> frozenset[str]:
        """The schemas in which the application makes its objects, as far as that is known."""
        view = self._view
        version_schema = database.version_schema or view.version_table.schema or view.schema
        made = frozenset({view.schema, version_schema})
        _, catalogue = self._cataloguing.read()
        named = by_catalogue(catalogue, made).schemas if catalogue is not None else None
        return made if named is None else named | {version_schema}

    def _owned(self, database: DatabaseState) -> Ownership:
        view = self._view
        used = schemas_of_path(view.search_path, self.role) | {view.schema}
        used |= {database.version_schema or view.version_table.schema or view.schema}
        _, catalogue = self._cataloguing.read()
        if catalogue is not None:
            return by_catalogue(catalogue, used)
        if chosen_when_run(self._project.config, self.environment) is not None:
            return Ownership()  # its files don't say which schemas
        root = self._project.root
        files, directories = self.manifest.files, self.manifest.directories
        return by_files(files, directories, root, used, database.contents, os.environ)

    def facts(
        self, connection: psycopg.Connection[Any], asked: tuple[str, ...] | None = None
    ) -> Facts:
        """Return everything that a decision depends on, in one snapshot.

        `asked` are version rows that a person has named, to compare the structure with.
        """
        facts = self._seen(connection, asked)
        state = classify(facts)
        if state in (State.BEHIND, State.IDENTIFIED):
            chosen = facts.standing.chosen if facts.standing else None
            rows = tuple(row for row in facts.database.rows if row is not None)
            if state is State.IDENTIFIED and chosen is not None:
                rows = chosen.rows
            return self._with_pending(connection, facts, rows)
        if state is State.EMPTY:
            return self._to_install(connection, facts)
        if state is State.INTERRUPTED:
            return self._interrupted(connection, facts)
        standing = facts.standing
        if standing is None or standing.exact:
            return facts
        # refused anyway: other obstacles are reported with it
        if state is State.CONTRADICTED:
            rows = tuple(row for row in facts.database.rows if row is not None)
        elif state is State.UNIDENTIFIED and self._cataloguing.is_merely_early(standing):
            rows = standing.nearest[0].rows
        else:
            return facts
        found = self._with_pending(connection, facts, rows)
        if state is State.CONTRADICTED and standing.merely_early:
            return found  # if an object in the way is a reason to refuse, that says more
        return msgspec.structs.replace(facts, preflight=found.preflight)

    def _interrupted(self, connection: psycopg.Connection[Any], facts: Facts) -> Facts:
        """Add how much exists of the revision that was left half-way.

        If surefoot can continue it: also what is pending then, and what is in the way of that.
        """
        revisions, seen = self._code.history.revisions, facts.database
        if len(seen.half_way) != 1 or seen.reversing or seen.half_way[0].id not in revisions:
            return facts
        (mark,) = seen.half_way
        revision = revisions[mark.id]
        known = {row for row in seen.rows if row is not None}
        if not known <= revisions.keys():
            return facts
        found = self._cataloguing.interruption(
            connection,
            seen,
            revision.id,
            self.environment.source(revision.id),
            edited=mark.sha256 not in (None, revision.sha256),
        )
        facts = msgspec.structs.replace(facts, interruption=found)
        self._accepted = seen.accepted
        how = recovery(facts)
        if how is None or found is None:
            return facts
        rows = found.after if how.record else found.rows
        return self._with_pending(connection, facts, rows, found, whole=how.record)

    def _to_install(self, connection: psycopg.Connection[Any], facts: Facts) -> Facts:
        code = self._code
        if not code.init:
            return self._with_pending(connection, facts, ())
        identifiable = self._cataloguing.for_install is not None
        facts = msgspec.structs.replace(facts, identifiable=identifiable)
        start = code.stands_for
        if start is None:
            return msgspec.structs.replace(facts, pending=())
        unknown = not all(id in code.history.revisions for id in start)
        if unknown or code.history.overlapping(start):
            return facts  # which is refused
        return self._with_pending(connection, facts, start)

    def installed(
        self, connection: psycopg.Connection[Any], rows: tuple[str, ...] | None
    ) -> Identification | None:
        """Identify the structure that the init scripts have made in this connection's transaction.

        It is compared with `rows`, unless they are None. None without a catalogue.
        """
        return self._cataloguing.installed(connection, self.version_table, rows)

    def half_way(
        self, connection: psycopg.Connection[Any], before: InterruptedRevision
    ) -> tuple[InterruptedRevision, tuple[SchemaFact, ...]]:
        """Return how much exists of the interrupted revision, in this connection's transaction, and
        all facts.
        """
        accepted = self._accepted
        return self._cataloguing.half_way(connection, self.version_table, before, accepted)

    def own(self, facts: tuple[SchemaFact, ...]) -> frozenset[SchemaFact]:
        """Those that no revision knows: the user's."""
        return self._cataloguing.own(facts)

    @property
    def search_path(self) -> str:
        """Return the search path of the application's own connection."""
        return self._view.search_path

    def _with_pending(
        self,
        connection: psycopg.Connection[Any],
        facts: Facts,
        rows: tuple[str, ...],
        interruption: InterruptedRevision | None = None,
        *,
        whole: bool = False,
    ) -> Facts:
        """Add the revisions that are pending after these rows, and the objects in their way.

        Objects of an interrupted revision are not in the way: it is complete (`whole`), or they are
        skipped or dropped before it runs again.
        """
        pending = self.environment.pending(rows)
        if facts.database.begun_elsewhere:
            return msgspec.structs.replace(facts, pending=pending)
        if not pending and (facts.database.rows or facts.database.objects):
            return msgspec.structs.replace(facts, pending=pending)
        from surefoot.look.preflight import preflight

        given = self._preflight_of(facts, pending)
        if interruption is not None:
            own = () if whole else interruption.placed("there", "invalid")
            made = {named.key for named in own if named.made}
            given = msgspec.structs.replace(
                given,
                going=frozenset(made),
                held=msgspec.structs.replace(interruption.below(), rows=rows),
            )
        found = preflight(connection, given)
        losses = self._losses(connection, given)
        return msgspec.structs.replace(facts, pending=pending, preflight=found, losses=losses)

    def _losses(
        self, connection: psycopg.Connection[Any], given: "Preparation"
    ) -> PendingLosses | None:
        """Return what the pending revisions destroy; None if it isn't needed, or nothing exists."""
        seen = given.facts.database
        nothing = self._began_empty or not (seen.rows or seen.objects)
        if nothing or self._code.destructive == "allow":
            return None
        from surefoot.look.losses import observe_losses

        sources = {r.id: self.environment.source(r.id) for r in given.pending}
        return observe_losses(connection, given, sources)

    def _preflight_of(self, facts: Facts, pending: tuple[Revision, ...]) -> "Preparation":
        from surefoot.look.preflight import Preparation

        environment, view = self.environment, self._view
        _, catalogue = self._cataloguing.read()
        return Preparation(
            facts,
            pending,
            catalogue,
            self._cataloguing.live if facts.standing is not None else (),
            role=view.role,
            each=view.each,
            version_length=view.version_length,
            committing=frozenset(r.id for r in pending if environment.commits_midway(r.id)),
            widening=frozenset(r.id for r in pending if environment.may_widen_version_column(r.id)),
            indexes=tuple(
                (r, statement)
                for r in (pending if facts.database.rows or facts.database.objects else ())
                for statement in environment.indexes_passed_over(r.id)
            ),
            schema=self.schema,
            sources=tuple(
                (r.id, source)
                for r in (pending if facts.database.rows or facts.database.objects else ())
                if (source := environment.source(r.id)) is not None
            ),
            handling=frozenset(
                (r.id, kind) for r in pending for kind in environment.may_handle(r.id)
            ),
            files=self.files,
        )

    @property
    def files(self) -> tuple[Path, ...]:
        """Return the files of the revisions and of the init scripts."""
        config, root = self._project.config, self._project.root
        scripts = (config.scripts(config.init), *config.former())
        return (
            *self.environment.files().values(),
            *(root / entry.path for entries in scripts for entry in entries),
        )

    @property
    def role(self) -> str:
        """Return the role of env.py's connection, which owns all that the application makes."""
        return self._view.role or self.server.role

    @property
    def catalogue(self) -> "Catalogue | None":
        """Return the catalogue, if there is a usable one."""
        return self._cataloguing.read()[1]

    def _seen(self, connection: psycopg.Connection[Any], asked: tuple[str, ...] | None) -> Facts:
        """Read version rows and structure that belong together.

        These are two looks, and others may migrate in between: if the rows are unchanged, so is the
        structure.
        """
        left = _LOOKS
        required = self._code.requires_catalogue
        while True:
            # the seal is taken before the structure is read: DDL in between invalidates it
            database = observe_database(connection, self.version_table, sealed=True)
            came = self._changed_by_loading(database)
            half_way = still_half_way(database, self._code.history)
            database = msgspec.structs.replace(database, half_way=half_way)
            database = self._with_owners(self._with_places(connection, database))
            database = self._with_installations(connection, database)
            # as long as no surefoot has begun: existing objects were made by something else
            untouched = not database.rows and database.mark == self._mark_before
            was_empty = self.was_empty and untouched
            facts = Facts(self._code, database, was_empty=was_empty, loading_changed=came)
            if classify(facts) is State.EMPTY:
                condition, _ = self._cataloguing.read()
                if condition.condition in ("usable", "missing") and not required:
                    return facts
                return msgspec.structs.replace(facts, catalogue=condition)
            facts = self._with_standing(connection, facts, asked)
            standing, left = facts.standing, left - 1
            shared = self._code.shared
            its = doubtful(database, self._code.history, shared=shared)
            allowed = shared and not its and not database.rows
            if allowed and standing is not None and is_others(standing):
                return Facts(self._code, set_aside(database), was_empty=True)
            if facts.standing is None or not left:
                return facts
            if observe_database(connection, self.version_table).rows == database.rows:
                return facts

    def _with_installations(
        self, connection: psycopg.Connection[Any], database: DatabaseState
    ) -> DatabaseState:
        """Keep of the version tables in other schemas only the installations that have the data
        which the tables here lack; none if a person has said that there are several.
        """
        if not (database.rows and database.elsewhere):
            return database
        fuller: tuple[Elsewhere, ...] = ()
        if not (self._code.shared or database.version_table.tenant):
            from surefoot.look.installations import observe_fuller

            history, makes_in = self._code.history, self._makes_in(database)
            fuller = observe_fuller(connection, database, history, makes_in)
        return msgspec.structs.replace(database, elsewhere=fuller)

    def _changed_by_loading(self, database: DatabaseState) -> bool:
        """Whether the structure has changed since the look before the application's code was
        loaded, while no other surefoot or Alembic was at work.
        """
        before = self.loaded_from
        if before is None or before.grounds is None or database.grounds is None:
            return False
        same = before.version_table, before.rows, before.mark
        if same != (database.version_table, database.rows, database.mark):
            return False
        return before.grounds.seal != database.grounds.seal

    def _with_places(
        self, connection: psycopg.Connection[Any], database: DatabaseState
    ) -> DatabaseState:
        """Add where the journal places revisions, if the code doesn't have one of the rows."""
        if not self._code.history.unknown(database.rows):
            return database
        from surefoot.look.journal_recipes import observe_ways_back

        places: dict[str, tuple[str, ...]] = {}
        with contextlib.suppress(SurefootError):  # a journal that can't be read has no places
            kept = observe_ways_back(connection, database)
            places = {id: (*one.parents, *one.depends_on) for id, one in kept.items()}
        return msgspec.structs.replace(database, places=places)

    def _with_standing(
        self, connection: psycopg.Connection[Any], facts: Facts, asked: tuple[str, ...] | None
    ) -> Facts:
        condition, catalogue = self._cataloguing.read()
        standing = None
        if catalogue is not None and (catalogue.loaded or not facts.was_empty):
            standing = self._cataloguing.standing(connection, facts.database, catalogue, asked)
            condition, _ = self._cataloguing.read()
        if standing is not None and (facts.was_empty or facts.database.is_as_installed):
            # this run has seen the database empty, or another one was cut off after the init
            # scripts: no revision has run
            base = next((stand for stand in standing.exact if not stand.rows), None)
            if base is not None or facts.was_empty:
                standing = base and msgspec.structs.replace(
                    standing, exact=(base,), chosen=base, by="structure", vetoed=()
                )
        return msgspec.structs.replace(facts, catalogue=condition, standing=standing)


@contextmanager
def application(
    project: Project,
    ini: IniFile | None,
    target: Target,
    session: LookSession,
    *,
    in_scratch: bool = False,
) -> Generator[Application, None, None]:
    """Load the application and ask its env.py, without migrating.

    `session` lends a session for looks. `in_scratch`: the database is a scratch one, which has no
    tenant of the configuration's. Raises SurefootError `history-unreadable`,
    `application-environment-failed`, `another-database`, `another-schema`, `tenant-…`.
    """
    tenants: tuple[str, ...] = ()
    if project.config.tenants is not None:
        require_named(project)
        if not in_scratch:
            with session() as connection:
                tenants = require_tenant(project, connection)
    from surefoot.system.supervisor import supervise

    supervise()
    from surefoot.alembic_env.environment import Environment
    from surefoot.alembic_env.loading import alembic_config, env_runner
    from surefoot.alembic_env.tenant import tenant_of

    # Merely loading the application may change the database: look before.
    with session() as connection:
        named = configured_version_table(project)
        before = observe_database(connection, named, lenient=True, sealed=True)
    with alembic_config(project, ini, target) as open_config:
        environment = Environment(
            open_config, project.root, env_runner(project), tenant_of(project, tenants)
        )
        try:
            made = Application(project, ini, environment, before)
        except SurefootError as error:
            with session() as connection:
                raise _of_encoding(connection, error) from error
        yield made


def _of_encoding(connection: psycopg.Connection[Any], error: SurefootError) -> SurefootError:
    """The error, if a driver raised it that can't read the encoding of this database's sessions.

    psycopg gives bytes for text where that is SQL_ASCII, and SQLAlchemy fails at it.
    """
    finding, cause = error.finding, error.__cause__
    if finding.code != "application-environment-failed" or cause is None:
        return error
    if not isinstance(cause, TypeError | UnicodeError):
        return error
    from surefoot.diagnosis.server import encoding
    from surefoot.postgres.look import looking

    with looking(connection) as look:
        row = look.cursor.execute(query("session_encoding")).fetchone()
    assert row is not None
    if row["encoding"] != "SQL_ASCII":
        return error
    found = encoding("SQL_ASCII", row["database"])
    seen = (*finding.seen, *found.seen)
    return SurefootError.of(msgspec.structs.replace(finding, seen=seen, next=found.next))
