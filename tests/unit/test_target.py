"""Addresses: read as SQLAlchemy and libpq read them, written for every driver, never told."""

import contextlib
from urllib.parse import quote

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from surefoot.errors import SurefootError
from surefoot.model.target import Target, parse, parse_url
from surefoot.project.locate import locate


@pytest.mark.parametrize(
    ("url", "parameters"),
    [
        (
            "postgresql://u:p@h:5433/d",
            {"user": "u", "password": "p", "host": "h", "port": "5433", "dbname": "d"},
        ),
        ("postgres://h/d", {"host": "h", "dbname": "d"}),
        ("postgresql+asyncpg://u@h/d", {"user": "u", "host": "h", "dbname": "d"}),
        (
            "postgresql://u:p%40%3A%2F@h/d",
            {"user": "u", "password": "p@:/", "host": "h", "dbname": "d"},
        ),
        ("postgresql://u:p:/x@h/d", {"user": "u", "password": "p:/x", "host": "h", "dbname": "d"}),
        ("postgresql:///d?host=/run/pg", {"host": "/run/pg", "dbname": "d"}),
        (
            "postgresql://u@[::1]:5433/d",
            {"user": "u", "host": "::1", "port": "5433", "dbname": "d"},
        ),
        ("postgresql://a:1,b:2/d", {"host": "a,b", "port": "1,2", "dbname": "d"}),
        ("postgresql:///d?host=a:1&host=b:2", {"host": "a,b", "port": "1,2", "dbname": "d"}),
        (
            "postgresql+asyncpg://h/d?ssl=require",
            {"host": "h", "dbname": "d", "sslmode": "require"},
        ),
        ("host=h dbname=d password='x y'", {"host": "h", "dbname": "d", "password": "x y"}),
        (" host = h password='a://b@c' ", {"host": "h", "password": "a://b@c"}),
        # as libpq and SQLAlchemy take it
        (
            "postgresql://u:p@h/d?password=q&host=g&dbname=e",
            {"user": "u", "password": "q", "host": "g", "dbname": "e"},
        ),
    ],
)
def test_addresses_are_read(url: str, parameters: dict[str, str]) -> None:
    assert parse(url, "a test").parameters == parameters


@pytest.mark.provokes("database-url-invalid")
@pytest.mark.parametrize(
    "url",
    [
        "mysql://u:s3cret@h/d",
        "sqlite:///s3cret.db",
        "postgresql://u:s3cret@h:port/d",
        "postgresql://user:s3cret/d",
        "postgresql://us@er:s3cret@h/d",
        "'postgresql://u:s3cret@h/d'",
        "u:s3cret@h/d",
        "nonsense s3cret",
        "host=h port=1 s3cret",
        "",
        # the password holds an @, and what is behind it would be told as the host's name
        "postgresql://u:p@s3cret/w@h/d",
        "postgresql://u:p@s3cret?w@h/d",
        "postgresql://u:s3cret@h/d%00",
        "postgresql://u:s3cret\0@h/d",
        "postgresql://u:s3cret\udcff@h/d",
        "host=h password=s3cret\udcff",
        "s3cret://u@h/d",
    ],
)
def test_what_is_no_address_of_postgresql(url: str) -> None:
    """The message says where it came from, and never repeats it."""
    with pytest.raises(SurefootError) as raised:
        parse(url, "DATABASE_URL")
    finding = raised.value.finding
    assert finding.code == "database-url-invalid"
    assert "DATABASE_URL" in finding.message
    assert "s3cret" not in str(finding)


text = st.text(
    st.characters(codec="utf-8", exclude_characters="\0", exclude_categories=["Cs"]), min_size=1
)


