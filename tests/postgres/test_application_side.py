"""What the application's own code may do, and how its failures are told."""

import sys
from contextlib import closing
from pathlib import Path

import alembic
import pytest
import sqlalchemy

from surefoot.alembic_env.connection import quiet_pools
from surefoot.postgres.embedded import Server
from tests.support.database import Database
from tests.support.next_steps import next_of
from tests.support.project import ASYNC_ENV, SYNC_ENV, Application
from tests.support.versions import alembic_from

READS_NAMES = """\
import os
from alembic import context
from sqlalchemy import URL, create_engine

url = {url}
with create_engine(url).connect() as connection:
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()
"""
FROM_POSTGRES_NAMES = READS_NAMES.format(
    url="URL.create('postgresql+psycopg', os.environ['POSTGRES_USER'],"
    " os.environ['POSTGRES_PASSWORD'], os.environ['POSTGRES_HOST'],"
    " int(os.environ['POSTGRES_PORT']), os.environ['POSTGRES_DB'])"
)


@pytest.mark.parametrize(
    "env",
    [
        pytest.param(FROM_POSTGRES_NAMES, id="POSTGRES_*"),
        pytest.param(READS_NAMES.format(url="os.environ['DATABASE_URL']"), id="DATABASE_URL"),
        pytest.param(READS_NAMES.format(url="'postgresql+psycopg://'"), id="PG*"),
        pytest.param(READS_NAMES.format(url="os.environ['MY_APP_DSN']"), id="url_variables"),
    ],
)
@pytest.mark.parametrize("source", ["flag", "SUREFOOT_DATABASE_URL", "POSTGRES_*", "PG*"])
def test_env_gets_the_address_by_the_names_it_reads(
    application: Application, database: Database, env: str, source: str
) -> None:
    """Whatever names surefoot was given, env.py finds the ones that it reads."""
    application.env(env)
    application.config('[url_variables]\nMY_APP_DSN = "postgresql+psycopg"\n')
    application.linear()
    server = database.server
    parts = {
        "HOST": server.host,
        "PORT": str(server.port),
        "USER": "postgres",
        "PASSWORD": server.password,
    }
    arguments: list[str] = []
    environ: dict[str, str] = {}
    match source:
        case "flag":
            arguments = ["--database-url", database.url()]
        case "POSTGRES_*":
            environ = {f"POSTGRES_{k}": v for k, v in parts.items()} | {
                "POSTGRES_DB": database.name
            }
        case "PG*":
            environ = {f"PG{k}": v for k, v in parts.items()} | {"PGDATABASE": database.name}
        case _:
            environ = {source: database.url()}
    result = application.run("up", "--json", *arguments, env=environ)
    assert result.code == 0, result.err
    expected = "--database-url" if source == "flag" else source.replace("*", "* variables")
    assert result.json["database"]["source"] == expected
    assert len(result.json["done"]) == 3


@pytest.mark.parametrize("names", ["url_variables", "POSTGRES_*"])
def test_env_gets_the_parts_that_the_address_leaves_to_libpq(
    application: Application, database: Database, names: str
) -> None:
    """The address has no port and no password; env.py reads both from variables."""
    env, own = FROM_POSTGRES_NAMES, {"HOST": "host", "PORT": "port", "USER": "user"}
    if names == "url_variables":
        env = env.replace("POSTGRES_", "SHOP_")
        own |= {"PASSWORD": "password", "DB": "dbname"}
        pairs = "".join(f'SHOP_{name} = "{part}"\n' for name, part in own.items())
        application.config(f"[url_variables]\n{pairs}")
    application.env(env)
    application.linear()
    server = database.server
    libpq = {"PGPORT": str(server.port), "PGPASSWORD": server.password}
    url = f"postgresql://postgres@{server.host}/{database.name}"
    result = application.run("up", "--json", url=url, env=libpq)
    assert result.code == 0, result.err
    assert len(result.json["done"]) == 3


