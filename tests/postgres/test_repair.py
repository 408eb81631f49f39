"""Version tables that hold nonsense: what it is called, and how `surefoot repair` puts it right."""

import json

import pytest

from surefoot.postgres.embedded import Server
from tests.support.database import Database
from tests.support.next_steps import arrives, next_of, run_next, steps_of
from tests.support.project import Application, Result
from tests.support.refusals import refused, seen, with_catalogue

R1, R2, R3 = "3f2a91c07d4e", "8c1d5e6b2f90", "b47e0a9d13c8"
NEWER = "e6f1029a4b7d"
DRIVER = "postgresql+psycopg"


@pytest.fixture
def shop(application: Application, server: Server) -> Application:
    """Three revisions, each of another structure, and their catalogue."""
    application.revision(R1, None, "create table customers (id int primary key, name text)")
    application.revision(R2, R1, "create table orders (id int primary key, total numeric)")
    application.revision(R3, R2, "alter table orders add note text")
    with_catalogue(application, server)
    return application


def at(shop: Application, database: Database, revision: str, corruption: str) -> None:
    """Bring the database to a revision with Alembic itself, then spoil its version table."""
    shop.alembic("upgrade", revision, url=database.url(DRIVER))
    database.execute(corruption)


def rows(database: Database) -> list[str]:
    return [row for (row,) in database.query("select version_num::text from alembic_version")]


def text(result: Result) -> str:
    return " ".join(result.err.split())


NO_KEY = "alter table alembic_version drop constraint alembic_version_pkc;"

CORRUPTED = {
    "NULL": (
        f"{NO_KEY} alter table alembic_version alter version_num drop not null;"
        " update alembic_version set version_num = null",
        "NULL is invalid: it names no revision",
    ),
    "blank": ("update alembic_version set version_num = ' '", "' ' is invalid"),
    "cut short": (
        f"update alembic_version set version_num = '{R2[:8]}'",
        f"'{R2[:8]}' is cut short: it is the beginning of {R2}",
    ),
    "upper case": (
        f"update alembic_version set version_num = '{R2.upper()}'",
        f"it is {R2}, spelled differently",
    ),
    "no id": (
        "update alembic_version set version_num = 'v1.0.28 (latest)'",
        "'v1.0.28 (latest)' is invalid",
    ),
    "a narrow column": (
        "alter table alembic_version alter version_num type varchar(8) using left(version_num, 8)",
        f"'{R2[:8]}' is cut short: it is the beginning of {R2}",
    ),
    "twice": (
        f"{NO_KEY} insert into alembic_version select * from alembic_version",
        f"{R2} is there twice",
    ),
    "a number": (
        "delete from alembic_version;"
        " alter table alembic_version alter version_num type int using 0;"
        " insert into alembic_version values (28)",
        "its column version_num is integer",
    ),
}


@pytest.mark.parametrize("case", CORRUPTED)
@pytest.mark.provokes("version-table-corrupted")
@pytest.mark.follows("version-table-corrupted")
def test_a_corrupted_version_table_is_refused_then_repaired(
    shop: Application, database: Database, case: str
) -> None:
    """What is wrong is named, and where the structure stands; repair writes that; up goes on."""
    corruption, said = CORRUPTED[case]
    at(shop, database, R2, corruption)
    result = refused(
        shop, database, "version-table-corrupted", ("status",), ("plan",), ("up",), ("adopt",)
    )
    assert said in seen(result)
    assert f"by its structure it is at {R2}" in seen(result)
    (done,) = run_next(next_of(result), database, shop).results
    assert f"after {R2}" in text(done)
    assert rows(database) == [R2]
    # Alembic itself goes on from there, and so does surefoot
    assert (
        "character varying"
        in database.query(
            "select data_type from information_schema.columns"
            " where table_name = 'alembic_version' and column_name = 'version_num'"
        )[0]
    )
    assert shop.run("up", url=database.url()).code == 0
    assert rows(database) == [R3]


def test_ten_thousand_rows_are_not_all_printed(shop: Application, database: Database) -> None:
    at(shop, database, R3, "insert into alembic_version select 'x' || generate_series(1, 10000)")
    refused = shop.run("up", url=database.url())
    assert refused.code == 4
    assert "9,951 more" in " ".join(refused.err.split())
    repaired = shop.run("repair", "--yes", url=database.url())
    assert repaired.code == 0, repaired.err
    for result in (refused, repaired):
        assert len((result.out + result.err).splitlines()) < 400


