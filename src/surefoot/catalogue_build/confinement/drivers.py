"""Each PostgreSQL driver's own connect function asks the gate: before it connects, and after.

A driver that isn't imported yet is changed directly after its import. What is private in a driver
is touched here only; where a version of it has another form, the import fails and says so, since a
replay that can't be confined isn't run.
"""

import functools
import importlib.abc
import importlib.machinery
import importlib.util
import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from types import ModuleType
from typing import Any, cast

import psycopg
from psycopg import pq
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import event
from sqlalchemy.engine import Engine

from surefoot.catalogue_build.confinement.gate import IDENTITY, Address, Gate, address_of

# A driver that connects through Python's sockets has been checked by the time it opens one.
_checked: ContextVar[bool] = ContextVar("surefoot_checked", default=False)

# SQLAlchemy's names of the drivers that are changed here.
_CONFINED = frozenset(("psycopg", "psycopg_async", "psycopg2", "asyncpg", "pg8000"))

# Drivers of other databases, and rare ones of PostgreSQL, that connect in C or Rust.
_OTHERS = {
    "pg": "PyGreSQL",
    "pgdb": "PyGreSQL",
    "pyodbc": "ODBC",
    "MySQLdb": "mysqlclient",
    "pymssql": "pymssql",
    "oracledb": "Oracle",
    "cx_Oracle": "Oracle",
    "psqlpy": "psqlpy",
    "psycopg2cffi": "psycopg2cffi",
}


def is_checked() -> bool:
    """Whether the socket that is about to be opened belongs to a connection that was allowed."""
    return _checked.get()


@contextmanager
def _checked_connection() -> Generator[None, None, None]:
    token = _checked.set(True)
    try:
        yield
    finally:
        _checked.reset(token)


def confine_drivers(gate: Gate) -> None:
    """Change those that are imported now, and the others when they are."""
    _psycopg(gate)
    patches: dict[str, Callable[[ModuleType], None]] = {
        "psycopg2": lambda module: _psycopg2(module, gate),
        "asyncpg.connect_utils": lambda module: _asyncpg(module, gate),
        "pg8000.core": lambda module: _pg8000(module, gate),
    }
    for name, label in _OTHERS.items():
        patches[name] = functools.partial(_refusing, label=label, gate=gate)
    for name, patch in patches.items():
        if (module := sys.modules.get(name)) is not None:
            patch(module)
    sys.meta_path.insert(0, _AfterImport(patches))
    event.listen(Engine, "do_connect", functools.partial(_engine, gate))


class _AfterImport(importlib.abc.MetaPathFinder):
    """Finds what the other finders find, and changes it when its code has run."""

    def __init__(self, patches: dict[str, Callable[[ModuleType], None]]) -> None:
        self._patches = patches
        self._finding: set[str] = set()

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """The spec of a driver, whose loader changes the module; None for everything else."""
        patch = self._patches.get(fullname)
        if patch is None or fullname in self._finding:
            return None
        self._finding.add(fullname)
        try:
            spec = importlib.util.find_spec(fullname)
        finally:
            self._finding.discard(fullname)
        if spec is None or spec.loader is None:
            return spec
        spec.loader = _Loader(spec.loader, patch)
        return spec


class _Loader(importlib.abc.Loader):
    def __init__(self, own: Any, patch: Callable[[ModuleType], None]) -> None:
        self._own, self._patch = own, patch

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        return self._own.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self._own.exec_module(module)
        self._patch(module)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._own, name)


def _libpq_address(conninfo: str, gate: Gate) -> Address:
    """Where libpq would go. Raises Elsewhere where only a service's file would tell.

    A connection string that libpq can't read is left to libpq to refuse.
    """
    try:
        given = conninfo_to_dict(conninfo)
    except psycopg.ProgrammingError:
        return Address()
    defaults = {
        option.keyword.decode(): option.val.decode()
        for option in pq.Conninfo.get_defaults()
        if option.val is not None
    }
    found = {**defaults, **{k: v for k, v in given.items() if v not in (None, "")}}
    if "host" in given and "hostaddr" not in given:
        # libpq uses PGHOSTADDR also with a given host; the environment has none, see child
        found.pop("hostaddr", None)
    if service := found.get("service"):
        gate.check_service(str(service))
    return address_of(found)


