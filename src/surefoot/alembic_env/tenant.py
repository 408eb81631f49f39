"""A tenant's schema on the application's side: how env.py learns its name, where env.py then works,
and whether a revision leaves it.
"""

import contextlib
import os
from collections.abc import Generator, Iterable
from typing import Any

import msgspec
import sqlalchemy
from psycopg import sql
from sqlalchemy import event
from sqlalchemy.pool import Pool

from surefoot.alembic_env.connection import unprepared, untouched
from surefoot.alembic_env.looking import savepoint
from surefoot.alembic_env.steps import executor
from surefoot.errors import SurefootError
from surefoot.project.config import Project
from surefoot.project.locate import version_table_of
from surefoot.sql import query

# Asked on the application's search path, where others may have put functions and operators. A
# version table that is on the path is the one that Alembic takes, in whichever schema it is.
_WHERE = sqlalchemy.text(
    "select pg_catalog.current_schema(), pg_catalog.current_setting('search_path'),"
    " exists (select from pg_catalog.pg_namespace n"
    " where n.nspname OPERATOR(pg_catalog.=) cast(:tenant as pg_catalog.text)),"
    " (select n.nspname from pg_catalog.pg_class c"
    " join pg_catalog.pg_namespace n on n.oid OPERATOR(pg_catalog.=) c.relnamespace"
    " where c.relname OPERATOR(pg_catalog.=) cast(:name as pg_catalog.text)"
    " and pg_catalog.pg_table_is_visible(c.oid) limit 1),"
    " pg_catalog.array_to_string(pg_catalog.current_schemas(false), E'\\n')"
)
# A schema whose tables this transaction writes or changes; a foreign key's check is no writing.
_LOCKED = sqlalchemy.text(
    "select distinct n.nspname, c.relname from pg_catalog.pg_locks l"
    " join pg_catalog.pg_class c on c.oid OPERATOR(pg_catalog.=) l.relation"
    " join pg_catalog.pg_namespace n on n.oid OPERATOR(pg_catalog.=) c.relnamespace"
    " join pg_catalog.pg_database d on d.oid OPERATOR(pg_catalog.=) l.database"
    " where l.pid OPERATOR(pg_catalog.=) pg_catalog.pg_backend_pid()"
    " and d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database()"
    " and not (l.mode OPERATOR(pg_catalog.=) any"
    " (array['AccessShareLock', 'RowShareLock']::pg_catalog.text[]))"
)


class Tenant(msgspec.Struct, frozen=True):
    """The tenant that env.py is run for: its schema, and the key of `Config.attributes` that is
    given the name. `others` are the schemas of the other tenants. `version_table` and
    `version_schema` say where the configuration has its version table (`named`: under a name of its
    own), and `other_tables` where those of the others are.
    """

    name: str
    version_table: str
    version_schema: str
    attribute: str | None = None
    others: frozenset[str] = frozenset()
    other_tables: frozenset[tuple[str, str]] = frozenset()
    named: bool = False

    def tell(self, attributes: dict[str, Any]) -> None:
        """Put the name where env.py reads it, if it reads it there."""
        if self.attribute is not None:
            attributes[self.attribute] = self.name

    def schema(self, context: Any) -> str:
        """The schema that is current on env.py's connection, where it works in the tenant's.

        A schema that isn't there yet can't be current: then the search path says which would be.
        Raises SurefootError `another-schema`.
        """
        asked = {"tenant": self.name, "name": context.version_table}
        with untouched(context.connection) as reading:
            current, path, there, visible, schemas = reading.execute(_WHERE, asked).one()
        if not there and path.split(",")[0].strip().strip('"') == self.name:
            current = self.name
        place = context.version_table_schema or current
        taken = visible if context.version_table_schema is None else None
        foreign = self.others.intersection(schemas.split("\n"))
        is_there = place == self.version_schema and taken in (None, self.version_schema)
        is_named = not self.named or context.version_table == self.version_table
        # a version table elsewhere doesn't say in which schema env.py works
        is_current = current == self.name or self.version_schema == self.name
        if is_there and is_named and is_current and not foreign:
            return current or ""
        table = f"{place if taken is None else taken}.{context.version_table}"
        raise SurefootError(
            "another-schema",
            f"env.py works in another schema than that of the tenant {self.name}.",
            seen=[
                f"its version table: {table}",
                f"its search path: {path}; the current schema is {current or 'none'}",
            ],
            next=self._remedy(astray=place != self.name or bool(foreign)),
        )

    def _remedy(self, *, astray: bool) -> str:
        if self.named:
            table, schema = self.version_table, self.version_schema
            return (
                f"correct env.py, which must work in the schema {self.name} and pass version_table="
                f'"{table}" and version_table_schema="{schema}" to context.configure(), or '
                "version_table and version_table_schema in surefoot.toml"
            )
        return _REMEDY if astray else _NAME_THE_SCHEMA

    def require_alone(self, connection: Any, revision: str) -> None:
        """The transaction has written into no other tenant's table: what it writes it has locked.

        Raises SurefootError `tenant-left`.
        """
        with untouched(connection) as reading:
            locked = [(table, schema) for schema, table in reading.execute(_LOCKED)]
        foreign = {schema for _, schema in locked} & self.others
        foreign |= {f"{schema}.{table}" for table, schema in self.other_tables & {*locked}}
        if foreign:
            written = ", ".join(sorted(foreign)[:8])
            raise _left(self, revision, f"it wrote into tables of {written}")


