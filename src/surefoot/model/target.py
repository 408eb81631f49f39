"""A database's address: the value, its parsers and its printers.

The quick look imports this module, so it may import only the fast parts of the standard library;
anything that a rare address needs is imported where it is used.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from surefoot.errors import SurefootError

# SQLAlchemy's reading of a URL, so that every URL that works there works here: a password may
# contain an unescaped ':' or '/', the host may be missing, an IPv6 address stands in brackets.
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

# libpq parameters that an application's URL may contain. Anything else in the query belongs to the
# driver.
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


# Characters that no host name has; an IPv6 address has them only in its zone.
_ODD = re.compile(r"[^\w.:%-]|^[^:]*%", re.ASCII)

# the schemes of other databases
_OTHERS = {"mysql", "mariadb", "sqlite", "mssql", "oracle", "mongodb", "redis", "http", "https"}
_TWO_SIGNS = "it has two @: in the password, @ is written %40"


class Target(NamedTuple):
    """The address of one database.

    `parameters` are libpq keywords; libpq has defaults for missing ones. `source` says in words
    where the address came from. `driver` is the SQLAlchemy scheme of the address
    ("postgresql+asyncpg"), if it names a driver. `extra` is the part of the URL's query that only
    that driver understands. `resolved` is what libpq took from elsewhere when it connected (a
    service, a password file, a variable), for drivers that can't look there.
    """

    parameters: dict[str, str]
    source: str
    driver: str | None = None
    extra: Mapping[str, str] = MappingProxyType({})
    resolved: Mapping[str, str] = MappingProxyType({})

    def __repr__(self) -> str:
        """Omit the password, so that printing the value by accident doesn't reveal it."""
        return f"<Target {self.label} from {self.source}>"

    @property
    def label(self) -> str:
        """`database on host:port`, for people. Never contains a secret."""
        host = self.parameters.get("host") or self.parameters.get("hostaddr")
        port = self.parameters.get("port")
        if service := self.parameters.get("service"):
            host, port = host or f"service {service}", port
        where = host or "the local socket"
        if port and host and not host.startswith("/") and "," not in host:
            where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        return f"{self.parameters.get('dbname') or 'the default database'} on {where}"

    def url(self, driver: str | None = None) -> str:
        """Return the address as a SQLAlchemy URL with the password, for `driver` or its own driver.

        Raises SurefootError `database-url-invalid` if the driver can't express it.
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
        if "," in host:  # the query lists several hosts, each with its port
            hosts = host.split(",")
            ports = port.split(",") if "," in port else [port] * len(hosts)
            both = zip(hosts, ports, strict=True)
            several = [("host", f"{name}:{number or 5432}") for name, number in both]
            host = port = ""
        elif _ODD.search(host):
            # In the query, too: a socket directory, and a name that would end too early or that
            # each reader decodes in its own way. The port stays.
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
    """Replace `hostaddr` for a driver that doesn't know it.

    The host becomes the address to connect to, unless the certificate is checked against the host's
    name. A service is resolved.
    """
    address = words.pop("hostaddr", "")
    if address and not (words.get("host") and words.get("sslmode") == "verify-full"):
        words["host"] = address
    return {key: value for key, value in words.items() if key not in ("service", "passfile")}


def parse_url(url: str, source: str) -> Target:
    """Parse a libpq or SQLAlchemy URL with any driver.

    Raises SurefootError `database-url-invalid`; the message never contains the URL, which may
    contain a password.
    """
    match = _URL.fullmatch(url.strip())
    if match is None:
        raise _invalid(source, _mistake(url.strip()))
    pairs: list[tuple[str, str]] = []
    if match["query"]:
        from urllib.parse import parse_qsl

        pairs = parse_qsl(match["query"], keep_blank_values=True)
    if "@" in (match["database"] or "") or any("@" in key for key, _ in pairs):
        # the first @ belongs to the password: the rest of it would be printed as the host's name
        raise _invalid(source, _TWO_SIGNS)
    query = dict(pairs)
    several = [value for key, value in pairs if key == "host"]
    if len(several) > 1 or (several and ":" in several[0] and not several[0].startswith("/")):
        # SQLAlchemy's syntax for several hosts, each with its port
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
    # as in libpq and SQLAlchemy, the query takes precedence
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
    """Describe what is wrong with a URL without repeating any of it."""
    scheme = re.match(r"[\w+]+(?=://)", url)
    if url[:1] in "'\"" and url:
        return "it begins with a quotation mark: write the variable's value without quotes"
    if scheme is None:
        return "it does not begin with postgresql://"
    if scheme[0].partition("+")[0] in _OTHERS:
        return f"it begins with {scheme[0]}://, which is not PostgreSQL"
    if not re.fullmatch(r"postgres(ql)?(\+\w+)?", scheme[0]):
        return "it does not begin with postgresql://"  # its beginning may be the password
    if url.partition("?")[0].count("@") > 1:
        return _TWO_SIGNS
    return "it can't be split into user, password, host, port and database"


def _hosts(text: str) -> tuple[str, str]:
    """Split hosts and ports, each joined by commas as in libpq; IPv6 addresses have brackets."""
    pairs = [re.fullmatch(r"(\[[^\]]*\]|[^:]*)(?::(.*))?", part) for part in text.split(",")]
    hosts = ",".join(pair[1].strip("[]") for pair in pairs if pair)
    ports = [pair[2] or "" for pair in pairs if pair]
    return hosts, ",".join(ports) if any(ports) else ""


def parse_conninfo(text: str, source: str) -> Target:
    """Parse a `key=value` connection string. Raises SurefootError `database-url-invalid`."""
    import psycopg
    from psycopg.conninfo import conninfo_to_dict

    try:
        found = conninfo_to_dict(text)
    except psycopg.ProgrammingError as error:
        # libpq's message quotes a piece of the string, which may be the password
        raise _invalid(source, "it is neither a URL nor a libpq connection string") from error
    return Target({key: str(value) for key, value in found.items() if value is not None}, source)


def parse(text: str, source: str) -> Target:
    """Parse an address as people write it: a URL or a libpq connection string.

    Raises SurefootError `database-url-invalid`.
    """
    if not is_text(text):
        raise _invalid(source, "it holds a zero byte, or what is not UTF-8 text")
    # a password in a connection string may contain :// or anything else
    pairs = re.match(r"\s*\w+\s*=", text)
    target = parse_conninfo(text, source) if pairs else parse_url(text, source)
    if not all(is_text(value) for value in (*target.parameters.values(), *target.extra.values())):
        raise _invalid(source, "it holds a zero byte (%00), or what is not UTF-8 text")
    return target


def is_text(value: str) -> bool:
    """Whether libpq accepts the value: no zero byte, and only UTF-8."""
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
    """Return libpq's variables for a target, as `psql`, `pg_dump` or an application reads them."""
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
