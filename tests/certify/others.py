"""The planted bugs, looked for by other tools: which bug does which of their tests find?

    python -m tests.certify.others [--only NAME] … [--write]

The tools are pytest-alembic and alembic-gauntlet, with the tests that they run by default, on a
real PostgreSQL and a new database for each test; env.py follows their documentation. They get the
small application in their favour: its models are what its revisions make, so a finding is never
that models were forgotten; each planted revision has a downgrade; and the index of r4, which one of
them can't make, is made within the transaction. A bug is found where a test fails that passes
without it. Prints a row for each bug; `--write` puts them into docs/evidence/planted-bugs.md.
"""

import argparse
import contextlib
import queue
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from xml.etree import ElementTree

import psycopg
from psycopg import sql

from surefoot.postgres.embedded import Server, embedded_bin
from tests.certify.grounds import GROUNDS, Place
from tests.certify.planted import BUGS, PAGE
from tests.corpora.environments import environment, environment_variables
from tests.support.project import Application
from tests.support.rows import write_row

_COMMON = ["pytest==8.4.2", "sqlalchemy==2.0.44", "psycopg2-binary==2.9.13"]

# Each in an environment of its own, since both have a fixture alembic_config; with what pytest is
# told to run them.
TOOLS = {
    "pytest-alembic": (["pytest-alembic==0.13.1"], ["--test-alembic", "tests"]),
    "alembic-gauntlet": (
        ["alembic-gauntlet[asyncio]==0.3.1", "asyncpg==0.31.0"],
        ["-o", "asyncio_mode=auto", "gauntlet"],
    ),
}
TITLE = f"| bug | {' | '.join(TOOLS)} |"
_REFUSES = "autocommit_block"
_WORKERS = 2

# As both tools' documentation has it: their connection, and the schema of one of them.
ENV = """\
from alembic import context
from sqlalchemy import engine_from_config, pool, text
from models import metadata

config = context.config

def run(connection):
    schema = config.attributes.get("target_schema")
    if schema:
        connection.execute(text(f'set search_path to "{schema}"'))
        connection.dialect.default_schema_name = schema
    context.configure(
        connection=connection, target_metadata=metadata, version_table_schema=schema
    )
    with context.begin_transaction():
        context.run_migrations()

connectable = config.attributes.get("connection")
if connectable is None:
    connectable = engine_from_config(
        config.get_section(config.config_ini_section), prefix="sqlalchemy.",
        poolclass=pool.NullPool,
    )
if hasattr(connectable, "connect"):
    with connectable.connect() as connection:
        run(connection)
else:
    run(connectable)
"""

# What the revisions make is what the models say.
MODELS = """\
import os
from sqlalchemy import MetaData, create_engine

metadata = MetaData()
metadata.reflect(
    create_engine(os.environ["MODELS_URL"]), only=lambda name, _: name != "alembic_version"
)
"""

CONFTEST = """\
import os
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

SERVER = create_engine(os.environ["SERVER_URL"], isolation_level="AUTOCOMMIT", poolclass=NullPool)

@pytest.fixture
def alembic_engine():
    with SERVER.connect() as connection:
        connection.execute(text("create database tested"))
    engine = create_engine(SERVER.url.set(database="tested"), poolclass=NullPool)
    yield engine
    engine.dispose()
    with SERVER.connect() as connection:
        connection.execute(text("drop database tested with (force)"))
"""

GAUNTLET = """\
import os
import pytest
from alembic_gauntlet import MigrationTestBase
from models import metadata

class TestMigrations(MigrationTestBase):
    @pytest.fixture
    def orm_metadata(self):
        return metadata

    @pytest.fixture(scope="session")
    def migration_db_url(self):
        return os.environ["GAUNTLET_URL"]
"""


class Database:
    """A database on this server, made anew for each tool."""

    def __init__(self, server: Server, name: str) -> None:
        self._server, self.name = server, name
        with psycopg.connect(server.conninfo(), autocommit=True) as connection:
            identifier = sql.Identifier(name)
            drop = sql.SQL("drop database if exists {} with (force)")
            connection.execute(drop.format(identifier))
            connection.execute(sql.SQL("create database {}").format(identifier))

    def url(self, driver: str) -> str:
        """Its address, for this driver."""
        return self._server.url(self.name).replace("postgresql://", f"{driver}://", 1)


def environment_of(tool: str, extra: str = "") -> Path:
    """The environment of this tool, with surefoot in it, which the tool doesn't need."""
    return environment("certify", tool, sys.executable, [*_COMMON, *TOOLS[tool][0]], extra)


