"""An application whose revisions can be undone, and its older image."""

import shutil
from pathlib import Path

import pytest

from surefoot.postgres.embedded import Server
from tests.support import catalogues
from tests.support.database import Database
from tests.support.project import Application, Result

R1, R2, R3, R4 = "3f2a91c07d4e", "8c1d5e6b2f90", "b47e0a9d13c8", "e6f1029a4b7d"


CATALOGUE = "migrations/surefoot-catalog.txt"


CUSTOMERS = "create table customers (id int primary key, name text)"


def with_catalogue(application: Application, server: Server) -> None:
    """Build the catalogue, with every downgrade tested."""
    catalogues.with_catalogue(application, server)


def text(result: Result) -> str:
    return " ".join(result.err.split())


def older(application: Application, root: Path, *removed: str, server: Server) -> Application:
    """Return the older image: a copy without these revisions, with its own catalogue."""
    shutil.copytree(
        application.root, root, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True
    )
    image = Application.__new__(Application)
    image.root = root
    for id in removed:
        (root / f"migrations/versions/{id}.py").unlink()
    with_catalogue(image, server)
    return image


@pytest.fixture
def shop(application: Application, server: Server) -> Application:
    """Return the newer image: a table, a column with an index, an index created concurrently."""
    application.revision(R1, None, CUSTOMERS, downgrade="op.execute('drop table customers')")
    application.revision(
        R2,
        R1,
        "alter table customers add phone text",
        "create index customers_phone on customers (phone)",
        downgrade="op.drop_index('customers_phone')\nop.drop_column('customers', 'phone')",
    )
    application.revision(
        R3,
        R2,
        "create table orders (id int primary key, of int references customers)",
        downgrade="op.drop_table('orders')",
        head="release = 'v2'",
    )
    with_catalogue(application, server)
    return application


def up(application: Application, database: Database) -> None:
    done = application.run("up", url=database.url())
    assert done.code == 0, done.err


def mood(shop: Application, server: Server) -> None:
    """Add a revision whose downgrade forgets the type that it created."""
    shop.revision(
        R4,
        R3,
        "create type mood as enum ('glad', 'sad')",
        "create table diary (day date primary key, mood mood)",
        downgrade="op.drop_table('diary')",
    )
    with_catalogue(shop, server)
