"""The databases that are measured: looked at, tried on, dumped and restored."""

import re
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.conninfo import make_conninfo

Connection = psycopg.Connection[Any]

# What pg_dump 18 writes and an older server doesn't know.
_HARMLESS = re.compile(r'unrecognized configuration parameter "transaction_timeout"')


@contextmanager
def taken_back(connection: Connection) -> Generator[None, None, None]:
    """Whatever is done within is gone at its end."""
    with connection.transaction(force_rollback=True):
        connection.execute("set local lock_timeout = '20s'")
        yield


def restored(
    programs: str, source: dict[str, str], to: dict[str, str]
) -> tuple[list[str], list[str]]:
    """Dump the structure with pg_dump, read it into another database with psql.

    What failed, and the dump's lines without what differs from dump to dump.
    """
    dump = _client(programs, "pg_dump", "--schema-only", source)
    if dump.returncode != 0:
        return [f"pg_dump: {dump.stderr.strip()}"], []
    read = _client(programs, "psql", "-Xq", to, dump.stdout)
    errors = [line for line in read.stderr.splitlines() if "ERROR:" in line or "FATAL:" in line]
    lines = [
        x for x in dump.stdout.splitlines() if not x.startswith(("\\restrict", "\\unrestrict"))
    ]
    return [line for line in errors if not _HARMLESS.search(line)], lines


def _client(
    programs: str, program: str, option: str, at: dict[str, str], text: str = ""
) -> "subprocess.CompletedProcess[str]":
    """Run it, and leave every line break as it is: a literal may contain a carriage return."""
    done = subprocess.run(
        [f"{programs}/{program}", option, "-d", make_conninfo(**at)],
        input=text.encode(),
        capture_output=True,
        check=False,
        env={"LANG": "C.UTF-8", "PGOPTIONS": "-c client_min_messages=warning"},
    )
    out, err = done.stdout.decode(), done.stderr.decode()
    return subprocess.CompletedProcess(done.args, done.returncode, out, err)


def run_script(programs: str, file: str, at: dict[str, str]) -> None:
    """An init script, as a container's entrypoint runs it."""
    subprocess.run(
        [
            *(f"{programs}/psql", "-Xq", "-v", "ON_ERROR_STOP=1", "-f", file),
            *("-d", make_conninfo(**at)),
        ],
        check=True,
        stdout=subprocess.DEVNULL,
        env={"LANG": "C.UTF-8", "PGOPTIONS": "-c client_min_messages=warning"},
    )
