"""Which database, and how its address is written: a value, its parser and its printers.

The quick look imports this module, so that it needs the standard library only, and of that what is
quickly loaded; what a rare address needs is imported where that is read.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from surefoot.errors import SurefootError

# SQLAlchemy's reading of a URL, so that what works there works here: a password may hold an
# unescaped ':' or '/', the host may be missing, an IPv6 address stands in brackets.
_URL = re.compile(
    r"""
    (?P<scheme>postgres(?:ql)?) (?:\+(?P<driver>\w+))? ://
    (?: (?P<user>[^:/@]*) (?: :(?P<password>[^@]*) )? @ )?
    (?P<hosts>[^/?@]*)
    (?: /(?P<database>[^?]*) )?
    (?: \?(?P<query>.*) )?
    """,
    re.VERBOSE | re.DOTALL,
)

# What libpq knows and an application's URL may say. Anything else in the query is the driver's own.
# fmt: off
_LIBPQ = frozenset((
    "host", "hostaddr", "port", "dbname", "user", "password", "passfile", "channel_binding",
    "connect_timeout", "client_encoding", "options", "application_name", "keepalives",
    "fallback_application_name", "keepalives_idle", "keepalives_interval", "keepalives_count",
    "tcp_user_timeout", "gssencmode", "gssdelegation", "sslmode", "sslnegotiation", "sslcert",
    "sslkey", "sslpassword", "sslcertmode", "sslcompression", "sslrootcert", "sslcrl", "sslcrldir",
    "sslsni", "requirepeer", "krbsrvname", "gsslib", "service", "target_session_attrs",
    "load_balance_hosts", "require_auth", "ssl_min_protocol_version", "ssl_max_protocol_version",
    "min_protocol_version", "max_protocol_version", "sslkeylogfile", "scram_client_key",
    "scram_server_key", "oauth_issuer", "oauth_client_id", "oauth_client_secret", "oauth_scope",
))
# fmt: on


# What no name of a host has, and an IPv6 address only as the zone behind it.
_ODD = re.compile(r"[^\w.:%-]|^[^:]*%", re.ASCII)

# What other databases' addresses begin with.
_OTHERS = {"mysql", "mariadb", "sqlite", "mssql", "oracle", "mongodb", "redis", "http", "https"}
_TWO_SIGNS = "it has two @: in the password, @ is written %40"


class Target(NamedTuple):
    """The address of one database.

    `parameters` are libpq keywords; what is missing, libpq takes from its own defaults. `source`
    is where the address came from, in words. `driver` is the SQLAlchemy scheme that the address
    named ("postgresql+asyncpg"), if it named a driver. `extra` is the query of the URL that only
    that driver understands. `resolved` is what libpq took from elsewhere when it connected (a
    service, a password file, a variable), for drivers that can't look there.
    """

    parameters: dict[str, str]
    source: str
    driver: str | None = None
    extra: Mapping[str, str] = MappingProxyType({})
    resolved: Mapping[str, str] = MappingProxyType({})

    def __repr__(self) -> str:
        """Without the password: a value that is printed by accident must not tell it."""
        return f"<Target {self.label} from {self.source}>"

    @property
    def label(self) -> str:
        """`database on host:port`, for people. Never holds a secret."""
        host = self.parameters.get("host") or self.parameters.get("hostaddr")
        port = self.parameters.get("port")
        if service := self.parameters.get("service"):
            host, port = host or f"service {service}", port
        where = host or "the local socket"
        if port and host and not host.startswith("/") and "," not in host:
            where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        return f"{self.parameters.get('dbname') or 'the default database'} on {where}"

    def url(self, driver: str | None = None) -> str:
        """The address as a SQLAlchemy URL, password included, for `driver` or the one it named.

        Raises SurefootError `database-url-invalid` where the driver can't express it.
        """
        from urllib.parse import quote, urlencode

        from surefoot.model.driver_words import driver_words, is_libpq

        scheme = driver or self.driver or "postgresql"
        rest = dict(self.parameters)
        if not is_libpq(scheme):
            rest = _without_hostaddr({**self.resolved, **rest})
        user, password = rest.pop("user", ""), rest.pop("password", "")
        host, port, name = rest.pop("host", ""), rest.pop("port", ""), rest.pop("dbname", "")
        credentials = quote(user, safe="")
        if password:
            credentials += ":" + quote(password, safe="")
        several: list[tuple[str, str]] = []
        if "," in host:  # several hosts are written in the query, each with its port
            hosts = host.split(",")
            ports = port.split(",") if "," in port else [port] * len(hosts)
            both = zip(hosts, ports, strict=True)
            several = [("host", f"{name}:{number or 5432}") for name, number in both]
            host = port = ""
        elif _ODD.search(host):
            # so is a socket directory, and a name that would end where it isn't over or that each
            # reader decodes in its own way; its port is not
            rest["host"], host = f"[{host}]" if ":" in host and host[0] != "/" else host, ""
            if scheme.endswith("+pg8000") and rest["host"].startswith("/"):
                rest["port"], port = port, ""
        elif ":" in host:
            host = f"[{host}]"
        rest = driver_words(scheme, rest)
        if scheme == self.driver:
            rest |= self.extra
        at = "@" if credentials else ""
        pairs = [*several, *rest.items()]
        query = "?" + urlencode(pairs, quote_via=quote, safe="/:") if pairs else ""
        return (
            f"{scheme}://{credentials}{at}{host}{':' + port if port else ''}/"
            f"{quote(name, safe='')}{query}"
        )


def _without_hostaddr(words: dict[str, str]) -> dict[str, str]:
    """For a driver that knows no `hostaddr`: the place where to connect as its host, unless the
    host's name is what the certificate is checked for. A service and what is in it are resolved.
    """
    address = words.pop("hostaddr", "")
    if address and not (words.get("host") and words.get("sslmode") == "verify-full"):
        words["host"] = address
    return {key: value for key, value in words.items() if key not in ("service", "passfile")}


def parse_url(url: str, source: str) -> Target:
    """Read a libpq or SQLAlchemy URL, whatever driver it names.

    Raises SurefootError `database-url-invalid`; the message never holds the URL itself, which may
    hold a password.
    """
    match = _URL.fullmatch(url.strip())
    if match is None:
        raise _invalid(source, _mistake(url.strip()))
    pairs: list[tuple[str, str]] = []
    if match["query"]:
        from urllib.parse import parse_qsl

        pairs = parse_qsl(match["query"], keep_blank_values=True)
    if "@" in (match["database"] or "") or any("@" in key for key, _ in pairs):
        # the first one is the password's: what is behind it would be told as the host's name
        raise _invalid(source, _TWO_SIGNS)
    query = dict(pairs)
    several = [value for key, value in pairs if key == "host"]
    if len(several) > 1 or (several and ":" in several[0] and not several[0].startswith("/")):
        # SQLAlchemy's way of writing several hosts, each with its port
        query["host"], ports = _hosts(",".join(several))
        query |= {"port": ports} if ports else {}
    parameters = {key: value for key, value in query.items() if key in _LIBPQ}
    extra = {key: value for key, value in query.items() if key not in _LIBPQ}
    if extra.get("ssl") and "sslmode" not in parameters:
        parameters["sslmode"] = extra.pop("ssl")  # asyncpg's name for it
        if parameters["sslmode"].lower() in ("true", "1"):
            parameters["sslmode"] = "require"
    hosts, ports = _hosts(match["hosts"])
    named = {
        "user": match["user"],
        "password": match["password"],
        "host": hosts,
        "port": ports,
        "dbname": match["database"],
    }
    # what stands in both places is taken from the query, as by libpq and SQLAlchemy
    parameters = {key: _unquoted(value) for key, value in named.items() if value} | parameters
    for port in parameters.get("port", "").split(","):
        if port and not port.isdigit():
            raise _invalid(source, "its port is not a number (is the host missing?)")
    driver = f"postgresql+{match['driver']}" if match["driver"] else None
    return Target(parameters, source, driver, extra)


def _unquoted(value: str) -> str:
    if "%" not in value:
        return value
    from urllib.parse import unquote

    return unquote(value)


def _mistake(url: str) -> str:
    """What is wrong with a URL, in words that don't repeat it."""
    scheme = re.match(r"[\w+]+(?=://)", url)
    if url[:1] in "'\"" and url:
        return "it begins with a quotation mark: write the variable's value without quotes"
    if scheme is None:
        return "it does not begin with postgresql://"
    if scheme[0].partition("+")[0] in _OTHERS:
        return f"it begins with {scheme[0]}://, which is not PostgreSQL"
    if not re.fullmatch(r"postgres(ql)?(\+\w+)?", scheme[0]):
        return "it does not begin with postgresql://"  # what it begins with may be the password
    if url.partition("?")[0].count("@") > 1:
        return _TWO_SIGNS
    return "it can't be split into user, password, host, port and database"


