"""Every word of a libpq address, with every driver, really connecting; and what can't be had."""

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import psycopg
import pytest

from surefoot.errors import SurefootError
from surefoot.model.driver_words import is_libpq
from surefoot.model.target import parse
from tests.support.database import Database
from tests.support.project import ASYNC_ENV, SYNC_ENV, Application
from tests.support.servers import OwnServer, reachable_directory
from tests.support.tls import certificates, system_bin

DRIVERS = ["psycopg", "psycopg2", "asyncpg", "pg8000"]

# What the revision finds of the address: a table's rows.
REVISION = """\
import sqlalchemy as sa
op.execute("create table found as select current_setting('application_name') as application, "
           "current_setting('statement_timeout') as timeout, "
           "coalesce((select ssl from pg_stat_ssl where pid = pg_backend_pid()), false) as tls")
"""

WORDS = [
    *("sslmode=prefer", "sslmode=disable", "sslmode=allow", "channel_binding=prefer"),
    *("application_name=shop", "fallback_application_name=shop", "connect_timeout=5"),
    *("options=-cstatement_timeout%3D50000", "keepalives=1", "keepalives_idle=30"),
    *("keepalives_interval=5", "keepalives_count=3", "tcp_user_timeout=20000"),
    *("gssencmode=disable", "target_session_attrs=any", "target_session_attrs=read-write"),
    *("client_encoding=utf8", "load_balance_hosts=random", "sslsni=1", "sslcertmode=allow"),
    *("passfile=/no/such/file", "krbsrvname=postgres", "hostaddr=127.0.0.1"),
    *("ssl_min_protocol_version=TLSv1.2", "ssl_max_protocol_version=TLSv1.3", "sslcrl="),
    *("sslrootcert=/no/such/file", "sslcompression=0"),
    "sslmode=prefer&channel_binding=prefer&application_name=shop&options=-cstatement_timeout%3D50000",
]  # fmt: skip


def configured(application: Application, driver: str) -> None:
    if find_spec(driver) is None:
        pytest.skip(f"{driver} isn't installed")
    application.env(ASYNC_ENV if driver == "asyncpg" else SYNC_ENV)
    application.config(f'driver = "postgresql+{driver}"\nwait = "0s"\n')
    application.revision("r1", None, body=REVISION)


@pytest.fixture
def password(database: Database) -> Iterator[str]:
    """That of the role `ordinary`: the server's own has one round, which pg8000 doesn't accept."""
    with database.connect() as connection:
        if connection.info.server_version >= 160000:
            connection.execute("set scram_iterations = 4096")
        connection.execute("create role ordinary superuser login password 'secret'")
    yield "secret"
    database.execute("drop owned by ordinary cascade; drop role ordinary")


@pytest.mark.slow
@pytest.mark.parametrize("driver", DRIVERS)
def test_every_word_reaches_every_driver(
    application: Application, database: Database, password: str, driver: str
) -> None:
    """Each by itself: head is reached, and what the word sets is set there."""
    configured(application, driver)
    server = database.server
    url = f"postgresql://ordinary:{password}@{server.host}:{server.port}/{database.name}"
    for words in WORDS:
        if driver == "pg8000" and "options" in words:
            continue  # refused, see below
        database.execute(
            "drop table if exists found, alembic_version; drop schema if exists surefoot cascade"
        )
        result = application.run("up", url=f"{url}?{words}")
        assert result.code == 0, (words, result.err)
        ((name, timeout, _),) = database.query("select * from found")
        if "&" not in words and words.startswith("application_name"):
            assert name == "shop", words
        if words.startswith("options"):
            assert timeout == "50s", words


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_service_and_a_password_file(
    application: Application, database: Database, password: str, driver: str, tmp_path: Path
) -> None:
    """What libpq finds elsewhere is resolved for a driver that can't look there."""
    configured(application, driver)
    server = database.server
    service = tmp_path / "services"
    service.write_text(
        f"[shop]\nhost={server.host}\nport={server.port}\nuser=ordinary\ndbname={database.name}\n"
    )
    passwords = tmp_path / "passwords"
    passwords.write_text(f"*:*:*:*:{password}\n")
    passwords.chmod(0o600)
    env = {"PGSERVICEFILE": str(service)}
    url = f"postgresql://?service=shop&passfile={passwords}"
    result = application.run("up", url=url, env=env)
    assert result.code == 0, result.err
    assert database.query("select count(*) from found") == [(1,)]


