"""A rolled-back image: the older code decides from the structure whether it can run."""

import sys

import pytest

from surefoot.postgres.embedded import Server
from tests.support.database import Database
from tests.support.next_steps import arrives
from tests.support.project import Application, Result
from tests.support.refusals import CATALOGUE, refused, seen, with_catalogue

R1, R2, R3 = "3f2a91c07d4e", "8c1d5e6b2f90", "b47e0a9d13c8"
NEWER, NEWEST = "e6f1029a4b7d", "f7a2130b5c8e"
DRIVER = "postgresql+psycopg"


def text(result: Result) -> str:
    return " ".join(result.err.split())


@pytest.fixture
def shop(application: Application, server: Server) -> Application:
    """The older image: two revisions and their catalogue."""
    application.revision(R1, None, "create table customers (id int primary key, name text)")
    application.revision(
        R2, R1, "create table orders (id int primary key, total numeric, note varchar(20))"
    )
    with_catalogue(application, server)
    return application


def newer(
    shop: Application,
    database: Database,
    *statements: str,
    surefoot: bool = True,
    floor: str = "",
) -> None:
    """The newer image's revision runs, and then the image is rolled back."""
    shop.revision(NEWER, R2, *statements, head=f"surefoot_floor = {floor!r}" if floor else "")
    if surefoot:
        done = shop.run("up", url=database.url())
        assert done.code == 0, done.err
    else:
        shop.alembic("upgrade", "head", url=database.url(DRIVER))
    (shop.root / f"migrations/versions/{NEWER}.py").unlink()


HARMLESS = [
    "create table invoices (id int primary key)",
    "alter table orders add paid boolean",
    "alter table orders add state text not null default 'open'",
    "create index on orders (total)",
    "alter table orders alter note type text",
]

HARMFUL = {
    "alter table orders drop column note": "column public.orders.note",
    "drop table customers": "relation public.customers",
    "alter table orders rename note to remark": "column public.orders.note",
    "alter table orders add paid boolean not null": "column public.orders.paid",
    "alter table orders alter note type varchar(5)": "column public.orders.note",
    "alter table orders add check (total > 0)": "constraint public.orders",
}


@pytest.mark.parametrize("surefoot", [True, False], ids=["with the journal", "without"])
@pytest.mark.parametrize("statement", HARMLESS)
def test_the_older_code_runs_where_it_can(
    shop: Application, database: Database, statement: str, surefoot: bool
) -> None:
    """Nothing is done, a warning says why, and the application is started.

    Where no journal says that the row is newer, the operator does.
    """
    newer(shop, database, statement, surefoot=surefoot)
    before = database.dump()
    if not surefoot:
        result = refused(shop, database, "unknown-revision", ("status",), ("up",))
        arrives(shop, database, result, only="export ")
        shop.config(f'accept_newer = "{NEWER}"\n')
    result = shop.run("up", "--", sys.executable, "-c", "print('started')", url=database.url())
    assert (result.code, result.out.strip()) == (0, "started"), result.err
    assert f"newer than this code ({NEWER})" in text(result)
    assert "everything that this code's head promises is still there" in text(result)
    assert ("surefoot relies on the operator" in text(result)) is not surefoot
    for command in ("status", "plan"):
        looked = shop.run(command, "--json", url=database.url())
        assert (looked.code, looked.json["state"]) == (0, "ahead-and-compatible")
        assert looked.json["remarks"]
    assert database.dump() == before


@pytest.mark.parametrize("surefoot", [True, False], ids=["with the journal", "without"])
@pytest.mark.parametrize("statement", HARMFUL)
@pytest.mark.provokes("database-ahead-of-code")
def test_the_older_code_is_refused_where_it_can_not_run(
    shop: Application, database: Database, statement: str, surefoot: bool
) -> None:
    """What it would miss is named, and nothing is changed or recorded: whoever says it's newer."""
    newer(shop, database, statement, surefoot=surefoot)
    if not surefoot:
        refused(shop, database, "unknown-revision", ("status",), ("up",))
        shop.config(f'accept_newer = "{NEWER}"\n')
    result = refused(
        shop,
        database,
        "database-ahead-of-code",
        ("status",),
        ("plan",),
        ("adopt", "--yes"),
        ("repair", "--yes"),
        ("up",),
    )
    assert "these differences would break this code" in seen(result)
    assert HARMFUL[statement] in seen(result)


