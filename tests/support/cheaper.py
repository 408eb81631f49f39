"""Make the tests' servers cheaper, without any visible difference."""

import os
import shutil
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from surefoot.postgres.embedded import Server

_MEMORY, _ENOUGH = Path("/dev/shm"), 6 * 2**30


def servers_in_memory() -> None:
    """Put the servers' temporary directories in memory, if the machine has room there.

    Creating a database creates some hundreds of files, which takes most of a second on a disk.
    TMPDIR takes precedence.
    """
    if os.environ.get("TMPDIR") or not os.access(_MEMORY, os.W_OK):
        return
    may_execute = not os.statvfs(_MEMORY).f_flag & os.ST_NOEXEC
    if may_execute and shutil.disk_usage(_MEMORY).free > _ENOUGH:
        # what pytest keeps of the last runs stays where it was
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", tempfile.gettempdir())
        os.environ["TMPDIR"] = tempfile.tempdir = str(_MEMORY)


@contextmanager
def cheaper_memory() -> Generator[None]:
    """Give the backends of servers started in the block their memory in large pages.

    Otherwise each new backend takes some 2,000 page faults before it has planned its first query.
    """
    name = "GLIBC_TUNABLES"
    given = os.environ.get(name)
    os.environ.setdefault(
        name,
        "glibc.malloc.hugetlb=1:glibc.malloc.top_pad=4194304:glibc.malloc.mmap_threshold=33554432",
    )
    try:
        yield
    finally:
        if given is None:
            del os.environ[name]


def cheaper_passwords(server: Server) -> None:
    """Derive this password's key in one round instead of 4096, to make connecting faster."""
    with psycopg.connect(server.conninfo(), autocommit=True) as connection:
        if connection.info.server_version >= 160000:
            connection.execute("set scram_iterations = 1")
            connection.execute(f"alter role current_user password '{server.password}'".encode())


def copied(connection: psycopg.Connection[Any], template: str = "template0") -> str:
    """Let `create database` copy the template's files.

    Since PostgreSQL 15 the default is to write them to the log, page by page.
    """
    strategy = " strategy file_copy" if connection.info.server_version >= 150000 else ""
    return f"template {template}{strategy}"
