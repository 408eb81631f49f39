"""Init scripts: older or newer than the code, tampered with, or saying nothing of themselves."""

from pathlib import Path

import pytest

from surefoot.postgres.embedded import Server
from tests.support.database import Database
from tests.support.next_steps import arrives, next_of
from tests.support.project import Application, Result
from tests.support.refusals import refused, seen, with_catalogue

R1, R2, R3 = "3f2a91c07d4e", "8c1d5e6b2f90", "b47e0a9d13c8"
SCRIPT = "init.sql"
CATALOGUE = "migrations/surefoot-catalog.txt"

TO_R1 = "create table customers (id int primary key, name text);\n"
TO_R2 = TO_R1 + "create table orders (id int primary key, total numeric);\n"
TO_R3 = TO_R2 + "alter table orders add note text;\n"
VERSION = "create table alembic_version (version_num varchar(32) primary key);\n"


def text(result: Result) -> str:
    return " ".join(result.err.split())


@pytest.fixture
def shop(application: Application, server: Server) -> Application:
    """Three revisions, their catalogue, and an init script that says nothing of itself."""
    application.revision(R1, None, "create table customers (id int primary key, name text)")
    application.revision(R2, R1, "create table orders (id int primary key, total numeric)")
    application.revision(R3, R2, "alter table orders add note text")
    application.config(f'init = ["{SCRIPT}"]\n')
    application.write(SCRIPT, TO_R1)
    with_catalogue(application, server)
    return application


def rows(database: Database) -> list[str]:
    return [row for (row,) in database.query("select version_num from alembic_version")]


def dump(application: Application, server: Server, revision: str) -> Path:
    """The init script that `surefoot dump` makes."""
    done = application.run("dump", "--revision", revision, "-o", SCRIPT, "--server", server.url())
    assert done.code == 0, done.err
    return application.root / SCRIPT


@pytest.mark.parametrize(
    ("script", "stamped"),
    [
        (TO_R1, R1),
        (TO_R2, R2),
        (TO_R3, R3),
        (TO_R2 + VERSION, R2),
        (TO_R2 + VERSION + f"insert into alembic_version values ('{R2}');\n", R2),
        (TO_R1 + "create table my_notes (id int);\n", R1),
    ],
    ids=["r1", "r2", "head", "an empty version table", "its own row", "a table of their own"],
)
def test_a_script_that_says_nothing_is_stamped_as_what_it_makes(
    shop: Application, database: Database, script: str, stamped: str
) -> None:
    """It is identified from its structure inside its transaction; then up goes on to head."""
    shop.write(SCRIPT, script)
    planned = shop.run("plan", "--json", url=database.url())
    assert planned.json["plan"] == [
        {"step": "install", "scripts": [SCRIPT], "revision": None, "revisions": []}
    ]
    result = shop.run("up", "--json", url=database.url())
    assert result.code == 0, result.err
    done = [(step["step"], step["name"]) for step in result.json["done"]]
    behind = {R1: [R2, R3], R2: [R3], R3: []}[stamped]
    assert done == [
        ("install", SCRIPT),
        ("stamp", stamped),
        *(("revision", revision) for revision in behind),
    ]
    assert rows(database) == [R3]
    assert database.query("select count(distinct run) from surefoot.journal") == [(1,)]
    assert "nothing to do" in text(shop.run("up", url=database.url()))


def test_seeds_run_behind_what_was_pending(shop: Application, database: Database) -> None:
    """They need head's structure, and where the script leads is only known when it has run."""
    shop.config(f'init = ["{SCRIPT}"]\nseeds = ["seed.sql"]\n')
    shop.write("seed.sql", "insert into orders (id, note) values (1, 'first');\n")
    result = shop.run("up", url=database.url())
    assert result.code == 0, result.err
    assert database.query("select note from orders") == [("first",)]


NEWER = {
    "its own version row": TO_R3
    + VERSION
    + "insert into alembic_version values ('e6f1029a4b7d');\n",
    "more than head": TO_R3 + "alter table orders add paid boolean;\n",
}