@pytest.mark.slow
@pytest.mark.follows("database-ahead-of-code")
def test_what_the_newer_code_did_is_undone_where_the_older_code_must_run(
    shop: Application, database: Database, server: Server
) -> None:
    """By the journal: the newer revision's downgrade was tried when its catalogue was made."""
    shop.revision(
        NEWER,
        R2,
        "alter table orders drop column note",
        downgrade="op.add_column('orders', sa.Column('note', sa.String(20)))",
    )
    older = (shop.root / CATALOGUE).read_text()
    build = shop.run("catalog", "build", "--server", server.url())
    assert build.code == 0, build.err
    assert shop.run("up", url=database.url()).code == 0
    (shop.root / f"migrations/versions/{NEWER}.py").unlink()
    shop.write(CATALOGUE, older)
    result = refused(shop, database, "database-ahead-of-code", ("up",))
    arrives(shop, database, result)


def test_the_operators_word_is_for_one_row(shop: Application, database: Database) -> None:
    """In the environment, for one start; another row than that isn't accepted."""
    newer(shop, database, HARMLESS[0], surefoot=False)
    refused(shop, database, "unknown-revision", ("up",))
    for word, code in ((NEWER, 0), (NEWER[:-1], 4), (NEWER.upper(), 4), ("", 4)):
        environ = {"SUREFOOT_ACCEPT_NEWER": word}
        assert shop.run("up", url=database.url(), env=environ).code == code, word
    database.execute("update alembic_version set version_num = 'another_one'")
    environ = {"SUREFOOT_ACCEPT_NEWER": NEWER}
    assert shop.run("up", url=database.url(), env=environ).code == 4


def test_a_row_that_the_newer_image_adopted(
    shop: Application, database: Database, server: Server
) -> None:
    """Plain Alembic made it, the newer image recorded it: the journal knows its place."""
    shop.revision(NEWER, R2, HARMLESS[0])
    with_catalogue(shop, server)
    shop.alembic("upgrade", "head", url=database.url(DRIVER))
    database.execute("drop table alembic_version")
    assert shop.run("up", url=database.url()).code == 0
    (shop.root / f"migrations/versions/{NEWER}.py").unlink()
    with_catalogue(shop, server)
    result = shop.run("up", url=database.url())
    assert result.code == 0, result.err
    assert f"newer than this code ({NEWER})" in text(result)


def test_a_project_may_refuse_all_the_same(shop: Application, database: Database) -> None:
    """ahead = "refuse": good enough is not wanted."""
    newer(shop, database, HARMLESS[0])
    shop.config('ahead = "refuse"\n')
    result = refused(shop, database, "database-ahead-of-code", ("status",), ("up",))
    assert 'must not run on it (ahead = "refuse")' in seen(result)


def test_a_floor_allows_what_the_structure_would_forbid(
    shop: Application, database: Database
) -> None:
    """The newer revision says that code from R2 on can run: nothing reads the column any more."""
    newer(shop, database, "alter table orders drop column note", floor=R2)
    result = shop.run("up", url=database.url())
    assert result.code == 0, result.err
    assert f"revision {NEWER} says that code from {R2} on can run" in text(result)
    assert "and yet: column public.orders.note" in text(result)


@pytest.mark.parametrize("surefoot_floor", ["v9.9", NEWER])
def test_a_floor_forbids_what_the_structure_would_allow(
    shop: Application, database: Database, surefoot_floor: str
) -> None:
    """This code has no such release: it is older than what the newer one wants."""
    newer(shop, database, HARMLESS[0], floor=surefoot_floor)
    result = refused(shop, database, "database-ahead-of-code", ("status",), ("up",))
    assert f"revision {NEWER} says: code from {surefoot_floor} on can run on it" in seen(result)
    assert "it is older" in seen(result)


def test_a_floor_says_nothing_of_what_came_behind_it(shop: Application, database: Database) -> None:
    """The revision behind the one with the floor dropped a table, and has none of its own."""
    shop.revision(NEWEST, NEWER, "drop table customers")
    newer(shop, database, HARMLESS[0], floor=R2)
    (shop.root / f"migrations/versions/{NEWEST}.py").unlink()
    result = refused(shop, database, "database-ahead-of-code", ("up",))
    assert "relation public.customers" in seen(result)


