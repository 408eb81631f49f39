"""`surefoot releases`: what docs/guides/releases.md shows and claims, on the very application."""

import os
import re
from pathlib import Path

import pytest

from surefoot.postgres.embedded import Server
from tests.support import catalogues
from tests.support.project import Application

PAGE = Path(__file__).parents[2] / "docs" / "guides" / "releases.md"


@pytest.fixture
def shop(application: Application, server: Server) -> Application:
    """Three releases, and a revision behind them."""
    revision = application.revision
    revision(
        "3f2a91c07d4e",
        None,
        "create table customers (id int primary key, name text not null)",
        "create table orders (id int primary key, customer int, note text, total numeric(10,2))",
        message="Customers and orders",
        head='release = "v1.0"',
    )
    revision(
        "b47e0a9d13c8",
        "3f2a91c07d4e",
        body="with op.get_context().autocommit_block():\n"
        "    op.execute('create index concurrently orders_customer on orders (customer)')",
        downgrade="with op.get_context().autocommit_block():\n"
        "    op.execute('drop index concurrently orders_customer')",
        message="Index orders",
        head='release = "v1.1"',
    )
    revision(
        "e15b7c3a9d02",
        "b47e0a9d13c8",
        "create table payments (id int primary key, paid_at timestamptz)",
        "alter table orders add method text not null",
        "alter table orders drop note",
        "alter table customers rename name to full_name",
        downgrade="op.execute('alter table customers rename column full_name to name')\n"
        "op.execute('alter table orders add note text')\n"
        "op.execute('alter table orders drop column method')\n"
        "op.execute('drop table payments')",
        message="Payments",
    )
    revision(
        "a0d1f7e2c954",
        "e15b7c3a9d02",
        "update orders set total = 0 where total is null",
        downgrade="bind = op.get_bind()\n"
        "bind.execute(sa.text('update orders set total = null where total = :t'), {'t': 0})",
        message="Fill totals",
        head='release = "v1.2"',
    )
    catalogues.with_catalogue(application, server)
    return application


def shown(shop: Application, page: str) -> str:
    """The page, with what is really printed in its blocks."""

    def printed(*arguments: str) -> str:
        done = shop.run(*arguments, env={"LANG": "C.UTF-8"})
        assert done.code == 0, done.err
        return done.out

    def session(found: re.Match[str]) -> str:
        return f"```console\n$ surefoot {found[1]}\n{printed(*found[1].split())}```"

    page = re.sub(r"^```console\n\$ surefoot (.*)\n(?:.*\n)*?```", session, page, flags=re.M)
    made = f"```markdown\n{printed('releases', '--markdown')}```"
    return re.sub(r"^```markdown\n(?:.*\n)*?```", lambda _: made, page, flags=re.M)


def test_what_the_page_shows_is_printed(shop: Application) -> None:
    """Written anew, as the golden sessions are, by UPDATE_SESSIONS=1."""
    page = PAGE.read_text(encoding="utf-8")
    found = shown(shop, page)
    if os.environ.get("UPDATE_SESSIONS"):
        PAGE.write_text(found, encoding="utf-8")
    else:
        assert found == page


def test_no_database_is_reached_and_none_need_be_named(shop: Application) -> None:
    """Nor is the application's code run."""
    shop.write("migrations/env.py", "raise RuntimeError('it was run')\n")
    assert shop.run("releases", url="postgresql://nobody@127.0.0.1:9/none").code == 0


def test_which_pairs(shop: Application) -> None:
    def pairs(*options: str) -> list[str]:
        found = shop.run("releases", "--json", *options).json["pairs"]
        return [f"{pair['from']} {pair['to']}" for pair in found]

    assert pairs() == ["v1.1 v1.2", "v1.0 v1.2"]
    assert pairs("--to", "v1.1") == ["v1.0 v1.1"]
    assert pairs("--from", "v1.0") == ["v1.0 v1.2"]
    assert pairs("--from", "b47e", "--to", "e15b7c3a9d02") == ["b47e0a9d13c8 e15b7c3a9d02"]
    assert pairs("--all") == ["v1.1 v1.2", "v1.0 v1.2", "v1.0 v1.1"]
    assert shop.run("releases", "--from", "v1.2", "--to", "v1.0").code == 2
    assert shop.run("releases", "--all", "--to", "v1.0").code == 2
    assert shop.run("releases", "--to", "v9").code == 2


def test_a_head_that_no_release_ends_with_counts_and_a_stale_catalogue_is_told(
    shop: Application, server: Server
) -> None:
    shop.revision("f3d80c6e2b71", "a0d1f7e2c954", "drop table customers", message="Elsewhere")
    done = shop.run("releases")
    assert "the catalogue is older than the code and doesn't have f3d80c6e2b71" in " ".join(
        done.err.split()
    )
    catalogues.with_catalogue(shop, server)
    done = shop.run("releases", "--from", "v1.2")
    assert done.out.startswith("v1.2 → (unreleased)\n") or "(unreleased)" in done.out
    text = " ".join(done.out.split())
    assert (
        "doesn't lead back to v1.2: it stops at f3d80c6e2b71 (Elsewhere): its downgrade()" in text
    )
    markdown = shop.run("releases", "--from", "v1.2", "--markdown").out
    assert "| v1.2 | 1 | **can't run** | **stops** at `f3d80c6e2b71` | |" in re.sub(
        " +", " ", markdown
    )


@pytest.mark.parametrize(
    ("floor", "says"), [("v1.1", "v1.1 can run as it is"), ("v1.2", "v1.1 can't run as it is")]
)
def test_a_floor_counts_and_the_structure_is_told_too(
    shop: Application, floor: str, says: str
) -> None:
    file = shop.root / "migrations/versions/a0d1f7e2c954.py"
    file.write_text(file.read_text() + f'\n\nsurefoot_floor = "{floor}"  # said\n')
    text = " ".join(shop.run("releases", "--from", "v1.1").out.split())
    assert f"{says}: a0d1f7e2c954 says that code from {floor} on can" in text
    assert "column public.orders.method: inserts that leave it out would fail" in text


def test_where_the_files_cannot_be_read_that_is_told(shop: Application) -> None:
    """A revision id that only Python can tell: what the files say of themselves isn't known."""
    file = shop.root / "migrations/versions/a0d1f7e2c954.py"
    text = file.read_text().replace("'a0d1f7e2c954'", "'a0d1f7e2' + 'c954'")
    file.write_text(text)
    done = shop.run("releases")
    assert done.code == 0
    assert "can't be read without running the application" in " ".join(done.err.split())


def test_without_a_release_there_is_nothing_to_hold_against(
    application: Application, server: Server
) -> None:
    application.linear()
    catalogues.with_catalogue(application, server)
    done = application.run("releases")
    assert (done.code, done.out) == (0, "")
    assert 'release = "v1.2"' in done.err
    assert application.run("releases", "--json").json["pairs"] == []