def _psycopg(gate: Gate) -> None:
    """psycopg 3, blocking and asynchronous: both make their connections in `_connect_gen`."""
    classes = cast("tuple[Any, ...]", psycopg.Connection.__mro__)
    base = next(c for c in classes if "_connect_gen" in vars(c))
    own = cast("Any", vars(base)["_connect_gen"])
    original = cast("Callable[..., Generator[Any, Any, Any]]", own.__func__)

    def _connect_gen(cls: Any, conninfo: str = "", **keywords: Any) -> Generator[Any, Any, Any]:
        address = _libpq_address(conninfo, gate)
        gate.check_address(address)
        connection: Any = yield from original(cls, conninfo, **keywords)
        _identify_libpq(connection.pgconn, address, gate)
        return connection

    base._connect_gen = classmethod(_connect_gen)
    _pgconn(gate)


def _pgconn(gate: Gate) -> None:
    """libpq's own connection, for those who make one by themselves."""
    own: Any = pq.PGconn

    class Own(type):
        def __instancecheck__(cls, instance: object) -> bool:
            return isinstance(instance, own)

    def connect(cls: Any, conninfo: bytes) -> Any:
        address = _libpq_address(conninfo.decode(), gate)
        gate.check_address(address)
        made = own.connect(conninfo)
        _identify_libpq(made, address, gate)
        return made

    def connect_start(cls: Any, conninfo: bytes) -> Any:
        gate.check_address(_libpq_address(conninfo.decode(), gate))
        return own.connect_start(conninfo)

    methods = {"connect": classmethod(connect), "connect_start": classmethod(connect_start)}
    module: Any = pq
    module.PGconn = Own("PGconn", (own,), methods)


def _identify_libpq(pgconn: Any, address: Address, gate: Gate) -> None:
    if pgconn.status != pq.ConnStatus.OK:
        return  # the caller will find out by itself
    result = pgconn.exec_(IDENTITY.encode())
    if result.status != pq.ExecStatus.TUPLES_OK:
        pgconn.finish()
        raise gate.refuse_unidentified(address)
    database, started = (result.get_value(0, column) or b"" for column in (0, 1))
    try:
        gate.check_identity(database.decode(), started.decode(), address.text)
    except BaseException:
        pgconn.finish()
        raise


def _psycopg2(module: ModuleType, gate: Gate) -> None:
    """psycopg2: its function `connect`, and its class of connections, which connects as well."""
    extension: Any = sys.modules["psycopg2._psycopg"]
    extensions: Any = sys.modules["psycopg2.extensions"]
    original, own = extension._connect, extension.connection

    def check(dsn: str) -> Address:
        address = _libpq_address(dsn, gate)
        gate.check_address(address)
        return address

    def identify(connection: Any, address: Address) -> Any:
        if not connection.async_:
            _identify_by_cursor(connection, address, gate)
        return connection

    class Own(type):
        """Makes `isinstance` take what the driver makes by itself for one of these."""

        def __instancecheck__(cls, instance: object) -> bool:
            return (
                isinstance(instance, own) if cls in made else type.__instancecheck__(cls, instance)
            )

        def __subclasscheck__(cls, subclass: type) -> bool:
            return (
                issubclass(subclass, own) if cls in made else type.__subclasscheck__(cls, subclass)
            )

    def __init__(self: Any, dsn: str, *args: Any, **keywords: Any) -> None:
        address = check(dsn)
        own.__init__(self, dsn, *args, **keywords)
        if not _checked.get():
            identify(self, address)

    made: list[Any] = []
    connection: Any = Own("connection", (own,), {"__init__": __init__})
    made.append(connection)

    def _connect(dsn: str, connection_factory: Any = None, **keywords: Any) -> Any:
        address = check(dsn)
        with _checked_connection():
            found = original(dsn, connection_factory=connection_factory, **keywords)
        return identify(found, address)

    for place, name, value in (
        (module, "_connect", _connect),
        (extension, "_connect", _connect),
        (extension, "connection", connection),
        (extensions, "connection", connection),
    ):
        setattr(place, name, value)


