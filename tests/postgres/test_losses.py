"""What pending revisions destroy is told, counted, before they run."""

import re
from typing import Any

import psycopg
import pytest

from tests.support import catalogues
from tests.support.database import Database
from tests.support.next_steps import next_of, steps_of
from tests.support.project import Application, Result

TABLES = (
    "create table notes (id int)",
    "create table people (id int primary key, name text, phone text default 'none',"
    " mood int default 0, size bigint, total numeric(12,4))",
)
PEOPLE = (
    "insert into people (id, name, phone, mood, size, total) values"
    " (1, 'Ada', '123', 0, 7, 1.25), (2, 'Bob', 'none', 0, null, null),"
    " (3, 'Eve', null, null, 9, 2)"
)
ACCEPT = "surefoot up --accept-data-loss"


def joined(text: str) -> str:
    return re.sub(r"\s+", " ", text)


def at_r1(application: Application, database: Database) -> None:
    application.revision("r1", None, *TABLES)
    assert application.run("up", url=database.url()).code == 0
    database.execute(f"insert into notes values (1), (2); {PEOPLE}")


def catalogued(application: Application, database: Database) -> None:
    catalogues.with_catalogue(application, database.server)


def told(application: Application, database: Database) -> list[tuple[Any, ...]]:
    """What `plan` says: kind, name, rows, and the revision."""
    done = application.run("plan", "--json", url=database.url())
    assert done.code == 0, done.err
    return [(x["kind"], x["name"], x["rows"], x["revision"]) for x in done.json["losses"]]


@pytest.mark.parametrize("with_catalogue", [True, False])
def test_tables_and_columns_that_go_are_counted(
    application: Application, database: Database, with_catalogue: bool
) -> None:
    at_r1(application, database)
    application.revision(
        "r2",
        "r1",
        body="op.drop_table('notes')\nop.drop_column('people', 'phone')\n"
        "op.drop_column('people', 'mood')\nop.drop_column('people', 'name')",
    )
    if with_catalogue:
        catalogued(application, database)
    assert sorted(told(application, database)) == [
        ("column", "public.people.name", 3, "r2"),
        ("column", "public.people.phone", 1, "r2"),  # one has the default, one nothing
        ("table", "public.notes", 2, "r2"),
    ]  # and `mood` holds its default, or nothing, everywhere
    for command in ("plan", "up"):
        done = application.run(command, url=database.url())
        assert done.code == 0, done.err
        said = joined(done.out + done.err)
        assert "loses " in said
        assert "table public.notes with 2 rows (r2)" in said
        assert "column public.people.phone with values in 1 row (r2)" in said
        assert 'no backup is taken first (backup = "off" in surefoot.toml)' in said


def test_a_type_that_narrows_and_one_that_widens(
    application: Application, database: Database
) -> None:
    at_r1(application, database)
    application.revision(
        "r2",
        "r1",
        "alter table people alter column total type numeric(12,2)",
        "alter table people alter column size type int",
        "alter table people alter column mood type bigint",
        "alter table people alter column id type text",
    )
    catalogued(application, database)
    done = application.run("plan", url=database.url())
    said = joined(done.out)
    assert (
        "the type of public.people.total, with values in 2 rows: numeric(12,4) becomes"
        " numeric(12,2) (r2)" in said
    )
    assert "the type of public.people.size, with values in 2 rows: bigint becomes integer" in said
    assert "people.mood" not in said
    assert "people.id" not in said


@pytest.mark.parametrize(
    "body",
    [
        "op.rename_table('notes', 'remarks')",
        "op.alter_column('people', 'phone', new_column_name='telephone')",
        "op.execute('alter table people rename column phone to telephone')",
    ],
)
def test_what_gets_another_name_is_no_loss(
    application: Application, database: Database, body: str
) -> None:
    at_r1(application, database)
    application.revision("r2", "r1", body=body)
    catalogued(application, database)
    assert told(application, database) == []


