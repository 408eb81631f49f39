"""Reaching the server: what is waited for, and what is told at once."""

import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from surefoot.decision.facts import ServerInfo
from surefoot.errors import SurefootError
from surefoot.look.database import require_supported
from surefoot.model.target import parse
from surefoot.postgres.connect import connect
from surefoot.postgres.embedded import Server, embedded_bin
from surefoot.postgres.look import keep_plans, looking
from surefoot.sql import query
from tests import starts
from tests.support.database import Database, fresh_database
from tests.support.next_steps import next_of, run_next
from tests.support.project import Application


@pytest.fixture
def reachable_directory() -> Iterator[Path]:
    """One that the server's user may enter, whoever runs the tests."""
    with tempfile.TemporaryDirectory(prefix="surefoot-test-") as directory:
        yield Path(directory)


@pytest.fixture
def quick(application: Application) -> Application:
    application.linear()
    application.config('wait = "1500ms"\n')
    return application


@pytest.mark.provokes("server-unreachable")
@pytest.mark.follows("server-unreachable")
def test_nobody_answers(quick: Application, database: Database) -> None:
    """Waited for until the deadline, with one line that says what for; exit 7: try again."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    started = time.monotonic()
    result = quick.run("up", "--json", url=f"postgresql://u:secret@127.0.0.1:{port}/d")
    assert (result.code, result.error) == (7, "server-unreachable")
    assert time.monotonic() - started > 1
    assert result.err.count("waiting up to 1.5 s for d on 127.0.0.1") == 1
    assert "secret" not in result.err + result.out
    assert "correct the address" in next_of(result)
    quick.linear()
    assert quick.run("up", url=database.url()).code == 0


def test_a_server_that_comes_up_later(application: Application, reachable_directory: Path) -> None:
    """`up` begins before the server does, and goes through."""
    application.linear()
    with Server(embedded_bin(), data=reachable_directory) as server:
        port, password = server.port, server.password
    url = f"postgresql://postgres:{password}@127.0.0.1:{port}/postgres"
    process = starts.start(
        *("-m", "surefoot", "up", "--json", "--database-url", url),
        cwd=application.root,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stderr is not None
    assert "waiting up to 60 s" in process.stderr.readline()
    with Server(embedded_bin(), data=reachable_directory, settings={"port": str(port)}):
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert '"state":"at-head"' in out


@pytest.mark.provokes("authentication-failed")
@pytest.mark.parametrize("user", ["postgres", "nobody_here"])
@pytest.mark.follows("authentication-failed")
def test_a_wrong_password_is_told_at_once(
    application: Application, database: Database, user: str
) -> None:
    application.linear()
    server = database.server
    started = time.monotonic()
    url = f"postgresql://{user}:wrong@{server.host}:{server.port}/{database.name}"
    result = application.run("up", "--json", url=url)
    assert (result.code, result.error) == (4, "authentication-failed")
    assert time.monotonic() - started < 10
    assert "wrong" not in result.err.replace("wrong password", "")
    assert "correct the user" in next_of(result)
    assert application.run("up", url=database.url()).code == 0


@pytest.mark.provokes("database-not-found")
@pytest.mark.follows("database-not-found")
def test_an_unknown_database_is_told_at_once(
    application: Application, server: Server, pg_bin: Path
) -> None:
    application.linear()
    result = application.run("up", "--json", url=server.url("no_such_database"))
    assert (result.code, result.error) == (4, "database-not-found")
    assert "no_such_database" in result.json["findings"][0]["message"]
    assert next_of(result).startswith("create it")
    with fresh_database(server, pg_bin, "no_such_database"):
        assert application.run("up", url=server.url("no_such_database")).code == 0


@pytest.mark.provokes("database-url-invalid")
@pytest.mark.parametrize(
    ("options", "told"),
    [
        ("-csearch_path=so%20me%20piece", "invalid command-line argument for server process, in"),
        ("-cno_such_setting=1", 'unrecognized configuration parameter "no_such_setting"'),
        ("-cwork_mem=much", 'invalid value for parameter "work_mem"'),
    ],
)
@pytest.mark.follows("database-url-invalid")
def test_options_that_the_server_does_not_take(
    quick: Application, database: Database, options: str, told: str
) -> None:
    """At once; and an argument that isn't one isn't repeated: it may be a piece of a password."""
    result = quick.run("up", "--json", url=f"{database.url()}?options={options}")
    assert (result.code, result.error) == (2, "database-url-invalid")
    assert told in " ".join(result.json["findings"][0]["seen"])
    assert "waiting" not in result.err
    assert "piece" not in result.err + result.out
    assert next_of(result) == "correct the address"
    quick.linear()
    assert quick.run("up", url=f"{database.url()}?options=-cwork_mem%3D8MB").code == 0


def test_a_host_that_can_have_no_such_name(application: Application) -> None:
    """Python refuses to look it up: not a traceback, and nothing to wait for."""
    application.linear()
    result = application.run("up", "--json", url=f"postgresql://u:p@{'x' * 500}/d")
    assert (result.code, result.error) == (2, "database-url-invalid")


def test_through_the_local_socket(application: Application, database: Database) -> None:
    application.linear()
    directory, port = database.server.socket_directory, database.server.port
    url = f"postgresql://postgres@:{port}/{database.name}?host={directory}"
    assert application.run("up", url=url).code == 0
    assert "nothing to do" in application.run("up", url=url).err


@pytest.mark.provokes("journal-not-writable")
@pytest.mark.follows("journal-not-writable")
def test_a_role_that_may_not_make_the_journal(
    application: Application, database: Database, server: Server
) -> None:
    """Told before anything is run, with the statement that an administrator types once."""
    application.linear()
    with psycopg.connect(database.conninfo, autocommit=True) as connection:
        connection.execute("drop role if exists plain")
        connection.execute("create role plain login password 'p'")
        connection.execute("grant create on schema public to plain")
    url = f"postgresql://plain:p@{server.host}:{server.port}/{database.name}"
    try:
        result = application.run("up", "--json", url=url)
        assert (result.code, result.error) == (4, "journal-not-writable")
        cure = result.json["findings"][0]["next"]
        assert application.run("status", url=url).code == 3  # to look, no privilege is needed
        assert database.tables() == []
        run_next(cure, database)
        result = application.run("up", "--json", url=url)
        assert result.code == 0, result.err
        assert len(result.json["done"]) == 3

        # a journal that somebody else made: the same refusal, and a cure that cures
        database.execute("alter table surefoot.journal owner to postgres")
        database.execute("alter schema surefoot owner to postgres")
        assert "nothing to do" in application.run("up", url=url).err
        application.revision("r4", "r3", "create table more (id int)")
        result = application.run("up", "--json", url=url)
        assert (result.code, result.error) == (4, "journal-not-writable")
        run_next(result.json["findings"][0]["next"], database)
        assert application.run("up", url=url).code == 0
    finally:
        database.execute("drop owned by plain cascade; drop role plain")


@pytest.mark.provokes("database-read-only")
@pytest.mark.follows("database-read-only")
def test_a_database_that_can_only_be_read(application: Application, database: Database) -> None:
    """A standby, or a setting: told before anything is begun. At head it doesn't matter."""
    application.linear()
    database.execute(f"alter database {database.name} set default_transaction_read_only = on")
    result = application.run("up", "--json", url=database.url())
    assert (result.code, result.error) == (4, "database-read-only")
    assert application.run("status", url=database.url()).code == 3
    read_only = next_of(result)
    database.execute(
        "begin read write; create table alembic_version (version_num varchar(32) primary key);"
        " insert into alembic_version values ('r3'); commit"
    )
    assert "nothing to do" in application.run("up", url=database.url()).err
    database.execute("begin read write; drop table alembic_version; commit")
    run_next(read_only, database)
    assert application.run("up", url=database.url()).code == 0


@pytest.mark.provokes("server-too-old")
def test_a_server_that_is_too_old() -> None:
    """Judged by the number that the server itself tells."""
    with pytest.raises(SurefootError) as raised:
        require_supported(ServerInfo(120022, "12.22", "d", "u", "2026-01-01", "public"))
    assert raised.value.finding.code == "server-too-old"
    require_supported(ServerInfo(130000, "13.0", "d", "u", "2026-01-01", "public"))


def test_a_session_for_looks_plans_each_question_once(database: Database) -> None:
    """Most of a look is planning. Where the session is surefoot's own, it keeps the plans."""
    plans = "select generic_plans, custom_plans from pg_prepared_statements"
    asked = {"table": "alembic_version", "schema": None, "path": ["public"]}
    with connect(parse(database.url(), ""), wait=10, say=lambda _: None) as own:
        with looking(own) as look:
            look.cursor.execute(query("probe"), asked)
        assert own.execute(plans).fetchall() == []
        keep_plans(own)
        for _ in range(3):
            with looking(own) as look:
                look.cursor.execute(query("probe"), asked)
        assert own.execute(plans).fetchall() == [(3, 0)]
        assert own.execute("show plan_cache_mode").fetchone() == ("auto",)
