"""No password in anything that surefoot writes, whatever the path and whatever the password."""

import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from tests.support.database import Database
from tests.support.project import ASYNC_ENV, Application, Result

# Three marks, so that a part of the password that gets out is found, too, in whatever form.
MARKS = ("Kq7x", "Wv9z", "Jt4m")
PASSWORD = f"{MARKS[0]}@:/?#[]{MARKS[1]}%&=+ '\"\\{MARKS[2]}é~"
ROLE = "keeps_a_secret"


@pytest.fixture
def url(database: Database) -> Iterator[str]:
    """An address with a password that is written in as many ways as there are programs."""
    database.execute(
        sql.SQL("CREATE ROLE {} LOGIN SUPERUSER PASSWORD {}")
        .format(sql.Identifier(ROLE), PASSWORD)
        .as_string(None)
    )
    yield address(database)
    database.execute(f"REASSIGN OWNED BY {ROLE} TO CURRENT_USER; DROP OWNED BY {ROLE} CASCADE")
    database.execute(f"DROP ROLE {ROLE}")


def address(database: Database, *, port: int = 0, name: str = "", password: str = PASSWORD) -> str:
    server = database.server
    where = f"{server.host}:{port or server.port}/{name or database.name}"
    return f"postgresql://{ROLE}:{quote(password, safe='')}@{where}"


def silent(result: Result, *codes: int) -> Result:
    """The result, none of whose text holds a part of the password."""
    assert result.code in codes, (result.code, result.err)
    for mark in MARKS:
        assert mark not in result.out
        assert mark not in result.err
    return result


def journal_is_silent(database: Database) -> None:
    rows = database.query("SELECT j::text FROM surefoot.journal AS j")
    assert rows
    assert not any(mark in text for (text,) in rows for mark in MARKS)


EVERY = [
    *(
        ["status"],
        ["status", "--json"],
        ["plan"],
        ["plan", "--json"],
        ["drift"],
        ["drift", "--json"],
    ),
    *(["catalog", "check"], ["catalog", "show"], ["catalog", "diff", "r1", "r3"], ["repair"]),
    *(["adopt", "r2"], ["up"], ["up", "--json"], ["init"]),
]
TELLING = """\
import logging, os, sys, warnings, urllib.parse
from alembic import context
for url in (os.environ["DATABASE_URL"], context.config.get_main_option("sqlalchemy.url")):
    plain = urllib.parse.unquote(url)
    print(url, plain)
    print(repr(plain), [plain], {"url": url}, file=sys.stderr)
    logging.basicConfig(level=logging.INFO)
    logging.getLogger("application").info("connecting to %s (%r)", plain, plain)
    logging.getLogger("application").error(url)
    warnings.warn(url)
print(os.environ["PGPASSWORD"], os.environ["POSTGRES_PASSWORD"])
"""


@pytest.mark.slow
def test_every_command_where_all_is_well(
    application: Application, database: Database, url: str
) -> None:
    """By flag and by variable, with a catalogue, a dump and seeds; the application logs it all."""
    application.linear()
    application.config('seeds = ["seed.sql"]\nwait = "2s"\n')
    application.write("seed.sql", "INSERT INTO people VALUES (1, 'Ann') ON CONFLICT DO NOTHING;")
    env = (application.root / "migrations/env.py").read_text()
    application.write("migrations/env.py", TELLING + env)
    silent(application.run("catalog", "build", "--server", url), 0)
    silent(application.run("dump", "-o", "init.sql", "--server", url), 0)
    silent(application.run("catalog", "check", "--server", url), 0)
    for command in EVERY:
        if command[0] == "catalog":
            command = [*command, "--server", url] if "check" in command else command
        elif command[0] != "init":
            command = [*command, "--database-url", url]
        silent(application.run(*command), 0, 2, 3, 4)
    for name in ("SUREFOOT_DATABASE_URL", "DATABASE_URL"):
        silent(application.run("status", env={name: url}), 0)
    journal_is_silent(database)