def test_repair_keeps_the_old_content_in_the_journal(shop: Application, database: Database) -> None:
    """Rows and the column's type, as they were."""
    at(shop, database, R2, CORRUPTED["a number"][0])
    assert shop.run("repair", "--yes", url=database.url()).code == 0
    ((evidence,),) = database.query("select evidence from surefoot.journal where step = 'adopt'")
    assert json.loads(evidence)["before"] == ["28"]
    assert json.loads(evidence)["column"] == "integer"


def test_repair_keeps_who_may_read_the_table(shop: Application, database: Database) -> None:
    """The table is mended and not made anew."""
    at(shop, database, R2, f"grant select on alembic_version to public; {CORRUPTED['twice'][0]}")
    assert shop.run("repair", "--yes", url=database.url()).code == 0
    assert database.query(
        "select count(*) from information_schema.table_privileges"
        " where table_name = 'alembic_version' and grantee = 'PUBLIC'"
    ) == [(1,)]
    assert database.query(
        "select count(*) from pg_constraint where conname = 'alembic_version_pkc'"
    )


def test_repair_asks(shop: Application, database: Database) -> None:
    """Without a terminal and without --yes nothing is written; before and after are shown."""
    at(shop, database, R2, CORRUPTED["cut short"][0])
    result = shop.run("repair", url=database.url())
    assert result.code == 2
    assert f"before '{R2[:8]}' after {R2}" in text(result)
    assert rows(database) == [R2[:8]]


@pytest.mark.slow
@pytest.mark.provokes("version-rows-overlap")
@pytest.mark.follows("version-rows-overlap")
def test_an_ancestor_beside_its_descendant(shop: Application, database: Database) -> None:
    """The structure says which of the two is true, whichever it is."""
    for stands in (R1, R2):
        database.execute("drop schema public cascade; create schema public")
        database.execute("drop schema if exists surefoot cascade")
        at(shop, database, stands, "delete from alembic_version")
        database.execute(f"insert into alembic_version values ('{R1}'), ('{R2}')")
        result = refused(shop, database, "version-rows-overlap", ("status",), ("up",))
        assert f"by its structure it is at {stands}" in seen(result)
        run_next(next_of(result), database, shop)
        assert rows(database) == [stands]
        assert shop.run("up", url=database.url()).code == 0


@pytest.mark.provokes("version-table-elsewhere")
@pytest.mark.follows("version-table-elsewhere")
def test_a_version_table_in_another_schema(shop: Application, database: Database) -> None:
    """It knows the application's revisions, and isn't looked for there: told, and not guessed."""
    at(shop, database, R2, "create schema app; alter table alembic_version set schema app")
    result = refused(shop, database, "version-table-elsewhere", ("status",), ("plan",), ("up",))
    assert f"app.alembic_version holds {R2}" in seen(result)
    assert f"by its structure it is at {R2}" in seen(result)
    run_next(next_of(result), database, shop, only="surefoot repair")
    assert rows(database) == [R2]
    assert database.query("select version_num from app.alembic_version") == [(R2,)]
    assert shop.run("up", url=database.url()).code == 0


@pytest.mark.follows("version-table-elsewhere")
def test_a_version_table_in_another_schema_is_put_on_the_search_path(
    shop: Application, database: Database
) -> None:
    """Where that schema is right: the statement of `next` suffices, and no second table is made."""
    at(shop, database, R2, "create schema app; alter table alembic_version set schema app")
    result = refused(shop, database, "version-table-elsewhere", ("up",))
    arrives(shop, database, result, only="alter role")
    assert database.query("select version_num from app.alembic_version") == [(R3,)]
    assert "public.alembic_version" not in database.tables()


def test_the_rest_of_the_search_path_stays(shop: Application, database: Database) -> None:
    """What the revisions find in its other schemas, they still find."""
    at(shop, database, R2, "create schema app; alter table alembic_version set schema app")
    database.execute(
        f"create schema extensions;"
        f"alter database {database.name} set search_path = public, extensions"
    )
    result = refused(shop, database, "version-table-elsewhere", ("up",))
    assert "set search_path = app, public, extensions;" in next_of(result)
    arrives(shop, database, result, only="alter role")


