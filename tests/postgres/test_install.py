"""A fresh install is one transaction; seeds are repeatable, each in its own."""

import subprocess
from collections.abc import Callable

import pytest

from surefoot.postgres.embedded import Server, embedded_bin
from tests.support import catalogues
from tests.support.database import Database
from tests.support.next_steps import in_a_shell, next_of, run_next, steps_of
from tests.support.project import Application
from tests.support.refusals import with_catalogue

CONFIG = """\
init = ["sql/00_init.sql", "sql/01_more.sql"]
init_revision = "r2"
"""


def with_scripts(application: Application) -> None:
    """r2 is what the scripts stand for; r3 is pending after them."""
    application.linear()
    application.write(
        "sql/00_init.sql",
        "create table people (id int primary key, name text);\n"
        "insert into people values (1, 'Ada; or \"Lovelace\"');\n",
    )
    application.write("sql/01_more.sql", "create table pets (id int primary key, owner int);\n")
    application.config(CONFIG)


def test_scripts_then_stamp_then_pending(application: Application, database: Database) -> None:
    with_scripts(application)
    result = application.run("up", "--json", url=database.url())
    assert result.code == 0, result.err
    assert [(d["step"], d["name"]) for d in result.json["done"]] == [
        ("install", "sql/00_init.sql"),
        ("install", "sql/01_more.sql"),
        ("stamp", "r2"),
        ("revision", "r3"),
    ]
    assert database.query("select name from people") == [('Ada; or "Lovelace"',)]
    assert database.query("select version_num from alembic_version") == [("r3",)]
    assert "nothing to do" in application.run("up", url=database.url()).err


def test_the_version_table_is_the_one_alembic_makes(
    application: Application, database: Database, other_database: Database
) -> None:
    with_scripts(application)
    assert application.run("up", url=database.url()).code == 0
    application.alembic("stamp", "r2", url=other_database.url("postgresql+psycopg"))
    options = ("--schema-only", "--table=alembic_version")
    assert database.dump(*options) == other_database.dump(*options)


@pytest.mark.provokes("script-failed")
@pytest.mark.follows("script-failed")
def test_a_script_that_fails_leaves_nothing(application: Application, database: Database) -> None:
    """The second script fails: the first one's tables, the version row and the journal go too.

    The message names file, line, the statement's first line, PostgreSQL's error and its hint.
    """
    with_scripts(application)
    application.write(
        "sql/01_more.sql",
        "create table pets (id int primary key, owner int);\n\n-- a typing mistake\n"
        "insert into pets\n  (id, ownr)\n  values (1, 2);\n",
    )
    result = application.run("up", "--json", url=database.url())
    assert (result.code, result.error) == (5, "script-failed")
    (finding,) = result.json["findings"]
    assert "sql/01_more.sql:5" in finding["message"]
    assert 'column "ownr" of relation "pets" does not exist' in finding["message"]
    assert any("insert into pets" in line for line in finding["seen"])
    assert "Rolled back, verified. No step was committed." in finding["database"]
    assert database.tables() == []
    assert database.query("select to_regnamespace('surefoot')") == [(None,)]
    assert next_of(result).startswith("correct the statement in sql/01_more.sql")
    application.write("sql/01_more.sql", "create table pets (id int primary key, owner int);\n")
    assert application.run("up", url=database.url()).code == 0


@pytest.mark.provokes("script-not-transactional")
@pytest.mark.follows("script-not-transactional")
def test_what_no_transaction_can_hold_is_refused_before_the_first_statement(
    application: Application, database: Database
) -> None:
    with_scripts(application)
    application.write("sql/01_more.sql", "create index concurrently x on people (id);\nvacuum;\n")
    for command in ("plan", "up"):
        result = application.run(command, "--json", url=database.url())
        assert (result.code, result.error) == (4, "script-not-transactional")
        seen = " ".join(result.json["findings"][0]["seen"])
        assert "sql/01_more.sql:1" in seen
        assert "sql/01_more.sql:2" in seen
    assert database.tables() == []
    assert next_of(result).startswith("remove them")
    application.write(
        "sql/01_more.sql",
        "create table pets (id int primary key, owner int);\ncreate index x on people (id);\n",
    )
    assert application.run("up", url=database.url()).code == 0