@pytest.mark.provokes("another-database")
@pytest.mark.follows("another-database")
def test_env_that_goes_elsewhere_is_refused(
    application: Application, database: Database, other_database: Database
) -> None:
    """env.py has an address of its own: nothing is run there, and nothing here."""
    application.env(READS_NAMES.format(url=repr(other_database.url("postgresql+psycopg"))))
    application.linear()
    for command in ("status", "up"):
        result = application.run(command, "--json", url=database.url())
        assert (result.code, result.error) == (4, "another-database")
    assert database.tables() == []
    assert other_database.tables() == []
    assert "[url_variables]" in next_of(result)
    application.env(READS_NAMES.format(url='os.environ["SHOP_URL"]'))
    application.config('[url_variables]\nSHOP_URL = "postgresql+psycopg"\n')
    arrived = application.run("up", url=database.url("postgresql+psycopg"))
    assert arrived.code == 0, arrived.err
    assert other_database.tables() == []


def test_an_env_for_several_databases_is_told_how_to_migrate_one(
    application: Application, database: Database, other_database: Database
) -> None:
    """Alembic's template `multidb`: all of its databases in each run."""
    shown = Path(alembic.__file__).parent / "templates" / "multidb" / "env.py"
    env = shown.read_text().replace("fileConfig(config.config_file_name)", "pass")
    ini = (application.root / "alembic.ini").read_text().rstrip()
    ours, other = (one.url("postgresql+psycopg") for one in (database, other_database))
    sections = f"[ours]\nsqlalchemy.url = {ours}\n\n[other]\nsqlalchemy.url = {other}\n"
    application.env(env)
    application.write(
        "migrations/versions/r1.py",
        "from alembic import op\nrevision, down_revision = 'r1', None\n"
        "def upgrade(engine_name):\n    op.execute(f'create table of_{engine_name} ()')\n"
        "def downgrade(engine_name):\n    op.execute(f'drop table of_{engine_name}')\n",
    )
    for names in ("ours, other", "other, ours"):
        application.write("alembic.ini", f"{ini}\ndatabases = {names}\n\n{sections}")
        result = application.run("up", "--json", url=ours)
        assert (result.code, result.error) == (4, "another-database")
        assert f"databases = {names}" in result.json["findings"][0]["seen"]
    assert "several databases" in result.json["findings"][0]["message"]
    assert 'x_arguments = ["database=NAME"]' in next_of(result)
    assert "DATABASE_URL" in next_of(result)
    application.env(
        env.replace(
            'db_names = config.get_main_option("databases", "")',
            'import os\ndb_names = context.get_x_argument(as_dictionary=True)["database"]',
        )
        .replace("context.config.get_section(name, {})", "{}")
        .replace('prefix="sqlalchemy.",', 'prefix="", url=os.environ["DATABASE_URL"],')
    )
    for name, one, url in (("ours", database, ours), ("other", other_database, other)):
        application.write(
            f"{name}.toml",
            f'x_arguments = ["database={name}"]\ncatalog = "{name}-catalog.txt"\n',
        )
        built = application.run("catalog", "build", "--config", f"{name}.toml")
        assert built.code == 0, built.err
        result = application.run("up", "--config", f"{name}.toml", url=url)
        assert result.code == 0, result.err
        assert f"public.of_{name}" in one.tables()
        assert len(one.tables()) == 3


def test_an_env_for_several_version_tables_is_told_how_to_migrate_one(
    application: Application, database: Database
) -> None:
    """Two histories' rows from one env.py."""
    loop = SYNC_ENV.replace(
        "    context.configure(connection=connection",
        "  for name in NAMES:\n    context.configure(connection=connection, version_table=name",
    )
    application.env(f"NAMES = ['one', 'two']\n{loop}")
    application.linear()
    result = application.run("up", "--json", url=database.url())
    assert (result.code, result.error) == (4, "application-environment-failed"), result.err
    assert "several version tables" in result.json["findings"][0]["message"]
    assert 'x_arguments = ["history=NAME"]' in next_of(result)
    by_argument = "NAMES = [context.get_x_argument(as_dictionary=True)['history']]"
    application.env(
        loop.replace(
            "from alembic import context", f"from alembic import context\n{by_argument}", 1
        )
    )
    application.config('x_arguments = ["history=two"]\ncatalog = "two.txt"\n')
    arrived = application.run("up", url=database.url())
    assert arrived.code == 0, arrived.err
    assert "public.two" in database.tables()
    assert "public.one" not in database.tables()


