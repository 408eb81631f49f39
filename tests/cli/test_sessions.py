"""Whole sessions as a person sees them, held as golden files.

Each file in `sessions/` is a list of commands and what they print; times, ports and versions are
masked. To write them anew after a change that was meant: UPDATE_SESSIONS=1 pytest tests/cli, then
read the difference.
"""

import os
import re
from difflib import SequenceMatcher
from pathlib import Path

import pytest

from tests.support.database import Database
from tests.support.masked import masked
from tests.support.project import SYNC_ENV, Application

SESSIONS = Path(__file__).parent / "sessions"


class Session:
    """Commands and what they printed, as one text."""

    def __init__(self, application: Application, database: Database) -> None:
        self.application, self.database = application, database
        self.text = ""

    def run(self, *arguments: str) -> None:
        result = self.application.run(*arguments, url=self.database.url(), env={"LANG": "C.UTF-8"})
        words = " ".join(("surefoot", *arguments))
        words = words.replace(self.database.server.url(), "postgresql://…")
        printed = masked(result.out + result.err, self.database)
        self.text += f"$ {words}\n{printed}(exit {result.code})\n\n"

    def compare(self, name: str) -> None:
        file = SESSIONS / f"{name}.txt"
        if os.environ.get("UPDATE_SESSIONS"):
            file.parent.mkdir(exist_ok=True)
            file.write_text(self.text, encoding="utf-8")
        assert self.text == file.read_text(encoding="utf-8")
        # what is to be copied is never broken: the lines that are indented below `next`
        prose = [line for line in self.text.splitlines() if not line.startswith(" " * 14)]
        assert max(map(len, prose)) <= 80


@pytest.fixture
def session(application: Application, database: Database) -> Session:
    return Session(application, database)


def test_a_fresh_install(session: Session) -> None:
    """status, plan, up, up again, status: the whole life of a good day."""
    application = session.application
    application.revision(
        "3f2a91c0d4e5", None, "create table people (id int primary key)", message="Add people"
    )
    application.revision(
        "7b41e6f8a902",
        "3f2a91c0d4e5",
        "alter table people add column name text",
        message="Give people a name",
        head='release = "v1.1"',
    )
    application.revision(
        "c58d20b7e613",
        "7b41e6f8a902",
        "create index people_name on people (name)",
        message="Find people by name, quickly, however many of them there may be",
    )
    application.write("sql/00_init.sql", "create table people (id int primary key);\n")
    application.write("sql/seed.sql", "insert into people values (1) on conflict do nothing;\n")
    application.config(
        'init = ["sql/00_init.sql"]\ninit_revision = "3f2a91c0d4e5"\nseeds = ["sql/seed.sql"]\n'
    )
    for command in ("status", "plan", "up", "up", "status"):
        session.run(command)
    session.compare("fresh-install")


def test_refusals(session: Session) -> None:
    """What somebody reads at two in the morning."""
    application = session.application
    application.linear()
    session.database.execute("create table customers (id int)")
    session.run("up")
    session.database.execute("create table alembic_version (version_num varchar(32) primary key)")
    session.database.execute("insert into alembic_version values ('9e8d7c6b5a43')")
    session.run("status")
    session.run("plan")
    session.run("up")
    session.compare("refusals")


def test_another_installation(session: Session) -> None:
    """env.py names an empty schema, and the data are in another; then a second one is meant."""
    application = session.application
    application.linear()
    session.run("up")
    session.database.execute("insert into people (id) values (1); create schema shop")
    application.env(
        SYNC_ENV.replace(
            "as connection:\n",
            "as connection:\n    connection.exec_driver_sql('set search_path to shop')\n"
            "    connection.commit()\n",
        ),
        'version_table_schema="shop"',
    )
    session.run("up")
    session.run("up", "--shared")
    session.run("status")
    session.compare("another-installation")


