"""Going back: by the revisions' own downgrade(), or by what the journal has kept of it."""

import shlex
from pathlib import Path

import pytest

from surefoot.postgres.embedded import Server
from tests.support import catalogues
from tests.support.database import Database
from tests.support.example import Example
from tests.support.going_down import R1, R2, R3, R4, mood, older, shop, text, up, with_catalogue
from tests.support.next_steps import next_of, run_next, steps_of
from tests.support.project import Application, Running

__all__ = ["shop"]  # a fixture

STRUCTURE = ("--schema-only", "--exclude-schema=surefoot")


def journal(database: Database) -> list[tuple[str, str]]:
    rows = database.query("select step, name from surefoot.journal order by id")
    return [(step, name) for step, name in rows]


def below(application: Application, database: Database, *revisions: str) -> str:
    """What plain Alembic makes of these revisions alone."""
    for id in revisions:
        application.alembic("upgrade", id, url=database.url("postgresql+psycopg"))
    return database.dump("--schema-only", "--exclude-schema=surefoot")


def test_the_newer_image_goes_back_by_its_own_files(
    shop: Application, database: Database, other_database: Database
) -> None:
    """The structure is what the older revision alone would have made; then up again."""
    up(shop, database)
    there = database.dump("--schema-only", "--exclude-schema=surefoot")
    result = shop.run("down", "--to", R1[:6], "--yes", url=database.url())
    assert result.code == 0, result.err
    assert "2 revisions undone, in one transaction" in text(result)
    assert database.query("select version_num from alembic_version") == [(R1,)]
    dump = database.dump("--schema-only", "--exclude-schema=surefoot")
    assert dump == below(shop, other_database, R1)
    assert journal(database)[-3:] == [("down", R3), ("down", R2), ("reached", R1)]
    status = shop.run("status", "--json", url=database.url())
    assert (status.code, status.json["state"]) == (3, "behind"), status.err
    up(shop, database)
    assert database.dump("--schema-only", "--exclude-schema=surefoot") == there


@pytest.mark.slow
def test_an_older_image_goes_back_without_the_files(
    shop: Application, database: Database, other_database: Database, tmp_path: Path, server: Server
) -> None:
    """By the statements in the journal: to what its own code alone would have made."""
    up(shop, database)
    image = older(shop, tmp_path / "older", R2, R3, server=server)
    ahead = image.run("status", "--json", url=database.url())
    assert ahead.json["state"].startswith("ahead"), ahead.err
    result = image.run("down", "--to", "head", "--yes", url=database.url())
    assert result.code == 0, result.err
    assert database.query("select version_num from alembic_version") == [(R1,)]
    dump = database.dump("--schema-only", "--exclude-schema=surefoot")
    assert dump == below(image, other_database, R1)
    again = image.run("up", url=database.url())
    assert (again.code, "nothing to do" in again.err) == (0, True), again.err
    up(shop, database)
    assert database.query("select version_num from alembic_version") == [(R3,)]


@pytest.mark.provokes("data-would-be-lost")
@pytest.mark.follows("data-would-be-lost")
def test_data_is_counted_and_not_lost_without_leave(shop: Application, database: Database) -> None:
    """Tables and columns with rows are listed with their numbers before anything runs."""
    up(shop, database)
    database.execute(
        "insert into customers values (1, 'Ada', '123'), (2, 'Bob', null);"
        "insert into orders values (1, 1), (2, 1), (3, 2)"
    )
    before = database.dump()
    result = shop.run("down", "--to", R1, "--yes", "--json", url=database.url())
    assert (result.code, result.error) == (4, "data-would-be-lost"), result.err
    assert "drops table public.orders, which has 3 rows" in text(result)
    assert "drops column public.customers.phone, which has a value in 1 row" in text(result)
    assert database.dump() == before
    run_next(next_of(result), database, shop)
    assert database.query("select id, name from customers") == [(1, "Ada"), (2, "Bob")]


def test_without_a_terminal_and_without_yes_it_asks_nobody(
    shop: Application, database: Database
) -> None:
    """It refuses rather than assume."""
    up(shop, database)
    before = database.dump()
    result = shop.run("down", "--to", "-1", "--json", url=database.url())
    assert (result.code, result.error) == (2, "confirmation-needed")
    assert database.dump() == before


