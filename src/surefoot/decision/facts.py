"""What was seen, as values: `look/` makes them, `decide` reads them."""

import hashlib
from typing import Literal

import msgspec

from surefoot.catalogue.match import Difference, Identification, StructureLook
from surefoot.interrupted.interruption import InterruptedRevision
from surefoot.model.history import History, Revision
from surefoot.preflight.losses import PendingLoss, PendingLosses
from surefoot.preflight.verdict import Preflight
from surefoot.scripts.header import ScriptFile


class VersionTableName(msgspec.Struct, frozen=True):
    """The version table's name as env.py has it; a schema of None means the search path.

    `role` is the role that env.py sets for its connection, if any: what that role owns is the
    application's. `tenant` is the one schema whose structure is read; None: every schema.
    """

    name: str = "alembic_version"
    schema: str | None = None
    role: str | None = None
    tenant: str | None = None

    @property
    def only_in(self) -> str | None:
        """The one schema where a table of this name counts; None: every schema."""
        return None if self.tenant is None else self.schema


class ServerInfo(msgspec.Struct, frozen=True):
    """The server and the database, as they identify themselves.

    `version` is PostgreSQL's number (160004). `started` with `database` distinguishes one database
    of one server from every other, through any address.
    """

    version: int
    version_text: str
    database: str
    role: str
    started: str
    default_schema: str | None
    search_path: tuple[str, ...] = ()


class Elsewhere(msgspec.Struct, frozen=True):
    """A table in another schema with the version table's name; `rows` is None if it wasn't read.

    `stranger` is its owner (or its schema's owner) if that role isn't trusted. `separate`: env.py
    names another schema for this application, which uses nothing in this one. `fuller`: the tables
    that have rows here are few of those that have rows there.
    """

    schema: str
    rows: tuple[str | None, ...] | None = None
    stranger: str | None = None
    separate: bool = False
    fuller: bool = False


class SchemaContents(msgspec.Struct, frozen=True):
    """The contents of one schema except the version table and the extensions' objects.

    `examples` are the first few objects, `relations` the names of all tables and views, `owners`
    the roles that own something there. `histories` are the version tables of migration tools
    (Alembic's under another name, Django's, Flyway's …): they show that another application uses
    the schema, too.
    """

    schema: str
    objects: int
    examples: tuple[str, ...] = ()
    relations: tuple[str, ...] = ()
    owners: tuple[str, ...] = ()
    histories: tuple[str, ...] = ()


class Journaled(msgspec.Struct, frozen=True):
    """A revision that has run here, according to the journal.

    `below` are the revisions that it needs, `release` the application's release that it ends,
    `floor` the oldest release or revision whose code can run on it, if its file says so. `sha256`
    is the hash of the file that was run.
    """

    id: str
    below: tuple[str, ...] = ()
    release: str | None = None
    floor: str | None = None
    sha256: str | None = None


class Manifest(msgspec.Struct, frozen=True):
    """The files on which a look at a structure was based (`project/manifest.py` hashes them).

    `surefoot`: the version that looked, because another one may see more. `config`: the name of the
    configuration file, relative to the project's root. `files`: relative to the root if they are
    below it; a missing file is recorded as missing. `directories`: all Python files in them count.
    `hash`: over the names and contents of all of them.
    """

    surefoot: str
    config: str | None
    files: tuple[str, ...]
    directories: tuple[str, ...]
    hash: str


class DatabaseGrounds(msgspec.Struct, frozen=True):
    """Which database it is, and the state of its structure.

    `system` is the cluster's identifier and `timeline` its timeline: None if this role may not ask
    for them. `database` and `journal` are the oids of the database and of the journal's table,
    `name` is the database's name, `server` PostgreSQL's version number. `path` are the schemas of
    the session's search path, as PostgreSQL writes an array: a name without a schema means another
    table on another path. `seal` is the DDL seal (`sql/seal.sql`): it changes with every change to
    the structure.
    """

    database: int
    name: str
    server: int
    path: str
    seal: str
    journal: int | None = None
    system: str | None = None
    timeline: int | None = None

    def same(self, now: "DatabaseGrounds") -> bool:
        """Whether a session now sees the same database with an unchanged structure.

        A session that may not ask for the cluster's identifier relies on the rest: a restored
        database has other oids and another seal.
        """
        system = self.system if now.system is None else now.system
        timeline = self.timeline if now.timeline is None else now.timeline
        return self == msgspec.structs.replace(now, system=system, timeline=timeline)