def test_what_is_renamed_and_dropped_later_is_one(
    application: Application, database: Database
) -> None:
    at_r1(application, database)
    application.revision("r2", "r1", body="op.rename_table('notes', 'remarks')")
    application.revision("r3", "r2", body="op.drop_table('remarks')")
    catalogued(application, database)
    assert told(application, database) == [("table", "public.notes", 2, "r3")]


def test_a_name_that_is_made_anew_like_the_old_one_is_one(
    application: Application, database: Database
) -> None:
    """To the catalogue it looks like a rename; the file says that it is none."""
    at_r1(application, database)
    application.revision(
        "r2", "r1", "alter table people drop column phone, add column tel text default 'none'"
    )
    catalogued(application, database)
    assert told(application, database) == [("column", "public.people.phone", 1, "r2")]


def test_what_pending_revisions_make_themselves_is_no_loss(
    application: Application, database: Database
) -> None:
    at_r1(application, database)
    application.revision("r2", "r1", "create table extra (id int)")
    application.revision("r3", "r2", body="op.drop_table('extra')")
    catalogued(application, database)
    assert told(application, database) == []


def test_rows_that_are_deleted(application: Application, database: Database) -> None:
    at_r1(application, database)
    application.revision("r2", "r1", "delete from notes where id > 1", "truncate people")
    assert told(application, database) == [
        ("rows", "delete from notes where id > 1", None, "r2"),
        ("rows", "truncate people", None, "r2"),
    ]


@pytest.mark.slow
def test_what_takes_long_to_count_is_estimated_and_said_to_be(
    application: Application, database: Database
) -> None:
    at_r1(application, database)
    database.execute("insert into notes select g from generate_series(1, 3000) g; analyze notes")
    application.revision("r2", "r1", body="op.drop_table('notes')")
    with psycopg.connect(database.conninfo) as writer:
        writer.execute("lock table notes in access exclusive mode")  # so that nobody can count
        done = application.run("plan", "--json", url=database.url())
        said = joined(application.run("plan", url=database.url()).out)
    (loss,) = done.json["losses"]
    assert (loss["rows"], loss["estimated"]) == (3002, True)
    assert "table public.notes with about 3,002 rows by PostgreSQL's estimate (r2)" in said


def test_a_revision_that_cannot_be_taken_back(application: Application, database: Database) -> None:
    at_r1(application, database)
    application.revision("r2", "r1", "create table extra (id int)")
    application.revision(
        "r3", "r2", "create table more (id int)", downgrade="op.drop_table('more')"
    )
    catalogued(application, database)
    done = application.run("plan", "--json", url=database.url())
    assert done.json["one_way"] == [{"revision": "r2", "why": "its downgrade() does nothing"}]
    assert "can't be undone: r2 (its downgrade() does nothing)" in joined(
        application.run("plan", url=database.url()).out
    )


@pytest.mark.provokes("upgrade-loses-data")
@pytest.mark.follows("upgrade-loses-data")
def test_refused_until_the_loss_is_accepted(application: Application, database: Database) -> None:
    at_r1(application, database)
    application.config('destructive = "refuse"\n')
    application.revision("r2", "r1", body="op.drop_table('notes')")
    for command in ("up", "plan"):
        done = application.run(command, "--json", url=database.url())
        assert (done.code, done.error) == (4, "upgrade-loses-data"), done.err
        (finding,) = done.json["findings"]
        assert finding["seen"][:2] == [
            "table public.notes with 2 rows (r2)",
            'no backup is taken first (backup = "off" in surefoot.toml)',
        ]
    assert "public.notes" in database.tables()
    command, _ = steps_of(finding["next"]).lines
    assert command == ACCEPT
    done = application.run(*command.split()[1:], url=database.url())
    assert done.code == 0, done.err
    assert "public.notes" not in database.tables()