@settings(deadline=None)  # the first call imports
@given(user=text, password=text, database=text)
def test_whatever_a_password_holds_it_survives_the_url(
    user: str, password: str, database: str
) -> None:
    """Written for a driver and read again: the same, by SQLAlchemy and by us."""
    from sqlalchemy.engine import make_url

    target = Target(
        {"user": user, "password": password, "host": "h", "port": "5432", "dbname": database}, "x"
    )
    url = target.url("postgresql+psycopg")
    assert parse_url(url, "x").parameters == target.parameters
    theirs = make_url(url)
    assert (theirs.username, theirs.password) == (user, password)
    assert theirs.database in (database, quote(database, safe=""))  # old ones leave it quoted


@settings(deadline=None)
@given(
    # a comma separates hosts, and brackets are an IPv6 address's
    host=text.filter(lambda host: not set(host) & set(",[]")),
    port=st.sampled_from(["", "5432"]),
    database=text,
    driver=st.sampled_from(["psycopg", "psycopg2", "asyncpg", "pg8000"]),
)
@example(host="db?sslmode=disable", port="5432", database="d", driver="psycopg")
@example(host="db/other", port="", database="d", driver="psycopg2")
@example(host="a@b", port="5432", database="d", driver="asyncpg")
@example(host="db%41", port="", database="d", driver="psycopg")
@example(host="fe80::1%eth0", port="5432", database="d", driver="psycopg")
@example(host="/run/postgresql", port="5433", database="d", driver="asyncpg")
def test_whatever_a_host_is_called_it_survives_the_url(
    host: str, port: str, database: str, driver: str
) -> None:
    """No character of it becomes a port, a database, a parameter or another host."""
    from sqlalchemy.engine import make_url

    given = {"user": "u", "password": "p", "host": host, "port": port, "dbname": database}
    target = Target({key: value for key, value in given.items() if value}, "x")
    url = target.url(f"postgresql+{driver}")
    if driver != "pg8000":  # it has words of its own for a socket directory
        assert parse_url(url, "x").parameters == target.parameters
    theirs = make_url(url)
    assert (theirs.username, theirs.password) == ("u", "p")
    assert theirs.database in (database, quote(database, safe=""))  # old ones leave it quoted
    named = theirs.host or theirs.query.get("host") or theirs.query.get("unix_sock")
    assert isinstance(named, str)
    assert named in (host, f"[{host}]") or named.startswith(host + "/.s.PGSQL.")


def test_an_ipv6_address_with_a_zone_stays_where_every_driver_reads_it() -> None:
    target = Target({"user": "u", "host": "fe80::1%eth0", "port": "5432", "dbname": "d"}, "x")
    assert target.url("postgresql+psycopg") == "postgresql+psycopg://u@[fe80::1%eth0]:5432/d"


@given(url=st.text())
def test_no_text_is_a_traceback(url: str) -> None:
    """Any text at all: an address, or the one error."""
    with contextlib.suppress(SurefootError):
        assert isinstance(parse(url, "x"), Target)


def test_a_target_printed_by_accident_tells_no_password() -> None:
    target = parse("postgresql://u:s3cret@h/d", "x")
    assert "s3cret" not in repr(target) + str(target) + f"{target}" + target.label


@pytest.mark.parametrize(
    ("flag", "environ", "ini", "source"),
    [
        ("postgresql://flag/d", {"DATABASE_URL": "postgresql://env/d"}, None, "--database-url"),
        (
            None,
            {"SUREFOOT_DATABASE_URL": "postgresql://own/d", "DATABASE_URL": "postgresql://env/d"},
            None,
            "SUREFOOT_DATABASE_URL",
        ),
        (None, {"DATABASE_URL": "postgresql://e/d", "POSTGRES_HOST": "h"}, None, "DATABASE_URL"),
        (None, {"POSTGRES_HOST": "h", "PGHOST": "g"}, "postgresql://ini/d", "POSTGRES_* variables"),
        (None, {"PGHOST": "g"}, "postgresql://ini/d", "PG* variables"),
        (
            None,
            {"POSTGRES_PASSWORD": "p", "PGUSER": "u"},
            "postgresql://ini/d",
            "sqlalchemy.url in alembic.ini",
        ),
        (None, {}, "driver://user:pass@localhost/dbname", None),
        (None, {}, "sqlite:///x.db", None),
        (None, {}, None, None),
    ],
)
def test_the_order_of_the_sources(
    flag: str | None, environ: dict[str, str], ini: str | None, source: str | None
) -> None:
    found = locate(flag, environ, ini)
    assert (found.source if found else None) == source


