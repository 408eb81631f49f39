"""A test's own server: with its own settings; the test stops, kills and starts it."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from surefoot.errors import SurefootError
from surefoot.postgres.embedded import Server
from surefoot.postgres.embedded.account import unprivileged_user
from tests.support.cheaper import cheaper_memory
from tests.support.database import Database

_SETTINGS = {"fsync": "off", "full_page_writes": "off"}


class OwnServer:
    """A server whose data directory stays after it. `settings` apply from the next start."""

    def __init__(self, pg_bin: Path, home: Path, settings: dict[str, str]) -> None:
        self.home = home
        self.settings = {**_SETTINGS, **settings}
        self._pg_bin = pg_bin
        self._running: Server | None = None

    @property
    def server(self) -> Server:
        assert self._running is not None
        return self._running

    @property
    def cluster(self) -> Path:
        """The data directory itself."""
        return self.home / "data"

    @property
    def database(self) -> Database:
        return Database(self.server, "postgres", self._pg_bin)

    @property
    def pid(self) -> int:
        """The postmaster's pid."""
        return int((self.cluster / "postmaster.pid").read_text().split()[0])

    def start(self) -> "OwnServer":
        deadline = time.monotonic() + 10
        while self._running is None:
            try:
                with cheaper_memory():
                    self._running = Server(self._pg_bin, data=self.home, settings=self.settings)
            except SurefootError:  # a killed one's children may not have noticed yet
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
        self.settings["port"] = str(self._running.port)  # the address stays the same
        return self

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop it: SIGINT ends every session, SIGQUIT at once, SIGKILL is like a power cut."""
        os.kill(self.pid, how)
        self.close()

    def restart(self, how: signal.Signals = signal.SIGINT) -> None:
        self.stop(how)
        self.start()

    def kill(self, pid: int) -> None:
        """Kill one process, as the kernel does when memory runs out: every session ends."""
        os.kill(pid, signal.SIGKILL)

    def notify(self) -> None:
        """Make it check for `promote`."""
        os.kill(self.pid, signal.SIGUSR1)

    def close(self) -> None:
        if self._running is not None:
            self._running.close()
            self._running = None


MakeServer = Callable[..., OwnServer]


@contextmanager
def reachable_directory() -> Generator[Path]:
    """Return a directory that the server's user can enter, whoever runs the tests."""
    with tempfile.TemporaryDirectory(prefix="surefoot-test-") as directory:
        yield Path(directory)


@contextmanager
def small_disk(size: str) -> Generator[Path]:
    """Mount a file system of that size, for the server's user. Skips if that isn't allowed."""
    user = unprivileged_user() or os.geteuid()
    with reachable_directory() as directory:
        options = f"size={size},uid={user},mode=700"
        command = ["mount", "-t", "tmpfs", "-o", options, "surefoot-test", str(directory)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            pytest.skip(f"this machine mounts nothing for us: {done.stderr.strip()}")
        try:
            yield directory
        finally:
            subprocess.run(["umount", "--lazy", str(directory)], check=True)


def enlarge(disk: Path, size: str) -> None:
    """Enlarge it."""
    command = ["mount", "-o", f"remount,size={size}", str(disk)]
    subprocess.run(command, capture_output=True, check=True)


@pytest.fixture(scope="session")
def template(pg_bin: Path) -> Iterator[Path]:
    """Return initdb's data directory, to be copied."""
    with reachable_directory() as home:
        Server(pg_bin, data=home, settings=_SETTINGS).close()
        yield home


@pytest.fixture
def own_server(pg_bin: Path, template: Path) -> Iterator[MakeServer]:
    """Start servers: `own_server(max_connections="5")`; `of=` another one's data, which is down.

    `at` is the directory for the data.
    """
    with ExitStack() as stack:

        def make(
            *,
            of: OwnServer | None = None,
            at: Path | None = None,
            start: bool = True,
            **settings: str,
        ) -> OwnServer:
            home = at or stack.enter_context(reachable_directory())
            copy_owned(of.home if of else template, home)
            made = OwnServer(pg_bin, home, settings)
            stack.callback(made.close)
            return made.start() if start else made

        yield make


def copy_owned(source: Path, target: Path) -> None:
    """Copy a directory with its owners, which the server checks."""
    shutil.copytree(source, target, dirs_exist_ok=True)
    for directory, names, files in os.walk(source):
        for name in (".", *names, *files):
            status = os.stat(Path(directory, name))
            os.chown(target / Path(directory, name).relative_to(source), status.st_uid, -1)
