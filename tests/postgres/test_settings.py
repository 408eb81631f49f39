"""Settings of a role or a database that matter: search_path, encodings, DateStyle, timeouts.

`tests/chaos/test_settings.py` takes all there are; these say what is printed and do what it says.
"""

import re
from typing import Any

import psycopg
import pytest

from surefoot.postgres.embedded import Server, embedded_bin
from tests.support.database import Database
from tests.support.next_steps import next_of, run_next, steps_of
from tests.support.project import ASYNC_ENV, Application

DRIVERS = ["psycopg", "psycopg2", "asyncpg"]


def driven(application: Application, driver: str) -> None:
    if driver == "asyncpg":
        application.env(ASYNC_ENV)
    application.config(f'driver = "postgresql+{driver}"\n')


def statements(next: str) -> list[str]:
    """The SQL in what `next` says, to be typed as it is."""
    found: list[str] = re.findall(r"(?:create|grant|alter) [^;]+;", next)
    return found


@pytest.mark.provokes("search-path-unusable")
@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize(
    "made",
    [
        "alter database {d} set search_path = ''",
        'alter database {d} set search_path = nosuch, "$user"',
        "alter database {d} set search_path = pg_catalog",
        "alter database {d} set search_path = pg_temp, public",
        "alter role plain_path in database {d} set search_path = nosuch",
        "drop schema public",
    ],
)
@pytest.mark.follows("search-path-unusable")
def test_a_search_path_without_a_schema(
    application: Application, database: Database, driver: str, made: str
) -> None:
    """Refused before anything is made; what is said next suffices, to the letter."""
    driven(application, driver)
    application.linear()
    database.execute("create role plain_path superuser login password 'p'")
    server = database.server
    url = f"postgresql://plain_path:p@{server.host}:{server.port}/{database.name}"
    try:
        database.execute(made.format(d=database.name))
        result = application.run("up", "--json", url=url)
        assert (result.code, result.error) == (4, "search-path-unusable"), result.err
        assert database.tables() == []
        next = result.json["findings"][0]["next"]
        for statement in statements(next):
            database.execute(statement)
        assert application.run("up", url=url).code == 0, next
        assert "public.people" in database.tables()
        assert "nothing to do" in application.run("up", url=url).err
    finally:
        with psycopg.connect(server.conninfo(), autocommit=True) as connection:
            connection.execute(f"drop database {database.name} with (force)".encode())
            connection.execute("drop role plain_path")
            connection.execute(f"create database {database.name}".encode())


@pytest.mark.parametrize("where", ["", " in database {}"])
def test_a_timeout_that_ends_env_py_s_session(
    application: Application, database: Database, where: str
) -> None:
    """It is named, and what is said next suffices.

    The server's message is lost if the driver sends a statement as the session ends: then it is
    named as a possible reason.
    """
    driven(application, "psycopg")
    application.linear()
    database.execute("create role hurried superuser login password 'p'")
    server = database.server
    url = f"postgresql://hurried:p@{server.host}:{server.port}/{database.name}"
    try:
        whose = "hurried" + where.format(database.name)
        database.execute(f"alter role {whose} set idle_in_transaction_session_timeout = '1ms'")
        result = application.run("up", "--json", url=url)
        assert (result.code, result.error) == (4, "application-environment-failed"), result.err
        (statement,) = steps_of(result.json["findings"][0]["next"]).sql
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(statement.encode())
        assert application.run("up", url=url).code == 0
    finally:
        database.execute("reassign owned by hurried to postgres; drop owned by hurried")
        database.execute("drop role hurried")


def test_a_search_path_in_the_address(application: Application, database: Database) -> None:
    """The other way that `next` names, and the setting is left alone."""
    application.linear()
    database.execute(f"alter database {database.name} set search_path = ''")
    result = application.run("up", "--json", url=database.url())
    assert "options=-csearch_path%3Dpublic" in result.json["findings"][0]["next"]
    url = database.url() + "?options=-csearch_path%3Dpublic"
    assert application.run("up", url=url).code == 0


def test_a_history_that_names_its_schemas_needs_no_search_path(
    application: Application, database: Database
) -> None:
    """Head is reached, whatever is on the search path."""
    application.env(options='version_table_schema="public"')
    application.revision("r1", None, "create table public.people (id int)")
    database.execute(f"alter database {database.name} set search_path = ''")
    assert application.run("up", url=database.url()).code == 0
    assert "nothing to do" in application.run("up", url=database.url()).err