def _hosts(text: str) -> tuple[str, str]:
    """Hosts and ports, each joined by commas as libpq has them; an IPv6 address has brackets."""
    pairs = [re.fullmatch(r"(\[[^\]]*\]|[^:]*)(?::(.*))?", part) for part in text.split(",")]
    hosts = ",".join(pair[1].strip("[]") for pair in pairs if pair)
    ports = [pair[2] or "" for pair in pairs if pair]
    return hosts, ",".join(ports) if any(ports) else ""


def parse_conninfo(text: str, source: str) -> Target:
    """Read a `key=value` connection string. Raises SurefootError `database-url-invalid`."""
    import psycopg
    from psycopg.conninfo import conninfo_to_dict

    try:
        found = conninfo_to_dict(text)
    except psycopg.ProgrammingError as error:
        # libpq's message quotes a piece of the string, which may be the password
        raise _invalid(source, "it is neither a URL nor a libpq connection string") from error
    return Target({key: str(value) for key, value in found.items() if value is not None}, source)


def parse(text: str, source: str) -> Target:
    """Read an address as people write it: a URL, or a libpq connection string.

    Raises SurefootError `database-url-invalid`.
    """
    if not is_text(text):
        raise _invalid(source, "it holds a zero byte, or what is not UTF-8 text")
    # a password in a connection string may hold :// or anything
    pairs = re.match(r"\s*\w+\s*=", text)
    target = parse_conninfo(text, source) if pairs else parse_url(text, source)
    if not all(is_text(value) for value in (*target.parameters.values(), *target.extra.values())):
        raise _invalid(source, "it holds a zero byte (%00), or what is not UTF-8 text")
    return target