def test_the_loss_is_accepted_without_a_shell(application: Application, database: Database) -> None:
    """The word is bound to what is lost, not to the number of rows."""
    at_r1(application, database)
    application.config('destructive = "refuse"\n')
    application.revision("r2", "r1", body="op.drop_table('notes')")
    application.revision("r3", "r2", body="op.drop_table('drafts')")
    database.execute("create table drafts (id int)")

    def started(**environ: str) -> Result:
        return application.run("up", "--json", url=database.url(), env=environ)

    def word_of(result: Result) -> dict[str, str]:
        _, line = steps_of(next_of(result)).lines
        name, _, word = line.partition("=")
        return {name: word}

    first = word_of(started())
    database.execute("insert into drafts values (1)")
    outdated = started(**first)
    codes = [one["code"] for one in outdated.json["findings"]]
    assert (outdated.code, codes) == (4, ["approval-outdated", "upgrade-loses-data"])
    assert "public.notes" in database.tables()
    second = word_of(started())
    assert second != first
    database.execute("insert into drafts values (2)")
    assert started(**second).code == 0
    assert database.query("select name from surefoot.journal where step = 'approved'")
    assert not {"public.notes", "public.drafts"} & set(database.tables())


@pytest.mark.parametrize(
    ("statement", "code"),
    [
        ("update people set name = 'x'", 0),
        ("do $$ begin delete from notes; end $$", 4),
        ("call tidy()", 4),  # nobody can tell
    ],
)
def test_without_a_catalogue_a_file_that_does_not_tell_is_refused(
    application: Application, database: Database, statement: str, code: int
) -> None:
    at_r1(application, database)
    database.execute("create procedure tidy() language sql as 'delete from notes'")
    application.config('destructive = "refuse"\n')
    application.revision("r2", "r1", statement)
    done = application.run("up", "--json", url=database.url())
    assert done.code == code, done.err
    if code:
        assert done.error == "upgrade-loses-data"


def test_nothing_is_counted_where_it_is_allowed(
    application: Application, database: Database
) -> None:
    at_r1(application, database)
    application.config('destructive = "allow"\n')
    application.revision("r2", "r1", body="op.drop_table('notes')")
    assert told(application, database) == []


def test_an_empty_table_is_no_loss(application: Application, database: Database) -> None:
    at_r1(application, database)
    database.execute("truncate notes")
    application.config('destructive = "refuse"\n')
    application.revision("r2", "r1", body="op.drop_table('notes')")
    done = application.run("up", url=database.url())
    assert done.code == 0, done.err


def test_rows_that_come_and_go_are_no_other_plan(
    application: Application, database: Database
) -> None:
    """The application may be at work: a number that has changed isn't told again."""
    at_r1(application, database)
    application.env(
        "import psycopg\n"
        f"with psycopg.connect({database.conninfo!r}) as own:\n"
        "    own.execute('insert into notes values (7)')\n"
        + (application.root / "migrations" / "env.py").read_text()
    )
    application.revision("r2", "r1", body="op.drop_table('notes')")
    done = application.run("up", url=database.url())
    assert done.code == 0, done.err
    assert "something changed" not in done.err


def test_a_default_of_a_strangers_type_is_not_evaluated(
    application: Application, database: Database
) -> None:
    """A domain's check is somebody's function."""
    application.revision(
        "r1",
        None,
        "create table people (id int, name text)",
    )
    assert application.run("up", url=database.url()).code == 0
    database.execute(
        "create table trace (id int);"
        "create function leave() returns boolean language plpgsql as"
        " $$ begin insert into trace values (1); return true; end $$;"
        "create domain odd as text check (leave());"
        "alter table people alter name set default 'x'::odd;"
        "insert into people values (1, 'y'); truncate trace"
    )
    application.revision("r2", "r1", body="op.drop_column('people', 'name')")
    assert told(application, database) == [("column", "public.people.name", 1, "r2")]
    assert database.query("select * from trace") == []


@pytest.mark.parametrize("backup", [True, False])
def test_a_failure_names_the_backup_or_says_that_there_is_none(
    application: Application, database: Database, backup: bool
) -> None:
    at_r1(application, database)
    if backup:
        application.config('backup = "before-upgrade"\n')
    application.revision("r2", "r1", "select 1 / 0")
    done = application.run("up", url=database.url())
    assert done.code == 5
    said = joined(done.err)
    if backup:
        assert "was taken before; surefoot restore brings it back" in said
    else:
        assert 'backup none was taken before: backup = "off" in surefoot.toml' in said
