"""Histories whose first revision builds on tables that were there before Alembic."""

from pathlib import Path

import pytest

from surefoot.postgres.embedded import Server
from tests.support.database import Database
from tests.support.next_steps import next_of, run_next, steps_of
from tests.support.project import Application

BEFORE = "create table experiments (id serial primary key, name text not null);"
MODELS = """\
import sqlalchemy as sa

metadata = sa.MetaData()
sa.Table(
    "experiments", metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
)
"""


def history(application: Application) -> None:
    application.revision(
        "r1",
        None,
        "alter table experiments add stage text default 'active'",
        downgrade="op.execute('alter table experiments drop stage')",
    )
    application.revision(
        "r2",
        "r1",
        "create table runs (id int primary key, experiment int references experiments)",
        downgrade="op.execute('drop table runs')",
    )


def by_hand(application: Application, server: Server) -> None:
    """A script that a release ran before Alembic came."""
    application.write("before.sql", BEFORE)
    application.config('init = ["before.sql"]\ninit_revision = "base"\n')


def by_call(application: Application, server: Server) -> None:
    """What a call makes, as a script that `surefoot dump` writes."""
    application.write("models.py", MODELS)
    made = application.run(
        *("dump", "--create", "models:metadata", "-o", "before.sql", "--server", server.url())
    )
    assert made.code == 0, made.err
    application.config('init = ["before.sql"]\n')


@pytest.fixture(params=[by_hand, by_call])
def late(request: pytest.FixtureRequest, application: Application, server: Server) -> Application:
    history(application)
    request.param(application, server)
    built = application.run("catalog", "build", "--server", server.url())
    assert built.code == 0, built.err
    return application


def applied(ended: dict[str, object]) -> list[str]:
    done = ended["done"]
    assert isinstance(done, list)
    return [one["name"] for one in done if one["step"] == "revision"]


def test_an_empty_database_is_installed_by_script_and_all_revisions(
    late: Application, database: Database
) -> None:
    planned = late.run("plan", url=database.url())
    assert "install before.sql, which stands for base" in planned.out
    ended = late.run("up", "--json", url=database.url())
    assert (ended.code, ended.json["current"]) == (0, ["r2"]), ended.out + ended.err
    assert applied(ended.json) == ["r1", "r2"]
    assert late.run("drift", url=database.url()).code == 0
    assert "nothing to do" in late.run("up", url=database.url()).err


@pytest.mark.parametrize("table", [False, True])
def test_a_database_with_just_those_tables_is_upgraded_from_there(
    late: Application, database: Database, table: bool
) -> None:
    database.execute(f"{BEFORE} insert into experiments (name) values ('first')")
    if table:  # Alembic's, empty, as a failed attempt leaves it
        database.execute("create table alembic_version (version_num varchar(32) primary key)")
    status = late.run("status", url=database.url())
    assert "match revision base" in " ".join(status.out.split()), status.out
    planned = " ".join(late.run("plan", url=database.url()).out.split())
    assert "by its structure it is at base, 2 revisions behind the code" in planned
    ended = late.run("up", "--json", url=database.url())
    assert (ended.code, ended.json["current"]) == (0, ["r2"]), ended.out + ended.err
    assert database.query("select name, stage from experiments") == [("first", "active")]
    assert late.run("drift", url=database.url()).code == 0


def test_an_install_that_was_cut_off_is_continued(late: Application, database: Database) -> None:
    late.revision("r1", None, "select 1/0")
    late.config((late.root / "surefoot.toml").read_text() + 'catalog = "none.txt"\n')
    failed = late.run("up", url=database.url())
    assert failed.code != 0
    history(late)
    late.config((late.root / "surefoot.toml").read_text().replace('catalog = "none.txt"\n', ""))
    ended = late.run("up", "--json", url=database.url())
    assert (ended.code, ended.json["current"]) == (0, ["r2"]), ended.out + ended.err
    assert [one["step"] for one in ended.json["done"]][:1] == ["adopt"]


def test_down_to_base_and_up_again(late: Application, database: Database) -> None:
    assert late.run("up", url=database.url()).code == 0
    database.execute("insert into experiments (name) values ('first')")
    down = late.run("down", "--to", "base", "--yes", "--accept-data-loss", url=database.url())
    assert down.code == 0, down.out + down.err
    assert database.query("select name from experiments") == [("first",)]
    ended = late.run("up", "--json", url=database.url())
    assert (ended.code, ended.json["current"]) == (0, ["r2"]), ended.out + ended.err
    assert applied(ended.json) == ["r1", "r2"]


def test_damaged_tables_are_refused_and_may_be_accepted(
    late: Application, database: Database
) -> None:
    database.execute(BEFORE + "alter table experiments alter name type varchar(80)")
    refused = late.run("up", "--json", url=database.url())
    assert (refused.code, refused.error) == (4, "unidentified-structure"), refused.out
    next = next_of(refused)
    assert "surefoot adopt base --accept-difference" in steps_of(next).commands
    assert "adopt r1" not in next
    run_next(next, database, late)
    ended = late.run("up", "--json", url=database.url())
    assert (ended.code, ended.json["current"]) == (0, ["r2"]), ended.out + ended.err
    assert applied(ended.json) == ["r1", "r2"]


def test_a_script_that_makes_something_else_is_rolled_back(
    late: Application, database: Database, tmp_path: Path
) -> None:
    script = late.root / "before.sql"
    script.write_text(script.read_text() + "\nalter table public.experiments drop column name;\n")
    refused = late.run("up", "--json", url=database.url())
    assert refused.error == "init-script-names-another-revision", refused.out
    assert "revision base" in refused.json["findings"][0]["message"]
    assert database.tables() == []