def test_another_applications_version_table_in_another_schema(
    shop: Application, database: Database
) -> None:
    """It holds none of this code's revisions: it's not ours, and this database is identified."""
    at(shop, database, R2, "drop table alembic_version; create schema other")
    database.execute(
        "create table other.alembic_version (version_num text); "
        f"insert into other.alembic_version values ('{NEWER}')"
    )
    assert shop.run("up", url=database.url()).code == 0
    assert rows(database) == [R3]


def test_a_revision_that_was_removed_from_the_code(
    shop: Application, database: Database, server: Server
) -> None:
    """The catalogue beside the code still has it: it isn't newer."""
    application = shop
    application.revision(NEWER, R3, "create table removed (id int)")
    catalogue = application.root / "migrations/surefoot-catalog.txt"
    with_catalogue(application, server)
    application.alembic("upgrade", "head", url=database.url(DRIVER))
    (application.root / f"migrations/versions/{NEWER}.py").unlink()
    assert catalogue.exists()
    result = refused(application, database, "unknown-revision", ("status",), ("up",))
    assert f"'{NEWER}' is removed from the history" in seen(result)


@pytest.mark.slow
def test_a_revision_that_the_journal_has_behind_another_is_removed(
    shop: Application, database: Database, server: Server
) -> None:
    """It ran here, on a revision that the code goes on from otherwise: its place was taken."""
    shop.revision(NEWER, R1, "create table squashed (id int)")
    for id in (R2, R3):
        (shop.root / f"migrations/versions/{id}.py").unlink()
    with_catalogue(shop, server)
    assert shop.run("up", url=database.url()).code == 0
    (shop.root / f"migrations/versions/{NEWER}.py").unlink()
    shop.revision(R2, R1, "create table orders (id int primary key, total numeric)")
    shop.revision(R3, R2, "alter table orders add note text")
    with_catalogue(shop, server)
    result = refused(shop, database, "unknown-revision", ("status",), ("up",))
    assert f"'{NEWER}' is removed from the history: surefoot's journal says" in seen(result)
    assert f"after {R1}, where the code continues differently" in seen(result)


def test_an_id_that_nobody_knows_over_an_older_structure(
    shop: Application, database: Database
) -> None:
    """What is newer has more than the code knows; this has less: no newer release made it."""
    at(shop, database, R1, f"update alembic_version set version_num = '{NEWER}'")
    result = refused(shop, database, "unknown-revision", ("status",), ("up",), ("adopt",))
    assert f"'{NEWER}' is not known: nothing here says which revision it was" in seen(result)
    assert f"by its structure it is at {R1}" in seen(result)
    assert "this code's head needs more than is there" in seen(result)
    assert shop.run("repair", "--yes", url=database.url()).code == 0
    assert rows(database) == [R1]


def test_repair_of_what_is_in_order_does_nothing(shop: Application, database: Database) -> None:
    """At head, behind, or newer: the version table is right."""
    for revision in (R2, R3):
        shop.alembic("upgrade", revision, url=database.url(DRIVER))
        before = database.dump()
        result = shop.run("repair", "--yes", url=database.url())
        assert result.code == 0
        assert "nothing to record" in text(result)
        assert database.dump() == before


def test_repair_of_a_structure_that_is_none(shop: Application, database: Database) -> None:
    """Where the structure is no revision's, a person must name one, and accept the difference."""
    at(shop, database, R2, "update alembic_version set version_num = 'non sense'")
    database.execute("alter table orders drop column total")
    refused(shop, database, "version-table-corrupted", ("repair", "--yes"))
    refused(shop, database, "unidentified-structure", ("repair", R2, "--yes"))
    result = shop.run("repair", R2, "--accept-difference", "--yes", url=database.url())
    assert result.code == 0, result.err
    assert rows(database) == [R2]


def test_a_corrupted_table_without_a_catalogue(shop: Application, database: Database) -> None:
    """Nothing to go by: refused, with the way to a catalogue."""
    at(shop, database, R2, CORRUPTED["cut short"][0])
    (shop.root / "migrations/surefoot-catalog.txt").unlink()
    result = refused(shop, database, "version-table-corrupted", ("up",), ("repair", "--yes"))
    assert "there is no catalogue" in seen(result)
    assert "surefoot catalog build" in result.json["findings"][0]["next"]


