"""Writing the journal isn't executing SQL: what an older image takes from it is judged first."""

import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from surefoot.catalogue.catalogue import Change, DownStatement
from surefoot.downgrades.recipe import DowngradeRecipe
from surefoot.postgres.embedded import Server
from tests.support.database import Database
from tests.support.going_down import CATALOGUE, CUSTOMERS, R1, R2, older, text, up, with_catalogue
from tests.support.next_steps import next_of, run_next
from tests.support.project import Application

READER = msgspec.json.Decoder(tuple[DowngradeRecipe, ...])


@pytest.fixture
def shop(application: Application, server: Server) -> Application:
    """A table, and a revision on it that the older image doesn't have."""
    application.revision(R1, None, CUSTOMERS, downgrade="op.execute('drop table customers')")
    application.revision(
        R2,
        R1,
        "alter table customers add phone text",
        downgrade="op.drop_column('customers', 'phone')",
    )
    with_catalogue(application, server)
    return application


@pytest.fixture
def image(shop: Application, database: Database, tmp_path: Path, server: Server) -> Application:
    """The older image, on a database that the newer one has upgraded."""
    up(shop, database)
    return older(shop, tmp_path / "older", R2, server=server)


@pytest.fixture
def mallory(database: Database) -> Iterator[str]:
    """A role that may write the journal, and nothing else."""
    role = f"mallory_{database.name}"
    database.execute(
        f"create role {role} login; grant usage on schema surefoot to {role};"
        f"grant select, update on surefoot.journal to {role}"
    )
    yield role
    database.execute(f"drop owned by {role}; drop role {role}")


def kept(database: Database) -> tuple[DowngradeRecipe, ...]:
    ((stored,),) = database.query(
        f"select down from surefoot.journal where step = 'revision' and name = '{R2}'"
    )
    return READER.decode(stored)


def rewrite(database: Database, *backs: DowngradeRecipe) -> None:
    """What the journal keeps of the newer revision, replaced."""
    with database.connect() as connection:
        connection.execute(
            "update surefoot.journal set down = %s where step = 'revision' and name = %s",
            (msgspec.json.encode(backs).decode(), R2),
        )


def with_statement(back: DowngradeRecipe, sql: str) -> DowngradeRecipe:
    statements = (*back.statements, DownStatement(sql))
    return msgspec.structs.replace(back, statements=statements)


HARMFUL = [
    "create role surefoot_planted",
    "delete from customers",
    "do $$ begin perform 1; end $$",
    "create function public.planted() returns int language sql as 'select 1'",
    "grant select on customers to public",
    "alter table customers add constraint c check (pg_catalog.length(name) > 0)",
]


@pytest.mark.provokes("journal-unverified")
@pytest.mark.parametrize("sql", HARMFUL)
def test_a_statement_that_structure_cannot_verify_needs_leave(
    image: Application, database: Database, sql: str
) -> None:
    """It is shown, with its revision; nothing is executed, and --yes is no leave."""
    (back,) = kept(database)
    rewrite(database, with_statement(back, sql))
    before = database.dump()
    result = image.run("down", "--to", "head", "--yes", "--json", url=database.url())
    codes = [finding["code"] for finding in result.json["findings"]]
    assert (result.code, codes[0]) == (4, "journal-unverified"), result.err
    assert f"{R2}: {sql}" in text(result)
    assert database.dump() == before
    assert database.query("select 1 from pg_roles where rolname = 'surefoot_planted'") == []


def test_what_next_says_leads_on(image: Application, database: Database) -> None:
    """The statements were read and are right: with the named option they are executed."""
    (back,) = kept(database)
    rewrite(database, with_statement(back, "comment on database template1 is null"))
    refused = image.run("down", "--to", "head", "--yes", "--json", url=database.url())
    (command,) = set(re.findall(r"surefoot (down --to [\w -]*-journal)", text(refused)))
    result = image.run(*command.split(), "--yes", url=database.url())
    assert result.code == 0, result.err
    assert database.query("select version_num from alembic_version") == [(R1,)]


def test_what_others_may_have_written_needs_leave(
    image: Application, database: Database, mallory: str
) -> None:
    """Also a statement that only drops: the role is named, with the REVOKE that ends this."""
    result = image.run("down", "--to", "head", "--yes", "--json", url=database.url())
    assert (result.code, result.error) == (4, "journal-unverified"), result.err
    assert f"{mallory} may write the journal" in text(result)
    (revoke,) = re.findall(r"(revoke [^;]*;)", text(result))
    database.execute(revoke)
    assert image.run("down", "--to", "head", "--yes", "--json", url=database.url()).code == 0


