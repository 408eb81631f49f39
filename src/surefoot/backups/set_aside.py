"""Around a restore: the server's databases, who is in them, and what is in its way."""

from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

import msgspec
import psycopg

from surefoot.backups.contents import system_identifier
from surefoot.backups.mark import SetAsideDatabase, read
from surefoot.backups.properties import Properties, properties
from surefoot.backups.sidecar import Sidecar
from surefoot.decision.facts import VersionTableName
from surefoot.errors import SurefootError
from surefoot.errors.steps import to_type
from surefoot.look.database import observe_others
from surefoot.model.target import Target
from surefoot.postgres.connect import connect, translate_db_errors
from surefoot.postgres.look import looking, looking_within
from surefoot.schema.names import quote_name
from surefoot.sql import query

Row = dict[str, Any]


class There(msgspec.Struct, frozen=True):
    """A database of the server's. Its comment may hold a mark, which is believed where its owner is
    `trusted`.
    """

    oid: int
    name: str
    owner: str
    trusted: bool
    comment: str | None
    bytes: int | None


class Surroundings(msgspec.Struct, frozen=True):
    """What a look before a restore has seen. `obstacles` are in its way, a line each; `server` is
    the system identifier, where the role may know it. `others` names the tables in which other
    applications keep their histories.
    """

    oid: int
    name: str
    server: str | None
    obstacles: tuple[str, ...]
    there: tuple[There, ...]
    others: tuple[str, ...] = ()


def database_of(target: Target, name: str) -> Target:
    """Another database of the same server."""
    return target._replace(parameters={**target.parameters, "dbname": name})


def maintenance(
    target: Target, database: str, wait: float, say: Callable[[str], None]
) -> psycopg.Connection[Any]:
    """A connection to a database that isn't this one: nobody renames the one that he is in.

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
    *,
    owners: bool,
) -> Surroundings:
    """What `connection`, which leads to the database itself, sees. `version_table` is the
    application's own; `owners`: the backup's owners and grants are wanted.
    """
    wanted = {
        "roles": [*sidecar.roles] if sidecar and owners else [],
        "extensions": [*sidecar.extensions] if sidecar else [],
    }
    with looking(connection) as look:
        seen = look.cursor.execute(query("restore_surroundings"), wanted).fetchone()
        assert seen is not None
        others = observe_others(look, version_table)
    with translate_db_errors():
        there = databases(connection, seen["name"])
        server = system_identifier(connection)
    return Surroundings(seen["oid"], seen["name"], server, tuple(_obstacles(seen)), there, others)


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
    """Every database of the server; `of` is the one that a restore is for, by its name."""
    with looking(connection) as look:
        asked = {"trusted": look.trusted, "of": of}
        return tuple(There(**row) for row in look.cursor.execute(query("databases"), asked))


def require_trusted(there: Iterable[There], name: str) -> None:
    """A database of this name, if there is one, must be of an owner that is trusted: nobody enters
    another one. Raises SurefootError `object-not-trusted`.
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
            f"find out what {one.owner} wants with it. If it may go: as a superuser",
            f"drop database {quote_name(name)};",
            then="then start again",
        ),
    )


def marked(there: Iterable[There], database: str | None = None) -> tuple[SetAsideDatabase, ...]:
    """Those that a restore has made or set aside; of this database, if one is named. A mark counts
    only where the database's owner is trusted.

    One that has the name itself is none of them, whatever its comment says: it was put back there.
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
    """Whoever is in these databases, besides these processes, a line each."""
    given = {"names": [*names], "ours": [*ours]}
    with looking(connection) as look:
        rows = look.cursor.execute(query("sessions_in"), given).fetchall()
    return tuple(
        f"{row['application'] or 'a session'} (pid {row['pid']}, {row['role'] or 'a role'}"
        f"{' from ' + row['client'] if row['client'] else ''}) in {row['database']}"
        for row in rows
    )


def observe_properties(connection: psycopg.Connection[Any], name: str) -> Properties | None:
    """What belongs to the database of that name, in whatever transaction `connection` is in."""
    with looking_within(connection) as look:
        row = look.cursor.execute(query("database_properties"), {"name": name}).fetchone()
    return None if row is None else properties(row)


def is_empty(connection: psycopg.Connection[Any]) -> bool:
    """Whether nobody has made anything in the database."""
    with looking(connection) as look:
        return not look.cursor.execute(
            query("objects"), {"table": "", "migrators": [], "only": None}
        ).fetchall()