def is_text(value: str) -> bool:
    """Whether it can be given to libpq: no zero byte, nothing that wasn't UTF-8."""
    return "\0" not in value and not re.search(r"[\ud800-\udfff]", value)


def _invalid(source: str, seen: str) -> "SurefootError":
    from surefoot.errors import NOT_REACHED, SurefootError

    return SurefootError(
        "database-url-invalid",
        f"The database address from {source} can't be understood.",
        seen=[seen],
        database=NOT_REACHED,
        next="write it as postgresql://user:password@host:5432/database (a driver, as in "
        "postgresql+asyncpg://, is fine; special characters in the password are percent-encoded)",
    )


def environment(target: Target) -> Mapping[str, str]:
    """libpq's own variables for a target: what `psql`, `pg_dump` or an application reads."""
    names = {
        "host": "PGHOST",
        "hostaddr": "PGHOSTADDR",
        "port": "PGPORT",
        "user": "PGUSER",
        "password": "PGPASSWORD",
        "dbname": "PGDATABASE",
        "passfile": "PGPASSFILE",
        "options": "PGOPTIONS",
        "sslmode": "PGSSLMODE",
        "sslrootcert": "PGSSLROOTCERT",
        "sslcert": "PGSSLCERT",
        "sslkey": "PGSSLKEY",
        "sslcrl": "PGSSLCRL",
        "service": "PGSERVICE",
    }
    return {names[key]: value for key, value in target.parameters.items() if key in names}