def test_the_databases_comment_is_evidence(shop: Application, database: Database) -> None:
    """A comment as earlier scripts wrote it is shown, and decides nothing."""
    at(shop, database, R1, "update alembic_version set version_num = 'non sense'")
    name = database.name
    database.execute(f"comment on database {name} is 'Shop v1.0.28 - Generated 2025-10-19'")
    says = 'the database\'s comment says "Shop v1.0.28 - Generated 2025-10-19"'
    assert says in seen(refused(shop, database, "version-table-corrupted", ("up",)))
    database.execute("drop table alembic_version; alter table customers drop name")
    assert says in seen(refused(shop, database, "unidentified-structure", ("up",)))


def test_the_form_of_an_id_proves_nothing(shop: Application, database: Database) -> None:
    """Over head's very structure: nobody saw it run, so it isn't taken for newer."""
    at(shop, database, R3, "update alembic_version set version_num = 'double_n'")
    result = refused(shop, database, "unknown-revision", ("status",), ("plan",), ("up",))
    assert "everything that this code's head promises is there" in seen(result)
    assert "every object here is made by a revision of this code" in seen(result)
    assert "surefoot repair" in result.json["findings"][0]["next"]
    assert shop.run("repair", "--yes", url=database.url()).code == 0
    assert rows(database) == [R3]


def test_an_id_that_nobody_knows_in_a_database_of_surefoots(
    shop: Application, database: Database
) -> None:
    """The journal knows every revision that ran here, and doesn't know this one."""
    assert shop.run("up", url=database.url()).code == 0
    database.execute("update alembic_version set version_num = 'invalid_revision_12345'")
    result = refused(shop, database, "unknown-revision", ("status",), ("up",))
    assert "surefoot's journal does not say that it has run here" in seen(result)
    assert shop.run("repair", "--yes", url=database.url()).code == 0
    assert rows(database) == [R3]
    assert shop.run("up", url=database.url()).code == 0


@pytest.mark.slow
@pytest.mark.follows("unknown-revision")
def test_a_revision_that_was_renamed(shop: Application, database: Database, server: Server) -> None:
    """The catalogue keeps the old id, and knows which revision makes the same."""
    catalogue = shop.root / "migrations/surefoot-catalog.txt"
    at(shop, database, R3, "select 1")
    file = shop.root / f"migrations/versions/{R3}.py"
    body = file.read_text()
    file.unlink()
    (shop.root / "migrations/versions/renamed.py").write_text(body.replace(R3, "renamed"))
    built = shop.run("catalog", "build", "--no-downgrade", "--server", server.url())
    assert built.code == 0, built.err
    assert f"removed\t{R3}\n" in catalogue.read_text()
    result = refused(shop, database, "unknown-revision", ("status",), ("up",))
    assert "says that renamed replaced it, with the same structure" in seen(result)
    assert next_of(result).startswith("it was replaced by another revision")
    arrives(shop, database, result)
    assert rows(database) == ["renamed"]
    again = shop.run("catalog", "build", "--no-downgrade", "--server", server.url(), "--json")
    assert again.json["changed"] is False


@pytest.mark.slow
def test_what_is_older_than_a_squash(shop: Application, database: Database, server: Server) -> None:
    """All revisions became one; a database at one of them is told that it is older than that."""
    at(shop, database, R2, "select 1")
    for id in (R1, R2, R3):
        (shop.root / f"migrations/versions/{id}.py").unlink()
    shop.revision(
        "squashed",
        None,
        "create table customers (id int primary key, name text)",
        "create table orders (id int primary key, total numeric, note text)",
    )
    built = shop.run("catalog", "build", "--no-downgrade", "--server", server.url())
    assert built.code == 0, built.err
    result = refused(shop, database, "unknown-revision", ("status",), ("up",))
    assert "says that it is older than squashed" in seen(result)
    assert "run the last release that has it" in result.json["findings"][0]["next"]
    database.execute("alter table orders add note text")
    database.execute(f"update alembic_version set version_num = '{R3}'")
    result = refused(shop, database, "unknown-revision", ("up",))
    assert "says that squashed replaced it, with the same structure" in seen(result)
    assert shop.run("repair", "--yes", url=database.url()).code == 0
    assert shop.run("up", url=database.url()).code == 0