OWN = {"DB_SERVER": "host", "DB_SERVER_PORT": "port", "DB_NAME": "dbname", "DSN": "postgresql"}


@pytest.mark.parametrize(
    ("environ", "source", "label"),
    [
        (
            {"DB_SERVER": "h", "DB_SERVER_PORT": "6", "DB_NAME": "d", "POSTGRES_HOST": "x"},
            "url_variables: DB_SERVER, DB_SERVER_PORT, DB_NAME",
            "d on h:6",
        ),
        ({"DB_NAME": "d"}, "url_variables: DB_NAME", "d on localhost:5432"),
        ({"DB_SERVER_PORT": "6", "PGHOST": "g"}, "PG* variables", "the default database on g"),
        ({"DB_SERVER": "h", "DATABASE_URL": "postgresql://e/d"}, "DATABASE_URL", "d on e"),
        ({"POSTGRES_SERVER": "s"}, "POSTGRES_* variables", "postgres on s:5432"),
        (
            {"POSTGRES_SERVER": "s", "POSTGRES_HOST": "h"},
            "POSTGRES_* variables",
            "postgres on h:5432",
        ),
    ],
)
def test_an_address_in_parts(environ: dict[str, str], source: str, label: str) -> None:
    """In variables of the application's own, or by the names of a template."""
    found = locate(None, environ, None, OWN)
    assert found is not None
    assert (found.source, found.label) == (source, label)


def test_a_port_that_is_none_is_named_by_its_variable() -> None:
    with pytest.raises(SurefootError) as raised:
        locate(None, {"DB_SERVER": "h", "DB_SERVER_PORT": "x"}, None, OWN)
    assert "DB_SERVER_PORT is 'x'" in raised.value.finding.message


def test_secrets_from_files(tmp_path) -> None:
    """NAME_FILE holds the value; the file's last newline isn't part of it."""
    (tmp_path / "password").write_text("s3cret\n")
    environ = {"POSTGRES_HOST": "h", "POSTGRES_PASSWORD_FILE": str(tmp_path / "password")}
    found = locate(None, environ, None)
    assert found is not None
    assert found.parameters["password"] == "s3cret"
    (tmp_path / "url").write_text("postgresql://h/d\n")
    found = locate(None, {"DATABASE_URL_FILE": str(tmp_path / "url")}, None)
    assert found is not None
    assert found.source == "DATABASE_URL_FILE"


@pytest.mark.parametrize(
    "environ",
    [
        {"DATABASE_URL_FILE": "/nowhere/url"},
        {"POSTGRES_HOST": "h", "POSTGRES_PORT": "tcp://1:2"},
        {"POSTGRES_HOST": "postgresql://u:s3cret@h/d"},
        {"POSTGRES_HOST": "host=h password=s3cret"},
        {"PGHOST": "h", "PGDATABASE": "postgresql://u:s3cret@h/d"},
        {"PGHOST": "h", "PGPASSWORD": "s3cret\udcff"},
        {"DATABASE_URL": "postgresql://u:s3cret\udcff@h/d"},
    ],
)
def test_a_name_that_leads_nowhere(environ: dict[str, str]) -> None:
    """A secret that isn't mounted; the POSTGRES_PORT that Kubernetes sets for a service; a whole
    address in the place of a name; what isn't UTF-8.
    """
    with pytest.raises(SurefootError) as raised:
        locate(None, environ, None)
    assert raised.value.finding.code == "database-url-invalid"
    assert "s3cret" not in str(raised.value.finding)
