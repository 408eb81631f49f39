"""PostgreSQL's client programs: which one, and how it is told where the database is."""

import contextlib
import os
import re
import shutil
import subprocess
from collections.abc import Generator, Iterable
from pathlib import Path

import msgspec
from psycopg.conninfo import make_conninfo

from surefoot.server import embedded_bin, has_embedded
from surefoot.target import Target

_SECRET = ("password", "sslpassword")
_VERSION = re.compile(r"\) (\d+)")
_SYSTEM = ("usr/lib/postgresql/*/bin", "usr/pgsql-*/bin", "opt/homebrew/opt/postgresql@*/bin")


class Program(msgspec.Struct, frozen=True):
    """A program and what it says of its version; `major` is 0 if it says none."""

    path: Path
    version: str
    major: int

    def __str__(self) -> str:
        return f"{self.path}: {self.version or 'it says no version'}"


def programs(name: str, beside: Path | None = None) -> Iterable[Program]:
    """Those that there are: beside a server's own, the embedded one, the one on the PATH."""
    if beside is not None and (beside / name).exists():
        yield _asked(beside / name)
    if has_embedded() and (embedded_bin() / name).exists():
        yield _asked(embedded_bin() / name)
    if on_path := shutil.which(name):
        yield _asked(Path(on_path))


def closest(name: str, major: int) -> tuple[Program | None, tuple[Program, ...]]:
    """The one that is the least newer than this major version, or as old; and all there are.

    What an older program must read later is better not written by the newest one.
    """
    found = [*programs(name)]
    for pattern in _SYSTEM:
        found += [_asked(file) for file in sorted(Path("/").glob(f"{pattern}/{name}"))]
    fitting = [one for one in found if one.major >= major]
    return min(fitting, key=lambda one: one.major, default=None), tuple(found)


def _asked(path: Path) -> Program:
    try:
        done = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)
    except OSError as error:
        return Program(path, error.strerror or str(error), 0)
    version = _VERSION.search(done.stdout)
    return Program(path, done.stdout.strip(), int(version[1]) if version else 0)


class Call(msgspec.Struct, frozen=True):
    """How a program is called so that it finds the database: nothing here is secret but in
    `environment`, and that only where there are no files in memory.
    """

    conninfo: str
    environment: dict[str, str]
    pass_fds: tuple[int, ...]


@contextlib.contextmanager
def called(target: Target, **parameters: str) -> Generator[Call, None, None]:
    """How to call a program for this database; `parameters` go on top of the address."""
    # a list of processes shows arguments, and anybody may read it
    open_parameters = {k: v for k, v in target.parameters.items() if k not in _SECRET}
    environment = {**os.environ, "PGTZ": "UTC", "LC_ALL": "C"}
    with _password_file(target.parameters.get("password", "")) as file:
        if file is not None:
            environment["PGPASSFILE"] = f"/proc/self/fd/{file}"
        elif "password" in target.parameters:
            environment["PGPASSWORD"] = target.parameters["password"]
        conninfo = make_conninfo(**(open_parameters | parameters))
        yield Call(conninfo, environment, () if file is None else (file,))


@contextlib.contextmanager
def _password_file(password: str) -> Generator[int | None, None, None]:
    """A password file that is in memory only; None where there is no such thing, or no need.

    A list of processes may show environments, too.
    """
    if not password or "\n" in password or not hasattr(os, "memfd_create"):
        yield None
        return
    escaped = password.replace("\\", "\\\\").replace(":", "\\:")
    descriptor = os.memfd_create("passwords")
    try:
        os.fchmod(descriptor, 0o600)  # libpq passes over a file that others can read
        os.write(descriptor, f"*:*:*:*:{escaped}\n".encode())
        yield descriptor
    finally:
        os.close(descriptor)