def test_failures(session: Session) -> None:
    """A revision that fails, an init script that fails."""
    application = session.application
    application.linear()
    application.revision(
        "r4",
        "r3",
        "insert into pets (id, owner, colour) values (1, 2, 'red')",
        message="Add the first pet",
    )
    session.run("up")
    application.write(
        "sql/00_init.sql",
        "create table people (id int);\n\ninsert into people (id)\nvalues ('one');\n",
    )
    application.config('init = ["sql/00_init.sql"]\ninit_revision = "r1"\n')
    session.run("up")
    session.compare("failures")


@pytest.mark.slow
def test_causes(session: Session) -> None:
    """Revisions that fail, each for another reason; what is printed to be typed is typed."""
    application, database = session.application, session.database
    shop(application)
    application.revision(
        "d05b7c81ea63",
        "c90f4d21ab37",
        """
        create unique index customers_name
            on customers (name)
            include (id)
        """,
        message="One name each",
    )
    built = application.run("catalog", "build", "--server", database.server.url())
    assert built.code == 0, built.err
    application.alembic("upgrade", "c90f4d21ab37", url=database.url("postgresql+psycopg"))
    database.execute("insert into customers values (1, 'ann'), (2, 'bob'), (3, 'ann')")
    database.execute("create index customers_name on orders (total)")
    session.run("up")
    database.execute("alter index public.customers_name rename to customers_name_before;")
    session.run("up")
    database.execute("update customers set name = 'anna' where id = 3")
    session.run("up")
    session.compare("causes")


def test_mistakes_in_the_configuration(session: Session) -> None:
    session.application.config("alembik = 'alembic.ini'\n")
    session.run("up")
    session.application.config("alembic = 'alembic.ini'\n\nwait = 'a while'\n")
    session.run("status")
    session.compare("configuration-mistakes")


def shop(application: Application) -> None:
    """Three tables' worth of history; the last revision leaves no trace, but for its probe."""
    revision = application.revision
    revision(
        "3f2a91c07d4e",
        None,
        "create table customers (id int primary key, name text not null)",
        message="Customers",
    )
    revision(
        "8c1d5e6b2f90",
        "3f2a91c07d4e",
        "create table orders (id int primary key, customer int not null, total numeric(10,2))",
        message="Orders",
        head='release = "v1.0"',
    )
    revision(
        "b47e0a9d13c8",
        "8c1d5e6b2f90",
        "create index orders_customer on orders (customer)",
        message="Index orders",
    )
    revision(
        "c90f4d21ab37",
        "b47e0a9d13c8",
        "update orders set total = 0 where total is null",
        message="Fill totals",
        head='release = "v1.1"',
    )
    for id, name in (("3f2a91c07d4e", "customers"), ("8c1d5e6b2f90", "orders")):
        file = application.root / "migrations" / "versions" / f"{id}.py"
        drop = f'def downgrade():\n    op.execute("drop table {name}")'
        file.write_text(file.read_text().replace("def downgrade():\n    pass", drop))


@pytest.mark.slow
def test_the_catalogue(session: Session) -> None:
    """Made, read, checked; and what the check says when a released revision is edited."""
    application, server = session.application, session.database.server.url()
    shop(application)
    session.run("catalog", "build", "--server", server)
    session.run("catalog", "show")
    session.run("catalog", "show", "8c1d")
    session.run("catalog", "show", "8c1d", "--facts")
    session.run("catalog", "diff", "v1.0", "head")
    session.run("catalog", "check", "--server", server)
    session.run("catalog", "check", "--require-downgrade=v1.0", "--server", server)
    session.run("catalog", "build", "--no-downgrade", "--server", server)
    application.revision(
        "8c1d5e6b2f90",
        "3f2a91c07d4e",
        "create table orders (id int primary key, customer int not null, total numeric(12,2))",
        message="Orders",
        head='release = "v1.0"',
    )
    session.run("catalog", "check", "--no-downgrade", "--server", server)
    session.compare("catalogue")


