"""The swap: the restored database takes the name, and the earlier one gets another.

Everything is one transaction in a third database: two names, the comments, and the properties that
aren't inside a database. So an interruption leaves it entirely as before, or entirely done.

No session may be in a database that is renamed. PostgreSQL locks its name first and waits up to
five seconds for others to leave; new sessions wait for that lock, and then get the new database. So
ended sessions can't come back, and connections needn't be forbidden, which a crash would leave so.
"""

import contextlib
import threading
from collections.abc import Callable, Generator
from typing import Any

import msgspec
import psycopg
from psycopg import sql

from surefoot.backups.mark import Mark, own, written
from surefoot.backups.properties import Properties
from surefoot.backups.set_aside import databases, observe_properties, sessions_in
from surefoot.errors import SurefootError
from surefoot.postgres.look import looking_within
from surefoot.sql import query
from surefoot.system import signals

_PAUSE = 0.1  # seconds

Connect = Callable[[], psycopg.Connection[Any]]


class Swap(msgspec.Struct, frozen=True):
    """`name` becomes `kept`, `new` becomes `name`."""

    name: str
    new: str
    kept: str
    mark: Mark  # of the database that is kept
    disconnect: bool


def swapped(swap: Swap, connect_m: Connect, leave: Callable[[], None]) -> None:
    """Swap the databases. `leave` closes surefoot's own sessions in both.

    Raises SurefootError `database-in-use` or `restore-failed`; then nothing was changed. After a
    lost connection or a signal, the server is asked: if the swap is done, that is success.
    """
    with connect_m() as m:
        properties = observe_properties(m, swap.name)
        new = observe_properties(m, swap.new)
        assert properties is not None
        assert new is not None
    try:
        _transaction(swap, connect_m, leave, properties, new.oid)
    except BaseException as error:
        if signals.requested():
            signals.answered()
        try:
            with connect_m() as m:
                there = {one.name: one.oid for one in databases(m, swap.name)}
        except SurefootError:
            raise _in_doubt(swap) from error
        if there.get(swap.name) == new.oid:
            return
        if isinstance(error, psycopg.Error):
            raise _failed(swap, error, connect_m) from error
        raise


def _transaction(
    swap: Swap, connect_m: Connect, leave: Callable[[], None], like: Properties, new_oid: int
) -> None:
    theirs = own(like.comment)
    mark = msgspec.structs.replace(swap.mark, comment=theirs, successor=new_oid, untold=True)
    old, new = sql.Identifier(swap.name), sql.Identifier(swap.new)
    kept = sql.Identifier(swap.kept)
    with connect_m() as m, m.transaction():
        for statement in statements(swap.new, like):
            m.execute(statement)
        leave()
        with _others_ended(swap, connect_m):
            m.execute(sql.SQL("alter database {} rename to {}").format(old, kept))
            m.execute(sql.SQL("alter database {} rename to {}").format(new, old))
        if like.template:  # and a template can't be dropped
            is_template = sql.SQL("alter database {} is_template {}")
            m.execute(is_template.format(old, sql.SQL("true")))
            m.execute(is_template.format(kept, sql.SQL("false")))
        comment = sql.SQL("comment on database {} is {}")
        m.execute(comment.format(kept, sql.Literal(written(mark))))
        m.execute(comment.format(old, sql.Literal(theirs)))


def statements(name: str, like: Properties) -> list[sql.Composed]:
    """Return the statements that give a database the other's owner, limit, grants and settings."""
    database = sql.Identifier(name)
    made = [
        sql.SQL("alter database {} owner to {}").format(database, sql.Identifier(like.owner)),
        sql.SQL("alter database {} connection limit {}").format(
            database, sql.Literal(like.connection_limit)
        ),
    ]
    if like.grants is not None:
        owner = sql.Identifier(like.owner)
        made.append(sql.SQL("revoke all on database {} from public, {}").format(database, owner))
        for grant in like.grants:
            to = sql.SQL("public") if grant.grantee is None else sql.Identifier(grant.grantee)
            option = sql.SQL(" with grant option") if grant.grantable else sql.SQL("")
            privilege = _PRIVILEGES[grant.privilege]
            made.append(
                sql.SQL("grant {} on database {} to {}{}").format(privilege, database, to, option)
            )
    for setting in like.settings:
        # a setting's name may have a prefix: plpgsql.extra_warnings
        values = sql.SQL(", ").join(map(sql.Literal, setting.values))
        parameter = sql.Identifier(*setting.name.split("."))
        if setting.role is None:
            made.append(
                sql.SQL("alter database {} set {} to {}").format(database, parameter, values)
            )
        else:
            made.append(
                sql.SQL("alter role {} in database {} set {} to {}").format(
                    sql.Identifier(setting.role), database, parameter, values
                )
            )
    return made


_PRIVILEGES = {
    "CREATE": sql.SQL("create"),
    "TEMPORARY": sql.SQL("temporary"),
    "CONNECT": sql.SQL("connect"),
}


@contextlib.contextmanager
def _others_ended(swap: Swap, connect_m: Connect) -> Generator[None, None, None]:
    """End other sessions in the two databases during the block, if that was requested."""
    if not swap.disconnect:
        yield
        return
    over = threading.Event()
    with connect_m() as helper:
        given = {"names": [swap.name, swap.new], "ours": [helper.info.backend_pid]}

        def end() -> None:
            with contextlib.suppress(psycopg.Error):  # the waiting statement reports it
                while not over.is_set():
                    with looking_within(helper) as look:
                        look.cursor.execute(query("end_sessions"), given)
                    over.wait(_PAUSE)

        thread = threading.Thread(target=end, daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


def in_use(swap: Swap, seen: tuple[str, ...]) -> SurefootError:
    """Return the finding that others are in the database, and ending them wasn't allowed."""
    return SurefootError(
        "database-in-use",
        f"Other sessions are connected to {swap.name}, so it can't be swapped.",
        seen=[*seen[:8], *([f"and {len(seen) - 8} more"] if len(seen) > 8 else [])],
        next="stop the application, then start again; or end these sessions: give the same command "
        "again, with --disconnect",
    )


def _failed(swap: Swap, error: psycopg.Error, connect_m: Connect) -> SurefootError:
    if isinstance(error, psycopg.errors.ObjectInUse):
        with connect_m() as m:
            names = (swap.name, swap.new)
            seen = sessions_in(m, names, (m.info.backend_pid,))
        return in_use(swap, seen or tuple(str(error).strip().splitlines()[:2]))
    return SurefootError(
        "restore-failed",
        "The restored database could not be given its name.",
        seen=str(error).strip().splitlines()[:3],
        database=f"{swap.name} was not changed. What was restored and verified is in {swap.new}.",
        next="read the server's message; then run the same command again: it continues from there",
    )


def _in_doubt(swap: Swap) -> SurefootError:
    return SurefootError(
        "connection-lost-at-commit",
        "The connection was lost while the databases were swapped.",
        seen=["surefoot could not ask the server whether they were swapped"],
        database=f"Unknown: {swap.name} is either the restored database or the earlier one, never "
        "a mixture.",
        next="when the server is back, run the same command again: it checks first",
    )