@pytest.mark.provokes("script-needs-psql")
@pytest.mark.follows("script-needs-psql")
def test_psqls_commands_are_refused_by_name_and_line(
    application: Application, database: Database
) -> None:
    with_scripts(application)
    application.write("sql/01_more.sql", "select 1;\n\\i other.sql\n")
    result = application.run("up", "--json", url=database.url())
    assert (result.code, result.error) == (4, "script-needs-psql")
    message = str(result.json["findings"][0])
    assert "sql/01_more.sql:2" in message
    assert "\\\\i" in message
    assert database.tables() == []
    assert "list the included file in surefoot.toml" in next_of(result)
    application.write("sql/other.sql", "create table pets (id int primary key, owner int);\n")
    scripts = '"sql/00_init.sql", "sql/other.sql"'
    application.config(f'init = [{scripts}]\ninit_revision = "r2"\n')
    assert application.run("up", url=database.url()).code == 0


@pytest.mark.provokes("script-truncated")
@pytest.mark.follows("script-truncated")
def test_a_truncated_script_is_refused(application: Application, database: Database) -> None:
    with_scripts(application)
    application.write("sql/01_more.sql", "create table pets (id int);\ninsert into pets values ('")
    result = application.run("up", "--json", url=database.url())
    assert (result.code, result.error) == (4, "script-truncated")
    assert database.tables() == []
    application.write("sql/01_more.sql", "create table pets (id int primary key, owner int);\n")
    assert application.run("up", url=database.url()).code == 0


@pytest.mark.provokes("script-encoding")
@pytest.mark.follows("script-encoding")
def test_a_binary_dump_is_refused(application: Application, database: Database) -> None:
    with_scripts(application)
    database.execute("create table pets (id int primary key, owner int)")
    dump = subprocess.run(
        [embedded_bin() / "pg_dump", "-Fc", "-d", database.conninfo],
        check=True,
        capture_output=True,
    ).stdout
    database.execute("drop table pets")
    application.write("sql/01_more.sql", dump)
    result = application.run("up", "--json", url=database.url())
    assert (result.code, result.error) == (4, "script-encoding")
    (command,) = steps_of(next_of(result)).lines
    in_a_shell(command, database, application)
    scripts = '"sql/00_init.sql", { path = "sql/01_more_utf8.sql", search_path = "public" }'
    application.config(f'init = [{scripts}]\ninit_revision = "r2"\n')
    arrived = application.run("up", url=database.url())
    assert arrived.code == 0, arrived.err


@pytest.mark.follows("script-encoding")
@pytest.mark.parametrize("encoding", ["UTF-16", "SJIS"])
def test_a_script_is_converted_as_next_says(
    application: Application, database: Database, encoding: str
) -> None:
    with_scripts(application)
    text = "create table pets (id int primary key, owner int);\n"
    if encoding == "SJIS":
        text = f"SET client_encoding = 'SJIS';\n{text}"
    application.write("sql/01_more.sql", text.encode(encoding.replace("SJIS", "shift_jis")))
    result = application.run("up", "--json", url=database.url())
    assert (result.code, result.error) == (4, "script-encoding"), result.err
    (command,) = steps_of(next_of(result)).lines
    in_a_shell(command, database, application)
    made = application.root / "sql/01_more_utf8.sql"
    made.write_text(made.read_text().replace("'SJIS'", "'UTF8'"))
    scripts = '"sql/00_init.sql", "sql/01_more_utf8.sql"'
    application.config(f'init = [{scripts}]\ninit_revision = "r2"\n')
    arrived = application.run("up", url=database.url())
    assert arrived.code == 0, arrived.err


@pytest.mark.provokes("script-not-found")
@pytest.mark.follows("script-not-found")
def test_a_missing_script(application: Application, database: Database) -> None:
    with_scripts(application)
    application.config('init = ["sql/nowhere.sql"]\ninit_revision = "r2"\n')
    result = application.run("up", "--json", url=database.url())
    assert (result.code, result.error) == (2, "script-not-found")
    assert next_of(result).startswith("correct its path in surefoot.toml")
    application.config(CONFIG)
    assert application.run("up", url=database.url()).code == 0


@pytest.mark.provokes("init-revision-missing")
@pytest.mark.follows("init-revision-missing")
def test_init_scripts_must_say_what_they_stand_for(
    application: Application, database: Database
) -> None:
    with_scripts(application)
    application.config('init = ["sql/00_init.sql"]\n')
    result = application.run("up", "--json", url=database.url())
    assert (result.code, result.error) == (4, "init-revision-missing")
    assert database.tables() == []
    assert next_of(result).startswith("set init_revision in surefoot.toml")
    application.config(CONFIG)
    assert application.run("up", url=database.url()).code == 0


