"""Who isn't let in is told why, at once, whatever language the server speaks; and so is whoever
asks for TLS that can't be had.
"""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.support.project import Application
from tests.support.servers import OwnServer, reachable_directory
from tests.support.tls import Certificates, certificates, system_bin

WAIT = "20s"  # long enough to be noticed, were it waited for

HBA = """\
local all all trust
hostssl all tls_only 127.0.0.1/32 trust
hostnossl all plain_only 127.0.0.1/32 trust
hostssl all with_certificate 127.0.0.1/32 trust clientcert=verify-ca
host all tls_only,plain_only,with_certificate 127.0.0.1/32 reject
host all nowhere 127.0.0.1/32 reject
host other all 127.0.0.1/32 reject
host all md5_user 127.0.0.1/32 md5
host all clear_user 127.0.0.1/32 password
host all all 127.0.0.1/32 scram-sha-256
"""

ROLES = """\
create role tls_only login;
create role plain_only login;
create role with_certificate login;
create role nowhere login;
create role md5_user login password 'right';
create role clear_user login password 'right';
create role app login password 'right';
create role sleeper password 'right';
create role few login password 'right' connection limit 0;
create role "Ünï" login password 'pässwörd ⅷ';
create database other;
create database private;
revoke connect on database private from public;
create database closed allow_connections false;
"""


def tcp(
    server: OwnServer, user: str = "app", password: str = "right", name: str = "postgres"
) -> str:
    return f"postgresql://{user}:{password}@127.0.0.1:{server.server.port}/{name}"


def prepared(server: OwnServer) -> None:
    """With the roles above, and who is let in."""
    directory = str(server.server.socket_directory)
    with psycopg.connect(server.server.conninfo(host=directory), autocommit=True) as connection:
        version = connection.info.server_version
        for statement in ROLES.splitlines():
            if "md5_user" in statement and version < 200000:
                connection.execute("set password_encryption = md5")
            connection.execute(statement.encode())
            connection.execute("reset password_encryption")
    (server.cluster / "pg_hba.conf").write_text(HBA)
    server.restart()


@dataclass
class Tls:
    server: OwnServer
    made: Certificates

    def url(self, user: str, query: str = "", host: str = "127.0.0.1") -> str:
        query = query.replace("@CA", self.made.file("ca.crt"))
        return f"postgresql://{user}:right@{host}:{self.server.server.port}/postgres?{query}"


@pytest.fixture(scope="module")
def tls() -> Iterator[Tls]:
    """A server that speaks TLS, with a certificate for `localhost`."""
    with certificates() as made, reachable_directory() as home:
        settings = made.for_server("server", "localhost")
        settings["ssl_ca_file"] = made.file("ca.crt")
        server = OwnServer(system_bin(), home, settings)
        try:
            prepared(server.start())
            yield Tls(server, made)
        finally:
            server.close()


@pytest.fixture
def waiting(application: Application) -> Application:
    """One that would wait, so that what is told at once is seen to be."""
    application.linear()
    application.config(f'wait = "{WAIT}"\n')
    return application


def refused(application: Application, url: str, **env: str) -> dict[str, Any]:
    """The finding of a start that is refused at once."""
    started = time.monotonic()
    result = application.run("status", "--json", url=url, env=env)
    assert time.monotonic() - started < 12, result.err
    assert result.code in (2, 4), result.err
    (finding,) = result.json["findings"]
    return finding


@pytest.mark.provokes("tls-failed")
def test_a_server_without_tls(waiting: Application, database: Any) -> None:
    """At once; and what is said next suffices."""
    found = refused(waiting, database.url() + "?sslmode=require")
    assert found["code"] == "tls-failed"
    assert "sslmode=disable" in found["next"]
    assert waiting.run("status", url=database.url() + "?sslmode=disable").code == 3
    assert refused(waiting, database.url(), PGSSLMODE="require")["code"] == "tls-failed"


