"""The application's own temporary alembic.ini, there while the block is open."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from alembic.config import Config
from conda_store_server._internal import dbutil


@contextmanager
def config() -> Iterator[Config]:
    with dbutil._temp_alembic_ini(os.environ["DATABASE_URL"]) as ini:
        yield Config(ini)