@pytest.mark.parametrize("case", NEWER)
@pytest.mark.provokes("init-script-newer-than-code")
@pytest.mark.follows("init-script-newer-than-code")
def test_a_newer_script_is_rolled_back(shop: Application, database: Database, case: str) -> None:
    """Nothing stays: not a table, not a row, not a journal."""
    shop.write(SCRIPT, NEWER[case])
    result = refused(shop, database, "init-script-newer-than-code", ("up",))
    assert "Rolled back, verified." in result.json["findings"][0]["database"]
    assert database.tables() == []
    assert "this release's script" in next_of(result)
    shop.write(SCRIPT, TO_R3)
    assert shop.run("up", url=database.url()).code == 0


@pytest.mark.provokes("init-script-unidentified")
@pytest.mark.parametrize(
    "script",
    [
        TO_R1 + "create table orders (id int primary key, total numeric(12,2));\n",
        "create table something_else (id int);\n",
    ],
)
@pytest.mark.follows("init-script-unidentified")
def test_a_script_that_makes_no_revisions_structure(
    shop: Application, server: Server, database: Database, script: str
) -> None:
    """Rolled back, and said what it is near to."""
    shop.write(SCRIPT, script)
    result = refused(shop, database, "init-script-unidentified", ("up",))
    assert database.tables() == []
    arrives(shop, database, result, scratch=server.url())


@pytest.mark.slow
def test_several_revisions_of_one_structure(
    application: Application, server: Server, database: Database
) -> None:
    """A backfill leaves no trace in the structure: a person says which one it is."""
    application.revision(R1, None, "create table customers (id int primary key, name text)")
    application.revision(R2, R1, "update customers set name = 'x'")
    application.config(f'init = ["{SCRIPT}"]\n')
    application.write(SCRIPT, TO_R1)
    with_catalogue(application, server)
    result = refused(application, database, "init-script-unidentified", ("up",))
    assert f"{R1}: " in seen(result)
    assert f"{R2}: " in seen(result)
    application.config(f'init = ["{SCRIPT}"]\ninit_revision = "{R1}"\n')
    with_catalogue(application, server)
    assert application.run("up", url=database.url()).code == 0


@pytest.mark.provokes("init-script-names-another-revision")
def test_what_the_configuration_says_must_be_true(shop: Application, database: Database) -> None:
    """A script from a newer release, and the older release's configuration: not stamped."""
    shop.config(f'init = ["{SCRIPT}"]\ninit_revision = "{R1}"\n')
    shop.write(SCRIPT, TO_R3)
    result = refused(shop, database, "init-script-names-another-revision", ("up",))
    assert f"it is exactly that of {R3}" in seen(result)
    assert database.tables() == []


def test_a_header_says_it_before_anything_is_run(
    shop: Application, database: Database, server: Server
) -> None:
    """An older script is stamped as what it is; one of a revision that was taken away is newer."""
    dump(shop, server, R2)
    planned = shop.run("plan", "--json", url=database.url())
    assert planned.json["plan"][0] == {
        "step": "install",
        "scripts": [SCRIPT],
        "revision": R2,
        "revisions": [R2],
    }
    assert shop.run("up", url=database.url()).code == 0
    assert rows(database) == [R3]
    database.execute(
        "drop schema public cascade; create schema public; drop schema surefoot cascade"
    )
    dump(shop, server, R3)
    (shop.root / f"migrations/versions/{R3}.py").unlink()
    result = refused(shop, database, "init-script-newer-than-code", ("status",), ("plan",), ("up",))
    assert f"stands for revision {R3}" in seen(result)
    assert database.tables() == []


def test_a_header_and_the_configuration_that_disagree(
    shop: Application, database: Database, server: Server
) -> None:
    """Told before anything is run."""
    dump(shop, server, R2)
    shop.config(f'init = ["{SCRIPT}"]\ninit_revision = "{R1}"\n')
    refused(shop, database, "init-script-names-another-revision", ("status",), ("plan",), ("up",))


