"""The scratch server for replays: a named one, the system's, or an embedded one."""

import functools
import re
import secrets
import shutil
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import psycopg
from psycopg import sql

from surefoot.errors import NOT_REACHED, SurefootError
from surefoot.errors.masking import keep_secret
from surefoot.model.target import Target, parse
from surefoot.postgres.connect import connect
from surefoot.postgres.drop_database import drop_database
from surefoot.postgres.embedded import Server, embedded_bin, has_embedded
from surefoot.schema.names import quote_name

_SYSTEM = ("usr/lib/postgresql/*/bin", "usr/pgsql-*/bin", "opt/homebrew/opt/postgresql@*/bin")


class Scratch:
    """A running server, and one database at a time on it."""

    def __init__(
        self,
        target: Target,
        label: str,
        connection: psycopg.Connection[Any],
        say: Callable[[str], None],
        *,
        ours: bool,
    ) -> None:
        """`ours`: only surefoot uses the server, so roles of a history are dropped, too."""
        self.label, self._say, self.ours = label, say, ours
        self._target, self._connection = target, connection
        self._made: str | None = None
        self._roles = self._all_roles()

    def database(self) -> Target:
        """Create a new, empty database in place of the last one.

        Raises SurefootError `scratch-server-unusable`.
        """
        self.clear()
        name = f"surefoot_scratch_{secrets.token_hex(4)}"
        identifier = sql.Identifier(name)
        try:
            self._connection.execute(
                sql.SQL("create database {} template template0").format(identifier)
            )
        except psycopg.Error as error:
            raise SurefootError(
                "scratch-server-unusable",
                "No scratch database can be created on this server.",
                seen=[self.label, *str(error).strip().splitlines()[:2]],
                next="give the role CREATEDB, or name another server with --server",
            ) from error
        self._made = name
        # a lock that is waited for here is one of this process's own
        self._connection.execute(
            sql.SQL("alter database {} set lock_timeout = '20s'").format(identifier)
        )
        parameters = {**self._target.parameters, "dbname": name}
        return self._target._replace(parameters=parameters)

    @property
    def server(self) -> Target:
        """The server's own address, for databases that others create there."""
        return self._target

    @property
    def connection(self) -> psycopg.Connection[Any]:
        """A connection to the server, in autocommit: for questions apart from the database."""
        return self._connection

    def clear(self) -> None:
        """Drop what was created, and end its sessions."""
        if self._made is None:
            return
        made, self._made = self._made, None
        self._drop("database", made, lambda: drop_database(self._connection, made))
        if self.ours:  # on a shared server, they may belong to others
            for role in self._all_roles() - self._roles:
                statement = sql.SQL("drop role {}").format(sql.Identifier(role))
                self._drop("role", role, functools.partial(self._connection.execute, statement))

    def _drop(self, what: str, name: str, drop: Callable[[], object]) -> None:
        """Drop it; if that fails (a subscription, for example), the results are worth more."""
        try:
            drop()
        except psycopg.Error as error:
            why = str(error).splitlines()[0]
            self._say(f"the {what} {quote_name(name)} stays on {self.label}: {why}")

    def _all_roles(self) -> set[str]:
        if self._connection.broken:
            return set()
        rows = self._connection.execute("select rolname from pg_catalog.pg_roles")
        return {name for (name,) in rows}


class Candidate(msgspec.Struct, frozen=True):
    """A server that could be used: `why`, how to start it, and its programs' directory."""

    label: str
    why: str
    open: Callable[[], Any]
    ours: bool = True
    programs: Path | None = None

    @contextmanager
    def scratch(self, say: Callable[[str], None]) -> Generator[Scratch, None, None]:
        """Run the server for the block; `say` gets what stays there."""
        with self.open() as target, connect(target, wait=30, say=say) as connection:
            version = connection.execute("show server_version").fetchone()
            number = str(version[0]).split(" ")[0] if version else ""
            label = f"{self.label}, PostgreSQL {number}"
            scratch = Scratch(target, label, connection, say, ours=self.ours)
            try:
                yield scratch
            finally:
                scratch.clear()


def candidates(named: str | None) -> tuple[Candidate, ...]:
    """Return the servers to try, the best first. `named` is an address, or a directory of programs.

    Raises SurefootError `scratch-server-unusable`, `database-url-invalid`.
    """
    if named is not None:
        directory = Path(named)
        if (directory / "postgres").exists() and (directory / "initdb").exists():
            return (_programs(directory, "named by --server"),)
        if "=" not in named and "://" not in named:
            raise SurefootError(
                "scratch-server-unusable",
                f"--server {named!r} is neither an address nor a directory of programs.",
                seen=[f"there is no {directory / 'postgres'}, or no initdb beside it"],
                database=NOT_REACHED,
                next="name a server, --server postgresql://…, or the directory of a PostgreSQL's "
                "programs, as pg_config --bindir prints it",
            )
        target = parse(named, "--server")
        if password := target.parameters.get("password"):
            keep_secret(password)
        return (Candidate(target.label, "named by --server", lambda: _there(target), False),)
    found = [
        _programs(directory, "the system's, with its extensions")
        for directory in _system_directories()
    ]
    if has_embedded():
        found.append(_programs(embedded_bin(), "the embedded one"))
    if not found:
        raise SurefootError(
            "scratch-server-unusable",
            "There is no PostgreSQL to replay the history on.",
            seen=["no PostgreSQL server is installed here, nor the extra surefoot[embedded]"],
            database=NOT_REACHED,
            next="pip install 'surefoot[embedded]'; or name a server on which databases may be "
            "created and dropped: --server postgresql://…",
        )
    return tuple(found)


@contextmanager
def _there(target: Target) -> Generator[Target, None, None]:
    yield target


def _programs(directory: Path, why: str) -> Candidate:
    @contextmanager
    def started() -> Generator[Target, None, None]:
        # vacuuming would change the order of rows
        with Server(directory, settings={"autovacuum": "off"}) as server:
            yield Target(server.parameters(), "the scratch server")

    return Candidate(f"a server started from {directory}", why, started, programs=directory)


def _system_directories() -> list[Path]:
    """Return directories of server programs, the newest version first."""
    found = [d for pattern in _SYSTEM for d in Path("/").glob(pattern)]
    if on_path := shutil.which("postgres"):
        found.append(Path(on_path).resolve().parent)
    usable = {d for d in found if (d / "postgres").exists() and (d / "initdb").exists()}
    return sorted(usable, key=_version, reverse=True)


def _version(directory: Path) -> float:
    number = re.search(r"\d+(\.\d+)?", str(directory))
    return float(number[0]) if number else 0.0