def test_init_scripts(session: Session) -> None:
    """Made from the history, and checked; and what the check says when the history goes on."""
    application, server = session.application, session.database.server.url()
    shop(application)
    application.config('application = "shop"\n')
    application.revision(
        "3f2a91c07d4e",
        None,
        "create table customers (id int primary key, name text not null,"
        " created_at timestamptz not null default now())",
        "insert into customers values (1, 'the shop itself')",
        message="Customers",
    )
    session.run("catalog", "build", "--no-downgrade", "--server", server)
    session.run("dump", "--revision", "v1.0", "-o", "init.sql", "--server", server)
    script = (application.root / "init.sql").read_text(encoding="utf-8")
    header, end, _ = script.partition("-- end of header\n")
    header = re.sub(r"[0-9a-f]{64}", "…", header)
    session.text += f"$ head init.sql\n{header}{end}\n"
    check = ("dump", "--check", "-o", "init.sql", "--server", server)
    session.run(*check, "--revision", "v1.0")
    session.run(*check, "--revision", "head")
    session.compare("init-scripts")


@pytest.mark.slow
def test_identification(session: Session) -> None:
    """A database without a version row, one that is stamped wrongly, one that has drifted."""
    application, database = session.application, session.database
    shop(application)
    built = application.run("catalog", "build", "--server", database.server.url())
    assert built.code == 0, built.err
    application.alembic("upgrade", "8c1d5e6b2f90", url=database.url("postgresql+psycopg"))
    database.execute("drop table alembic_version; create table notes (id int)")
    session.run("status")
    session.run("adopt")
    session.run("up")
    database.execute("drop table alembic_version; drop schema surefoot cascade")
    session.run("status")
    application.config(
        '[evidence]\nc90f4d21ab37 = "select not exists (select from orders where total is null)"\n'
    )
    session.run("plan")
    session.run("adopt", "v1.1", "--yes")
    database.execute("drop table orders; drop schema surefoot cascade")
    session.run("up")
    session.run("adopt", "3f2a", "--yes")
    session.run("up")
    database.execute("alter table customers alter name type varchar(80), add phone text")
    session.run("drift")
    session.run("adopt", "head", "--accept-difference", "--yes")
    session.run("drift")
    session.compare("identification")


@pytest.mark.slow
def test_what_is_in_the_way(session: Session) -> None:
    """A table of the user's, a view on a column that gets another type; then put aside."""
    application, database = session.application, session.database
    shop(application)
    application.revision(
        "d5e2b8f06c19",
        "c90f4d21ab37",
        "create table if not exists notes (id int primary key, text text)",
        "alter table customers alter name type varchar(200)",
        message="Notes",
    )
    built = application.run("catalog", "build", "--server", database.server.url())
    assert built.code == 0, built.err
    application.alembic("upgrade", "3f2a91c07d4e", url=database.url("postgresql+psycopg"))
    database.execute(
        "create table orders (id int primary key, customer int, paid boolean not null);"
        "create view names as select name from customers;"
        "create table notes (id int primary key, text text)"
    )
    session.run("plan")
    database.execute(
        "alter table orders rename to orders_own; alter index orders_pkey rename to own_pkey;"
        "drop view names"
    )
    session.run("up")
    session.compare("in-the-way")


@pytest.mark.slow
def test_what_will_be_lost(session: Session) -> None:
    """Told before; refused where that is configured, until a person accepts it."""
    application, database = session.application, session.database
    application.revision(
        "r1",
        None,
        "create table notes (id int)",
        "create table sessions (id int, expired boolean)",
        "create table people (id int, phone text default 'none', paid numeric(12,4))",
    )
    application.revision("r2", "r1", "drop table notes", downgrade="op.create_table('notes')")
    application.revision(
        "r3",
        "r2",
        "alter table people drop column phone",
        "alter table people alter column paid type numeric(12,2)",
        "delete from sessions where expired",
    )
    alembic = database.url("postgresql+psycopg")
    application.alembic("upgrade", "r1", url=alembic)
    database.execute(
        "insert into notes select generate_series(1, 12);"
        "insert into people values (1, '123', 1.25), (2, 'none', null), (3, null, 7)"
    )
    built = application.run("catalog", "build", "--server", database.server.url())
    assert built.code == 0, built.err
    session.run("plan")
    application.config('destructive = "refuse"\n')
    session.run("up")
    session.run("up", "--accept-data-loss")
    session.compare("losses")