@pytest.mark.provokes("init-revision-unknown")
@pytest.mark.follows("init-revision-unknown")
def test_init_scripts_of_a_newer_release(application: Application, database: Database) -> None:
    with_scripts(application)
    application.config('init = ["sql/00_init.sql"]\ninit_revision = "r9"\n')
    result = application.run("up", "--json", url=database.url())
    assert (result.code, result.error) == (4, "init-revision-unknown")
    assert database.tables() == []
    assert next_of(result).startswith("correct init_revision in surefoot.toml")
    application.config(CONFIG)
    assert application.run("up", url=database.url()).code == 0


def test_base_beside_a_revision(application: Application, database: Database) -> None:
    """No revision is called so, and the next step says what base means."""
    with_scripts(application)
    application.config('init = ["sql/00_init.sql"]\ninit_revision = ["r1", "base"]\n')
    result = application.run("up", "--json", url=database.url())
    assert result.error == "init-revision-unknown"
    assert next_of(result).endswith("it is base alone, or revisions without it")


VERSION_TABLE = "create table alembic_version (version_num varchar(32) not null primary key);\n"


@pytest.mark.provokes("init-script-names-another-revision")
@pytest.mark.follows("init-script-names-another-revision")
def test_a_script_that_stamps_another_revision(
    application: Application, server: Server, database: Database
) -> None:
    """pg_dump with data brings the version row along: it must be the one that was said."""
    with_scripts(application)
    application.write(
        "sql/01_more.sql", VERSION_TABLE + "insert into alembic_version values ('r1');"
    )
    result = application.run("up", "--json", url=database.url())
    assert (result.code, result.error) == (4, "init-script-names-another-revision")
    assert "Rolled back, verified" in result.json["findings"][0]["database"]
    assert database.tables() == []
    # a script made from the history, and only that one
    run_next(next_of(result), database, application, scratch=server.url())
    application.config('init = ["init.sql"]\n')
    assert application.run("up", url=database.url()).code == 0


@pytest.mark.parametrize("row", ["", "insert into alembic_version values ('r3');"])
def test_a_script_that_brings_the_version_table(
    application: Application, database: Database, row: str
) -> None:
    """Its table is used; the row is written if it isn't there."""
    with_scripts(application)
    application.write("sql/01_more.sql", VERSION_TABLE + row)
    application.config('init = ["sql/01_more.sql"]\ninit_revision = "r3"\n')
    assert application.run("up", url=database.url()).code == 0
    assert database.query("select version_num from alembic_version") == [("r3",)]


def test_pg_dumps_empty_search_path_and_the_remedy(
    application: Application, database: Database
) -> None:
    """The commonest real failure: an unqualified statement after pg_dump's header."""
    with_scripts(application)
    application.write(
        "sql/00_init.sql",
        "SELECT pg_catalog.set_config('search_path', '', false);\n"
        "CREATE TABLE public.people (id int primary key, name text);\n"
        "INSERT INTO people VALUES (1, 'Ada');\n",
    )
    failed = application.run("up", "--json", url=database.url())
    assert (failed.code, failed.error) == (5, "script-failed")
    assert "sql/00_init.sql:3" in failed.json["findings"][0]["message"]
    assert 'search_path = "public"' in failed.json["findings"][0]["next"]
    assert database.tables() == []
    application.config('search_path = "public"\n' + CONFIG)
    assert application.run("up", url=database.url()).code == 0
    assert database.query("select name from people") == [("Ada",)]


def test_settings_of_a_script_do_not_reach_the_next(
    application: Application, database: Database
) -> None:
    with_scripts(application)
    application.write("sql/00_init.sql", "create schema other; set search_path = other;")
    application.write("sql/01_more.sql", "create table here (id int);")
    application.config(CONFIG.replace('"r2"', '"r3"'))
    assert application.run("up", url=database.url()).code == 0
    assert "public.here" in database.tables()