def test_a_newer_row_beside_a_corrupted_one_is_not_thrown_away(
    shop: Application, database: Database
) -> None:
    """What is newer has run: neither of them takes it back, whatever stands beside it."""
    shop.revision(NEWER, R3, "create table invoices (id int)")
    assert shop.run("up", url=database.url()).code == 0
    (shop.root / f"migrations/versions/{NEWER}.py").unlink()
    database.execute("insert into alembic_version values ('???? x')")
    refused(shop, database, "version-table-corrupted", ("up",))
    refused(shop, database, "database-ahead-of-code", ("repair", "--yes"), ("repair", R3, "--yes"))


def test_a_head_that_only_changes_data_leaves_a_doubt(
    shop: Application, database: Database, server: Server
) -> None:
    """The structure is the head's, and that of the revision below it: the row may be another
    branch's, and head's backfill may not have run.
    """
    shop.revision("c90f4d21ab37", R3, "update orders set note = 'seen'")
    with_catalogue(shop, server)
    at(shop, database, R3, f"update alembic_version set version_num = '{NEWER}'")
    result = refused(shop, database, "unknown-revision", ("status",), ("up",))
    assert f"by its structure it is at one of {R3} (" in seen(result)
    assert "which don't differ in structure" in seen(result)
    refused(shop, database, "unknown-revision", ("repair", "--yes"))


def test_schemas_of_several_installations(shop: Application, database: Database) -> None:
    """Where env.py names the schema, a version table in another one is another installation's."""
    database.execute(
        "create schema tenant_a; create table tenant_a.alembic_version (version_num text);"
        f"insert into tenant_a.alembic_version values ('{R2}')"
    )
    shop.env(options='version_table_schema="tenant_b"')
    database.execute("create schema tenant_b")
    result = shop.run("up", url=database.url())
    assert result.code == 0, result.err
    assert database.query("select version_num from tenant_b.alembic_version") == [(R3,)]
    assert database.query("select version_num from tenant_a.alembic_version") == [(R2,)]


@pytest.mark.slow
@pytest.mark.provokes("interrupted-revision")
@pytest.mark.parametrize("finish", [True, False], ids=["finished", "undone"])
@pytest.mark.follows("interrupted-revision")
def test_a_revision_that_was_left_half_way_is_for_a_person(
    application: Application, server: Server, database: Database, finish: bool
) -> None:
    """Its structure is there, and its backfill isn't: no command records it by itself."""
    application.revision(R1, None, "create table people (id int primary key, n int)")
    application.revision(R2, R1, body=HALF_WAY.format(table="people"))
    with_catalogue(application, server)
    application.alembic("upgrade", R1, url=database.url(DRIVER))
    database.execute("insert into people values (1, 5)")
    assert application.run("up", url=database.url()).code == 6
    for command in (("status",), ("up",), ("adopt", "--yes"), ("repair", "--yes")):
        refusal = application.run(*command, "--json", url=database.url())
        assert (refusal.code, refusal.error) == (4, "interrupted-revision"), refusal.err
    database.execute("delete from people where id = 2")  # why it failed
    if finish:
        database.execute("update people set n = 2 * n")
    else:
        database.execute("drop index people_n; delete from people")
    named = R2 if finish else R1
    arrives(application, database, refusal, only=f"surefoot repair {named}")
    assert rows(database) == [R2]
    assert database.query("select n from people") == ([(10,)] if finish else [])


HALF_WAY = """\
with op.get_context().autocommit_block():
    op.execute('create index concurrently if not exists {table}_n on {table} (n)')
    op.execute('insert into {table} select 2 where exists (select from {table})')
op.execute('update {table} set n = 2 * n')
op.execute('select 1 / case when exists (select from {table} where id = 2) then 0 else 1 end')
"""