class Evidence(msgspec.Struct, frozen=True):
    """What a run saw at its end, and what that relies on. The journal keeps it as JSON.

    `structure`: "verified" if the structure was compared with the catalogue. "unchecked" without a
    usable catalogue: then `why` gives the reason, and only the version rows are claimed.
    `differences`: the number of harmless differences. `remarks`: the warnings that every later
    start repeats. `manifest`: the code that was used; None in the marks of earlier builds.
    `not_quick`: why later starts must take the thorough look anyway.
    """

    structure: Literal["verified", "unchecked"]
    database: DatabaseGrounds
    differences: int = 0
    remarks: tuple[str, ...] = ()
    why: tuple[str, ...] = ()
    manifest: Manifest | None = None
    not_quick: str | None = None


class NameTaken(msgspec.Struct, frozen=True):
    """An object with the name that the version table, or its primary key, will have.

    `kind` and `name` in SQL. `of` is the table of an index, in SQL; `rows` are that table's, if it
    is a version table that may be read.
    """

    kind: str
    name: str
    of: str | None = None
    rows: tuple[str | None, ...] = ()


class VersionView(msgspec.Struct, frozen=True):
    """A view on the version table: `kind` and `name` in SQL, and its query."""

    kind: str
    name: str
    definition: str


class Mark(msgspec.Struct, frozen=True):
    """A row of the journal that says that a run ended where it should.

    `rows` are the version rows at that moment, `at` is the time in UTC. `evidence` is None if an
    older build wrote the row, or if the row isn't where it was written: restored, for example.
    """

    run: str
    at: str
    rows: tuple[str, ...]
    evidence: Evidence | None = None


class HalfWay(msgspec.Struct, frozen=True):
    """A revision that has committed a part of itself, or of its downgrade, and not ended.

    `sha256` is the hash of the file that was run, `done` how many of the downgrade's recorded
    statements are done; None where the journal doesn't say so: a downgrade() of a file ran then.
    """

    id: str
    direction: Literal["up", "down"]
    sha256: str | None = None
    done: int | None = None