@pytest.mark.follows("application-environment-failed")
def test_an_async_engine_with_another_driver(application: Application, database: Database) -> None:
    """The application builds its engine from the address, and only it knows with which driver."""
    application.linear()
    application.env(ASYNC_ENV)
    application.config('driver = "postgresql+psycopg2"\n')
    refused = application.run("up", "--json", url=database.url())
    assert refused.error == "application-environment-failed", refused.out
    setting = next_of(refused).removeprefix(
        "name the driver that the application uses, in surefoot.toml: "
    )
    application.config(f"{setting}\n")
    assert application.run("up", url=database.url()).code == 0


@pytest.mark.provokes("application-environment-failed")
@pytest.mark.parametrize(
    ("env", "seen"),
    [
        ("import nowhere_to_be_found", "No module named 'nowhere_to_be_found'"),
        ("raise RuntimeError('settings are missing')", "RuntimeError: settings are missing"),
        ("import sys; sys.exit(3)", "SystemExit: 3"),
        ("raise SystemExit(0)", "SystemExit: 0"),
        ("raise GeneratorExit", "GeneratorExit"),
        ("raise type('E', (Exception,), {'__str__': lambda self: None})", "E: "),
        ("import sys; sys.stdout = sys.stderr = None; raise OSError('gone')", "OSError: gone"),
        ("pass", "run_migrations() was not reached"),
        ("def broken(:", "SyntaxError"),
    ],
)
@pytest.mark.follows("application-environment-failed")
def test_env_that_fails_is_told_with_file_and_line(
    application: Application, database: Database, env: str, seen: str
) -> None:
    application.env(env)
    application.linear()
    result = application.run("up", "--json", url=database.url())
    assert (result.code, result.error) == (4, "application-environment-failed")
    told = " ".join(result.json["findings"][0]["seen"])
    assert seen in told
    if "reached" not in seen and "Syntax" not in seen:
        assert "at migrations/env.py:1" in told
    assert database.tables() == []
    application.env()  # corrected
    assert application.run("up", url=database.url()).code == 0


def test_what_the_application_makes_while_it_is_loaded_is_told(
    application: Application, database: Database
) -> None:
    """In a database that isn't empty: surefoot changed nothing, and doesn't say more than that."""
    application.linear()
    assert application.run("up", url=database.url()).code == 0
    env = (application.root / "migrations" / "env.py").read_text()
    made = (
        "    connection.exec_driver_sql('create table if not exists audit (id int)')\n"
        "    connection.commit()\n    context.configure("
    )
    application.write("migrations/env.py", env.replace("    context.configure(", made))
    planned = application.run("plan", url=database.url())
    assert "the structure changed while the application's code was loaded" in planned.out
    database.execute("drop table audit; update alembic_version set version_num = 'zzz'")
    refused = application.run("up", "--json", url=database.url())
    (finding,) = refused.json["findings"]
    assert finding["database"].startswith("surefoot changed nothing; the structure changed while")


def test_a_file_that_is_no_text_is_named(application: Application, database: Database) -> None:
    """What macOS leaves beside a file, and an editor's lock that links to nowhere."""
    application.linear()
    versions = application.root / "migrations" / "versions"
    (versions / ".#r3.py").symlink_to("nobody@host.1:2")
    (versions / "._r3.py").write_bytes(b"\0\5\26\7")
    (versions / "copy.py").write_bytes((versions / "r2.py").read_bytes())
    for name in ("._r3.py", "copy.py"):
        result = application.run("up", "--json", url=database.url())
        assert (result.code, result.error) == (4, "history-unreadable"), result.out
        assert f"in migrations/versions/{name}" in str(result.json["findings"][0]["seen"])
        (versions / name).unlink()
    assert application.run("up", url=database.url()).code == 0


