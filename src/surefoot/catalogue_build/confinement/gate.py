"""May this connection be made? Decided by the address, then by what the server says it is."""

import os
import socket
from collections.abc import Callable, Mapping
from typing import Any, Literal, cast

import msgspec

from surefoot.model.target import Target

Kind = Literal["database", "service", "program"]

# Tells a database from every other: asked on a connection that was just made. The moment is printed
# so that no setting of the session (DateStyle, TimeZone) changes its text.
IDENTITY = (
    "select pg_catalog.current_database()::pg_catalog.text, pg_catalog.to_char("
    "pg_catalog.timezone('UTC', pg_catalog.pg_postmaster_start_time()), 'YYYYMMDDHH24MISSUS')"
)

# Programs that libraries start to learn about the system. None of them reaches a database.
_HARMLESS = frozenset(
    ("arch", "cc", "file", "gcc", "getconf", "git", "hostname", "ldconfig", "lsb_release", "uname")
)


class Refusal(msgspec.Struct, frozen=True):
    """One thing that the application's code wanted to reach, and wasn't let.

    `what` describes it without a password. `setting` is the line of surefoot.toml that would allow
    it; "" where nothing does.
    """

    kind: Kind
    what: str
    setting: str = ""


class Elsewhere(PermissionError):
    """Raised in the application's code in place of the connection: to it, nothing answers there."""

    SAID = "surefoot refused this during a replay"  # for code that keeps only an error's text


class Address(msgspec.Struct, frozen=True):
    """Where a connection would lead. Several hosts are separated by commas, as libpq has them."""

    host: str = ""
    port: str = ""
    database: str = ""
    user: str = ""

    @property
    def text(self) -> str:
        """For people: never holds a password."""
        where = self.host or "the local socket"
        if self.port and not where.startswith("/"):
            where += f":{self.port}"
        role = f" as {self.user}" if self.user else ""
        return f"database {self.database or '(the default)'} on {where}{role}"