def _identify_by_cursor(connection: Any, address: Address, gate: Gate) -> None:
    """Ask through Python's DB API, and end the transaction that the question has begun."""
    try:
        cursor = connection.cursor()
        cursor.execute(IDENTITY)
        database, started = cursor.fetchone()
        cursor.close()
        connection.rollback()
        gate.check_identity(database, started, address.text)
    except BaseException:
        connection.close()
        raise


def _asyncpg(module: Any, gate: Gate) -> None:
    """asyncpg: every connection, also one of a pool's, is made by `_connect_addr`."""
    original = module._connect_addr

    async def _connect_addr(*, addr: Any, params: Any, **keywords: Any) -> Any:
        host, port = _of_socket(addr) if isinstance(addr, str) else addr[:2]
        address = Address(str(host), str(port), params.database or params.user, params.user or "")
        gate.check_address(address)
        with _checked_connection():
            connection = await original(addr=addr, params=params, **keywords)
        try:
            database, started = await connection.fetchrow(IDENTITY)
            gate.check_identity(database, started, address.text)
        except BaseException:
            connection.terminate()
            raise
        return connection

    module._connect_addr = _connect_addr


def _of_socket(path: str) -> tuple[str, str]:
    """The directory and the port of a socket, whose name is .s.PGSQL.PORT."""
    directory, _, name = path.rpartition("/")
    return directory or "/", name.rpartition(".")[2]


def _pg8000(module: Any, gate: Gate) -> None:
    """pg8000: its connections are objects whose making connects."""
    core: Any = module.CoreConnection
    original = core.__init__

    def __init__(
        self: Any,
        user: Any,
        host: str | None = "localhost",
        database: Any = None,
        port: int = 5432,
        *args: Any,
        **keywords: Any,
    ) -> None:
        named = {key: _text(value) for key, value in (("user", user), ("database", database))}
        where, number = host or "", str(port)
        if socket_path := keywords.get("unix_sock"):
            where, number = _of_socket(_text(socket_path))
        elif (sock := keywords.get("sock")) is not None:
            where, number = map(str, sock.getpeername()[:2])
        address = Address(where, number, named["database"] or named["user"], named["user"])
        gate.check_address(address)
        with _checked_connection():
            original(self, user, host, database, port, *args, **keywords)
        found, started = self.execute_simple(IDENTITY).rows[0]
        gate.check_identity(str(found), str(started), address.text)

    core.__init__ = __init__


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value or "")


def _refusing(module: Any, *, label: str, gate: Gate) -> None:
    """A driver that can't be followed: it connects nowhere."""

    def connect(*_: Any, **__: Any) -> Any:
        gate.check_other_database(f"a database, by the driver {label}")

    for name in ("connect", "Connection", "Connect", "ConnectionPool"):
        if hasattr(module, name):
            setattr(module, name, connect)


def _engine(gate: Gate, dialect: Any, _record: Any, cargs: Any, cparams: Any) -> Any:
    """SQLAlchemy's: whatever driver an engine has. None lets the engine go on by itself."""
    if dialect.driver in _CONFINED or dialect.name == "sqlite":
        return None
    if dialect.name not in ("postgresql", "cockroachdb"):
        gate.check_other_database(f"a database of {dialect.name}")
    connection = dialect.connect(*cargs, **cparams)  # its sockets are checked, if Python's
    address = address_of({**cparams, "dbname": cparams.get("database")})
    _identify_by_cursor(connection, address, gate)
    return connection
