"""One read-only look at the database, in one snapshot."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from itertools import takewhile
from typing import Any, TypeVar

import msgspec
import psycopg
from psycopg import sql

from surefoot.catalogue.match import Difference
from surefoot.decision.facts import (
    DatabaseGrounds,
    DatabaseState,
    Elsewhere,
    Evidence,
    Journaled,
    Mark,
    NameTaken,
    SchemaContents,
    ServerInfo,
    VersionTableName,
    VersionView,
)
from surefoot.decision.ownership import MIGRATORS, Ownership, named_histories
from surefoot.decision.trust import Owned, distrust, owned
from surefoot.decision.version_rows import LEAST_WIDTH, needs_type
from surefoot.errors import SurefootError
from surefoot.errors.steps import to_type
from surefoot.look.half_way import StepRow, left_half_way
from surefoot.postgres.look import Look, looking, looking_within
from surefoot.quick import ENDED_WELL
from surefoot.sql import VERSION_ROWS, ask_owners, ids_of, named_in, query

OLDEST_SERVER = 130000


def observe_database(
    connection: psycopg.Connection[Any],
    version_table: VersionTableName,
    *,
    lenient: bool = False,
    sealed: bool = False,
) -> DatabaseState:
    """Look at the database that `connection` (in autocommit) leads to.

    What may not be trusted isn't read. `lenient`: then the observation says so, and knows neither
    version rows nor journal; otherwise it is refused. `sealed`: with the DDL seal, which takes
    longer the more tables there are. Raises SurefootError `object-not-trusted`,
    `server-too-old`, `version-table-unreadable`, `look-failed`, or `server-unreachable` where the
    connection is lost.
    """
    with looking(connection) as look:
        cursor = look.cursor
        seen = _probe(look, version_table)
        server = ServerInfo(
            version=seen["server_version"],
            version_text=seen["server_version_text"],
            database=seen["database"],
            role=seen["role"],
            started=seen["server_started"],
            default_schema=seen["default_schema"],
            search_path=tuple(look.path),
        )
        require_supported(server)
        owners = observe_owners(look, version_table) if seen["named"] else ()
        believed = _believed(owners, seen, version_table, lenient=lenient)
        if believed and seen["journal_wrong"]:
            raise _not_the_journal(seen["journal_wrong"])
        rows: tuple[str | None, ...] = ()
        if believed:
            if seen["version_schema"] is not None and seen["version_column"] is None:
                raise _without_column(look, version_table.name, seen["version_schema"])
            rows = _version_rows(cursor, version_table.name, seen["version_schema"])
        column, views = seen["version_column"], tuple[VersionView, ...]()
        if believed and column is not None and needs_type(column, LEAST_WIDTH):
            asked = {"table": version_table.name, "schema": seen["version_schema"]}
            found_views = cursor.execute(query("version_views"), asked).fetchall()
            views = msgspec.convert(found_views, tuple[VersionView, ...])
        contents: tuple[SchemaContents, ...] = ()
        elsewhere: tuple[Elsewhere, ...] = ()
        if rows:
            elsewhere = tuple(
                Elsewhere(one.schema) for one in _others(owners, seen["version_schema"])
            )
        else:
            contents = observe_contents(cursor, version_table.name, version_table.tenant)
            elsewhere = _elsewhere(look, owners, version_table.name, seen["version_schema"])
        taken: NameTaken | None = None
        if seen["version_schema"] is None:
            place = version_table.schema or seen["default_schema"]
            taken = _name_taken(look, version_table, place)
        journal = next((one for one in owners if one.is_journal and one.name), None)
        found = DatabaseState(
            server=server,
            version_table=version_table,
            version_schema=seen["version_schema"],
            rows=rows,
            version_column=seen["version_column"],
            version_views=views,
            comment=seen["comment"],
            contents=contents,
            elsewhere=elsewhere,
            name_taken=taken,
            journal=seen["journal"],
            journal_schema=seen["journal_schema"],
            journal_down=seen["journal_down"] or not seen["journal"],
            journal_readable=bool(seen["journal_readable"]),
            journal_writable=seen["journal_writable"],
            read_only=seen["read_only"],
            standby=seen["standby"],
            journal_writers=journal.writers if journal else (),
            open_to_triggers=any(
                one.open_to_triggers for one in _ours(owners, seen["version_schema"])
            ),
            distrusted=not believed,
        )
        if sealed:
            grounds = _grounds(cursor, seen, version_table.tenant)
            found = msgspec.structs.replace(found, grounds=grounds)
        if not (believed and found.journal and found.journal_readable):
            return found
        return _with_journal(cursor, found)


def observe_contents(
    cursor: psycopg.Cursor[dict[str, Any]], version_table: str, only: str | None = None
) -> tuple[SchemaContents, ...]:
    """Return what each schema, or `only` one, contains except such tables, within a look."""
    asked = {"table": version_table, "migrators": [*MIGRATORS], "only": only}
    return msgspec.convert(
        cursor.execute(query("objects"), asked).fetchall(), tuple[SchemaContents, ...]
    )


def observe_others(look: Look, version_table: VersionTableName) -> tuple[str, ...]:
    """The tables in which other applications keep their histories, within a look, as text for
    people. `version_table` is this application's own.
    """
    schema = _probe(look, version_table)["version_schema"] or version_table.schema
    own = f"{schema}.{version_table.name}"
    found = (one for of in observe_contents(look.cursor, "") for one in of.histories)
    return named_histories(one for one in found if one != own)


def observe_beside(
    look: Look,
    version_table: VersionTableName,
    ownership: Callable[[list[str], tuple[SchemaContents, ...]], Ownership],
) -> tuple[SchemaContents, ...]:
    """The schemas that are others' and tell so by no history, within a look. `ownership` says whose
    they are, by the search path and by what is there.
    """
    contents = tuple(
        one for one in observe_contents(look.cursor, version_table.name) if not one.histories
    )
    return ownership(look.path, contents).others(contents, version_table)


def _probe(look: Look, version_table: VersionTableName) -> dict[str, Any]:
    names = {"table": version_table.name, "schema": version_table.schema, "path": look.path}
    seen = look.cursor.execute(query("probe"), names).fetchone()
    assert seen is not None
    return seen


def observe_owners(look: Look, version_table: VersionTableName) -> tuple[Owned, ...]:
    """Whose the journal is, and every table called like the version table, within a look."""
    asked = {
        "tables": [version_table.name],
        "role": version_table.role,
        "trusted": look.trusted,
        "only": version_table.only_in,
    }
    return owned(ask_owners(lambda text: look.cursor.execute(text, asked).fetchall()))


def _ours(owners: Iterable[Owned], version_schema: str | None) -> tuple[Owned, ...]:
    """The journal, and the version table itself."""
    return tuple(one for one in owners if one.is_journal or one.schema == version_schema)


def _believed(
    owners: Iterable[Owned],
    seen: dict[str, Any],
    version_table: VersionTableName,
    *,
    lenient: bool,
) -> bool:
    """Whether the journal and the version table may be read. Raises `object-not-trusted`."""
    ours = _ours(owners, seen["version_schema"])
    if all(one.believed for one in ours):
        return True
    if not lenient:
        finding = distrust(ours, version_table.role or seen["role"])
        assert finding is not None
        raise SurefootError.of(finding)
    return False


def observe_elsewhere(look: Look, database: DatabaseState) -> tuple[Elsewhere, ...]:
    """Return the tables of the version table's name in other schemas, for a database that has
    version rows. One whose rows are hidden by policies has no rows here, and fails nothing.
    """
    name = database.version_table
    owners = observe_owners(look, name)
    return _elsewhere(look, owners, name.name, database.version_schema, lenient=True)


def _others(owners: Iterable[Owned], version_schema: str | None) -> tuple[Owned, ...]:
    """The tables of the version table's name in other schemas."""
    return tuple(
        one
        for one in owners
        if not one.is_journal and one.schema != version_schema and one.kind in ("r", "p")
    )


