"""A real PgBouncer in transaction mode in front of a test server: started here, ended by its pid.

Like PostgreSQL it refuses to run as root, and then runs as the server's user.
"""

import ctypes
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from surefoot.postgres.embedded import Server
from surefoot.postgres.embedded.account import (
    group,
    make_directory,
    may_enter,
    no_groups,
    own,
    unprivileged_user,
)
from tests.support.pgbouncer import NotHere, Program, program

_STARTUP_SECONDS = 20.0

_INI = """\
[databases]
* = host={server_host} port={server_port}

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {users}
admin_users = postgres
logfile = {log}
pool_mode = transaction
default_pool_size = {size}
max_client_conn = 400
{more}
"""


class Pooler:
    """A running PgBouncer: like a `Server`, it has addresses, of the databases behind it."""

    def __init__(self, server: Server, found: Program, *, size: int, settings: str = "") -> None:
        """`size` is the number of server connections for each database.

        `settings` are more lines of pgbouncer.ini. Raises NotHere if it doesn't start.
        """
        self.server, self.size = server, size
        user = unprivileged_user()
        self._work = Path(tempfile.mkdtemp(prefix="pooler-"))
        make_directory(self._work, user)
        self._log = self._work / "log"
        path = found.path
        if user is not None and not may_enter(path, user):
            path = Path(shutil.copy(path, self._work))
        if found.version() >= (1, 21):
            settings += "\nmax_prepared_statements = 0"
        self.port = _free_port()
        given = server.parameters()
        users, ini = self._work / "users", self._work / "pgbouncer.ini"
        users.write_text(f'"{given["user"]}" "{given["password"]}"\n')
        ini.write_text(
            _INI.format(
                server_host=server.host,
                server_port=server.port,
                port=self.port,
                users=users,
                log=self._log,
                size=size,
                more=settings,
            )
        )
        for file in (users, ini):
            file.chmod(0o600)
            own(file, user)
        self._process = subprocess.Popen(
            [str(path), "-q", str(ini)],
            env=found.environment,
            user=user,
            group=group(user),
            extra_groups=no_groups(user),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=_die_with_parent,
        )
        try:
            self._wait_until_ready()
        except BaseException:
            self.close()
            raise

    def conninfo(self, database: str) -> str:
        return f"{self.server.conninfo(database)} port={self.port}"

    def url(self, database: str, driver: str = "postgresql") -> str:
        return self.server.url(database, driver).replace(f":{self.server.port}/", f":{self.port}/")

    def show(self, what: str) -> list[dict[str, Any]]:
        """Return PgBouncer's own answer: POOLS, SERVERS, CLIENTS …"""
        with psycopg.connect(
            self.conninfo("pgbouncer"), autocommit=True, cursor_factory=psycopg.ClientCursor
        ) as admin:
            cursor = admin.execute(f"show {what}".encode())
            names = [column.name for column in cursor.description or ()]
            return [dict(zip(names, row, strict=True)) for row in cursor]

    def close(self) -> None:
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)  # at once: it drops its clients
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        shutil.rmtree(self._work, ignore_errors=True)

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + _STARTUP_SECONDS
        while self._process.poll() is None and time.monotonic() < deadline:
            try:
                self.show("version")
                return
            except psycopg.OperationalError:
                time.sleep(0.05)
        log = self._log.read_text(errors="replace") if self._log.exists() else "it wrote no log"
        raise NotHere("PgBouncer did not start: " + " ".join(log.splitlines()[-3:]))


@contextmanager
def pooler(server: Server, *, size: int = 5, settings: str = "") -> Generator[Pooler]:
    """Run a PgBouncer in front of the server, for a block. Raises NotHere."""
    running = Pooler(server, program(), size=size, settings=settings)
    try:
        yield running
    finally:
        running.close()


def _die_with_parent() -> None:
    """End with the test process, by Linux's own mechanism."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