_REMEDY = (
    "correct [tenants] in surefoot.toml, which says how env.py learns the tenant's name; or "
    "env.py, whose version table must be in the tenant's schema"
)
_NAME_THE_SCHEMA = (
    "have env.py say which version table it means, since another schema on its search path has "
    "one, too: context.configure(…, version_table_schema=…) with the tenant's schema"
)


def tenant_of(project: Project, listed: Iterable[str]) -> Tenant | None:
    """The tenant that the project is for, among those that are listed; None where it has none."""
    tenants = project.config.tenants
    if project.tenant is None or tenants is None:
        return None
    others, config = frozenset(listed) - {project.tenant}, project.config
    table, schema = version_table_of(
        project.tenant, config.version_table, config.version_table_schema
    )
    name, place = project.version_tables
    named = schema != project.tenant or "{}" in (name or "")
    elsewhere = others if named else ()  # else each has it in its own schema
    others_at = (version_table_of(other, name, place) for other in elsewhere)
    return Tenant(
        project.tenant, table, schema, tenants.attribute, others, frozenset(others_at), named
    )


@contextlib.contextmanager
def told(project: Project) -> Generator[None, None, None]:
    """For a block, the tenant's name is in the environment, and the search path of the connections
    that SQLAlchemy opens is the tenant's, as the configuration says.
    """
    tenants = project.config.tenants
    if project.tenant is None or tenants is None:
        yield
        return
    if tenants.variable is not None:
        os.environ[tenants.variable] = project.tenant
    path = tenants.path(project.tenant)
    if path is None:
        yield
        return

    setting = sql.SQL("select pg_catalog.set_config('search_path', {}, false)")
    statement = setting.format(sql.Literal(path)).as_string(None)

    def connected(connection: Any, _: Any) -> None:
        cursor = connection.cursor()
        cursor.execute(statement)
        cursor.close()
        connection.commit()  # a setting that is rolled back is gone

    event.listen(Pool, "connect", connected)
    try:
        yield
    finally:
        event.remove(Pool, "connect", connected)


class Outside:
    """What isn't the tenant's, as it was: a revision that changes it is stopped."""

    def __init__(self, tenant: Tenant, connection: Any) -> None:
        self._tenant, self._before = tenant, _seals(connection, tenant)

    def require_unchanged(self, connection: Any, revision: str) -> None:
        """Raises SurefootError `tenant-left`."""
        now, before = _seals(connection, self._tenant), self._before
        changed = sorted(one for one in now | before if now.get(one) != before.get(one))
        if not changed:
            return
        named = ", ".join(changed[:8]) + (f" and {len(changed) - 8} more" if changed[8:] else "")
        raise _left(self._tenant, revision, f"changed while it ran: {named}")


def _left(tenant: Tenant, revision: str, what: str) -> SurefootError:
    return SurefootError(
        "tenant-left",
        f"Revision {revision} changed more than the schema {tenant.name}.",
        seen=[what],
        next="correct the revision, so that it changes the tenant's schema alone: what all tenants "
        "share belongs in a history of its own. If somebody else made that change meanwhile, "
        "start again",
    )


_WHOLE = "what belongs to no schema (extensions, event triggers, foreign servers)"


def _seals(connection: Any, tenant: Tenant) -> dict[str, str]:
    """The seal of every schema but the tenant's, as this transaction sees it."""
    with savepoint(connection, "surefoot_look"), unprepared(connection):
        connection.execute(sqlalchemy.text(query("facts_settings")))
        rows = executor(connection)(query("seals"), {"only": None})
    found = {schema: own for schema, own, _, _ in rows if schema != tenant.name}
    return found | {_WHOLE: "".join({whole for _, _, whole, _ in rows})}