@pytest.mark.parametrize(
    ("user", "query", "words", "cure"),
    [
        ("app", "sslmode=verify-ca&sslrootcert=/no/ca.crt", "/no/ca.crt", ("/no/ca.crt", "@CA")),
        ("app", "sslmode=verify-full&sslrootcert=@CA", "another host name", ("HOST", "localhost")),
        ("app", "sslmode=verify-ca&sslrootcert=@OTHER", "isn't accepted", ("@OTHER", "@CA")),
        ("app", "sslmode=require&sslrootcert=@OTHER", "isn't accepted", ("@OTHER", "@CA")),
        ("tls_only", "sslmode=disable", "only with TLS", ("disable", "require")),
        ("plain_only", "sslmode=require", "only without TLS", None),
        ("with_certificate", "sslmode=require", "client certificate",
         ("require", "require&sslcert=@CERT&sslkey=@KEY")),
    ],
)  # fmt: skip
def test_tls_that_cannot_be_had(
    waiting: Application,
    tls: Tls,
    user: str,
    query: str,
    words: str,
    cure: tuple[str, str] | None,
) -> None:
    """At once, with what is wrong; and what is said next suffices."""
    other, other_key = tls.made.signed("other", "other")  # an authority that signed nothing
    certificate, key = tls.made.signed("client", user)

    def url(query: str, host: str = "127.0.0.1") -> str:
        query = query.replace("@OTHER", other).replace("@CERT", certificate).replace("@KEY", key)
        return tls.url(user, query, host)

    found = refused(waiting, url(query))
    assert found["code"] == "tls-failed"
    assert words in found["message"]
    assert "TLS" in found["next"] + found["message"] or "certificate" in found["next"]
    if cure is None:
        return
    before, after = cure
    if before == "HOST":
        assert waiting.run("status", url=url(query, host=after)).code == 3
    else:
        assert waiting.run("status", url=url(query.replace(before, after))).code == 3
    Path(other_key).unlink()


def test_a_certificate_that_has_expired(waiting: Application) -> None:
    """Told so, and not taken for one that nobody knows."""
    with certificates() as made, reachable_directory() as home:
        settings = made.for_server("server", "localhost")
        server = OwnServer(system_bin(), home, settings)
        try:
            url = f"{tcp(server.start())}?sslmode=verify-ca&sslrootcert={made.file('ca.crt')}"
            made.expire("server", Path(settings["ssl_cert_file"]))
            server.restart()
            found = refused(waiting, url)
        finally:
            server.close()
    assert found["code"] == "tls-failed"
    assert "expired" in found["message"]
    assert "renew" in found["next"]


def test_tls_works_where_it_can(waiting: Application, tls: Tls) -> None:
    for query in (
        "sslmode=verify-full&sslrootcert=@CA",
        "sslmode=require",
        "channel_binding=require",
    ):
        assert waiting.run("status", url=tls.url("app", query, "localhost")).code == 3


# --- languages


class German:
    """A server that says everything in German."""

    def __init__(self, home: Path, locales: Path) -> None:
        programs = system_bin()
        if not Path("/usr/share/locale/de/LC_MESSAGES").is_dir() or not shutil.which("localedef"):
            pytest.skip("no German on this machine: translations or localedef are missing")
        made = subprocess.run(
            ["localedef", "-i", "de_DE", "-f", "UTF-8", str(locales / "de_DE.UTF-8")],
            capture_output=True,
            check=False,
        )
        if made.returncode:
            pytest.skip("localedef makes no German locale here")
        before = os.environ.get("LOCPATH")
        os.environ["LOCPATH"] = str(locales)
        try:
            self.server = OwnServer(programs, home, {"lc_messages": "de_DE.UTF-8"}).start()
            prepared(self.server)
        finally:
            os.environ.pop("LOCPATH") if before is None else os.environ.update(LOCPATH=before)


