"""A small application to certify, without a bug: three releases, a seed script, data."""

from pathlib import Path

from tests.support.project import Application

SEED = """\
insert into people (name) values ('Ada') on conflict (name) do nothing;
"""
CONFIG = 'seeds = ["seed.sql"]\nwait = "5s"\n'

NAMES = """\
op.execute("alter table people add column initial text")
op.execute("update people set initial = left(name, 1) where initial is null")"""
NO_NAMES = 'op.execute("alter table people drop column initial")'
INDEX = """\
with op.get_context().autocommit_block():
    op.create_index(
        "pets_owner", "pets", ["owner"], if_not_exists=True, postgresql_concurrently=True
    )"""
NO_INDEX = """\
with op.get_context().autocommit_block():
    op.drop_index("pets_owner", postgresql_concurrently=True)"""


def clean(root: Path) -> Application:
    """The application in this directory."""
    application = Application(root)
    application.config(CONFIG)
    application.write("seed.sql", SEED)
    application.revision(
        "r1",
        None,
        "create table people (id serial primary key, name varchar(30) not null unique,"
        " mood text check (mood in ('good', 'bad')))",
        head='release = "v1"',
        downgrade='op.execute("drop table people")',
    )
    application.revision(
        "r2",
        "r1",
        "create table pets (id serial primary key, owner integer not null references people (id))",
        head='release = "v2"',
        downgrade='op.execute("drop table pets")',
    )
    application.revision(
        "r3",
        "r2",
        body=NAMES,
        head='release = "v3"',
        downgrade=NO_NAMES,
    )
    application.revision("r4", "r3", body=INDEX, downgrade=NO_INDEX)
    return application