def test_a_first_revision_that_was_left_half_way(
    application: Application, server: Server, database: Database
) -> None:
    """There is no version row yet, and the structure is exactly the revision's: not adopted."""
    application.revision(
        R1,
        None,
        body="with op.get_context().autocommit_block():\n"
        "    op.execute('create table if not exists people (id int primary key, n int)')\n"
        "op.execute('insert into people values (1, 1)')\n"
        "op.execute('select 1 / count(*) from pg_class where relname <> \\'wanted\\''\n"
        "    ' and current_database() not like \\'test%\\'')",
    )
    application.revision(R2, R1, "create table pets (id int)")
    with_catalogue(application, server)
    assert application.run("up", url=database.url()).code == 6
    result = application.run("up", "--json", url=database.url())
    assert (result.code, result.error) == (4, "interrupted-revision"), result.err
    assert database.query("select count(*) from people") == [(0,)]


@pytest.mark.slow
def test_rows_that_are_there_twice_are_not_believed(shop: Application, database: Database) -> None:
    """The journal knows of a later revision, which doesn't change the structure."""
    shop.revision("c90f4d21ab37", R3, "update orders set total = 2 * total")
    (shop.root / "migrations/surefoot-catalog.txt").unlink()
    build = ("catalog", "build", "--no-downgrade", "--server", database.server.url())
    assert shop.run(*build).code == 0
    assert shop.run("up", url=database.url()).code == 0
    database.execute(
        f"{NO_KEY} update alembic_version set version_num = '{R3}';"
        " insert into alembic_version select * from alembic_version"
    )
    result = refused(shop, database, "version-table-corrupted", ("up",), ("repair", "--yes"))
    assert "surefoot's journal ends with revision c90f4d21ab37" in seen(result)
    assert shop.run("repair", "c90f4d21ab37", "--yes", url=database.url()).code == 0
    assert rows(database) == ["c90f4d21ab37"]


def test_the_journals_word_is_told_to_whoever_names_a_revision(
    shop: Application, database: Database
) -> None:
    """What it says has run would run a second time."""
    assert shop.run("up", url=database.url()).code == 0
    database.execute("update alembic_version set version_num = ' '")
    result = refused(shop, database, "version-table-corrupted", ("up",))
    assert f"surefoot's journal ends with revision {R3}" in seen(result)
    result = shop.run("repair", R2, "--accept-difference", url=database.url())
    assert f"surefoot's journal says that {R3} has run here; it would run again" in text(result)


def test_a_policy_that_hides_the_version_row(
    shop: Application, database: Database, server: Server
) -> None:
    """Hidden is not empty: told, and nothing adopted."""
    at(shop, database, R2, "alter table alembic_version enable row level security")
    database.execute(
        "do $$ begin create role surefoot_reader login password 'x'; exception when"
        " duplicate_object then null; end $$;"
        "grant all on all tables in schema public to surefoot_reader"
    )
    url = database.url().replace("postgres:", "surefoot_reader:", 1)
    url = url[: url.index("surefoot_reader:")] + "surefoot_reader:x" + url[url.index("@") :]
    result = shop.run("status", "--json", url=url)
    assert (result.code, result.error) == (4, "version-table-unreadable"), result.err


@pytest.mark.slow
def test_a_session_that_holds_the_version_table(shop: Application, database: Database) -> None:
    """It's waited for, and not for ever: everybody else would queue behind us."""
    at(shop, database, R2, CORRUPTED["a number"][0])
    with database.connect() as other:
        other.execute("begin")
        other.execute("select * from alembic_version")
        result = shop.run("repair", "--yes", "--json", url=database.url())
    assert (result.code, result.error) == (5, "lock-not-available"), result.err
    assert rows(database) == ["28"]


def test_another_installations_version_table_is_no_misplaced_one(
    shop: Application, database: Database
) -> None:
    """It has tables, so a person must say that two are meant. Then it stays, and this one is
    installed.
    """
    database.execute(
        "create schema tenant_a; create table tenant_a.customers (id int);"
        "create table tenant_a.alembic_version (version_num text);"
        f"insert into tenant_a.alembic_version values ('{R2}'); create schema tenant_b"
    )
    shop.env(options='version_table_schema="tenant_b"')
    result = refused(shop, database, "version-table-elsewhere", ("status",), ("up",))
    run_next(next_of(result), database, shop, only="surefoot up --shared")
    assert database.query("select version_num from tenant_a.alembic_version") == [(R2,)]
    assert database.query("select version_num from tenant_b.alembic_version") != []