@pytest.mark.provokes("history-unreadable")
@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("def broken(:", "r4.py"),
        (
            "revision = 'r4'\ndown_revision = 'gone'\ndef upgrade(): pass",
            "'in migrations/versions/r4.py']",
        ),
        ("import not_installed\nrevision = 'r4'\ndown_revision = 'r3'", "not_installed"),
        ("down_revision = 'r3'", "r4.py"),
        (
            "revision = 'r3'\ndown_revision = 'r2'\ndef upgrade(): pass",
            "'in migrations/versions/r3.py', 'in migrations/versions/r4.py']",
        ),
    ],
)
@pytest.mark.follows("history-unreadable")
def test_a_history_that_alembic_cannot_read(
    application: Application, database: Database, text: str, seen: str
) -> None:
    application.linear()
    application.write("migrations/versions/r4.py", text)
    result = application.run("up", "--json", url=database.url())
    assert (result.code, result.error) == (4, "history-unreadable")
    assert seen in str(result.json["findings"][0]["seen"])
    assert database.tables() == []
    assert next_of(result).startswith("correct the file")
    application.revision("r4", "r3", "create table toys (id int)")
    assert application.run("up", url=database.url()).code == 0


ATTRIBUTES_ENV = """\
from alembic import context
connection = context.config.attributes.get("connection")
if connection is None:
    raise Exception("No connection set in alembic config")
context.configure(connection=connection)
with context.begin_transaction():
    context.run_migrations()
"""
REFERENCE = Path(__file__).parents[2] / "docs" / "reference" / "configuration-history.md"


@pytest.mark.follows("application-environment-failed")
def test_an_env_that_needs_a_connection_in_its_config(
    application: Application, database: Database
) -> None:
    """With the function that the configuration's page shows."""
    application.linear()
    for env in ("from alembic import context\ncontext.config.shop_config\n", ATTRIBUTES_ENV):
        application.env(env)
        result = application.run("up", "--json", url=database.url())
        assert (result.code, result.error) == (4, "application-environment-failed")
        assert 'alembic_config = "package.module:name"' in next_of(result)
    imports = "import contextlib, os\nfrom alembic.config import Config\n"
    imports += "from sqlalchemy import create_engine\n"
    shown = REFERENCE.read_text(encoding="utf-8").partition("```python\n")[2]
    application.write("shop.py", imports + shown.partition("```")[0])
    application.config('alembic_config = "shop:alembic_config"\n')
    url = database.url("postgresql+psycopg")
    assert application.run("up", url=url).code == 0
    assert "nothing to do" in application.run("up", url=url).err


@pytest.mark.follows("application-environment-failed")
def test_a_version_table_in_a_schema_that_nothing_creates(
    application: Application, database: Database, server: Server
) -> None:
    """An init script creates it, also on the scratch server."""
    application.env(
        SYNC_ENV.replace("connection=connection", "connection=connection, **META").replace(
            "import context", "import context\nMETA = {'version_table_schema': 'meta'}", 1
        )
    )
    application.linear()
    url = database.url()
    result = application.run("up", "--json", url=url)
    assert (result.code, result.error) == (4, "application-environment-failed"), result.err
    assert 'init = ["before.sql"] and init_revision = "base"' in next_of(result)
    application.write("before.sql", "create schema meta;")
    application.config('init = ["before.sql"]\ninit_revision = "base"\n')
    built = application.run("catalog", "build", "--server", server.url())
    assert built.code == 0, built.err
    assert application.run("up", url=url).code == 0
    assert application.run("drift", url=url).code == 0