@pytest.mark.provokes("goal-unclear")
@pytest.mark.parametrize("word", ["-9", R3])
@pytest.mark.follows("goal-unclear")
def test_a_goal_must_be_below(shop: Application, database: Database, word: str) -> None:
    """What has not run can't be gone back to, nor more revisions than there are."""
    up(shop, database)
    if word == R3:
        assert shop.run("down", "--to", "-1", "--yes", url=database.url()).code == 0
    before = database.dump()
    result = shop.run("down", "--to", word, "--yes", "--json", url=database.url())
    assert (result.code, result.error) == (2, "goal-unclear"), result.err
    assert database.dump() == before
    assert "surefoot down --to" in next_of(result)
    assert shop.run("down", "--to", R1, "--yes", url=database.url()).code == 0


def test_without_a_version_row_there_is_nothing_to_go_back_from(
    shop: Application, database: Database
) -> None:
    """Whatever the goal is: the refusal says that no revision is recorded, and how to record it."""
    up(shop, database)
    database.execute("drop table alembic_version")
    for goal in ("base", R1, "-1"):
        result = shop.run("down", "--to", goal, "--yes", "--json", url=database.url())
        assert (result.code, result.error) == (4, "unversioned-database"), result.err
    assert "No revision is recorded" in text(result)
    assert R3 in text(result)
    run_next(next_of(result), database, shop)
    assert shop.run("down", "--to", "-1", "--yes", url=database.url()).code == 0
    assert database.query("select version_num from alembic_version") == [(R2,)]


def test_an_empty_database_has_nothing_to_go_back_from(
    shop: Application, database: Database
) -> None:
    result = shop.run("down", "--to", "-1", "--yes", "--json", url=database.url())
    assert (result.code, result.error) == (4, "nothing-to-compare"), result.err


@pytest.mark.slow
@pytest.mark.provokes("no-way-back")
@pytest.mark.follows("no-way-back")
def test_what_has_no_way_back_is_told_before_the_first_step(
    shop: Application, database: Database, server: Server
) -> None:
    """With how far one can go."""
    shop.revision(R4, R3, "create table log (id int)", downgrade="pass")
    last = "f7a2130b5c8e"
    shop.revision(last, R4, "create table more (id int)", downgrade="op.drop_table('more')")
    with_catalogue(shop, server)
    up(shop, database)
    before = database.dump()
    result = shop.run("down", "--to", R1, "--yes", "--json", url=database.url())
    assert (result.code, result.error) == (4, "no-way-back"), result.err
    assert f"{R4} (Revision {R4}): it has no working downgrade" in text(result)
    assert database.dump() == before
    run_next(next_of(result), database, shop)
    assert database.query("select version_num from alembic_version") == [(R4,)]


def test_the_backup_is_named_only_if_there_is_one(
    application: Application, database: Database, server: Server
) -> None:
    application.revision("r1", None, "create table people (id int)")
    fails = "raise NotImplementedError"
    application.revision("r2", "r1", "create table log (id int)", downgrade=fails)
    catalogues.with_catalogue(application, server)
    application.alembic("upgrade", "r1", url=database.url("postgresql+psycopg"))
    down = ("down", "--to", "r1", "--yes", "--json")
    up(application, database)
    result = application.run(*down, url=database.url())
    assert (result.code, result.error) == (4, "no-way-back"), result.err
    assert "restore" not in next_of(result)
    database.execute("drop table log; update alembic_version set version_num = 'r1'")
    assert application.run("backup", url=database.url()).code == 0
    up(application, database)
    (command,) = steps_of(next_of(application.run(*down, url=database.url()))).commands
    restored = application.run(*shlex.split(command)[1:], "--yes", url=database.url())
    assert restored.code == 0, restored.err
    assert database.query("select version_num from alembic_version") == [("r1",)]


def test_the_users_own_is_in_the_way_and_kept(shop: Application, database: Database) -> None:
    """A column of the user's own on a table that would go: told, and nothing is dropped."""
    up(shop, database)
    database.execute(
        "alter table orders add remark text; create view v as select phone from customers"
    )
    before = database.dump()
    result = shop.run("down", "--to", R1, "--yes", "--json", url=database.url())
    assert result.code == 4, result.err
    codes = {finding["code"] for finding in result.json["findings"]}
    assert codes == {"customisation-in-the-way"}, result.err
    assert "column public.orders.remark" in text(result)
    assert "view public.v" in text(result)
    assert database.dump() == before