def test_seeds_run_once_and_again_when_they_change(
    application: Application, database: Database
) -> None:
    application.linear()
    application.config('seeds = ["seed.sql"]\n')
    seed = (
        "insert into people values (1, 'Ada') on conflict (id) do update set name = excluded.name;"
    )
    application.write("seed.sql", seed)
    first = application.run("up", "--json", url=database.url())
    assert [d["step"] for d in first.json["done"]] == ["revision"] * 3 + ["seed"]
    assert "nothing to do" in application.run("up", url=database.url()).err

    application.write("seed.sql", seed.replace("Ada", "Grace"))
    status = application.run("status", "--json", url=database.url())
    assert (status.code, status.json["state"]) == (3, "at-head")
    second = application.run("up", "--json", url=database.url())
    assert [(d["step"], d["name"]) for d in second.json["done"]] == [("seed", "seed.sql")]
    assert database.query("select name from people") == [("Grace",)]
    assert "nothing to do" in application.run("up", url=database.url()).err


def _dropped_by_surefoot(application: Application, database: Database) -> None:
    went = application.run("down", "--to", "r1", "--yes", "--accept-data-loss", url=database.url())
    assert went.code == 0, went.err


def _dropped_by_alembic(application: Application, database: Database) -> None:
    application.alembic("downgrade", "r1", url=database.url("postgresql+psycopg"))


def _dropped_by_hand(application: Application, database: Database) -> None:
    database.execute("drop table pets; update alembic_version set version_num = 'r1'")


def _dropped_and_adopted(application: Application, database: Database) -> None:
    database.execute("drop table pets")
    assert application.run("adopt", "r1", "--yes", url=database.url()).code == 0


@pytest.mark.parametrize(
    "drop",
    [_dropped_by_surefoot, _dropped_by_alembic, _dropped_by_hand, _dropped_and_adopted],
)
@pytest.mark.parametrize("fails", [False, True])
def test_seeds_run_again_after_their_table_was_dropped_and_made_again(
    application: Application,
    database: Database,
    server: Server,
    drop: Callable[[Application, Database], None],
    *,
    fails: bool,
) -> None:
    """Also if the seed fails the first time: the next start knows it by the journal alone."""
    application.revision("r1", None, "create table people (id int primary key)")
    application.revision(
        "r2", "r1", "create table pets (id int primary key)", downgrade="op.drop_table('pets')"
    )
    seed = "insert into pets values (7) on conflict do nothing;"
    application.config('seeds = ["seed.sql"]\n')
    application.write("seed.sql", seed)
    catalogues.with_catalogue(application, server)
    assert application.run("up", url=database.url()).code == 0
    drop(application, database)
    status = application.run("plan", "--json", url=database.url())
    steps = status.json["plan"]
    assert [(s["step"], s.get("changed")) for s in steps] == [("upgrade", None), ("seed", False)]
    if fails:
        application.write("seed.sql", "select 1 / 0;")
        assert application.run("up", url=database.url()).code == 5
        application.write("seed.sql", seed)
    again = application.run("up", url=database.url())
    assert again.code == 0, again.err
    assert database.query("select id from pets") == [(7,)]
    assert "nothing to do" in application.run("up", url=database.url()).err


def test_a_seed_that_fails_keeps_what_was_committed_before_it(
    application: Application, database: Database
) -> None:
    application.linear()
    application.config('seeds = ["one.sql", "two.sql"]\n')
    application.write("one.sql", "insert into people values (1, 'Ada');")
    application.write("two.sql", "insert into people values (2, 'Grace'), (1, 'again');")
    result = application.run("up", "--json", url=database.url())
    assert (result.code, result.error) == (5, "script-failed")
    assert (
        "Committed before it, and there: r1, r2, r3, one.sql."
        in (result.json["findings"][0]["database"])
    )
    assert database.query("select name from people") == [("Ada",)]
    application.write("two.sql", "insert into people values (2, 'Grace');")
    again = application.run("up", "--json", url=database.url())
    assert [d["name"] for d in again.json["done"]] == ["two.sql"]


@pytest.mark.parametrize("table", ["alembic version", 'odd "name"', "100%s"])
def test_a_version_table_whose_name_needs_quoting(
    application: Application, database: Database, table: str
) -> None:
    with_scripts(application)
    application.env(options=f"version_table={table!r}")
    result = application.run("up", "--json", url=database.url())
    assert result.code == 0, result.err
    assert "nothing to do" in application.run("up", url=database.url()).err


