"""Read on the application's own connection, and leave it as it was."""

import contextlib
import logging
from collections.abc import Generator
from typing import Any

import sqlalchemy

from surefoot.decision.facts import ServerInfo
from surefoot.diagnosis.search_path import no_schema
from surefoot.errors import SurefootError


@contextlib.contextmanager
def untouched(connection: Any) -> Generator[Any, None, None]:
    """Read on the application's connection; end the transaction only if the reading began it, and
    leave nothing prepared.
    """
    began = not connection.in_transaction()
    with unprepared(connection):
        yield connection
    if began and connection.in_transaction():
        connection.rollback()


@contextlib.contextmanager
def unprepared(connection: Any) -> Generator[Any, None, None]:
    """Keep psycopg from preparing surefoot's own statements on the application's connection.

    psycopg prepares what is executed often. Behind a pooler, the next transaction may have another
    session, which doesn't know that statement or uses the name for another. The application's own
    statements are prepared as it likes; asyncpg prepares everything, and that can't be turned off.
    """
    driver = getattr(connection.connection, "driver_connection", None)  # SQLAlchemy 1.4 lacks it
    threshold = getattr(driver, "prepare_threshold", None)
    if driver is None or threshold is None:
        yield connection
        return
    driver.prepare_threshold = None
    try:
        yield connection
    finally:
        driver.prepare_threshold = threshold


def same_database(context: Any, server: ServerInfo, *, further: bool = False) -> None:
    """Require that env.py's connection leads where surefoot looked. Raises `another-database`.

    `further`: env.py has been there in this run already.
    """
    connection = context.connection
    if connection is None:
        raise did_nothing()
    statement = sqlalchemy.text(
        "select pg_catalog.current_database(),"
        " pg_catalog.to_char(pg_catalog.timezone('UTC', pg_catalog.pg_postmaster_start_time()),"
        " 'YYYY-MM-DD HH24:MI:SS.US'), current_user"
    )
    with untouched(connection) as reading:
        database, started, role = reading.execute(statement).one()
    if (database, started) != (server.database, server.started):
        here = f"surefoot: database {server.database} as {server.role}"
        there = f"env.py: {'then ' if further else ''}database {database} as {role}"
        where = (
            "both on the same server"
            if started == server.started
            else f"on two servers: one up since {server.started}, the other since {started}"
        )
        named = _databases_of(context)
        if further or named:
            raise SurefootError(
                "another-database",
                "The application's env.py migrates several databases in one run.",
                seen=[here, there, where, *([f"databases = {named}"] if named else [])],
                next=f"{ONE_A_RUN.format('database', 'database')}, and let it read the address "
                "from DATABASE_URL",
            )
        raise SurefootError(
            "another-database",
            "The application's env.py connects to a different database than surefoot.",
            seen=[here, there, where],
            next="give both the same address: env.py reads names that surefoot doesn't set; list "
            "them in surefoot.toml under [url_variables]",
        )


ONE_A_RUN = (
    "let env.py migrate one {} in each run, named by get_x_argument(); write a surefoot.toml for "
    'each, with x_arguments = ["{}=NAME"] and a catalog of its own'
)


def _databases_of(context: Any) -> str:
    """Return the names of the databases between which Alembic's template `multidb` distributes a
    history; "" unless they are several.
    """
    config = getattr(context, "config", None)
    names = config.get_main_option("databases", "") if config is not None else ""
    return names if "," in names else ""


def without_schema(connection: Any) -> SurefootError:
    """Return what is wrong with the search path of the application's connection.

    If no schema on it exists that may be used, a name without a schema can neither be created nor
    found.
    """
    statement = sqlalchemy.text(
        "select pg_catalog.current_setting('search_path'), s.source, pg_catalog.current_database(),"
        " session_user, n.oid is not null, pg_catalog.has_schema_privilege(n.oid, 'USAGE')"
        " from pg_catalog.pg_settings s"
        " left join pg_catalog.pg_namespace n on n.nspname OPERATOR(pg_catalog.=) 'public'"
        " where s.name OPERATOR(pg_catalog.=) 'search_path'"
    )
    with untouched(connection) as reading:
        path, source, database, role, there, usable = reading.execute(statement).one()
    return no_schema(path, source, database, role, public=bool(there), usable=bool(usable))


def did_nothing() -> SurefootError:
    """Return the finding that env.py ended without running its migrations."""
    return SurefootError(
        "application-environment-failed",
        "The application's env.py ended without running migrations.",
        seen=["context.run_migrations() was not reached"],
        next="check the condition in env.py; `alembic current` runs the same file",
    )


_POOLS = ("NullPool", "QueuePool", "StaticPool", "SingletonThreadPool", "AsyncAdaptedQueuePool")


class _WithoutTraceback(logging.Filter):
    """Reduces what SQLAlchemy's pool logs about a lost connection to one line."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.exc_info and record.exc_info[1] is not None:
            text = str(record.exc_info[1]).strip().splitlines() or [""]
            record.msg, record.args = f"{record.getMessage()}: {text[0]}", None
            record.exc_info = record.exc_text = None
        return True


_WITHOUT_TRACEBACK = _WithoutTraceback()


def quiet_pools() -> None:
    """Keep SQLAlchemy's pools from printing a traceback for a lost connection.

    surefoot reports the loss. The pool notices it again when the connection is returned, and would
    print a traceback above that report.
    """
    for name in _POOLS:
        # adding a filter twice has no effect
        logging.getLogger(f"sqlalchemy.pool.impl.{name}").addFilter(_WITHOUT_TRACEBACK)