@pytest.mark.slow
@pytest.mark.provokes("way-back-differs")
@pytest.mark.follows("way-back-differs")
def test_a_downgrade_that_does_something_else_here_is_rolled_back(
    shop: Application, database: Database, server: Server
) -> None:
    """On the scratch server it did nothing else; the look before the commit sees that it does."""
    shop.revision(
        R4,
        R3,
        "alter table orders add total numeric",
        body="op.add_column('orders', sa.Column('total', sa.Numeric))",
        downgrade="op.drop_column('orders', 'total')\n"
        "if op.get_bind().scalar(sa.text('select count(*) from customers')):\n"
        "    op.execute('alter table customers drop column phone')",
    )
    with_catalogue(shop, server)
    up(shop, database)
    database.execute("insert into customers values (1, 'Ada', '123')")
    before = database.dump("--exclude-schema=surefoot")  # a sequence counts what is rolled back
    result = shop.run(
        "down", "--to", R3, "--yes", "--accept-data-loss", "--json", url=database.url()
    )
    assert (result.code, result.error) == (5, "way-back-differs"), result.err
    assert "Rolled back, verified" in text(result)
    assert database.dump("--exclude-schema=surefoot") == before
    database.execute("alter table orders drop column total")  # by hand
    run_next(next_of(result), database, shop)
    assert database.query("select version_num from alembic_version") == [(R3,)]
    assert database.query("select phone from customers") == [("123",)]
    up(shop, database)


NEWER_THAN_V1_0_28 = ("c64001afbd46", "4ae0b7d65f13", "f7319c28e0b4", "0d5e92b7c386")


@pytest.mark.slow
@pytest.mark.parametrize("compatible", [True, False], ids=["compatible", "incompatible"])
def test_the_example_is_rolled_back_by_the_older_image(
    tmp_path: Path,
    database: Database,
    other_database: Database,
    server: Server,
    compatible: bool,
) -> None:
    """v1.0.30 is installed and the image rolled back to v1.0.28: it runs with a warning where it
    can, and refuses where it can't; either way it takes the newer revisions back, to what v1.0.28
    alone makes. Then the newest image goes up again.
    """
    newest = Example(tmp_path / "newest", database)
    if compatible:  # without its last revision, whose unique index may refuse what v1.0.28 writes
        (last,) = (newest.root / "alembic/versions").glob("0d5e92b7c386*.py")
        last.unlink()
        catalogues.with_catalogue(newest, server)
    done = newest.surefoot("up")
    assert done.code == 0, done.err
    there = database.dump(*STRUCTURE)
    image = Example(tmp_path / "older", database)
    for name in NEWER_THAN_V1_0_28:
        for file in (image.root / "alembic/versions").glob(f"{name}*.py"):
            file.unlink()
    catalogues.with_catalogue(image, server)
    alone = Example(tmp_path / "alone", other_database, files=image.root)
    assert alone.surefoot("up").code == 0
    started = image.surefoot("up")
    if compatible:
        assert (started.code, "is newer than this code" in started.err) == (0, True), started.err
    else:
        assert started.code == 4, started.err
        assert "index public.bot_deployments.ux_bot_deployments_primary" in text(started)
        assert "surefoot down --to head" in text(started)
    before = database.dump()
    result = image.surefoot("down", "--to", "v1.0.28", "--yes")
    assert (result.code, database.dump()) == (4, before), result.err
    assert "may change rows: DELETE FROM personality_traits" in text(result)
    leave = ("--accept-data-loss", "--trust-journal")
    result = image.surefoot("down", "--to", "v1.0.28", "--yes", *leave)
    assert result.code == 0, result.err
    assert database.dump(*STRUCTURE) == other_database.dump(*STRUCTURE)
    counted = "select count(*) from personality_traits"
    assert database.query(counted) == other_database.query(counted)
    assert "1 seed script run" in image.surefoot("up").err  # its rows may have gone, too
    assert "nothing to do" in image.surefoot("up").err
    again = newest.surefoot("up")
    assert again.code == 0, again.err
    assert database.dump(*STRUCTURE) == there