@pytest.mark.parametrize(
    "second",
    ["update people set name = 'Ada'", "create index people_name on people (name)"],
    ids=["only data", "an index that the script lacks"],
)
def test_scripts_that_do_not_show_their_last_revision(
    application: Application, server: Server, database: Database, second: str
) -> None:
    """Whoever runs the scripts knows what they stand for. From what is there, nobody can tell."""
    application.revision("r1", None, "create table people (id int primary key, name text)")
    application.revision("r2", "r1", second)
    application.revision("r3", "r2", "create table pets (id int primary key)")
    application.write(
        "sql/init.sql",
        "create table people (id int primary key, name text);"
        "create index own_people on people (id, name);",
    )
    application.config('init = ["sql/init.sql"]\ninit_revision = "r2"\n')
    with_catalogue(application, server)
    result = application.run("up", "--json", url=database.url())
    assert result.code == 0, result.err
    assert [d["name"] for d in result.json["done"]] == ["sql/init.sql", "r2", "r3"]
    assert application.run("up", url=database.url()).code == 0
    database.execute("drop table alembic_version, pets; drop schema surefoot cascade")
    refused = application.run("up", "--json", url=database.url())
    assert (refused.code, refused.error) == (4, "ambiguous-revision"), refused.out


def test_a_script_of_several_branches(
    application: Application, database: Database, server: Server
) -> None:
    """Its first tables are in no revision, so the catalogue begins with it, at several rows. What
    `next` says is enough, and a claim that isn't what the script writes is refused.
    """
    for branch, table in (("a", "t"), ("b", "u")):
        application.revision(f"{branch}1", None, labels=(branch,))
        application.revision(f"{branch}2", f"{branch}1", f"alter table {table} add x text")
    script = "create table t (id int primary key); create table u (id int primary key);"
    rows = (
        "create table alembic_version (version_num varchar(32) primary key);"
        "insert into alembic_version values ('a1'), ('b1');"
    )
    application.write("init.sql", script + rows)
    config = 'heads = 2\ninit = ["init.sql"]\n'
    application.config(config)
    build = ("catalog", "build", "--no-stepwise", "--server", server.url(), "--json")
    missing = application.run(*build)
    assert missing.error == "init-revision-missing", missing.out
    setting = next_of(missing).partition("They write the version rows a1, b1: ")[2].split("]")[0]
    application.config(f"{config}{setting}]\n")
    built = application.run(*build)
    assert built.code == 0, built.out + built.err
    for written in (script + rows, script):
        application.write("init.sql", written)
        assert application.run(*build).code == 0
        assert application.run("catalog", "check", "--server", server.url()).code == 0
        plan = application.run("plan", "--json", url=database.url())
        assert plan.json["plan"][0]["revisions"] == ["a1", "b1"], plan.out
        done = application.run("up", "--json", url=database.url())
        assert (done.code, done.json["current"]) == (0, ["a2", "b2"]), done.out
        database.execute("drop table alembic_version; alter table u drop x")
        mixed = application.run("up", "--json", url=database.url())
        assert mixed.error == "journal-contradicts-structure", mixed.out  # by the structure: a2, b1
        database.execute("drop table t, u; drop schema surefoot cascade")
    for claim in ('["a1"]', '["a1", "a2"]', '["a1", "zz"]'):
        application.write("init.sql", script + rows)
        application.config(f"{config}init_revision = {claim}\n")
        before = database.dump()
        refused = application.run("up", "--json", url=database.url())
        assert refused.code == 4, refused.out
        assert refused.error in (
            "init-script-names-another-revision",
            "init-revision-unknown",
        )
        assert database.dump() == before


def test_a_dumped_script_of_several_branches(
    application: Application, database: Database, server: Server
) -> None:
    """Its header names each version row, and the catalogue has a path that begins there."""
    for branch, table in (("a", "t"), ("b", "u")):
        application.revision(f"{branch}1", None, f"create table {table} (id int)", labels=(branch,))
    application.config("heads = 2\n")
    dumped = application.run("dump", "-o", "init.sql", "--server", server.url())
    assert dumped.code == 0, dumped.err
    application.config('heads = 2\ninit = ["init.sql"]\n')
    built = application.run("catalog", "build", "--no-stepwise", "--server", server.url())
    assert (built.code, "don't say" in built.err) == (0, False), built.err
    done = application.run("up", "--json", url=database.url())
    assert (done.code, done.json["current"]) == (0, ["a1", "b1"]), done.out
    assert application.run("drift", url=database.url()).code == 0