@pytest.mark.parametrize("driver", DRIVERS)
def test_the_local_socket(application: Application, database: Database, driver: str) -> None:
    configured(application, driver)
    directory, port = database.server.socket_directory, database.server.port
    url = f"postgresql://postgres@:{port}/{database.name}?host={directory}&application_name=shop"
    result = application.run("up", url=url)
    assert result.code == 0, result.err
    assert database.query("select application from found") == [("shop",)]


@pytest.fixture(scope="module")
def tls() -> Iterator[tuple[OwnServer, str]]:
    """A server with TLS, and its authority's certificate."""
    with certificates() as made, reachable_directory() as home:
        server = OwnServer(system_bin(), home, made.for_server("server", "localhost"))
        try:
            yield server.start(), made.file("ca.crt")
        finally:
            server.close()


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize(
    "words",
    [
        "sslmode=require",
        "sslmode=require&channel_binding=require",
        "sslmode=verify-ca&sslrootcert=@CA",
        "sslmode=verify-full&sslrootcert=@CA&application_name=shop",
        "sslmode=verify-full&sslrootcert=@CA&hostaddr=127.0.0.1",
    ],
)
def test_tls_is_what_the_address_says(
    application: Application, tls: tuple[OwnServer, str], driver: str, words: str
) -> None:
    """The application's own connection is encrypted, too; or it's refused before it isn't."""
    configured(application, driver)
    server, authority = tls
    name = "d" + "".join(c for c in f"{driver}{words}" if c.isalnum()).lower()[:50]
    with psycopg.connect(server.server.conninfo(), autocommit=True) as connection:
        connection.execute(f"create database {name}".encode())
    url = server.server.url(name).replace("127.0.0.1", "localhost")
    result = application.run("up", "--json", url=f"{url}?{words.replace('@CA', authority)}")
    if driver == "pg8000":
        assert (result.code, result.error) == (2, "database-url-invalid")
        assert "PGSSLMODE" in result.json["findings"][0]["next"]
        return
    assert result.code == 0, result.err
    with psycopg.connect(server.server.conninfo(name)) as connection:
        assert connection.execute("select tls from found").fetchone() == (True,)


def test_what_a_driver_cannot_say_is_refused() -> None:
    """Left out, the connection would be less than the address demands."""
    for driver, words in (
        ("pg8000", "sslmode=require"),
        ("pg8000", "options=-csearch_path%3Dshop"),
        ("asyncpg", "require_auth=scram-sha-256"),
        ("asyncpg", "requirepeer=postgres"),
        ("asyncpg", "gssencmode=require"),
    ):
        with pytest.raises(SurefootError) as raised:
            parse(f"postgresql://u:p@h/d?{words}", "x").url(f"postgresql+{driver}")
        assert raised.value.finding.code == "database-url-invalid"
        assert words.partition("=")[0] in raised.value.finding.next
    assert is_libpq("postgresql")
    assert is_libpq("postgresql+psycopg2")


def test_what_next_says_about_such_a_word_suffices(
    application: Application, database: Database
) -> None:
    """The word in the environment instead of the address."""
    configured(application, "asyncpg")
    url = database.url() + "?require_auth=scram-sha-256"
    result = application.run("up", "--json", url=url)
    assert (result.code, result.error) == (2, "database-url-invalid")
    assert "PGREQUIREAUTH=scram-sha-256" in result.json["findings"][0]["next"]
    env = {"PGREQUIREAUTH": "scram-sha-256"}
    assert application.run("up", url=database.url(), env=env).code == 0