def _elsewhere(
    look: Look,
    owners: Iterable[Owned],
    table: str,
    version_schema: str | None,
    *,
    lenient: bool = False,
) -> tuple[Elsewhere, ...]:
    """Tables of the version table's name in other schemas. Only what is trusted is read."""
    found: list[Elsewhere] = []
    for one in _others(owners, version_schema):
        if not one.believed:
            stranger = one.owner if not one.trusted else one.schema_owner
            found.append(Elsewhere(one.schema, stranger=stranger or "somebody else"))
        else:
            rows: tuple[str | None, ...] | None = None
            try:
                if one.readable:
                    with look.cursor.connection.transaction():
                        rows = _version_rows(look.cursor, table, one.schema)
            except SurefootError:
                if not lenient:
                    raise
            found.append(Elsewhere(one.schema, rows))
    return tuple(found)


def _name_taken(look: Look, name: VersionTableName, schema: str) -> NameTaken | None:
    """What has the name of the version table, which isn't there, or of its primary key."""
    asked = {"table": name.name, "schema": schema}
    taken = look.cursor.execute(query("version_name_taken"), asked).fetchone()
    if taken is None:
        return None
    rows: tuple[str | None, ...] = ()
    if taken["of"] is not None:
        renamed = msgspec.structs.replace(name, name=taken["of"], schema=schema)
        owners = observe_owners(look, renamed)
        if any(one.schema == schema and one.believed and one.readable for one in owners):
            rows = _version_rows(look.cursor, taken["of"], schema)
    return NameTaken(taken["kind"], taken["name"], taken["of_name"], rows)