class Gate:
    """What a replay may reach: its scratch database, and what the configuration names."""

    def __init__(
        self,
        target: Target,
        identity: tuple[str, str],
        *,
        whole_server: bool,
        hosts: tuple[str, ...],
        programs: tuple[str, ...],
        refused: Callable[[Refusal], None],
    ) -> None:
        """`identity` is the scratch database's answer to IDENTITY.

        `whole_server`: it was started for this build, so every database on it is scratch.

        `hosts` ("host:port" or "host") and `programs` are what the configuration allows.
        """
        given = target.parameters
        self._database, self._started = identity
        self._whole = whole_server
        self._hosts = split_hosts(given.get("hostaddr") or given.get("host", ""))
        self._ports = split_hosts(given.get("port", "")) or ["5432"]
        self._service = given.get("service", "")
        self._allowed, self._programs = frozenset(hosts), frozenset(programs)
        self._refused = refused

    @property
    def scratch(self) -> str:
        """The scratch database, for messages."""
        return f"{self._database} on {', '.join(self._hosts) or 'the local socket'}"

    def refuse(self, refusal: Refusal) -> Elsewhere:
        """Note the refusal; what to raise in place of the connection."""
        self._refused(refusal)
        return Elsewhere(f"{Elsewhere.SAID}: {refusal.what}")

    def check_address(self, address: Address) -> None:
        """Before a connection to a PostgreSQL server is made. Raises Elsewhere."""
        hosts = split_hosts(address.host) or [""]
        ports = split_hosts(address.port) or [""]
        ports = ports * len(hosts) if len(ports) == 1 else ports
        here = len(ports) == len(hosts) and all(map(self._is_here, hosts, ports))
        if here and (self._whole or address.database == self._database):
            return
        raise self.refuse(Refusal("database", address.text))

    def check_service(self, service: str) -> None:
        """A service of libpq's hides where it leads: only the scratch server's own is known."""
        if service != self._service:
            raise self.refuse(Refusal("database", f"service {service} of libpq"))

    def check_identity(self, database: str, started: str, address: str) -> None:
        """What a connection that was made says of itself. Raises Elsewhere."""
        if started == self._started and (self._whole or database == self._database):
            return
        raise self.refuse(Refusal("database", f"{address}, which led to database {database}"))

    def refuse_unidentified(self, address: Address) -> Elsewhere:
        """A server that doesn't answer the question isn't the scratch server."""
        return self.refuse(Refusal("database", f"{address.text}, which doesn't say what it is"))

    def check_other_database(self, what: str) -> None:
        """A database of another kind, by a driver that makes its connections in C."""
        raise self.refuse(Refusal("service", what))

    def check_socket(self, address: Any) -> None:
        """A connection that Python itself makes, and no driver that is known. Raises Elsewhere."""
        if isinstance(address, tuple):
            host, port = (str(part) for part in cast("tuple[Any, ...]", address)[:2])
            if self._is_allowed(host, port):
                return
            where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
            raise self.refuse(Refusal("service", where, f'build_hosts = ["{where}"]'))
        path = os.fsdecode(address) if isinstance(address, str | bytes) else repr(address)
        if path in self._allowed or _is_logging(path):
            return
        raise self.refuse(Refusal("service", f"socket {path}", f'build_hosts = ["{path}"]'))

    def check_program(self, name: str, shown: str = "") -> None:
        """A program that the application's code starts. Raises Elsewhere."""
        if name in self._programs or name.removesuffix(".real") in _HARMLESS:
            return
        what = f"program {name}" + (f" ({shown})" if shown and shown != name else "")
        raise self.refuse(Refusal("program", what, f'build_programs = ["{name}"]'))

    def _is_here(self, host: str, port: str) -> bool:
        """Whether this may be the scratch server's address; the server itself is asked later."""
        if (port or "5432") not in self._ports:
            return False
        if not self._hosts:
            return True
        return any(_same_host(host, own) for own in self._hosts)

    def _is_allowed(self, host: str, port: str) -> bool:
        """Whether the configuration names it: as an address, or as a name that resolves to it."""
        for named in self._allowed:
            name, number = _host_and_port(named)
            if number in ("", port) and (name == host or host in _resolved(name)):
                return True
        return False


def split_hosts(text: str) -> list[str]:
    """libpq's list of hosts or ports."""
    return [part.strip() for part in text.split(",")] if text else []


def _host_and_port(named: str) -> tuple[str, str]:
    if named.startswith("["):
        host, _, port = named[1:].partition("]")
        return host, port.removeprefix(":")
    host, _, port = named.rpartition(":")
    return (host, port) if port.isdigit() and ":" not in host else (named, "")


def _same_host(one: str, other: str) -> bool:
    if _is_directory(one) and _is_directory(other):
        return os.path.realpath(one or "/") == os.path.realpath(other or "/") or not (one and other)
    if _is_directory(one) or _is_directory(other):
        name = other if _is_directory(one) else one
        return _is_loopback(name)
    if _is_loopback(one) and _is_loopback(other):
        return True
    return bool(_resolved(one) & _resolved(other))


def _is_directory(host: str) -> bool:
    return not host or host.startswith(("/", "@"))


def _is_loopback(host: str) -> bool:
    return any(ip == "::1" or ip.startswith("127.") for ip in _resolved(host))


def _resolved(host: str) -> frozenset[str]:
    if not host or host.startswith("/"):
        return frozenset()
    try:
        return frozenset(str(found[4][0]) for found in socket.getaddrinfo(host, None))
    except (OSError, UnicodeError):
        return frozenset((host,))


def _is_logging(path: str) -> bool:
    """Where the system takes log lines: a logging configuration may want it at once."""
    return path in ("/dev/log", "/var/run/syslog", "/run/systemd/journal/socket")


def address_of(parameters: Mapping[str, Any]) -> Address:
    """An address from libpq's keywords."""
    found = {key: str(value) for key, value in parameters.items() if value is not None}
    return Address(
        found.get("hostaddr") or found.get("host", ""),
        found.get("port", ""),
        found.get("dbname") or found.get("database") or found.get("user", ""),
        found.get("user", ""),
    )
