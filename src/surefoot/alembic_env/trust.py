"""Check on the application's own connection who owns the journal and the version table."""

from typing import Any

import sqlalchemy

from surefoot.alembic_env.connection import untouched
from surefoot.alembic_env.driver import driver_of, is_idle
from surefoot.alembic_env.looking import savepoint
from surefoot.alembic_env.steps import execute_text, executor
from surefoot.decision.facts import VersionTableName
from surefoot.decision.trust import Owned, distrust, of_the_run, owned
from surefoot.errors import SurefootError
from surefoot.sql import ask_owners, query


def role_set(connection: Any, login: str) -> str | None:
    """Return the role that env.py set for its connection, if its login is surefoot's `login`.

    The person who gave that login has chosen the role: what it owns is the application's. A
    connection with another login proves nothing: that login may be the one to be protected from.
    """
    with untouched(connection) as reading:
        session, current = reading.execute(
            sqlalchemy.text("select session_user, current_user")
        ).one()
    return current if session == login and current != session else None


def require_trusted(connection: Any, version_table: VersionTableName) -> tuple[Owned, ...]:
    """Return the journal and the version table, if both may be read and written; reads neither.

    Raises SurefootError `object-not-trusted`.
    """
    with untouched(connection), savepoint(connection, "surefoot_look"):
        ((path, *_),) = connection.execute(sqlalchemy.text(query("pin"))).all()
        execute = executor(connection)
        ((role, _, named),) = execute(query("named"), {"table": version_table.name})
        if not named:
            return ()
        ((trusted,),) = execute(query("trusted"), {})
        asked = {
            "tables": [version_table.name],
            "role": version_table.role,
            "trusted": trusted,
            "only": version_table.only_in,
        }
        names = Owned.__struct_fields__
        found = owned(
            ask_owners(
                lambda text: [dict(zip(names, row, strict=True)) for row in execute(text, asked)]
            )
        )
    ours = of_the_run(found, version_table.name, version_table.schema, path)
    finding = distrust(ours, role)
    if finding is not None:
        raise SurefootError.of(finding)
    return ours


def require_no_new_trigger(connection: Any, version_table: VersionTableName) -> None:
    """Require the same when a transaction begins that will write the version table.

    If an untrusted role could put a trigger on it, it is locked against that first. A connection
    that commits each statement can't hold a lock. Raises `object-not-trusted`.
    """
    open_ones = [one for one in require_trusted(connection, version_table) if one.open_to_triggers]
    if not open_ones or is_idle(driver_of(connection)):
        return
    for one in open_ones:
        execute_text(connection, f"lock table {one.quoted} in row exclusive mode")
    require_trusted(connection, version_table)
