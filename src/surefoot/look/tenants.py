"""Which schemas are tenants', by the configuration; whether one of them is there."""

import shlex
import subprocess
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from surefoot.errors import NOT_CHANGED, SurefootError
from surefoot.errors.steps import to_type
from surefoot.look.sources import require_trusted_sources
from surefoot.postgres.connect import translate_db_errors
from surefoot.project.config import Project, needs_quotes
from surefoot.system import signals

_TIMEOUT = "30s"


def require_named(project: Project) -> None:
    """The project is for one tenant. Raises SurefootError `tenant-not-named`."""
    if project.tenant is None:
        raise SurefootError(
            "tenant-not-named",
            "The configuration has a schema for each tenant, and none was named.",
            seen=[f"[tenants] in {project.file.name if project.file else 'surefoot.toml'}"],
            next=to_type(
                "name one with --tenant, if the command has that option; or, for all of them",
                "surefoot fleet status --targets tenants:",
            ),
        )


def require_tenant(project: Project, connection: psycopg.Connection[Any]) -> tuple[str, ...]:
    """Every tenant that the configuration lists. The one that the project is for is among them, or
    will be when its schema is made.

    Raises SurefootError `tenant-unknown`, `tenants-unreadable`.
    """
    tenants, tenant = project.config.tenants, project.tenant
    assert tenants is not None
    assert tenant is not None
    found = listed(project, connection)
    new = isinstance(tenants.schemas, str) and not is_there(connection, tenant)
    if not new:  # `make` asks once more
        _require_listed(tenant, found, connection)
    return found


def _require_listed(
    tenant: str, found: tuple[str, ...], connection: psycopg.Connection[Any]
) -> None:
    """Raises SurefootError `tenant-unknown`."""
    if tenant in found:
        require_plain(connection, tenant)
        return
    raise SurefootError(
        "tenant-unknown",
        f"The configuration lists no tenant {tenant}.",
        seen=[
            f"[tenants] schemas lists {len(found)}: {', '.join(found[:8])}{' …' * (len(found) > 8)}"
        ],
        database=NOT_CHANGED,
        next="correct --tenant; or make the tenant known, so that [tenants] schemas lists it",
    )


def require_plain(connection: psycopg.Connection[Any], name: str) -> None:
    """A name that this server doesn't quote. Raises SurefootError `tenant-unknown`."""
    row = connection.execute("select pg_catalog.quote_ident(%s)", (name,)).fetchone()
    if row is None or row[0] != name:
        raise needs_quotes(name)


def listed(project: Project, connection: psycopg.Connection[Any]) -> tuple[str, ...]:
    """The names of the tenants' schemas, in the order that the configuration gives them; a name may
    be one that surefoot doesn't support. A query is asked read-only, on the search path of
    `connection`.

    Raises SurefootError `tenants-unreadable`, `object-not-trusted`.
    """
    tenants = project.config.tenants
    assert tenants is not None
    if isinstance(tenants.schemas, list):
        found = tenants.schemas
    elif tenants.schemas.startswith("sql:"):
        found = _asked(connection, tenants.schemas.removeprefix("sql:"))
    else:
        found = _printed(tenants.schemas.removeprefix("command:"), project.root)
    return tuple(dict.fromkeys(found))


def _asked(connection: psycopg.Connection[Any], question: str) -> list[str]:
    with translate_db_errors():
        try:
            with connection.transaction(force_rollback=True):
                connection.execute("set transaction read only")
                connection.execute(
                    "select pg_catalog.set_config('statement_timeout', %s, true),"
                    " pg_catalog.set_config('row_security', 'off', true)",
                    (_TIMEOUT,),
                )
                require_trusted_sources(connection, question, "The query that lists the tenants")
                # as a cursor it can be one query and nothing else
                declared = f"declare surefoot_tenants no scroll cursor for {question}"
                connection.execute(declared.encode(), binary=True)
                rows = connection.execute("fetch all from surefoot_tenants").fetchall()
        except psycopg.Error as error:
            signals.check()  # a statement that was cancelled for a signal is no failure
            if error.sqlstate is None or error.sqlstate.startswith(("08", "57P")):
                raise
            why = str(error).strip().splitlines()[0]
            raise _unreadable("The query that lists the tenants failed.", why) from error
    if any(len(row) != 1 or not isinstance(row[0], str) for row in rows):
        raise _unreadable(
            "The query that lists the tenants gives no names.", "expected one column of text"
        )
    return [row[0] for row in rows]


def _printed(command: str, directory: Path) -> list[str]:
    message = "The command that lists the tenants failed."
    try:
        done = subprocess.run(
            shlex.split(command),
            stdout=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            cwd=directory,
            check=False,
        )
        text = done.stdout.decode()
    except (OSError, ValueError, IndexError) as error:
        raise _unreadable(message, str(error)) from error
    if done.returncode != 0:
        raise _unreadable(message, f"it ended with exit code {done.returncode}")
    return [line.strip() for line in text.splitlines() if line.strip()]


def _unreadable(message: str, why: str) -> SurefootError:
    return SurefootError(
        "tenants-unreadable",
        message,
        seen=[why],
        database=NOT_CHANGED,
        next="correct schemas under [tenants] in surefoot.toml: a list of names, sql: and a query, "
        "or command: and a command",
    )


def is_there(connection: psycopg.Connection[Any], tenant: str) -> bool:
    """Whether the schema exists."""
    with translate_db_errors(), connection.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(
            "select exists (select from pg_catalog.pg_namespace n"
            " where n.nspname operator(pg_catalog.=) %s::pg_catalog.text) as there",
            (tenant,),
        ).fetchone()
    return bool(row and row["there"])


def make(project: Project, connection: psycopg.Connection[Any]) -> None:
    """Make the tenant's schema, in a separate transaction, if the configuration lists it then.

    Raises SurefootError `tenant-unknown`, `tenants-unreadable`, `privilege-missing`.
    """
    assert project.tenant is not None
    with translate_db_errors():
        try:
            with connection.transaction():
                connection.execute(
                    sql.SQL("create schema {}").format(sql.Identifier(project.tenant))
                )
                _require_listed(project.tenant, listed(project, connection), connection)
        except psycopg.errors.InsufficientPrivilege as error:
            raise SurefootError(
                "privilege-missing",
                f"This role may not make the schema {project.tenant}.",
                seen=[str(error.diag.message_primary)],
                database=NOT_CHANGED,
                next=to_type(
                    "as the database's owner or a superuser",
                    f"create schema {project.tenant} authorization "
                    f"{sql.Identifier(connection.info.user).as_string(None)};",
                    then="then start again",
                ),
            ) from error


def unmake(project: Project, connection: psycopg.Connection[Any]) -> None:
    """Drop the tenant's schema again, which this run has made, unless something is in it."""
    assert project.tenant is not None
    name = sql.Identifier(project.tenant)
    connection.execute(sql.SQL("drop schema {} restrict").format(name))