@pytest.mark.slow
def test_going_back(session: Session) -> None:
    """The image is rolled back, and takes the newer one's revisions back without their files."""
    application, database = session.application, session.database
    shop(application)
    directory = "migrations/versions"
    application.revision(
        "d5e2b8f06c19",
        "c90f4d21ab37",
        "create type mood as enum ('glad', 'sad')",
        "create table notes (id int primary key, text text, mood mood)",
        "alter table customers add phone text",
        message="Notes, and telephones",
        downgrade="op.drop_column('customers', 'phone')\nop.drop_table('notes')",
    )
    application.revision(
        "e6f1029a4b7d",
        "d5e2b8f06c19",
        body="with op.get_context().autocommit_block():\n"
        "    op.create_index('customers_phone', 'customers', ['phone'],"
        " postgresql_concurrently=True)",
        downgrade="with op.get_context().autocommit_block():\n"
        "    op.drop_index('customers_phone', postgresql_concurrently=True)",
        message="Find customers by telephone",
        head="release = 'v1.2'",
    )
    server = database.server.url()
    for command in (("catalog", "build", "--server", server), ("up",)):
        done = application.run(*command, url=database.url())
        assert done.code == 0, done.err
    database.execute(
        "insert into customers (id, name, phone) values (1, 'Ada', '123'), (2, 'Bob', null);"
        "insert into notes values (1, 'calls on Mondays', 'glad')"
    )
    for id in ("d5e2b8f06c19", "e6f1029a4b7d"):
        (application.root / directory / f"{id}.py").unlink()
    built = application.run("catalog", "build", "--server", server)
    assert built.code == 0, built.err
    session.run("up")
    session.run("down", "--to", "v1.1", "--yes")
    session.run("down", "--to", "v1.1", "--accept-data-loss", "--yes")
    session.run("up")
    session.run("cleanup")
    session.run("cleanup", "--yes")
    session.run("down", "--to", "base", "--yes")
    session.compare("going-back")


DOCS = Path(__file__).parents[2] / "docs"


def sessions() -> list[str]:
    return [file.read_text(encoding="utf-8") for file in sorted(SESSIONS.glob("*.txt"))]


def nearest(block: str) -> str:
    """The lines of a session that are most like the block: from a line like its first one on."""
    lines = block.splitlines(keepends=True)
    best, found = 0.6, block
    for session in sessions():
        whole = session.splitlines(keepends=True)
        for start in range(len(whole)):
            for length in range(max(1, len(lines) - 3), len(lines) + 4):
                like = SequenceMatcher(None, block, "".join(whole[start : start + length]), False)
                if min(like.real_quick_ratio(), like.quick_ratio()) > best < like.ratio():
                    best, found = like.ratio(), "".join(whole[start : start + length])
    return found


@pytest.mark.parametrize(
    ("page", "least"),
    [
        ("concepts/identification", 3),
        ("guides/catalogue", 2),
        ("guides/ci", 1),
        ("guides/going-back", 3),
        ("guides/init-scripts", 3),
        ("guides/older-image", 1),
        ("guides/operations", 1),
        ("guides/preflight", 2),
        ("guides/refused", 1),
    ],
)
def test_what_a_page_shows_was_printed(page: str, least: int) -> None:
    """Each block that shows a terminal is a part of a session. UPDATE_SESSIONS=1 follows these."""
    file = DOCS / f"{page}.md"
    text = file.read_text(encoding="utf-8")
    blocks = re.findall(r"^```(?:console|text)\n(.*?)^```", text, re.M | re.S)
    assert len(blocks) >= least
    printed = "".join(sessions())
    for block in blocks:
        if os.environ.get("UPDATE_SESSIONS") and block not in printed:
            text, block = text.replace(block, nearest(block)), nearest(block)
            file.write_text(text, encoding="utf-8")
        assert block in printed, block