@pytest.mark.follows("history-unreadable")
def test_a_revision_imports_code_that_needs_a_variable(
    application: Application, database: Database
) -> None:
    application.linear()
    application.write("shop.py", "import os\nos.environ['SHOP_KEY']\n")
    application.revision("r4", "r3", "create table toys (id int)", head="import shop")
    url = database.url()
    result = application.run("up", "--json", url=url)
    assert (result.code, result.error) == (4, "history-unreadable")
    assert "environment variables with which the application starts" in next_of(result)
    assert application.run("up", url=url, env={"SHOP_KEY": "x"}).code == 0


def test_an_alembic_config_of_the_projects_own(
    application: Application, database: Database
) -> None:
    """A callable that returns the Config, and one that is a context manager around it."""
    application.linear()
    (application.root / "alembic.ini").rename(application.root / "hidden.cfg")
    application.write(
        "my_app.py",
        "import contextlib, os\nfrom alembic.config import Config\n"
        "def make():\n"
        "    config = Config('hidden.cfg')\n"
        "    config.set_main_option('sqlalchemy.url', os.environ['DATABASE_URL'])\n"
        "    return config\n"
        "@contextlib.contextmanager\n"
        "def around():\n"
        "    print('entered')\n"
        "    yield make()\n"
        "    print('left')\n",
    )
    application.config('alembic_config = "my_app:make"\n')
    assert application.run("up", url=database.url()).code == 0
    application.revision("r4", "r3", "create table four (id int)")
    application.config('alembic_config = "my_app:around"\n')
    result = application.run("up", "--json", url=database.url())
    assert result.code == 0, result.err
    entered, left = result.err.rindex("entered"), result.err.rindex("left")
    assert entered < result.err.index("· r4") < left


def test_an_env_that_must_run_in_a_certain_thread(
    application: Application, database: Database
) -> None:
    """env_runner calls env.py where it wants to be."""
    application.env(
        "import threading\nassert threading.current_thread().name == 'mine'\n" + SYNC_ENV
    )
    application.write(
        "runner.py",
        "from concurrent.futures import ThreadPoolExecutor\n"
        "def in_thread(function):\n"
        "    with ThreadPoolExecutor(1, 'mine', lambda: None) as pool:\n"
        "        import threading\n"
        "        def named():\n"
        "            threading.current_thread().name = 'mine'\n"
        "            return function()\n"
        "        return pool.submit(named).result()\n",
    )
    application.linear()
    assert application.run("up", url=database.url()).code == 4
    application.config('env_runner = "runner:in_thread"\n')
    result = application.run("up", "--json", url=database.url())
    assert result.code == 0, result.err


FLASK_APP = """\
import os
from flask import Flask
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy

db = SQLAlchemy()

def create_app():
    app = Flask(__name__)
    app.config["SQLALCHEMY_DATABASE_URI"] = os.environ["DATABASE_URL"]
    db.init_app(app)
    Migrate(app, db)
    return app
"""


def test_flask_migrate(application: Application, database: Database) -> None:
    """Flask-Migrate's own env.py, which wants an application context."""
    import subprocess
    import sys

    (application.root / "alembic.ini").unlink()
    application.write("shop.py", FLASK_APP)
    environ = {"DATABASE_URL": database.url("postgresql+psycopg"), "PATH": "/usr/bin:/bin"}
    for file in (application.root / "migrations").rglob("*.py"):
        file.unlink()
    (application.root / "migrations" / "versions").rmdir()
    (application.root / "migrations").rmdir()
    subprocess.run(
        [sys.executable, "-m", "flask", "--app", "shop:create_app", "db", "init"],
        cwd=application.root,
        env=environ,
        check=True,
        capture_output=True,
    )
    application.linear()
    application.config('flask_app = "shop:create_app"\n')
    result = application.run("up", "--json", url=database.url("postgresql+psycopg"))
    assert result.code == 0, result.err
    assert len(result.json["done"]) == 3
    assert "nothing to do" in application.run("up", url=database.url("postgresql+psycopg")).err


