"""The settings while a revision runs: how long it may wait, and how long it may take.

Settings that the application makes itself stay: env.py's own SET, or an option of its address, is
what its author wants. Settings from elsewhere (the role, the database, postgresql.conf) are meant
for the application's daily work, where a statement that takes an hour is a mistake.
"""

from typing import Any

import msgspec
import sqlalchemy

from surefoot.alembic_env.account import Setting
from surefoot.alembic_env.connection import untouched
from surefoot.alembic_env.driver import backend_pid, driver_of

# How often the server checks that its client is still there: statements of a killed surefoot then
# end by themselves, and don't keep their locks. From PostgreSQL 14, if the server's system supports
# it.
_LOOK_FOR_CLIENT = 5_000

_ASK = sqlalchemy.text(
    # qualified, because others may have put operators on the application's search path
    "select pg_catalog.pg_backend_pid(),"
    " pg_catalog.version() OPERATOR(pg_catalog.~~) '%linux%'::pg_catalog.text,"
    " s.name, s.source, s.setting,"
    " pg_catalog.to_char(pg_catalog.timezone('UTC', a.backend_start), 'YYYY-MM-DD HH24:MI:SS.US')"
    " from pg_catalog.pg_settings s"
    " cross join pg_catalog.pg_stat_get_activity(pg_catalog.pg_backend_pid()) a"
    " where s.name OPERATOR(pg_catalog.=) any (array['lock_timeout', 'statement_timeout',"
    " 'row_security', 'client_connection_check_interval', 'idle_in_transaction_session_timeout',"
    " 'idle_session_timeout', 'transaction_timeout']::pg_catalog.text[])"
)


# Whether a policy hides rows of some table from the role. An empty table has none to hide: in a
# fresh database, revisions write under the policies of earlier revisions.
_HIDDEN = sqlalchemy.text(
    "select exists (select from pg_catalog.pg_class c"
    " where c.relrowsecurity and c.relkind OPERATOR(pg_catalog.=) any"
    " (array['r', 'p']::pg_catalog.\"char\"[])"
    " and pg_catalog.row_security_active(c.oid)"
    " and exists (select 1 from pg_catalog.pg_partition_tree(c.oid) p"
    " where pg_catalog.pg_relation_size(p.relid) OPERATOR(pg_catalog.>) 0"
    " union all select 1 where c.relkind OPERATOR(pg_catalog.=) 'r'::pg_catalog.\"char\""
    " and pg_catalog.pg_relation_size(c.oid) OPERATOR(pg_catalog.>) 0))"
)


class Timeouts(msgspec.Struct, frozen=True):
    """In seconds: how long a statement may wait for a lock, and how long it may take. 0: no limit.

    `policies`: row security may hide rows from the revisions. Otherwise a statement from which it
    would hide some of the user's rows is an error.
    """

    lock: float = 0.0
    statement: float = 0.0
    policies: bool = False


def setting_of(connection: Any, timeouts: Timeouts) -> Setting:
    """Return the context of a revision, which its first statement must evaluate.

    Waiting for a lock is limited only in the revision's own transaction, which can be rolled back
    and tried again: a CREATE INDEX CONCURRENTLY would leave an invalid index. Other settings apply
    to the session or, through a pooler that shares its sessions, to the transaction.
    """
    with untouched(connection) as reading:
        rows = [tuple(row) for row in reading.execute(_ASK)]
    pid, linux, *_, started = rows[0]
    found = {name: (source, setting) for _, _, name, source, setting, _ in rows}
    local = not _is_direct(connection, pid)
    wanted = [
        ("lock_timeout", timeouts.lock, True),
        ("statement_timeout", timeouts.statement, local),
        # a revision may compute for long between two statements; not every version has all three
        ("idle_in_transaction_session_timeout", 0.0, local),
        ("idle_session_timeout", 0.0, local),
        ("transaction_timeout", 0.0, local),
    ]
    parts = [
        _set(name, round(seconds * 1000), local=local)
        for name, seconds, local in wanted
        if name in found and found[name][0] not in ("client", "session")
    ]
    if not timeouts.policies and found["row_security"][0] not in ("client", "session"):
        with untouched(connection) as reading:
            if reading.execute(_HIDDEN).scalar():
                setting = f"'row_security', 'off', {str(local).lower()}"
                parts.append(f"pg_catalog.set_config({setting})")
    check = "client_connection_check_interval"
    if linux and check in found and found[check][1] == "0":
        parts.append(_set(check, _LOOK_FOR_CLIENT, local=local))
    session = began = None
    if not local and started is not None:  # the session stays the same, and this role may see it
        began = f"{started}+00"
        moment = f"cast('{began}' as pg_catalog.timestamptz)"
        session = f"cast({int(pid)} as pg_catalog.int4), {moment}"
    return Setting(session, "".join(f", {part}" for part in parts), began)


def _set(name: str, milliseconds: int, *, local: bool) -> str:
    return f"pg_catalog.set_config('{name}', '{milliseconds}', {str(local).lower()})"


def _is_direct(connection: Any, pid: int) -> bool:
    """Whether the driver talks to the server process itself.

    A pooler gives it another number, with which a statement can be cancelled.
    """
    return backend_pid(driver_of(connection)) == pid