@pytest.mark.slow
def test_rows_that_come_meanwhile_are_not_lost(shop: Application, database: Database) -> None:
    """What was empty when it was shown is looked at again, locked, before it's dropped."""
    up(shop, database)
    with database.connect() as other:
        other.execute("begin")
        other.execute("insert into customers values (1, 'Ada', null)")
        other.execute("insert into orders values (7, 1)")
        down = Running(shop, "down", "--to", R2, "--yes", "--database-url", database.url())
        down.until("lock was not available")
        other.execute("commit")
        result = down.end()
    assert (result.code, result.error) == (4, "data-would-be-lost"), result.err
    assert "drops table public.orders, which has 1 row" in text(result)
    assert "Rolled back, verified" in text(result)
    assert database.query("select id from orders") == [(7,)]
    assert database.query("select version_num from alembic_version") == [(R3,)]


@pytest.mark.slow
def test_a_killed_run_is_begun_again(
    shop: Application, database: Database, other_database: Database
) -> None:
    """Killed while it waits for a lock: nothing was done, and the same command does all of it."""
    up(shop, database)
    with database.connect() as other:
        other.execute("begin")
        other.execute("lock table customers in access share mode")
        down = Running(shop, "down", "--to", R1, "--yes", "--database-url", database.url())
        down.until("lock was not available")
        down.kill()
        other.execute("commit")
    assert database.query("select version_num from alembic_version") == [(R3,)]
    result = shop.run("down", "--to", R1, "--yes", url=database.url())
    assert result.code == 0, result.err
    dump = database.dump("--schema-only", "--exclude-schema=surefoot")
    assert dump == below(shop, other_database, R1)


@pytest.mark.slow
def test_what_a_downgrade_leaves_is_said_and_cleaned_up(
    shop: Application, database: Database, server: Server
) -> None:
    """It goes back, leaves the type, says so; cleanup drops that, and nothing of the user's."""
    mood(shop, server)
    up(shop, database)
    database.execute("create type mine as enum ('a'); create table own (id int)")
    result = shop.run("down", "--to", R3, "--yes", url=database.url())
    assert result.code == 0, result.err
    assert f"{R4} leaves enum public.mood behind" in text(result)
    shown = shop.run("cleanup", "--json", url=database.url())
    assert (shown.code, shown.error) == (2, "confirmation-needed")
    assert "drop type public.mood" in text(shown)
    result = shop.run("cleanup", "--yes", url=database.url())
    assert result.code == 0, result.err
    assert database.query("select typname from pg_type where typname in ('mood', 'mine')") == [
        ("mine",)
    ]
    assert "public.own" in database.tables()
    again = shop.run("cleanup", "--yes", url=database.url())
    assert (again.code, "nothing to clean up" in text(again)) == (0, True)
    up(shop, database)


@pytest.mark.provokes("cleanup-failed")
@pytest.mark.follows("cleanup-failed")
def test_cleanup_drops_nothing_with_it(
    shop: Application, database: Database, server: Server
) -> None:
    """A function of the user's own hangs on the type: refused, rolled back."""
    mood(shop, server)
    up(shop, database)
    assert shop.run("down", "--to", R3, "--yes", url=database.url()).code == 0
    database.execute("create function f(mood) returns int language sql as 'select 1'")
    result = shop.run("cleanup", "--yes", "--json", url=database.url())
    assert (result.code, result.error) == (5, "cleanup-failed"), result.err
    assert "Rolled back, verified" in text(result)
    assert database.query("select count(*) from pg_type where typname = 'mood'") == [(1,)]
    assert "drop or change them by hand" in next_of(result)
    database.execute("drop function f(mood)")
    assert shop.run("cleanup", "--yes", url=database.url()).code == 0
    assert database.query("select count(*) from pg_type where typname = 'mood'") == [(0,)]


def test_what_a_newer_image_made_is_cleaned_up_after_a_stamp_back(
    shop: Application, database: Database, tmp_path: Path, server: Server
) -> None:
    """The older image is to stay, and its version row was written back by hand: what the newer
    one made is left over, with its rows counted; a table with a column of the user's own stays.
    """
    shop.revision(R4, R3, "create table audit (id int)", downgrade="op.drop_table('audit')")
    with_catalogue(shop, server)
    up(shop, database)
    image = older(shop, tmp_path / "older", R3, R4, server=server)
    database.execute(f"update alembic_version set version_num = '{R2}'")
    database.execute(
        "insert into customers values (1, 'Ada', null); insert into orders values (1, 1);"
        "alter table audit add remark text"
    )
    shown = image.run("cleanup", "--json", url=database.url())
    assert (shown.code, shown.error) == (2, "confirmation-needed"), shown.err
    assert "drops public.orders, which has 1 row" in text(shown)
    assert "column public.audit.remark is your own" in text(shown)
    result = image.run("cleanup", "--yes", url=database.url())
    assert result.code == 0, result.err
    assert "public.orders" not in database.tables()
    assert "public.audit" in database.tables()