def test_another_directory(application: Application, database: Database) -> None:
    """alembic.ini in a subdirectory, its paths relative to itself or to the project."""
    application.linear()
    (application.root / "backend").mkdir()
    (application.root / "alembic.ini").rename(application.root / "backend" / "alembic.ini")
    application.config('alembic = "backend/alembic.ini"\n')
    assert application.run("plan", url=database.url()).code == 0
    (application.root / "migrations").rename(application.root / "backend" / "migrations")
    assert application.run("up", url=database.url()).code == 0
    elsewhere = application.run(
        "status", "--config", "../surefoot.toml", url=database.url(), cwd="backend"
    )
    assert elsewhere.code == 0, elsewhere.err


def test_the_password_is_never_told(
    application: Application, server: Server, database: Database
) -> None:
    """Not in the account, not in JSON, not in any failure, not in the journal."""
    application.linear()
    application.config('wait = "1s"\n')
    secret = server.password
    runs = [
        application.run("up", "--json", url=database.url()),
        application.run("status", url=database.url("postgresql+asyncpg")),
        application.run("plan", "--json", url=database.url() + "?sslmode=nonsense"),
        application.run("up", url=database.url().replace("127.0.0.1", "nowhere.invalid")),
        application.run("up", url=database.url().replace("postgresql:", "mysql:")),
        application.run("up", url=f"password={secret} nonsense"),
        application.run("up", "--database-url", database.url().replace(str(server.port), "x1")),
    ]
    application.env(
        "from alembic import context\n"
        "raise RuntimeError(context.config.get_main_option('sqlalchemy.url'))"
    )
    application.revision("r4", "r3")
    runs.append(application.run("up", url=database.url()))
    assert "://postgres:***@" in runs[-1].err
    assert all(secret not in run.out + run.err for run in runs)
    assert secret not in database.dump()


@pytest.mark.parametrize("name", ["DATABASE_URL", "POSTGRES_PASSWORD"])
def test_a_secret_in_a_file_reaches_env(
    application: Application, database: Database, name: str
) -> None:
    """env.py reads the plain name; it is set for it, and for nobody else."""
    application.env(
        FROM_POSTGRES_NAMES
        if name == "POSTGRES_PASSWORD"
        else READS_NAMES.format(url="os.environ['DATABASE_URL']")
    )
    application.linear()
    server = database.server
    url = database.url("postgresql+psycopg")
    secret = application.write("secret", (server.password if "PASS" in name else url) + "\n")
    environ = {f"{name}_FILE": str(secret)}
    if name == "POSTGRES_PASSWORD":
        environ |= {
            "POSTGRES_HOST": server.host,
            "POSTGRES_PORT": str(server.port),
            "POSTGRES_USER": "postgres",
            "POSTGRES_DB": database.name,
        }
    shows = "import os; print(os.environ.get('PGPASSWORD'), os.environ.get('DATABASE_URL'))"
    result = application.run("up", "--", sys.executable, "-c", shows, env=environ)
    assert result.code == 0, result.err
    assert result.out == "None None\n"


def test_env_that_fails_after_something_was_committed(
    application: Application, database: Database
) -> None:
    """Exit 4 says that nothing was changed: not once the init script is committed."""
    application.linear()
    application.write("init.sql", "create table people (id int);")
    application.config('init = ["init.sql"]\ninit_revision = "r1"\n')
    application.env(
        "import builtins\n"
        "if hasattr(builtins, 'seen_once'):\n"
        "    raise RuntimeError('the second time')\n"
        "builtins.seen_once = True\n" + SYNC_ENV
    )
    result = application.run("up", "--json", url=database.url())
    assert (result.code, result.error) == (5, "application-environment-failed")
    assert (
        "Committed before it, and there: init.sql, r1." in (result.json["findings"][0]["database"])
    )
    assert database.query("select version_num from alembic_version") == [("r1",)]


