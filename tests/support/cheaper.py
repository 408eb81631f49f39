"""What makes the servers of the tests cheaper, and is the same for whoever uses them."""

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
    """The servers' temporary directories, where the machine has room for them there: to make a
    database is to make some hundreds of files, most of a second on a disk. What TMPDIR says counts.
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
    """For servers that are started in the block: a backend gets its memory in large pages. Without
    it, each new backend takes some 2,000 page faults before it has planned its first query.
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
    """Whoever connects derives a key of the password in 4096 rounds; of this one's, in one."""
    with psycopg.connect(server.conninfo(), autocommit=True) as connection:
        if connection.info.server_version >= 160000:
            connection.execute("set scram_iterations = 1")
            connection.execute(f"alter role current_user password '{server.password}'".encode())


def copied(connection: psycopg.Connection[Any], template: str = "template0") -> str:
    """For `create database`: its files are copied. Since PostgreSQL 15 they are written to the
    log, page by page, where nothing else is said.
    """
    strategy = " strategy file_copy" if connection.info.server_version >= 150000 else ""
    return f"template {template}{strategy}"