class DatabaseState(msgspec.Struct, frozen=True):
    """The database as one snapshot saw it: server, version table, journal, and other contents."""

    server: ServerInfo
    version_table: VersionTableName
    """The name that was looked for."""

    # the version table
    version_schema: str | None = None
    """Where the version table is; None if there is none."""
    rows: tuple[str | None, ...] = ()
    """Its rows; a NULL is None."""
    version_column: str | None = None
    """Its column's type."""
    version_views: tuple[VersionView, ...] = ()
    """The views on its column, in the order in which they can be dropped. Asked only if the column
    needs another type.
    """
    elsewhere: tuple[Elsewhere, ...] = ()
    """Tables of its name in other schemas. If there are rows here, `look/installations.py` reads
    those.
    """
    name_taken: NameTaken | None = None
    """If there is none, another object that has its name or its primary key's."""

    # the server and the role
    read_only: bool = False
    """A standby, or a database that is read-only."""
    standby: bool = False
    """It is a standby."""
    distrusted: bool = False
    """The journal or the version table isn't trusted, so it wasn't read."""
    open_to_triggers: bool = False
    """A role that isn't trusted could put a trigger on the journal or on the version table."""

    # the journal
    journal: bool = False
    """The table is there."""
    journal_schema: bool = False
    """The schema is there, with or without the table."""
    journal_down: bool = True
    """It has a column for downgrades."""
    journal_readable: bool = True
    """This role may read it."""
    journal_writable: bool = True
    """This role may write it, or make it first."""
    journal_writers: tuple[str, ...] = ()
    """Untrusted roles that can write it: then it proves nothing."""

    # what the journal says
    mark: str | None = None
    """Its last step that says where the database stands: reached, unchecked, unreached, or a step
    of a run that was not seen to end.
    """
    mark_row: int = 0
    """That row's number."""
    last_step: int = 0
    """The number of the last row that records an action, not only a look."""
    marks: tuple[Mark, ...] = ()
    """The rows of runs that ended well, newest first, if nothing has happened since."""
    seeds: dict[str, str] = {}
    """Each seed script whose rows should be there, with the hash of the content that ran last."""
    last_journaled: str | None = None
    """If there is no version row: the last revision that the journal names, and its day."""
    accepted: tuple[Difference, ...] = ()
    """Differences from the structure that a person has accepted."""
    journaled: tuple[Journaled, ...] = ()
    """What has run, in order."""
    installed: str | None = None
    """The DDL seal of what init scripts made that stand for base, if nothing was recorded after."""
    half_way: tuple[HalfWay, ...] = ()
    """Revisions that a run left half-way, or that it is running now."""
    places: dict[str, tuple[str, ...]] = {}
    """If a version row isn't the code's: the revisions that the journal can undo, each with what it
    needs.
    """

    # other contents
    grounds: DatabaseGrounds | None = None
    """Which database this is, and its DDL seal, if they were asked for."""
    contents: tuple[SchemaContents, ...] = ()
    """Each non-empty schema that the application may use. Asked only if there is no version row."""
    beside: tuple[SchemaContents, ...] = ()
    """Schemas whose contents belong to others (`decision/ownership.py`)."""
    comment: str | None = None
    """The database's comment."""

    @property
    def is_as_installed(self) -> bool:
        """Whether init scripts that stand for base made this, and nothing has changed it since.

        The seal shows that these are the same objects: not others, from a backup. With a version
        table of the scripts' own, it would not show that a row was there meanwhile.
        """
        if self.rows or self.version_schema is not None or self.grounds is None:
            return False
        return self.grounds.seal == self.installed

    @property
    def objects(self) -> int:
        """The number of objects that may be the application's."""
        return sum(one.objects for one in self.contents)

    @property
    def examples(self) -> tuple[str, ...]:
        """The first few of them."""
        return tuple(name for one in self.contents for name in one.examples)[:5]

    @property
    def interrupted(self) -> tuple[str, ...]:
        """Revisions whose upgrade was left half-way."""
        return tuple(one.id for one in self.half_way if one.direction == "up")

    @property
    def reversing(self) -> tuple[str, ...]:
        """Revisions whose downgrade was left half-way."""
        return tuple(one.id for one in self.half_way if one.direction == "down")

    @property
    def reversed_so_far(self) -> int | None:
        """How many statements of these downgrades are done; None if one doesn't say."""
        known = [one.done for one in self.half_way if one.direction == "down"]
        return None if None in known else sum(one or 0 for one in known)

    @property
    def begun_elsewhere(self) -> bool:
        """Whether a standby shows a revision half-way: on the primary it may be running."""
        return self.standby and bool(self.interrupted)

    @property
    def unverified(self) -> bool:
        """Whether surefoot's last run here did not see head at its end."""
        return self.mark in ("stamp", "begun", "revision", "down", "unreached")

    @property
    def was_verified(self) -> bool:
        """Whether a run has seen that the structure of these version rows was here, in whole."""
        rows = sorted(map(str, self.rows))
        return any(
            mark.evidence is not None
            and mark.evidence.structure == "verified"
            and sorted(mark.rows) == rows
            for mark in self.marks
        )

    def marked(self, manifest: Manifest) -> Mark | None:
        """Return the mark of a run that verified exactly this, or None.

        The same files, the same version rows, the same database, and no DDL since.
        """
        rows = sorted(map(str, self.rows))
        for mark in self.marks:
            evidence = mark.evidence
            if evidence is None or self.grounds is None or sorted(mark.rows) != rows:
                continue
            if evidence.manifest == manifest and evidence.database.same(self.grounds):
                return mark
        return None

    @property
    def history(self) -> str:
        """The key of this history's rows in the journal: the version table and its schema."""
        schema = self.version_schema or self.version_table.schema or self.server.default_schema
        return f"{schema}.{self.version_table.name}"