@pytest.fixture(scope="module")
def german() -> Iterator[OwnServer]:
    with reachable_directory() as home, reachable_directory() as locales:
        locales.chmod(0o755)
        made = German(home, locales)
        yield made.server
        made.server.close()


@pytest.mark.parametrize(
    ("user", "password", "name", "code", "next"),
    [
        ("app", "wrong", "postgres", "authentication-failed", "correct the user or the password"),
        ("md5_user", "wrong", "postgres", "authentication-failed", "correct the user or"),
        ("clear_user", "wrong", "postgres", "authentication-failed", "correct the user or"),
        ("nobody_here", "x", "postgres", "authentication-failed", "correct the user or"),
        ("app", "", "postgres", "authentication-failed", "put it into the address"),
        ("sleeper", "right", "postgres", "authentication-failed", "alter role sleeper login;"),
        ("nowhere", "right", "postgres", "authentication-failed", "pg_hba.conf"),
        ("app", "right", "other", "authentication-failed", "pg_hba.conf"),
        ("app", "right", "private", "authentication-failed", "grant connect on database private"),
        ("app", "right", "no_such", "database-not-found", "createdb"),
        ("md5_user", "right", "no_such", "database-not-found", "createdb"),
        ("clear_user", "right", "no_such", "database-not-found", "createdb"),
        ("%C3%9Cn%C3%AF", "p%C3%A4ssw%C3%B6rd%20%E2%85%B7", "no_such", "database-not-found", ""),
        ("%C3%9Cn%C3%AF", "p%C3%A4ssw%C3%B6rd", "no_such", "authentication-failed", ""),
        ("app", "right", "postgres?options=-cwork_mem%3Dviel", "database-url-invalid", "correct"),
        ("app", "right", "postgres?options=-cno_such%3D1", "database-url-invalid", "correct"),
        ("app", "right", "postgres?options=-clog_statement%3Dall", "database-url-invalid", ""),
    ],
)  # fmt: skip
def test_a_server_that_speaks_german(
    waiting: Application,
    german: OwnServer,
    user: str,
    password: str,
    name: str,
    code: str,
    next: str,
) -> None:
    """What waiting doesn't mend is told at once; by the server's SQLSTATE and not by its words."""
    found = refused(waiting, tcp(german, user, password, name))
    assert found["code"] == code
    assert next in found["next"]
    said = " ".join(found["seen"])
    assert "existiert nicht" in said or "FATAL" in said or "fe_sendauth" in said


@pytest.mark.parametrize(
    ("user", "name", "code", "next"),
    [
        ("few", "postgres", "too-many-connections", "alter role ROLE connection limit"),
        ("app", "closed", "server-not-ready", "allow_connections true"),
    ],
)
def test_what_may_pass_is_waited_for_in_german(
    application: Application, german: OwnServer, user: str, name: str, code: str, next: str
) -> None:
    application.linear()
    application.config('wait = "1s"\n')
    result = application.run("status", "--json", url=tcp(german, user, name=name))
    assert (result.code, result.error) == (7, code), result.err
    assert next in result.json["findings"][0]["next"]


def test_a_german_server_is_migrated_as_any_other(
    application: Application, german: OwnServer
) -> None:
    """And it did speak German: else these tests show nothing."""
    application.linear()
    directory = str(german.server.socket_directory)
    with psycopg.connect(german.server.conninfo(host=directory), autocommit=True) as connection:
        with pytest.raises(psycopg.Error, match="existiert nicht"):
            connection.execute("select * from no_such")
        connection.execute("create database shop")
    url = german.server.url("shop")
    assert application.run("up", url=url).code == 0
    application.revision("r4", "r3", "create table people (id int)")
    failed = application.run("up", "--json", url=url)
    assert failed.code in (4, 5), failed.err
    application.revision("r4", "r3", "create table more (id int)")
    assert application.run("up", url=url).code == 0