@pytest.mark.provokes("application-changed-database")
@pytest.mark.follows("application-changed-database")
def test_an_application_that_makes_its_tables_at_import(
    application: Application, database: Database
) -> None:
    """It's the application that changed the database, and that is what is said."""
    application.env(
        SYNC_ENV.replace(
            "with connectable.connect() as connection:\n",
            "with connectable.begin() as connection:\n"
            "    connection.exec_driver_sql('create table if not exists people (id int)')\n"
            "with connectable.connect() as connection:\n",
        )
    )
    application.linear()
    result = application.run("up", "--json", url=database.url())
    assert (result.code, result.error) == (4, "application-changed-database")
    assert "public.people" in str(result.json["findings"][0]["seen"])
    assert "surefoot changed nothing" in result.json["findings"][0]["database"]
    assert application.run("up", "--json", url=database.url()).error == "unversioned-database"
    assert "then drop these objects" in next_of(result)
    application.env()
    database.execute("drop table people")
    assert application.run("up", url=database.url()).code == 0


@alembic_from(1, 16)
def test_alembics_pyproject_template(application: Application, database: Database) -> None:
    """script_location in pyproject.toml, as Alembic 1.16's template has it."""
    application.write("alembic.ini", "[alembic]\n# sqlalchemy.url = driver://user:pass@host/db\n")
    application.write("pyproject.toml", "[tool.alembic]\nscript_location = '%(here)s/migrations'\n")
    application.linear()
    assert application.run("up", url=database.url()).code == 0
    assert "nothing to do" in application.run("up", url=database.url()).err


def test_an_ini_that_env_fills_in(application: Application, database: Database) -> None:
    """`%(DB_USER)s` in the URL, given by env.py: nothing for surefoot to read, and no obstacle."""
    application.ini("sqlalchemy.url = postgresql+psycopg://%(DB_USER)s:hidden-pw@h/d")
    application.env(READS_NAMES.format(url="os.environ['DATABASE_URL']"))
    application.linear()
    result = application.run("up", url=database.url("postgresql+psycopg"))
    assert result.code == 0, result.err
    nothing = application.run("up")
    assert "hidden-pw" not in nothing.err + nothing.out


def test_passwords_in_statements_and_errors_are_masked(
    application: Application, database: Database
) -> None:
    """A failing ALTER ROLE, an exception that quotes an address: told without the secret."""
    application.revision("r1", None, "alter role nobody_here password 's3cret pw'")
    revision = application.run("up", "--json", url=database.url())
    application.write("init.sql", "alter role nobody_here password 's3cret pw';")
    application.config('init = ["init.sql"]\ninit_revision = "r1"\n')
    script = application.run("up", "--json", url=database.url())
    application.env("raise RuntimeError(\"dsn password='s3cret pw'\")")
    raised = application.run("up", "--json", url=database.url())
    for result in (revision, script, raised):
        assert result.code in (4, 5)
        assert "s3cret" not in result.out + result.err


def test_an_sql_ascii_database(application: Application, database: Database) -> None:
    """initdb under LANG=C: names come as bytes unless an encoding is asked for."""
    name = f"{database.name}_ascii"
    database.execute(f"create database {name} template template0 encoding 'SQL_ASCII' locale 'C'")
    try:
        application.linear()
        # SQLAlchemy's own dialect for psycopg 3 can't read such a database
        url = database.url("postgresql+psycopg2").replace(database.name, name)
        assert application.run("up", url=url).code == 0
    finally:
        database.execute(f"drop database {name} with (force)")


def test_a_pool_whose_connection_is_gone_prints_no_traceback(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    """surefoot gives the account of a lost connection; SQLAlchemy's own is one line."""
    quiet_pools()
    engine = sqlalchemy.create_engine(
        database.url("postgresql+psycopg"), poolclass=sqlalchemy.pool.NullPool
    )
    connection = engine.raw_connection()
    with closing(connection.cursor()) as cursor:
        cursor.execute("select pg_backend_pid()")
        (pid,) = cursor.fetchone() or (0,)
    database.execute(f"select pg_terminate_backend({pid})")
    connection.close()
    told = [record for record in caplog.records if record.name.startswith("sqlalchemy.pool")]
    assert told
    assert all(record.exc_info is None for record in told)
    assert "during reset" in told[0].getMessage()