def test_a_branch_that_is_not_named_stays(
    application: Application, database: Database, server: Server
) -> None:
    """Two heads: going back on one of them takes the name of the other, where it stays."""
    application.revision("a1", None, "create table a (id int)", downgrade="op.drop_table('a')")
    application.revision("b1", "a1", "create table b (id int)", downgrade="op.drop_table('b')")
    application.revision("c1", "a1", "create table c (id int)", downgrade="op.drop_table('c')")
    application.config("heads = 2\n")
    with_catalogue(application, server)
    up(application, database)
    result = application.run("down", "--to", "b1", "--yes", "--json", url=database.url())
    assert (result.code, result.error) == (2, "goal-unclear"), result.err
    unclear = application.run("down", "--to", "-1", "--yes", "--json", url=database.url())
    assert (unclear.code, unclear.error) == (2, "goal-unclear"), unclear.err
    result = application.run("down", "--to", "a1", "--to", "c1", "--yes", url=database.url())
    assert result.code == 0, result.err
    assert database.query("select version_num from alembic_version") == [("c1",)]
    assert database.tables() == [
        "public.a",
        "public.alembic_version",
        "public.c",
        "surefoot.journal",
    ]


def test_an_adopted_database_has_a_way_back_too(
    shop: Application, database: Database, tmp_path: Path, server: Server
) -> None:
    """Made by plain Alembic, adopted by the newer image: the older one can take it back."""
    shop.alembic("upgrade", "head", url=database.url("postgresql+psycopg"))
    database.execute("drop table alembic_version")
    up(shop, database)
    image = older(shop, tmp_path / "older", R2, R3, server=server)
    result = image.run("down", "--to", "head", "--yes", url=database.url())
    assert result.code == 0, result.err
    assert "nothing to do" in image.run("up", url=database.url()).err


def test_what_ran_without_surefoot_has_none_in_an_older_image(
    shop: Application, database: Database, tmp_path: Path, server: Server
) -> None:
    """Nothing is known of it there: refused, with the newer image as the way."""
    shop.alembic("upgrade", "head", url=database.url("postgresql+psycopg"))
    image = older(shop, tmp_path / "older", R2, R3, server=server)
    before = database.dump()
    result = image.run("down", "--to", "head", "--yes", "--json", url=database.url())
    assert (result.code, result.error) == (4, "no-way-back"), result.err
    assert "with the newer image" in text(result)
    assert database.dump() == before
    assert shop.run("down", "--to", R1, "--yes", url=database.url()).code == 0


@pytest.mark.parametrize("how", ["undone", "only stamped", "beside another application"])
def test_a_whole_table_that_a_downgrade_leaves_is_cleaned_up(
    application: Application, database: Database, server: Server, how: str
) -> None:
    """The structure is nearer to the undone revision's. If only the row was changed, or another
    application is there, the table may be in use.
    """
    undone, beside = how != "only stamped", how.startswith("beside")
    if beside:
        database.execute(
            "create table alembic_version_b (version_num varchar(32) primary key);"
            "insert into alembic_version_b values ('b1')"
        )
    application.revision("r1", None, "create table a (id int primary key)")
    application.revision(
        "r2",
        "r1",
        "create table if not exists shared (id int primary key, v text)",
        "create table b (id int primary key)",
        downgrade="op.execute('drop table b')",
    )
    with_catalogue(application, server)
    arrived = application.run("up", "--shared", url=database.url())
    assert arrived.code == 0, arrived.err
    if undone:
        result = application.run(
            "down", "--to", "r1", "--yes", "--accept-data-loss", url=database.url()
        )
        assert result.code == 0, result.err
        said = "so surefoot cleanup doesn't drop them" if beside else "cleanup shows and drops them"
        assert said in text(result)
    else:
        database.execute("update alembic_version set version_num = 'r1'; drop table b")
    result = application.run("cleanup", "--yes", "--json", url=database.url())
    if beside or not undone:
        assert (result.code, result.error) == (4, "structure-contradicts-revision"), result.out
        assert "public.shared" in database.tables()
        return
    assert result.code == 0, result.err
    assert "public.shared" not in database.tables()
    up(application, database)
