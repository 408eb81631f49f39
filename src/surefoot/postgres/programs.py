"""PostgreSQL's client programs: which one to use, and how to pass it the address."""

import contextlib
import os
import re
import shutil
import subprocess
from collections.abc import Generator, Iterable
from pathlib import Path

import msgspec
from psycopg.conninfo import make_conninfo

from surefoot.errors import SurefootError
from surefoot.errors.masking import SECRET_PARAMETERS
from surefoot.model.target import Target
from surefoot.postgres.embedded import embedded_bin, has_embedded

_SERVICE = "surefoot"  # the service in the file in memory
_LONGEST = 900  # bytes of a value; libpq reads lines of 1,023
_MEMORY = hasattr(os, "memfd_create")
_VERSION = re.compile(r"\) (\d+)")
_SYSTEM = ("usr/lib/postgresql/*/bin", "usr/pgsql-*/bin", "opt/homebrew/opt/postgresql@*/bin")


class Program(msgspec.Struct, frozen=True):
    """A program and its version; `major` is 0 if it reports none."""

    path: Path
    version: str
    major: int

    def __str__(self) -> str:
        return f"{self.path}: {self.version or 'it says no version'}"


def programs(name: str, beside: Path | None = None) -> Iterable[Program]:
    """Return the available programs: next to a server's own, embedded, on the PATH."""
    if beside is not None and (beside / name).exists():
        yield _asked(beside / name)
    if has_embedded() and (embedded_bin() / name).exists():
        yield _asked(embedded_bin() / name)
    if on_path := shutil.which(name):
        yield _asked(Path(on_path))


def closest(name: str, major: int) -> tuple[Program | None, tuple[Program, ...]]:
    """Return the program whose version is nearest, but not older; and all that exist.

    What an older program must read later should not be written by the newest one.
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
    """How to call a program so that it finds the database.

    Only `environment` may contain secrets, and only if there are no files in memory.
    """

    conninfo: str
    environment: dict[str, str]
    pass_fds: tuple[int, ...]


@contextlib.contextmanager
def called(target: Target, **parameters: str) -> Generator[Call, None, None]:
    """Return how to call a program for this database; `parameters` override the address.

    Raises SurefootError `database-url-invalid` if a secret can't be passed safely.
    """
    # a list of processes shows arguments to everybody
    secret = {k: v for k, v in target.parameters.items() if k in SECRET_PARAMETERS}
    given = {k: v for k, v in target.parameters.items() if k not in secret} | parameters
    password = secret.pop("password", None)
    environment = {**os.environ, "PGTZ": "UTC", "LC_ALL": "C"}
    with contextlib.ExitStack() as files:
        descriptors: list[int] = []
        if password and "\n" not in password and _MEMORY:
            escaped = password.replace("\\", "\\\\").replace(":", "\\:")
            descriptors.append(files.enter_context(_in_memory(f"*:*:*:*:{escaped}\n")))
            environment["PGPASSFILE"] = f"/proc/self/fd/{descriptors[-1]}"
        elif password is not None:
            environment["PGPASSWORD"] = password
        if secret:  # these have no variable, but a service file may contain them
            service = _service(target, secret)
            descriptors.append(files.enter_context(_in_memory(service)))
            environment["PGSERVICEFILE"] = f"/proc/self/fd/{descriptors[-1]}"
            given["service"] = _SERVICE
        yield Call(make_conninfo(**given), environment, tuple(descriptors))


def _service(target: Target, secret: dict[str, str]) -> str:
    """Return the content of a service file; libpq limits what it can hold."""
    if not _MEMORY:
        why = "this system has no files in memory, and a command line can be read by anybody"
    elif "service" in target.parameters or "PGSERVICE" in os.environ:
        why = "the address names a service, and there can be only one: put it into the same file"
    elif any("\n" in v or v != v.strip() or len(v.encode()) > _LONGEST for v in secret.values()):
        why = (
            f"a space at its end, a line's end, or more than {_LONGEST} bytes can't be handed over"
        )
    else:
        return "\n".join([f"[{_SERVICE}]", *(f"{k}={v}" for k, v in secret.items()), ""])
    raise SurefootError(
        "database-url-invalid",
        f"The address from {target.source} has a secret that can't be passed to pg_dump safely.",
        seen=[f"{', '.join(secret)}: {why}"],
        next="remove it from the address, or set SUREFOOT_DATABASE_URL to an address that uses "
        "another way to log in",
    )


@contextlib.contextmanager
def _in_memory(text: str) -> Generator[int, None, None]:
    """Create a file in memory, because a list of processes may show environments, too."""
    descriptor = os.memfd_create("surefoot")
    try:
        os.fchmod(descriptor, 0o600)  # libpq ignores a password file that others can read
        os.write(descriptor, text.encode())
        yield descriptor
    finally:
        os.close(descriptor)
