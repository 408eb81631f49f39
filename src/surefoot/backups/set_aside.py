"""Look at the server before a restore: its databases, their sessions, and obstacles."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

import msgspec
import psycopg

from surefoot.backups.contents import system_identifier
from surefoot.backups.mark import SetAsideDatabase, read
from surefoot.backups.properties import Properties, properties
from surefoot.backups.sidecar import Sidecar
from surefoot.decision.facts import SchemaContents, VersionTableName
from surefoot.decision.ownership import Ownership, others_lines
from surefoot.errors import SurefootError
from surefoot.errors.steps import to_type
from surefoot.look.database import observe_beside, observe_others
from surefoot.model.target import Target
from surefoot.postgres.connect import connect, translate_db_errors
from surefoot.postgres.look import looking, looking_within
from surefoot.schema.names import quote_name
from surefoot.sql import query

Row = dict[str, Any]


class There(msgspec.Struct, frozen=True):
    """A database of the server. A mark in its comment counts only if its owner is `trusted`."""

    oid: int
    name: str
    owner: str
    trusted: bool
    comment: str | None
    bytes: int | None


class Surroundings(msgspec.Struct, frozen=True):
    """What a look before a restore has seen.

    `obstacles` are in its way, a line each; `server` is the system identifier, if the role may read
    it. `others` are what isn't the application's, a line each: the histories of other applications,
    and schemas. `subscriptions` are the enabled ones, and those with a slot. `slots` are logical
    replication slots, from which others read.
    """

    oid: int
    name: str
    server: str | None
    obstacles: tuple[str, ...]
    there: tuple[There, ...]
    others: tuple[str, ...] = ()
    subscriptions: tuple[str, ...] = ()
    slots: tuple[str, ...] = ()


def database_of(target: Target, name: str) -> Target:
    """Return the address of another database on the same server."""
    return target._replace(parameters={**target.parameters, "dbname": name})


def maintenance(
    target: Target, database: str, wait: float, say: Callable[[str], None]
) -> psycopg.Connection[Any]:
    """Connect to another database: a session can't rename its own.

    Raises as `connect` does.
    """
    if database != "postgres":
        with suppress(SurefootError):
            return connect(database_of(target, "postgres"), wait=min(wait, 5.0), say=lambda _: None)
    return connect(database_of(target, "template1"), wait=wait, say=say)


def observe_surroundings(
    connection: psycopg.Connection[Any],
    sidecar: Sidecar | None,
    version_table: VersionTableName,
    ownership: Callable[[list[str], tuple[SchemaContents, ...]], Ownership],
    *,
    owners: bool,
) -> Surroundings:
    """Return what `connection`, which leads to the database itself, sees.

    `version_table` is the application's own, and `ownership` says which schemas are; `owners`: the
    backup's owners and grants will be restored.
    """
    wanted = {
        "roles": [*sidecar.roles] if sidecar and owners else [],
        "extensions": [*sidecar.extensions] if sidecar else [],
    }
    with looking(connection) as look:
        seen = look.cursor.execute(query("restore_surroundings"), wanted).fetchone()
        assert seen is not None
        others = observe_others(look, version_table)
        others += others_lines(observe_beside(look, version_table, ownership))
    with translate_db_errors():
        there = databases(connection, seen["name"])
        server = system_identifier(connection)
        found = subscriptions(connection, (seen["name"],))
        slots = replication_slots(connection, (seen["name"],))
    return Surroundings(
        *(seen["oid"], seen["name"], server, tuple(_obstacles(seen)), there, others),
        tuple(one.name for one in found if one.active),
        tuple(one.name for one in slots),
    )


def _obstacles(seen: Row) -> Iterable[str]:
    if seen["standby"]:
        yield "this server is a standby"
    if not seen["may_create"]:
        yield f"the role {seen['role']} may not create databases (CREATEDB)"
    if not seen["may_rename"]:
        yield f"the database belongs to {seen['owner']}, and {seen['role']} isn't a member of it"
    for role in seen["missing_roles"]:
        yield f"the backup has owners or grants of the role {role}, which doesn't exist here"
    for extension in seen["missing_extensions"]:
        yield f"the backup has the extension {extension}, which this server doesn't have"
    if seen["prepared"]:
        yield f"prepared transactions are open in it: {seen['prepared']} (pg_prepared_xacts)"


def databases(connection: psycopg.Connection[Any], of: str) -> tuple[There, ...]:
    """Return every database of the server; `of` names the one that a restore is for."""
    with looking(connection) as look:
        asked = {"trusted": look.trusted, "of": of}
        return tuple(There(**row) for row in look.cursor.execute(query("databases"), asked))


def require_trusted(there: Iterable[There], name: str) -> None:
    """Require a trusted owner for a database of this name, if it exists, before connecting to it.

    Raises SurefootError `object-not-trusted`.
    """
    one = next((one for one in there if one.name == name), None)
    if one is None or one.trusted:
        return
    raise SurefootError(
        "object-not-trusted",
        f"Database {quote_name(name)} could have been created by somebody else, and a restore "
        "needs its name: surefoot doesn't connect to it.",
        seen=[
            f"database {quote_name(name)} belongs to {one.owner}",
            f"its comment: {one.comment or 'none'}",
        ],
        next=to_type(
            f"ask {one.owner} what it is for. If nobody needs it, as a superuser",
            f"drop database {quote_name(name)};",
            then="then start again",
        ),
    )


def marked(there: Iterable[There], database: str | None = None) -> tuple[SetAsideDatabase, ...]:
    """Return the databases that a restore has made or set aside; for one database, if it is named.

    A mark counts only if the database's owner is trusted. The database with the name itself isn't
    one of them, whatever its comment says: it was put back there.
    """
    found: list[SetAsideDatabase] = []
    for one in there:
        mark = read(one.comment)
        if not one.trusted:
            continue
        if mark is not None and database in (None, mark.database) and one.name != mark.database:
            found.append(SetAsideDatabase(one.name, one.oid, one.bytes, mark))
    return tuple(found)


def sessions_in(
    connection: psycopg.Connection[Any], names: Iterable[str], ours: Iterable[int]
) -> tuple[str, ...]:
    """List the sessions in these databases, except these processes, a line each."""
    given = {"names": [*names], "ours": [*ours]}
    with looking(connection) as look:
        rows = look.cursor.execute(query("sessions_in"), given).fetchall()
    return tuple(
        f"{row['application'] or 'a session'} (pid {row['pid']}, {row['role'] or 'a role'}"
        f"{' from ' + row['client'] if row['client'] else ''}) in {row['database']}"
        for row in rows
    )


class Subscription(msgspec.Struct, frozen=True):
    """A subscription; it is `active` if it is enabled or has a slot."""

    database: str
    name: str
    active: bool


def subscriptions(
    connection: psycopg.Connection[Any], names: Iterable[str]
) -> tuple[Subscription, ...]:
    """Return the subscriptions in these databases."""
    with looking(connection) as look:
        rows = look.cursor.execute(query("subscriptions"), {"names": [*names]}).fetchall()
    return tuple(Subscription(**row) for row in rows)


class Slot(msgspec.Struct, frozen=True):
    """A logical replication slot."""

    database: str
    name: str


def replication_slots(
    connection: psycopg.Connection[Any], names: Iterable[str]
) -> tuple[Slot, ...]:
    """Return the logical replication slots of these databases."""
    with looking(connection) as look:
        rows = look.cursor.execute(query("replication_slots"), {"names": [*names]}).fetchall()
    return tuple(Slot(**row) for row in rows)


def detaching(names: Iterable[str]) -> Iterable[str]:
    """Return the statements that end the replication and leave the publisher's slot."""
    for name in map(quote_name, names):
        yield f"alter subscription {name} disable;"
        yield f"alter subscription {name} set (slot_name = none);"


def observe_properties(connection: psycopg.Connection[Any], name: str) -> Properties | None:
    """Read the properties of the database of that name, in the connection's transaction."""
    with looking_within(connection) as look:
        row = look.cursor.execute(query("database_properties"), {"name": name}).fetchone()
    return None if row is None else properties(row)


def is_empty(connection: psycopg.Connection[Any]) -> bool:
    """Whether the database contains no user objects."""
    with looking(connection) as look:
        return not look.cursor.execute(
            query("objects"), {"table": "", "migrators": [], "only": None}
        ).fetchall()