class _Control(msgspec.Struct):
    system: str | None = None
    timeline: int | None = None


def _grounds(
    cursor: psycopg.Cursor[dict[str, Any]], seen: dict[str, Any], tenant: str | None
) -> DatabaseGrounds:
    """Which database this is, and its DDL seal (of a tenant, its schema's), in one statement."""
    control = query("control") if seen["control_readable"] else "select null::jsonb"
    seal = sql.SQL(query("seal"))
    if tenant is not None:
        seal = sql.SQL("select seal from (\n{}\n) of").format(sql.SQL(query("seals")))
    statement = sql.SQL("select (\n{}\n) as seal, (\n{}\n) as control")
    statement = statement.format(seal, sql.SQL(control))
    row = cursor.execute(statement, {"only": tenant} if tenant else None).fetchone()
    assert row is not None
    cluster = msgspec.convert(row["control"] or {}, _Control)
    return DatabaseGrounds(
        database=seen["database_oid"],
        name=seen["database"],
        server=seen["server_version"],
        path=seen["search_path"],
        seal=row["seal"] or "",  # the tenant's schema isn't there
        journal=seen["journal_oid"],
        system=cluster.system,
        timeline=cluster.timeline,
    )


class _Seed(msgspec.Struct):
    name: str
    hash: str | None


class _Mark(msgspec.Struct):
    id: int
    step: str
    name: str
    run: str
    evidence: str | None
    transaction: str
    at: str


class _Step(msgspec.Struct):
    id: int


class _Ran(msgspec.Struct):
    id: str
    parents: str
    release: str | None
    floor: str | None
    hash: str | None


class _Last(msgspec.Struct):
    step: str
    name: str
    day: str


class _Evidence(msgspec.Struct):
    evidence: str


T = TypeVar("T")


def _not_the_journal(columns: list[str]) -> SurefootError:
    return SurefootError(
        "look-failed",
        "The table surefoot.journal is not the one that surefoot makes.",
        seen=[f"missing, of another type, or not writable: {', '.join(columns)}"],
        next=to_type(
            "restore the table from a backup; or, if that record of what has run may be lost",
            "drop table surefoot.journal;",
            then="then start again: surefoot makes the table again, and decides by the structure",
        ),
    )


def _with_journal(cursor: psycopg.Cursor[dict[str, Any]], found: DatabaseState) -> DatabaseState:
    """What the journal adds to an observation."""

    def rows_of(name: str, type: type[T]) -> list[T]:
        rows = cursor.execute(query(name), {"history": found.history}).fetchall()
        try:
            return msgspec.convert(rows, list[type])
        except msgspec.ValidationError as error:
            raise SurefootError(
                "look-failed",
                "The journal contains a row that surefoot didn't write.",
                seen=[f"{error} (of sql/{name}.sql)"],
                next="surefoot.journal was changed by hand: correct what is NULL or has another "
                "type; or drop the table, which loses the record of what has run",
            ) from error

    marks = rows_of("last_mark", _Mark)
    mark = marks[0] if marks else None
    (evidence,) = rows_of("accepted", _Evidence) or (None,)
    (last,) = (rows_of("last_revision", _Last) if not found.rows else ()) or (None,)
    (step,) = rows_of("last_step", _Step)
    (installed,) = rows_of("installed", _Evidence) or (None,)
    seeds = {seed.name: seed.hash for seed in rows_of("seeds", _Seed)}
    return msgspec.structs.replace(
        found,
        seeds=seeds,
        mark=mark.step if mark else None,
        mark_row=mark.id if mark else 0,
        last_step=step.id,
        # where others may write it, a row is no proof that surefoot has looked
        marks=() if found.journal_writers else _ends_of_runs(marks),
        installed=installed.evidence if installed and not found.journal_writers else None,
        half_way=left_half_way(rows_of("half_way", StepRow)),
        journaled=tuple(
            Journaled(ran.id, ids_of(ran.parents), ran.release, ran.floor, ran.hash)
            for ran in rows_of("journaled", _Ran)
        ),
        accepted=_accepted(evidence.evidence) if evidence else (),
        last_journaled=_last_text(last) if last else None,
    )