@pytest.mark.parametrize(
    "grant",
    [
        "grant insert on surefoot.journal to {}",
        "grant update (down) on surefoot.journal to {}",
        "grant all on surefoot.journal to public; create role {0}_m login in role {0}",
    ],
)
def test_whoever_may_write_is_found(
    image: Application, database: Database, mallory: str, grant: str
) -> None:
    """By a grant on the table, on a column, or to everybody."""
    database.execute(f"revoke update on surefoot.journal from {mallory}")
    assert "may write" not in text(image.run("down", "--to", "head", "--json", url=database.url()))
    database.execute(grant.format(mallory))
    result = image.run("down", "--to", "head", "--yes", "--json", url=database.url())
    assert result.error == "journal-unverified", result.err
    assert f"{mallory}" in text(result)
    database.execute(f"drop role if exists {mallory}_m; revoke all on surefoot.journal from public")


def test_losses_are_worked_out_from_the_statements(image: Application, database: Database) -> None:
    """A journal that calls a revision proved, and keeps no loss, hides nothing."""
    database.execute("insert into customers values (1, 'Ada', '123')")
    (back,) = kept(database)
    rewrite(database, msgspec.structs.replace(back, verdict="proved", losses=()))
    result = image.run("down", "--to", "head", "--yes", "--json", url=database.url())
    assert (result.code, result.error) == (4, "data-would-be-lost"), result.err
    assert "drops column public.customers.phone, which has a value in 1 row" in text(result)


def test_the_sql_is_shown_before_anybody_is_asked(image: Application, database: Database) -> None:
    """In the plan, a line a statement, and in what a script is told without --yes."""
    result = image.run("down", "--to", "head", "--json", url=database.url())
    assert result.error == "confirmation-needed", result.err
    plan = result.err.partition("surefoot can't begin")[0]
    assert "ALTER TABLE customers DROP COLUMN phone" in plan, result.err
    assert "ALTER TABLE customers DROP COLUMN phone" in result.err[len(plan) :]


def test_counting_runs_nobody_s_code(image: Application, database: Database) -> None:
    """A view in the place of a table isn't read: its rows count as ones that can't be counted."""
    database.execute(
        "create table trace (role text);"
        "create function public.leave_trace() returns boolean language plpgsql as"
        " $$ begin insert into public.trace values (current_user); return true; end $$"
    )
    (back,) = kept(database)
    bait = Change("relation", "public.bait", (), ("table",))
    forged = msgspec.structs.replace(
        back,
        changes=(*back.changes, bait),
        statements=(*back.statements, DownStatement("drop table bait")),
    )
    database.execute("create view bait as select 1 as a where public.leave_trace()")
    rewrite(database, forged)
    result = image.run("down", "--to", "head", "--yes", "--json", url=database.url())
    assert result.code == 4, result.err
    assert "bait" in result.err
    assert database.query("select * from trace") == []


def test_the_image_has_the_files_and_no_catalogue(
    shop: Application, database: Database, server: Server
) -> None:
    """There is no newer image to run: the catalogue is missing, which takes no SQL from the
    journal.
    """
    shop.revision(
        R2,
        R1,
        "alter table customers add phone text",
        downgrade="with op.get_context().autocommit_block():\n"
        "    op.execute('create index concurrently x on customers (name)')\n"
        "    op.execute('drop index concurrently x')\n"
        "op.drop_column('customers', 'phone')\nop.execute('delete from customers')",
    )
    with_catalogue(shop, server)
    up(shop, database)
    (back,) = kept(database)
    rewrite(database, with_statement(back, "delete from customers"))
    catalogue = (shop.root / CATALOGUE).read_bytes()
    (shop.root / CATALOGUE).unlink()
    result = shop.run("down", "--to", R1, "--yes", "--json", url=database.url())
    finding, *_ = result.json["findings"]
    assert finding["code"] == "journal-unverified", result.out + result.err
    assert "newer image" not in finding["next"]
    assert "surefoot catalog build" in finding["next"]
    (shop.root / CATALOGUE).write_bytes(catalogue)
    options = ("--yes", "--accept-data-loss")
    assert shop.run("down", "--to", R1, *options, url=database.url()).code == 0
    assert database.query("select version_num from alembic_version") == [(R1,)]


@pytest.mark.provokes("journal-unverified")
@pytest.mark.follows("journal-unverified")
def test_cleanup_does_not_believe_what_others_may_have_written(
    shop: Application, image: Application, database: Database, mallory: str
) -> None:
    """A table of the user's own that the journal claims for a revision stays."""
    assert shop.run("down", "--to", R1, "--yes", url=database.url()).code == 0
    database.execute("create table own (id int)")
    (back,) = kept(database)
    own = (
        Change("relation", "public.own", (), ("table",)),
        Change("column", "public.own.id", (), ("integer",)),
    )
    rewrite(database, msgspec.structs.replace(back, changes=(*back.changes, *own)))
    result = image.run("cleanup", "--yes", "--json", url=database.url())
    assert (result.code, result.error) == (4, "journal-unverified"), result.err
    assert mallory in text(result)
    assert "public.own" in database.tables()
    run_next(next_of(result), database, image)
    assert "public.own" not in database.tables()
    writes = f"select has_table_privilege('{mallory}', 'surefoot.journal', 'update')"
    assert database.query(writes) == [(False,)]
