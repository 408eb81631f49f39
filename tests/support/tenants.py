"""An application with a schema for each customer, the history of what they share, and a database
with tenants of every kind.
"""

from pathlib import Path

from tests.support.database import Database
from tests.support.project import INI, Application

# Takes the tenant as an argument, and names its schema wherever it works.
EXPLICIT_ENV = """\
from alembic import context
from sqlalchemy import engine_from_config, pool

config = context.config
tenant = context.get_x_argument(as_dictionary=True)["tenant"]
config.attributes["schema"] = tenant
connectable = engine_from_config(
    config.get_section(config.config_ini_section), prefix="sqlalchemy.", poolclass=pool.NullPool
)
with connectable.connect() as connection:
    context.configure(
        connection=connection, target_metadata=None, version_table_schema=tenant{options}
    )
    with context.begin_transaction():
        context.run_migrations()
"""

# Takes it from a variable, and puts it on the search path, before the shared tables.
PATH_ENV = """\
import os
from alembic import context
from sqlalchemy import engine_from_config, pool, text

config = context.config
tenant = os.environ["TENANT"]
connectable = engine_from_config(
    config.get_section(config.config_ini_section), prefix="sqlalchemy.", poolclass=pool.NullPool
)
with connectable.connect() as connection:
    connection.execute(text(f'set search_path to "{tenant}", public'))
    connection.commit()
    context.configure(
        connection=connection, target_metadata=None, version_table_schema=tenant{options}
    )
    with context.begin_transaction():
        context.run_migrations()
"""

# Has the version tables of all tenants in one schema, each with a name of its own.
ELSEWHERE_ENV = PATH_ENV.replace(
    "version_table_schema=tenant",
    "version_table=f'alembic_version_{tenant}', version_table_schema='public'",
)

ELSEWHERE = """\
version_table = "alembic_version_{}"
version_table_schema = "public"
[tenants]
schemas = ["acme", "bolt", "cargo"]
variable = "TENANT"
"""

PLAIN = """\
[tenants]
schemas = ["acme", "bolt", "cargo"]
search_path = "{}"
"""

SHARED = """\
[tenants]
schemas = "sql:select name from public.customers order by name"
variable = "TENANT"
shared = "shared/surefoot.toml"
"""


# What each revision executes, and what its downgrade does.
STATEMENTS: dict[str, tuple[tuple[str, ...], str]] = {
    "t1": (
        (
            "create type mood as enum ('fine', 'bad')",
            "create table people (id serial primary key, name text not null, feels mood)",
        ),
        "op.execute('drop table people')\nop.execute('drop type mood')",
    ),
    "t2": (
        (
            "create table orders (id bigint generated always as identity primary key,"
            " buyer int not null references people, total numeric check (total >= 0))",
            "create index orders_buyer on orders (buyer)",
        ),
        "op.execute('drop table orders')",
    ),
    "t3": (
        (
            "create view big_orders as select o.id, p.name from orders o join people p"
            " on p.id = o.buyer where o.total > 100",
        ),
        "op.execute('drop view big_orders')",
    ),
    "t4": (
        (
            "create function people_count() returns bigint language sql stable"
            " as 'select count(*) from people'",
            "alter table people add seen bigint default people_count()",
        ),
        "op.execute('alter table people drop seen')\nop.execute('drop function people_count()')",
    ),
    "t5": (("alter table orders add note text",), "op.execute('alter table orders drop note')"),
}


def with_history(application: Application) -> Application:
    """Five revisions: tables with a sequence, a view, a function, a type, a constraint."""
    below = None
    for id, (statements, downgrade) in STATEMENTS.items():
        application.revision(id, below, *statements, downgrade=downgrade)
        below = id
    return application


def with_shared(root: Path) -> tuple[Application, Application]:
    """The tenants' application, whose orders refer to plans that all tenants share; and the
    application that makes these.
    """
    tenants = with_history(Application(root))
    tenants.env(PATH_ENV)
    tenants.config(SHARED)
    tenants.revision(
        "t6",
        "t5",
        "alter table orders add plan int references public.plans",
        downgrade="op.execute('alter table orders drop plan')",
    )
    shared = Application(root / "shared")
    shared.write("alembic.ini", INI.format(extra=""))
    shared.config("")
    shared.revision("s1", None, "create table customers (name text primary key)")
    shared.revision("s2", "s1", "create table plans (id int primary key, title text)")
    return tenants, shared


def seals(database: Database) -> dict[str, str]:
    """The seal of each schema, as surefoot computes it."""
    from surefoot.sql import query

    text = query("seals").replace("%(only)s", "null")
    return {schema: seal for schema, seal, _, _ in database.query(text)}


def contents(database: Database, schema: str) -> list[str]:
    """The tables and views of a schema, and the rows of each table."""
    found = database.query(
        "select c.relname::text, c.relkind::text from pg_class c where c.relnamespace ="
        f" '{schema}'::regnamespace and c.relkind in ('r', 'v') order by 1"
    )
    return [
        f"{name} {database.query(f'select count(*) from {schema}.{name}')[0][0]}"
        for name, _ in found
    ]


def rows(database: Database, schema: str) -> list[str]:
    """The version rows of a schema."""
    if not database.query(f"select to_regclass('{schema}.alembic_version')")[0][0]:
        return []
    return [id for (id,) in database.query(f"select version_num from {schema}.alembic_version")]


def explicit(root: Path) -> Application:
    """An application that takes the tenant as an argument and names its schema everywhere."""
    application = Application(root)
    application.env(EXPLICIT_ENV)
    application.config('[tenants]\nschemas = ["acme", "bolt"]\nargument = "tenant={}"\n')
    name = "s = op.get_context().config.attributes['schema']\n"
    application.revision(
        "e1",
        None,
        body=name + "op.create_table('people', sa.Column('id', sa.Integer, primary_key=True),"
        " sa.Column('home', sa.Text, server_default=s), schema=s)",
        downgrade=name + "op.drop_table('people', schema=s)",
    )
    application.revision(
        "e2",
        "e1",
        body=name + "op.create_table('pets', sa.Column('id', sa.Integer, primary_key=True),"
        " sa.Column('owner', sa.Integer, sa.ForeignKey(f'{s}.people.id')), schema=s)\n"
        "op.create_index('pets_owner', 'pets', ['owner'], schema=s)",
        downgrade=name + "op.drop_table('pets', schema=s)",
    )
    return application