@pytest.mark.slow
def test_the_list_of_processes(application: Application, url: str) -> None:
    """What `dump` and `catalog build` start isn't given it as an argument or a variable."""
    application.linear()
    for command in (["dump", "-o", "init.sql"], ["catalog", "build"]):
        process = subprocess.Popen(
            [sys.executable, "-m", "surefoot", *command, "--server", url],
            cwd=application.root,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        seen: set[str] = set()
        while process.poll() is None:
            seen |= begun_by(process.pid)
        assert process.returncode == 0
        assert any("surefoot.catalogue_build.child" in text for text in seen)
        assert command[0] == "catalog" or any("pg_dump" in text for text in seen)
        assert not [text for text in seen if any(mark in text for mark in MARKS)]


def begun_by(session: int) -> set[str]:
    """The arguments and the environment of every other process of a session."""
    found: set[str] = set()
    for directory in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            pid = int(directory.name)
            if pid != session and os.getsid(pid) == session:
                arguments = (directory / "cmdline").read_bytes()
                # between fork and exec it still has the arguments that the user gave
                if b"--server" not in arguments:
                    found.add((arguments + (directory / "environ").read_bytes()).decode())
    return found


FAILING: dict[str, str] = {
    "the message": "raise Exception('no way to ' + url)",
    "the message, unquoted": "raise Exception(f'no way to {plain!r}')",
    "several": "raise ExceptionGroup(plain, [ValueError(url), OSError(5, plain)])",
    "the end of the process": "raise SystemExit(plain)",
    "no message": "raise BaseException(url, plain, url.encode(), {'url': plain})",
    "another driver's": "import psycopg2; psycopg2.connect(url.replace('keeps', 'tells'))",
    "JSON": "import json; raise Exception(json.dumps({'url': plain}))",
    "conninfo": "from psycopg.conninfo import make_conninfo; "
    "raise Exception(make_conninfo(password=os.environ['PGPASSWORD']))",
    "sqlalchemy": "import sqlalchemy as sa; raise Exception(sa.engine.make_url(url)"
    ".render_as_string(hide_password=False))",
}
BEGIN = (
    "import os, urllib.parse\nurl = os.environ['DATABASE_URL']\nplain = urllib.parse.unquote(url)\n"
)


@pytest.mark.parametrize("name", FAILING)
def test_env_py_raises_it(name: str, application: Application, url: str) -> None:
    """Whatever it raises, and in whatever form."""
    application.linear()
    application.write("migrations/env.py", BEGIN + FAILING[name])
    silent(application.run("up", url=url), 4)
    silent(application.run("plan", "--json", url=url), 4)


@pytest.mark.parametrize("name", FAILING)
def test_a_revision_raises_it(
    name: str, application: Application, database: Database, url: str
) -> None:
    """Behind one that was applied, and with one that prints it."""
    application.env(options="transaction_per_migration=True")
    application.revision("r1", None, body=f"{BEGIN}print(plain, url)")
    application.revision("r2", "r1", body=BEGIN + FAILING[name])
    silent(application.run("up", "--json", url=url), 5)
    silent(application.run("up", url=url), 5)
    journal_is_silent(database)


STATEMENTS = {
    "a statement that fails": "ALTER ROLE nobody_here PASSWORD {}",
    "a message": "DO $$BEGIN RAISE EXCEPTION '%', {}; END$$",
    "a detail": "DO $$BEGIN RAISE EXCEPTION 'no' USING DETAIL = {}, HINT = {}; END$$",
    "a value": "SELECT {}::int",
    "the end of the connection": "SELECT pg_terminate_backend(pg_backend_pid()), {}",
    "a warning": "DO $$BEGIN RAISE WARNING '%', {}; END$$; SELECT 1/0",
}


@pytest.mark.parametrize("name", STATEMENTS)
@pytest.mark.parametrize("template", [None, ASYNC_ENV], ids=["psycopg2", "asyncpg"])
def test_a_statement_holds_it(
    name: str, template: str | None, application: Application, url: str
) -> None:
    """And PostgreSQL repeats it, through either driver."""
    literal = sql.Literal(PASSWORD).as_string(None)
    statement = STATEMENTS[name].replace("{}", literal)
    if template:
        application.env(template)
        url = url.replace("postgresql", "postgresql+asyncpg")
    body = f"op.get_bind().exec_driver_sql({statement.replace('%', '%%')!r})"
    if template:
        body = f"op.execute(sa.text({statement.replace(':', chr(92) + ':')!r}))"
    application.revision("r1", None, body=body)
    silent(application.run("up", url=url), 5)


@pytest.mark.parametrize("name", STATEMENTS)
def test_a_script_holds_it(name: str, application: Application, url: str) -> None:
    """In the statement that fails, or in what the server says of it."""
    statement = STATEMENTS[name].replace("{}", sql.Literal(PASSWORD).as_string(None))
    application.linear()
    application.config('init = ["init.sql"]\ninit_revision = "r1"\n')
    application.write("init.sql", f"CREATE TABLE people (id int);\n{statement};\n")
    silent(application.run("up", url=url), 5)
    silent(application.run("up", "--json", url=url), 5)


def test_a_script_that_is_not_sent_holds_it(application: Application, url: str) -> None:
    """What is refused is shown, too."""
    literal = sql.Literal(PASSWORD).as_string(None)
    application.linear()
    application.config('init = ["init.sql"]\ninit_revision = "r1"\n')
    for text in (
        f"CREATE SUBSCRIPTION s CONNECTION 'password={MARKS[0]}' PUBLICATION p;",
        f"CREATE DATABASE x; COMMENT ON DATABASE x IS {literal};",
        f"\\connect {url}\n",
        f"\\set password {literal}\n",
    ):
        application.write("init.sql", text)
        silent(application.run("up", url=url), 4)


def test_the_server_lets_nobody_in(application: Application, database: Database, url: str) -> None:
    """Nobody there, another password, another database, a URL that can't be read."""
    application.linear()
    application.config('wait = "200ms"\n')
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    half = quote(PASSWORD, safe="")
    raw = f"{database.server.host}:{database.server.port}/{database.name}"
    for command in (["up"], ["status", "--json"], ["drift"], ["plan"]):
        silent(application.run(*command, url=address(database, port=port)), 7)
        silent(application.run(*command, url=address(database, password=PASSWORD + "x")), 4)
        silent(application.run(*command, url=address(database, name="nowhere")), 4)
    for wrong in (
        f"postgresql://{ROLE}:{PASSWORD}@{raw}",
        f"'postgresql://{ROLE}:{half}@{raw}'",
        f"{ROLE}:{half}@{raw}",
        f"{half}://{ROLE}@{raw}",
        f"postgresql://{ROLE}:{half}@{raw}?sslmode=nonsense",
        f"host={database.server.host} user={ROLE} password={PASSWORD}",
        f"host=x password='{MARKS[0]}",
    ):
        silent(application.run("status", url=wrong), 2, 7)
        silent(application.run("status", "--json", "--database-url", wrong), 2, 7)
    silent(application.run("status", env={"POSTGRES_HOST": url}), 2)
    silent(application.run("status", env={"PGHOST": f"host=x password={half}"}), 2)


def test_the_server_goes_away(application: Application, database: Database, url: str) -> None:
    """In the midst of a revision, at the end of it, and in the midst of a look."""
    application.revision("r1", None, "create table people (id int)")
    kill = f"select pg_terminate_backend(pid) from pg_stat_activity where usename = '{ROLE}'"
    application.revision("r2", "r1", body=f"op.execute({kill!r})")
    silent(application.run("up", url=url), 5, 6)
    application.write(
        "migrations/env.py",
        f"{BEGIN}import psycopg\n"
        f"psycopg.connect(url, autocommit=True).execute({kill!r})\nraise Exception(url)\n",
    )
    silent(application.run("plan", url=url), 4, 7)


def test_secrets_come_from_files(application: Application, database: Database, url: str) -> None:
    """NAME_FILE, a service file, and alembic.ini, where % is doubled."""
    application.linear()
    secret = application.write("secret", PASSWORD)
    parts = {
        "POSTGRES_HOST": database.server.host,
        "POSTGRES_PORT": str(database.server.port),
        "POSTGRES_USER": ROLE,
        "POSTGRES_PASSWORD_FILE": str(secret),
        "POSTGRES_DB": database.name,
    }
    silent(application.run("up", env=parts), 0)
    silent(application.run("status", "--json", env=parts), 0)
    application.ini("sqlalchemy.url = " + url.replace("%", "%%"))
    silent(application.run("status"), 0)
    conninfo = make_conninfo(url)
    silent(application.run("status", url=conninfo), 0)