def failing(application: Application, tool: str, made: Path, server: Server) -> dict[str, str]:
    """The tests of this tool that fail on this application, each with what it says."""
    sync = "postgresql+psycopg2"
    models, tested = Database(server, "models"), Database(server, "gauntlet")
    variables = {
        **environment_variables(),
        "PYTHONPATH": str(application.root),
        "MODELS_URL": models.url(sync),
        "SERVER_URL": server.url().replace("postgresql://", f"{sync}://", 1),
        "GAUNTLET_URL": tested.url("postgresql+asyncpg"),
    }
    upgrade = [made / "bin" / "python", "-c", _UPGRADE, models.url(sync)]
    subprocess.run(
        upgrade, cwd=application.root, env=variables, capture_output=True, check=False, timeout=300
    )
    report = application.root / "report.xml"
    words = [made / "bin" / "python", "-m", "pytest", "-p", "no:cacheprovider", "--junit-xml"]
    done = subprocess.run(
        [*words, report, *TOOLS[tool][1]],
        cwd=application.root,
        env=variables,
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )
    if not report.exists():
        raise RuntimeError(done.stdout + done.stderr)
    found: dict[str, str] = {}
    tests = list(ElementTree.parse(report).getroot().iter("testcase"))
    if not tests:
        raise RuntimeError(f"{tool} ran no test:\n{done.stdout}{done.stderr}")
    for test in tests:
        wrong = [*test.findall("failure"), *test.findall("error")]
        if wrong:
            name = re.sub(r"^test_", "", test.attrib["name"])
            found[name] = wrong[0].text or wrong[0].attrib.get("message", "")
    return found


_UPGRADE = """\
import sys
from alembic import command
from alembic.config import Config

config = Config("alembic.ini")
config.set_main_option("sqlalchemy.url", sys.argv[1].replace("%", "%%"))
command.upgrade(config, "heads")
"""


def prepared(directory: Path, name: str | None) -> Application:
    """The small application as the tools like it, with this bug."""
    ground = GROUNDS["small"]
    application = ground.make(directory)
    application.revision(
        "r4",
        "r3",
        "create index pets_owner on pets (owner)",
        downgrade='op.execute("drop index pets_owner")',
    )
    if name is not None:
        BUGS[name].plant(Place(ground, application))
    application.write("migrations/env.py", ENV)
    application.write("models.py", MODELS)
    application.write("tests/conftest.py", CONFTEST)
    application.write("gauntlet/test_gauntlet.py", GAUNTLET)
    return application


def cell(found: dict[str, str], control: dict[str, str]) -> str:
    """What is said of a tool and a bug."""
    more = {name: text for name, text in found.items() if name not in control}
    if not more:
        return "–"
    if all(_REFUSES in text for text in more.values()):
        return "doesn't run it"
    return ", ".join(f"`{name}`" for name in more)


def all_failing(names: list[str | None]) -> Iterator[tuple[str | None, dict[str, dict[str, str]]]]:
    """Each bug with what `failing` says of each tool, in order; two at a time."""
    made = {tool: environment_of(tool) for tool in TOOLS}
    servers: queue.SimpleQueue[Server] = queue.SimpleQueue()

    def one(name: str | None) -> dict[str, dict[str, str]]:
        server = servers.get()
        try:
            found: dict[str, dict[str, str]] = {}
            for tool in TOOLS:
                with tempfile.TemporaryDirectory() as directory:
                    application = prepared(Path(directory, "application"), name)
                    found[tool] = failing(application, tool, made[tool], server)
            return found
        finally:
            servers.put(server)

    with contextlib.ExitStack() as stack, ThreadPoolExecutor(_WORKERS) as pool:
        for _ in range(_WORKERS):
            servers.put(stack.enter_context(Server(embedded_bin())))
        yield from zip(names, pool.map(one, names), strict=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    small = [name for name, bug in BUGS.items() if "small" in bug.grounds]
    parser.add_argument("--only", action="append", choices=small, help="repeatable")
    parser.add_argument("--write", action="store_true", help=f"the rows, into {PAGE.name}")
    options = parser.parse_args()
    print(f"{TITLE}\n|---|{'---|' * len(TOOLS)}", flush=True)
    control: dict[str, dict[str, str]] = {}
    for name, found in all_failing([None, *(options.only or small)]):
        if name is None:
            control = found
            cells = [", ".join(f"`{one}`" for one in found[tool]) or "–" for tool in TOOLS]
        else:
            cells = [cell(found[tool], control[tool]) for tool in TOOLS]
        what = BUGS[name].what if name else "none: what fails without a bug"
        row = f"| {what} | {' | '.join(cells)} |"
        print(row, flush=True)
        if options.write:
            write_row(PAGE, TITLE, row)
    return 0


if __name__ == "__main__":
    sys.exit(main())