def encoded(server: Server, name: str, encoding: str) -> str:
    with psycopg.connect(server.conninfo(), autocommit=True) as connection:
        connection.execute(f"drop database if exists {name} with (force)".encode())
        connection.execute(
            f"create database {name} encoding '{encoding}' lc_collate 'C' lc_ctype 'C'"
            " template template0".encode()
        )
    return server.url(name)


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_database_in_sql_ascii(application: Application, server: Server, driver: str) -> None:
    """Text that isn't ASCII: it goes through, or the encoding is named and `next` suffices."""
    driven(application, driver)
    application.revision(
        "r1", None, "create table t (n text)", "insert into t values ('Gr\xfc\xdfe')"
    )
    url = encoded(server, f"ascii_{driver}", "SQL_ASCII")
    result = application.run("up", "--json", url=url)
    if result.code != 0:
        (finding,) = result.json["findings"]
        assert "SQL_ASCII" in " ".join(finding["seen"])
        with psycopg.connect(server.conninfo(), autocommit=True) as connection:
            (statement,) = statements(finding["next"])
            connection.execute(statement.encode())
        result = application.run("up", url=url)
        assert result.code == 0, result.err
    with psycopg.connect(server.conninfo(f"ascii_{driver}"), client_encoding="utf8") as connection:
        assert connection.execute("select n from t").fetchone() == ("Gr\xfc\xdfe",)


def drop(server: Server, name: str) -> None:
    with psycopg.connect(server.conninfo(), autocommit=True) as connection:
        connection.execute(f"drop database if exists {name} with (force)".encode())


@pytest.mark.provokes("database-encoding")
@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.follows("database-encoding")
def test_a_text_that_the_database_cannot_hold(
    application: Application, server: Server, driver: str
) -> None:
    """LATIN1 and the euro: the encoding is named, and not the revision's line blamed."""
    driven(application, driver)
    application.revision("r1", None, "create table t (n text)", "insert into t values ('\u20ac')")
    url = encoded(server, f"latin_{driver}", "LATIN1")
    result = application.run("up", "--json", url=url)
    assert (result.code, result.error) == (5, "database-encoding"), result.err
    assert "LATIN1" in " ".join(result.json["findings"][0]["seen"])
    # the database made anew, as `next` says
    for left in ("before", "utf8"):
        drop(server, f"latin_{driver}_{left}")
    run_next(next_of(result), Database(server, "postgres", embedded_bin()))
    after = application.run("up", url=url)
    assert after.code == 0, after.err
    drop(server, f"latin_{driver}_before")


@pytest.mark.parametrize("encoding", ["LATIN1", "EUC_JP", "SQL_ASCII", "WIN1251"])
def test_other_encodings(application: Application, server: Server, encoding: str) -> None:
    """ASCII is in all of them."""
    driven(application, "psycopg2")
    application.linear()
    url = encoded(server, f"other_{encoding.lower()}", encoding)
    assert application.run("up", url=url).code == 0
    assert "nothing to do" in application.run("up", url=url).err


def test_names_that_are_no_text(application: Application, server: Server) -> None:
    """SQL_ASCII takes any bytes for a name: a code, and not a traceback."""
    driven(application, "psycopg2")
    application.linear()
    url = encoded(server, "foreign_bytes", "SQL_ASCII")
    with psycopg.connect(server.conninfo("foreign_bytes"), autocommit=True) as connection:
        connection.execute(b'create table "gr\xfc\xdfe" (id int)')
    result = application.run("status", "--json", url=url)
    assert result.code == 4, result.err
    assert "SQL_ASCII" in " ".join(result.json["findings"][0]["seen"])


def test_another_time_zone_of_env_pys(application: Application, database: Database) -> None:
    """env.py's connection has settings of its own: it's the same database all the same."""
    application.linear()
    env: dict[str, Any] = {"PGTZ": "Asia/Kolkata", "PGDATESTYLE": "German"}
    application.write(
        "migrations/env.py",
        "import os\nos.environ.update("
        + repr(env)
        + ")\n"
        + (application.root / "migrations/env.py").read_text(),
    )
    assert application.run("up", url=database.url()).code == 0