def test_without_a_catalogue_nobody_can_tell(shop: Application, database: Database) -> None:
    """The journal says that it's newer; whether the code can run, nothing says."""
    newer(shop, database, HARMLESS[0])
    (shop.root / "migrations/surefoot-catalog.txt").unlink()
    result = refused(shop, database, "database-ahead-of-code", ("status",), ("up",))
    assert "can't tell whether" in seen(result)
    assert "surefoot catalog build" in result.json["findings"][0]["next"]


def test_the_newer_image_goes_on_afterwards(
    shop: Application, database: Database, server: Server
) -> None:
    """The older image left no trace: rolled forward again, the newer one finds itself at head."""
    newer(shop, database, HARMLESS[0])
    assert shop.run("up", url=database.url()).code == 0
    shop.revision(NEWER, R2, HARMLESS[0])
    with_catalogue(shop, server)
    result = shop.run("up", url=database.url())
    assert (result.code, "nothing to do" in text(result)) == (0, True)


def test_two_heads_of_which_one_is_newer(
    shop: Application, database: Database, server: Server
) -> None:
    """The row that the code knows doesn't hide the one that it doesn't."""
    shop.revision("c1a2b3c4d5e6", None, "create table audit (id int)", labels=("audit",))
    shop.config("heads = 2\n")
    with_catalogue(shop, server)
    newer(shop, database, "alter table orders add paid boolean")
    result = shop.run("status", "--json", url=database.url())
    assert result.json["state"] == "ahead-and-compatible"
    assert result.json["database"]["current"] == ["c1a2b3c4d5e6", NEWER]


def test_neither_adopt_nor_repair_takes_back_what_the_journal_knows(
    shop: Application, database: Database
) -> None:
    """The newer image would run it again, and a backfill twice."""
    newer(shop, database, HARMLESS[0])
    refused(
        shop,
        database,
        "database-ahead-of-code",
        ("repair", R2, "--yes"),
        ("adopt", R2, "--yes", "--accept-difference"),
    )


def test_another_applications_release_of_the_same_name_is_no_floor(
    shop: Application, database: Database, server: Server
) -> None:
    """Its journal doesn't begin where this code's history ends: it's somebody else's database."""
    other = Application(shop.root / "other")
    other.revision("o1", None, "create table lines (id int)", head='release = "1.0"')
    other.revision("o2", "o1", "create table more (id int)", head='surefoot_floor = "1.0"')
    assert other.run("up", url=database.url()).code == 0
    shop.revision(R1, None, "create table customers (id int primary key, name text)")
    shop.revision(
        R2,
        R1,
        "create table orders (id int primary key, total numeric, note varchar(20))",
        head='release = "1.0"',
    )
    with_catalogue(shop, server)
    refused(shop, database, "unknown-revision", ("status",), ("up",))
    (shop.root / "migrations/surefoot-catalog.txt").unlink()
    refused(shop, database, "unknown-revision", ("status",), ("up",))


def test_newer_on_one_branch_and_behind_on_another(
    application: Application, database: Database, server: Server
) -> None:
    """This code's own backfill has not run here: it isn't passed over."""
    application.revision("root0", None, "create table people (id int, n int)")
    application.revision("a1", "root0", "create table ta (id int)")
    application.revision("b1", "root0", "create table tb (id int)")
    application.revision("a2", "a1", "create table ta2 (id int)")
    application.config("heads = 2\n")
    assert application.run("up", url=database.url()).code == 0
    (application.root / "migrations/versions/a2.py").unlink()
    application.revision("b2", "b1", "update people set n = 2 * n")
    with_catalogue(application, server)
    result = refused(application, database, "database-ahead-of-code", ("status",), ("up",))
    assert "this code's own b2 has not run here" in seen(result)


def test_drift_on_a_newer_database(shop: Application, database: Database) -> None:
    """There is no revision of this code to hold the structure against."""
    newer(shop, database, HARMLESS[0])
    result = shop.run("drift", "--json", url=database.url())
    assert result.code in (3, 4), result.err


def test_a_floor_is_a_release_or_an_id_and_no_beginning_of_one(
    shop: Application, database: Database
) -> None:
    """Releases that are numbers, and ids that begin with them, meet in every history."""
    newer(shop, database, "alter table orders drop column note", floor=R2[:1])
    result = refused(shop, database, "database-ahead-of-code", ("up",))
    assert "it is older" in seen(result)