def test_what_was_left_half_way_is_remembered_though_its_end_was_rolled_back(
    application: Application, server: Server, database: Database
) -> None:
    """The mark was durable with the first commit; the end of the revision fails at its own."""
    application.revision(
        R1,
        None,
        body="with op.get_context().autocommit_block():\n"
        "    op.execute('create table a (id int primary key)')\n"
        "op.execute('create table b (id int references a deferrable initially deferred)')\n"
        "op.execute('insert into b values (1)')",
    )
    assert application.run("up", url=database.url()).code == 6
    assert database.query("select step, name from surefoot.journal") == [("begun", R1)]
    result = application.run("up", "--json", url=database.url())
    assert (result.code, result.error) == (4, "interrupted-revision"), result.err


IN_THE_WAY = {
    "before, returns null": (
        "create function spoil() returns trigger language plpgsql as 'begin return null; end';"
        " create trigger spoiler before insert or update or delete on alembic_version"
        " for each row execute function spoil()",
        "trigger spoiler on public.alembic_version executes function public.spoil()",
    ),
    "before, writes another": (
        "create function spoil() returns trigger language plpgsql as"
        " 'begin new.version_num := ''other''; return new; end';"
        " create trigger spoiler before insert on alembic_version"
        " for each row execute function spoil()",
        "trigger spoiler on public.alembic_version executes function public.spoil()",
    ),
    "at the commit": (
        "create function spoil() returns trigger language plpgsql as"
        " 'begin delete from public.alembic_version; return null; end';"
        " create constraint trigger spoiler after insert on alembic_version"
        " deferrable initially deferred for each row execute function spoil()",
        "trigger spoiler on public.alembic_version executes function public.spoil()",
    ),
}


@pytest.mark.parametrize("case", IN_THE_WAY)
@pytest.mark.provokes("repair-failed")
@pytest.mark.follows("repair-failed")
def test_rows_that_do_not_stay_as_written(shop: Application, database: Database, case: str) -> None:
    """Nothing is said to be recorded; the trigger is named, and `next` disables it."""
    spoils, named = IN_THE_WAY[case]
    at(shop, database, R2, "update alembic_version set version_num = 'non sense'")
    database.execute(spoils)
    before = database.dump()
    result = shop.run("repair", "--yes", "--json", url=database.url())
    assert (result.code, result.error) == (5, "repair-failed"), result.err
    (finding,) = result.json["findings"]
    assert finding["database"].startswith("Rolled back, verified.")
    assert named in seen(result)
    assert f"written: {R2}" in seen(result)
    assert "recorded" not in result.err
    assert database.dump() == before
    run_next(next_of(result), database, shop)
    assert shop.run("repair", "--yes", url=database.url()).code == 0
    assert rows(database) == [R2]


def test_an_approved_adoption_that_does_not_stay_as_written(
    shop: Application, database: Database
) -> None:
    """`up` does not say that it was recorded."""
    at(shop, database, R3, f"update alembic_version set version_num = '{R2}'")
    database.execute(IN_THE_WAY["before, returns null"][0])
    refusal = shop.run("up", "--json", url=database.url())
    (approval,) = (s for s in steps_of(next_of(refusal)).lines if s.startswith("SUREFOOT_APPROVE="))
    name, _, word = approval.partition("=")
    result = shop.run(
        "up", "--json", url=database.url(), env={name: word.removesuffix(" surefoot up")}
    )
    assert (result.code, result.error) == (5, "repair-failed"), result.out + result.err
    assert "trigger spoiler" in seen(result)
    assert rows(database) == [R2]


def test_the_row_of_an_installation_that_does_not_stay(
    shop: Application, database: Database, server: Server
) -> None:
    """The script made the trigger with the version table: everything is rolled back."""
    shop.write(
        "init.sql",
        f"-- surefoot: revision={R1}\n"
        "create table customers (id int primary key, name text);\n"
        "create table alembic_version (version_num varchar(32) primary key);\n"
        f"{IN_THE_WAY['before, returns null'][0]};\n",
    )
    shop.config('init = ["init.sql"]\n')
    result = shop.run("up", "--json", url=database.url())
    assert (result.code, result.error) == (5, "repair-failed"), result.out + result.err
    assert "trigger spoiler" in seen(result)
    assert database.tables() == []