def test_where_no_revision_shows_its_run_a_person_decides(
    application: Application, server: Server, database: Database
) -> None:
    history(application)
    application.revision("r1", None, "update experiments set name = name || '!'")
    by_hand(application, server)
    assert application.run("catalog", "build", "--server", server.url()).code == 0
    database.execute(f"{BEFORE} insert into experiments (name) values ('first')")
    refused = application.run("up", "--json", url=database.url())
    assert (refused.code, refused.error) == (4, "ambiguous-revision"), refused.out
    assert "SUREFOOT_AMBIGUOUS=earliest" in steps_of(next_of(refused)).lines
    ended = application.run(
        "up", "--json", url=database.url(), env={"SUREFOOT_AMBIGUOUS": "earliest"}
    )
    assert (ended.code, ended.json["current"]) == (0, ["r2"]), ended.out + ended.err
    assert database.query("select name from experiments") == [("first!",)]


@pytest.fixture
def cut_off(application: Application, server: Server, database: Database) -> Application:
    """Cut off after the init script and before the first revision, which changes only rows."""
    application.revision("r1", None, "select 1/0")
    application.write("before.sql", f"{BEFORE} insert into experiments (name) values ('first');")
    application.config('init = ["before.sql"]\ninit_revision = "base"\n')
    assert application.run("up", url=database.url()).code != 0
    application.revision("r1", None, "update experiments set name = name || '!'")
    application.revision("r2", "r1", "create table runs (id int primary key)")
    assert application.run("catalog", "build", "--server", server.url()).code == 0
    return application


def test_an_install_that_was_cut_off_before_rows_change_is_continued(
    cut_off: Application, database: Database
) -> None:
    """The journal says that nothing came after the script, and the seal that it is still that."""
    assert database.query("select name from experiments") == [("first",)]
    ended = cut_off.run("up", "--json", url=database.url())
    assert (ended.code, ended.json["current"]) == (0, ["r2"]), ended.out + ended.err
    assert database.query("select name from experiments") == [("first!",)]


@pytest.mark.parametrize(
    "since",
    [
        # a backup of the tables alone, from after r1
        f"drop table experiments; {BEFORE} insert into experiments (name) values ('first!')",
        # somebody has run Alembic, and emptied its table
        "create table alembic_version (version_num varchar(32) primary key);"
        "update experiments set name = 'first!'",
    ],
)
def test_what_was_done_since_the_installation_is_not_done_again(
    cut_off: Application, database: Database, since: str
) -> None:
    database.execute(since)
    refused = cut_off.run("up", "--json", url=database.url())
    assert (refused.code, refused.error) == (4, "ambiguous-revision"), refused.out + refused.err
    assert database.query("select name from experiments") == [("first!",)]


def test_a_version_table_that_the_script_makes_shows_nothing(
    application: Application, server: Server, database: Database
) -> None:
    """Alembic has run r1, and the row was lost: the structure is as the script left it."""
    table = "create table alembic_version (version_num varchar(32) primary key);"
    application.revision("r1", None, "select 1/0")
    application.write("before.sql", f"{BEFORE} {table}")
    application.config('init = ["before.sql"]\ninit_revision = "base"\n')
    assert application.run("up", url=database.url()).code != 0
    application.revision("r1", None, "insert into experiments (name) values ('first')")
    assert application.run("catalog", "build", "--server", server.url()).code == 0
    application.alembic("upgrade", "r1", url=database.url("postgresql+psycopg"))
    database.execute("delete from alembic_version")
    result = application.run("up", "--json", url=database.url())
    assert (result.code, result.error) == (4, "ambiguous-revision"), result.out + result.err
    assert database.query("select count(*) from experiments") == [(1,)]


def test_an_older_backup_below_the_journal(late: Application, database: Database) -> None:
    """The journal says that r1 and r2 have run, and the tables are those of before."""
    assert late.run("up", url=database.url()).code == 0
    database.execute("drop table runs, experiments, alembic_version cascade")
    database.execute(BEFORE)
    refused = late.run("up", "--json", url=database.url())
    assert refused.error == "journal-contradicts-structure", refused.out
    run_next(next_of(refused), database, late)
    ended = late.run("up", "--json", url=database.url())
    assert (ended.code, ended.json["current"]) == (0, ["r2"]), ended.out + ended.err


def test_without_the_setting_the_build_names_it(application: Application, server: Server) -> None:
    history(application)
    application.write("models.py", MODELS)
    failed = application.run("catalog", "build", "--json", "--server", server.url())
    assert failed.error == "catalogue-build-failed", failed.out
    next = next_of(failed)
    assert 'init_revision = "base"' in next
    (command,) = steps_of(next).commands
    # what it says suffices
    named = command.replace("PACKAGE.MODULE:NAME", "models:metadata").split()[1:]
    assert application.run(*named, "--server", server.url()).code == 0
    application.config('init = ["before.sql"]\ninit_revision = "base"\n')
    assert application.run("catalog", "build", "--server", server.url()).code == 0


def test_without_a_catalogue_an_install_is_complete(
    application: Application, server: Server, database: Database
) -> None:
    history(application)
    by_hand(application, server)
    ended = application.run("up", "--json", url=database.url())
    assert (ended.code, ended.json["current"]) == (0, ["r2"]), ended.out + ended.err


def test_the_call_is_checked_against_its_script(application: Application, server: Server) -> None:
    history(application)
    by_call(application, server)
    given = ("dump", "--create", "models:metadata", "-o", "before.sql", "--check")
    assert application.run(*given, "--server", server.url()).code == 0
    application.write("models.py", MODELS.replace("sa.Text", "sa.String(9)"))
    assert application.run(*given, "--server", server.url()).code == 3
    both = application.run(*given, "--from-init", "--server", server.url())
    assert both.code == 2, both.err
