"""`surefoot restore --drop-old`: look, show, lock, look again, drop. Never the database in use."""

from collections.abc import Callable

import psycopg
from psycopg import sql

from surefoot.backups.contents import system_identifier
from surefoot.backups.mark import SetAsideDatabase
from surefoot.backups.set_aside import (
    databases,
    detaching,
    maintenance,
    marked,
    replication_slots,
    sessions_in,
    subscriptions,
)
from surefoot.decision.approval import word_of
from surefoot.errors import SurefootError
from surefoot.errors.steps import to_type
from surefoot.project.config import seconds
from surefoot.run.lock import holder, locked
from surefoot.schema.names import quote_name
from surefoot.system import signals
from surefoot.workflows.workspace import Workspace


def drop_old(
    workspace: Workspace, confirm: Callable[[tuple[SetAsideDatabase, ...], str], None]
) -> tuple[SetAsideDatabase, ...]:
    """Drop the databases that restores of this one have set aside or left incomplete.

    surefoot's own session stays in the database that the address leads to, and ends no other
    session: so PostgreSQL itself refuses to drop that database, and any that is in use. `confirm`
    gets what would be dropped, and the word that approves exactly that. Raises SurefootError
    `lock-held-elsewhere`, `database-in-use`, `restore-not-possible`.
    """
    with workspace.connect() as connection:
        name = connection.info.dbname
        found = marked(databases(connection, name), name)
        if not found:
            return ()
        server = system_identifier(connection)
        word = word_of(
            "drop-old", server, name, tuple(sorted((one.oid, one.name) for one in found))
        )
        if workspace.approval == word:
            workspace.approval_used = True
        confirm(found, word)
        _require_nobody_at_work(connection, name)
        # without waiting: a session that waits in a database blocks a restore's swap
        with locked(connection, wait=0, say=lambda _: None):
            wait = seconds(workspace.project.config.wait)
            with maintenance(workspace.target, name, wait, lambda _: None) as m:
                return _dropped(m, name, found)


def _require_nobody_at_work(connection: psycopg.Connection[object], name: str) -> None:
    at_work = holder(connection)
    if at_work is not None:
        raise SurefootError(
            "lock-held-elsewhere",
            f"Another surefoot is at work in {name}.",
            seen=[str(at_work)],
            database="Nothing was dropped.",
            next="wait for it, then start again",
        )


def _dropped(
    m: psycopg.Connection[object], name: str, found: tuple[SetAsideDatabase, ...]
) -> tuple[SetAsideDatabase, ...]:
    """Drop those that were shown and haven't changed since."""
    _require_no_slots(m, found)
    shown = {(one.oid, one.name) for one in found}
    gone: list[SetAsideDatabase] = []
    used: list[str] = []
    for one in marked(databases(m, name), name):
        if (one.oid, one.name) not in shown:
            continue
        try:
            m.execute(sql.SQL("drop database {}").format(sql.Identifier(one.name)))
            gone.append(one)
        except psycopg.errors.ObjectInUse as error:
            seen = sessions_in(m, (one.name,), (m.info.backend_pid,))
            used += seen[:8] or str(error).strip().splitlines()[:2]
        except psycopg.Error as error:
            if signals.requested():
                signals.answered()
                raise SurefootError(
                    "interrupted",
                    "A signal ended the run.",
                    database=_told(gone),
                    next="start again",
                ) from error
            raise SurefootError(
                "restore-not-possible",
                f"The database {one.name} can't be dropped.",
                seen=str(error).strip().splitlines()[:2],
                database=_told(gone),
                next="connect as the role that owns it",
            ) from error
    subscribed = subscriptions(m, (one.name for one in found if one not in gone)) if used else ()
    if subscribed:
        database = subscribed[0].database
        names = [one.name for one in subscribed if one.database == database]
        raise SurefootError(
            "database-in-use",
            "A database that should be dropped has subscriptions, so it stays.",
            seen=[*used, *(f"subscription {one.name} in {one.database}" for one in subscribed)],
            database=_told(gone),
            next=to_type(
                f"in the database {database}, drop them; the publisher keeps its slot",
                *detaching(names),
                *(f"drop subscription {quote_name(name)};" for name in names),
                then="then start again",
            ),
        )
    if used:
        raise SurefootError(
            "database-in-use",
            "Other sessions are connected to a database that should be dropped, so it stays.",
            seen=used,
            database=_told(gone),
            next="find out who that is; when the sessions have ended, start again",
        )
    return tuple(gone)


def _require_no_slots(m: psycopg.Connection[object], found: tuple[SetAsideDatabase, ...]) -> None:
    """Require that no slot would be dropped along with a database, which PostgreSQL doesn't ask.

    Raises SurefootError `database-in-use`.
    """
    slots = replication_slots(m, (one.name for one in found))
    if not slots:
        return
    raise SurefootError(
        "database-in-use",
        "A database that should be dropped has logical replication slots, which would be dropped "
        "along with it.",
        seen=[f"slot {one.name} in {one.database}" for one in slots],
        database=_told([]),
        next=to_type(
            "find out who reads from them; if nobody does, or the readers have others now, drop "
            "them as a superuser or a role with REPLICATION",
            *(f"select pg_catalog.pg_drop_replication_slot('{one.name}');" for one in slots),
            then="then start again",
        ),
    )


def _told(gone: list[SetAsideDatabase]) -> str:
    return f"Dropped: {', '.join(one.name for one in gone)}." if gone else "Nothing was dropped."