def test_a_tampered_script_is_told_and_looked_at(
    shop: Application, database: Database, server: Server
) -> None:
    """What was changed leaves the structure as the header says: it goes on, with a remark."""
    script = dump(shop, server, R2)
    script.write_text(script.read_text() + "\ninsert into public.customers values (1, 'me');\n")
    result = shop.run("up", url=database.url())
    assert result.code == 0, result.err
    assert f"{SCRIPT} was changed since surefoot dump made it" in text(result)
    assert rows(database) == [R3]


def test_a_tampered_script_that_makes_something_else(
    shop: Application, database: Database, server: Server
) -> None:
    """The header isn't believed against the structure."""
    script = dump(shop, server, R2)
    script.write_text(script.read_text() + "\nalter table public.orders add note text;\n")
    result = refused(shop, database, "init-script-names-another-revision", ("up",))
    assert f"it is exactly that of {R3}" in seen(result)
    assert database.tables() == []


@pytest.mark.provokes("init-script-edited")
@pytest.mark.follows("init-script-edited")
def test_a_tampered_script_without_a_catalogue(
    shop: Application, database: Database, server: Server
) -> None:
    """Nobody can see what it makes: refused before it is run."""
    script = dump(shop, server, R2)
    script.write_text(script.read_text() + "\nselect 1;\n")
    (shop.root / CATALOGUE).unlink()
    result = refused(shop, database, "init-script-edited", ("status",), ("plan",), ("up",))
    arrives(shop, database, result, scratch=server.url())


@pytest.mark.slow
@pytest.mark.provokes("init-revision-missing")
@pytest.mark.follows("init-revision-missing")
def test_a_script_that_says_nothing_without_a_catalogue(
    shop: Application, server: Server, database: Database
) -> None:
    """Nothing to identify it by."""
    (shop.root / CATALOGUE).unlink()
    result = refused(shop, database, "init-revision-missing", ("status",), ("plan",), ("up",))
    assert "no usable catalogue" in seen(result)
    arrives(shop, database, result, scratch=server.url())


def test_two_scripts_whose_headers_disagree(
    shop: Application, database: Database, server: Server
) -> None:
    """Told before anything is run: the last one doesn't simply win."""
    dump(shop, server, R2)
    (shop.root / SCRIPT).rename(shop.root / "first.sql")
    dump(shop, server, R1)
    shop.config(f'init = ["first.sql", "{SCRIPT}"]\n')
    result = refused(
        shop, database, "init-script-names-another-revision", ("status",), ("plan",), ("up",)
    )
    assert f"first.sql: {R2}" in seen(result)


@pytest.mark.parametrize("written", [f"('{R1}'), ('{R2}')", f"('{R2}'), ('{R2}')"])
def test_version_rows_of_a_script_that_contradict_each_other(
    shop: Application, database: Database, written: str
) -> None:
    """They're looked at inside the transaction: nothing stays."""
    table = "create table alembic_version (version_num varchar(32));\n"
    shop.write(SCRIPT, f"{TO_R2}{table}insert into alembic_version values {written};\n")
    refused(shop, database, "init-script-names-another-revision", ("up",))
    assert database.tables() == []


def test_what_is_pending_behind_a_script_may_be_in_its_own_way(
    shop: Application, database: Database, server: Server
) -> None:
    """The installation is committed before what is behind it is refused, and that is said."""
    shop.revision("c90f4d21ab37", R3, "alter table orders alter total type bigint")
    with_catalogue(shop, server)
    shop.write(SCRIPT, TO_R2 + "create view totals as select total from orders;\n")
    result = shop.run("up", "--json", url=database.url())
    assert result.code == 5, result.err
    (finding,) = result.json["findings"]
    assert finding["code"] == "customisation-in-the-way"
    assert finding["database"] == f"Committed before it, and there: {SCRIPT}, {R2}."
    assert rows(database) == [R2]