def _last_text(last: _Last) -> str:
    return f"{', '.join(named_in(last.step, last.name)) or 'base'}, of {last.day}"


class _Writer(msgspec.Struct):
    """What `insert_mark.sql` adds to a mark's evidence."""

    transaction: str


def _ends_of_runs(marks: Iterable[_Mark]) -> tuple[Mark, ...]:
    """The runs that ended well, newest first, back to the last row that says something else."""
    return tuple(map(_end_of_run, takewhile(lambda one: one.step in ENDED_WELL, marks)))


def _end_of_run(mark: _Mark) -> Mark:
    """What a run saw at its end. Evidence that can't be read, or isn't where it was written, is
    none: then the database is looked at again.
    """
    evidence = None
    if mark.evidence is not None:
        with suppress(msgspec.DecodeError):
            if msgspec.json.decode(mark.evidence, type=_Writer).transaction == mark.transaction:
                evidence = msgspec.json.decode(mark.evidence, type=Evidence)
    return Mark(mark.run, mark.at, ids_of(mark.name), evidence)


class _Adoption(msgspec.Struct):
    """What is read of an adoption's evidence."""

    accepted: tuple[Difference, ...] = ()


def _accepted(evidence: str) -> tuple[Difference, ...]:
    try:
        return msgspec.json.decode(evidence, type=_Adoption).accepted
    except msgspec.DecodeError as error:
        raise SurefootError(
            "look-failed",
            "The journal's last adoption can't be read.",
            seen=[str(error)],
            next="surefoot.journal was written by hand, or by another version of surefoot: see its "
            "last row with step = 'adopt'",
        ) from error


def observe_version_rows(
    connection: psycopg.Connection[Any], name: VersionTableName
) -> tuple[str | None, tuple[str | None, ...]]:
    """The version table's schema (None: there is no table) and its rows, in whatever transaction
    `connection` is in. Raises as `observe_database` does.
    """
    with looking_within(connection) as look:
        seen = _probe(look, name)
        schema = seen["version_schema"]
        _believed(observe_owners(look, name), seen, name, lenient=False)
        return schema, _version_rows(look.cursor, name.name, schema)


def _version_rows(
    cursor: psycopg.Cursor[dict[str, Any]], table: str, schema: str | None
) -> tuple[str | None, ...]:
    if schema is None:
        return ()
    statement = sql.SQL(VERSION_ROWS).format(sql.Identifier(schema, table))
    try:
        return tuple(row["id"] for row in cursor.execute(statement))
    except psycopg.errors.InsufficientPrivilege as error:
        from surefoot.diagnosis.names import identifier

        role, name = identifier(cursor.connection.info.user), identifier(schema, table)
        statements = [
            f"grant usage on schema {identifier(schema)} to {role};",
            f"grant select on {name} to {role};",
        ]
        if error.diag.source_function == "check_enable_rls":  # in every language
            statements = [f"alter table {name} disable row level security;"]
        raise SurefootError(
            "version-table-unreadable",
            f"This role may not read the version table {schema}.{table}.",
            seen=[str(error.diag.message_primary)],
            next=to_type(
                "as the table's owner or a superuser",
                *statements,
                then="then start again. Or connect as the role that owns it",
            ),
        ) from error


def _without_column(look: Look, table: str, schema: str) -> SurefootError:
    """The table of the version table's name lacks Alembic's column, or it was renamed."""
    from surefoot.diagnosis.names import identifier

    asked = {"table": table, "schema": schema}
    columns = [row["name"] for row in look.cursor.execute(query("text_columns"), asked)]
    other = (
        "correct the address, if this is another application's database; or set version_table in "
        "surefoot.toml, if the application's has another name"
    )
    if len(columns) == 1:
        other = to_type(
            f"if its column {columns[0]} was renamed, give it its name back, as the table's owner",
            f"alter table {identifier(schema, table)} rename column {columns[0]} to version_num;",
            then=f"then start again. Otherwise: {other}",
        )
    return SurefootError(
        "version-table-unreadable",
        f"The table {schema}.{table} is not Alembic's version table.",
        seen=['column "version_num" does not exist'],
        next=other,
    )


def require_supported(server: ServerInfo) -> None:
    """Raises SurefootError `server-too-old`."""
    if server.version < OLDEST_SERVER:
        raise SurefootError(
            "server-too-old",
            f"PostgreSQL {server.version_text} is older than surefoot supports.",
            seen=[f"database {server.database}, server version {server.version}"],
            next="use PostgreSQL 13 or newer",
        )