class Code(msgspec.Struct, frozen=True):
    """What the application's code wants: its history and scripts.

    `init_revisions` are the configured revisions of the init scripts. `ahead` says what to do with
    a newer database on which this code can run. `accept_newer` is a version row that, by the
    operator's word, a newer release wrote. `requires_catalogue`: without a usable catalogue,
    nothing is done. `shared`: others may have objects in the application's schemas. `destructive`:
    what to do about pending revisions that destroy data. `backups`: where a backup is put before an
    upgrade; None: none is taken.
    """

    history: History
    init: tuple[ScriptFile, ...] = ()
    init_revisions: tuple[str, ...] = ()
    seeds: tuple[ScriptFile, ...] = ()
    ahead: Literal["run-if-compatible", "refuse"] = "run-if-compatible"
    accept_newer: str | None = None
    requires_catalogue: bool = False
    shared: bool = False
    destructive: Literal["allow", "warn", "refuse"] = "warn"
    backups: str | None = None

    @property
    def stands_for(self) -> tuple[str, ...] | None:
        """The version rows that the init scripts claim: the configured ones, else the last
        header's. () if that is the base; None if there is no claim.
        """
        said = [script.header.revisions for script in self.init if script.header is not None]
        claim = self.init_revisions or (tuple(sorted(said[-1])) if said else ())
        if self.history.is_base(claim):
            return ()
        return claim or None

    @property
    def begins_with_scripts(self) -> bool:
        """Whether the init scripts make what the first revision begins with."""
        return bool(self.init) and self.stands_for == ()


class Facts(msgspec.Struct, frozen=True):
    """Everything that a decision depends on.

    `pending` are the revisions that Alembic would run, in its order, from where the database stands
    (for an empty one: from what the init scripts stand for). It is None if Alembic wasn't asked.
    `was_empty`: the database was empty before the application's code was loaded. `standing` is what
    the catalogue says about the structure, None if it wasn't asked or can't say; `catalogue` says
    why. `preflight` is what is in the way of the pending revisions, None if nothing is pending.
    `identifiable`: there is a catalogue that can identify what the init scripts make.
    `interruption`: how much there is of a revision that an earlier run left half-way. `verified`:
    the mark of an earlier run that verified exactly this. `losses`: what the pending revisions
    destroy, None if that wasn't checked. `loading_changed`: the structure changed while the
    application's code was loaded.
    """

    code: Code
    database: DatabaseState
    pending: tuple[Revision, ...] | None = None
    was_empty: bool = False
    catalogue: StructureLook | None = None
    standing: Identification | None = None
    preflight: Preflight | None = None
    identifiable: bool = False
    interruption: InterruptedRevision | None = None
    verified: Mark | None = None
    losses: PendingLosses | None = None
    loading_changed: bool = False

    @property
    def lost(self) -> tuple[PendingLoss, ...]:
        """What the pending revisions destroy."""
        return self.losses.losses if self.losses else ()

    @property
    def fingerprint(self) -> str:
        """A hash of everything seen here; a plan holds for one fingerprint.

        Marks and the DDL seal only say whether a look is needed, so they aren't part of it. Nor are
        objects of others next to the application's. Of possible losses, the numbers aren't part of
        it: the application may be at work.
        """
        uncounted = (msgspec.structs.replace(one, rows=None) for one in self.lost)
        seen = msgspec.structs.replace(
            self,
            database=msgspec.structs.replace(
                self.database, grounds=None, marks=(), mark_row=0, beside=()
            ),
            verified=None,
            losses=msgspec.structs.replace(self.losses, losses=tuple(uncounted))
            if self.losses
            else None,
        )
        return hashlib.sha256(msgspec.json.encode(seen, order="sorted")).hexdigest()[:16]
