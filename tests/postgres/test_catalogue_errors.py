"""What is in the way of a catalogue, and what `catalog check` finds: each told with its code."""

import contextlib
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import psycopg
import pytest

from surefoot.postgres.embedded import Server
from tests.support.database import Database
from tests.support.next_steps import next_of, run_next
from tests.support.project import Application, Result

CATALOGUE = "migrations/surefoot-catalog.txt"
REVISION_TEMPLATE = """\
revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}

def upgrade():
    pass

def downgrade():
    pass
"""


def build(application: Application, server: Server, *options: str) -> Result:
    """`surefoot catalog build` on the tests' own server."""
    return application.run("catalog", "build", "--json", "--server", server.url(), *options)


def check(application: Application, server: Server, *options: str, **more: Any) -> Result:
    return application.run("catalog", "check", "--json", "--server", server.url(), *options, **more)


def built(application: Application, server: Server, *options: str) -> Path:
    """An application's catalogue, made without trying downgrades unless they are asked for."""
    result = build(application, server, *(options or ("--no-downgrade",)))
    assert result.code == 0, result.err
    return application.root / CATALOGUE


def told(result: Result, code: str) -> str:
    """The message and the lines of the finding that has this code."""
    (finding,) = (f for f in result.json["findings"] if f["code"] == code)
    assert finding["next"]
    return "\n".join((finding["message"], *finding["seen"]))


def _alembic(application: Application, *arguments: str) -> None:
    """A command of Alembic's that reaches no database."""
    program = Path(sys.executable).parent / "alembic"
    subprocess.run([program, *arguments], cwd=application.root, check=True, capture_output=True)


def scratch_databases(server: Server) -> int:
    with psycopg.connect(server.conninfo()) as connection:
        row = connection.execute(
            "select count(*) from pg_database where datname like 'surefoot_scratch_%'"
        ).fetchone()
    assert row is not None
    return int(row[0])


# --- the file


@pytest.mark.parametrize("what", ["a pipe", "a link to itself"])
def test_a_catalogue_that_is_no_file(
    application: Application, database: Database, what: str
) -> None:
    """Nobody waits for a writer who never comes, and it isn't called missing."""
    application.linear()
    file = application.root / CATALOGUE
    os.mkfifo(file) if what == "a pipe" else file.symlink_to(file)
    result = application.run("catalog", "show", "--json")
    assert (result.code, result.error) == (2, "catalogue-unreadable")
    looked = application.run("status", "--json", url=database.url()).json
    assert looked["structure"]["catalogue"] == "unreadable", looked
    if what == "a link to itself":
        built = application.run("catalog", "build", "--json", "--server", database.server.url())
        assert (built.code, built.error) == (2, "catalogue-not-written"), built.err
    assert application.run("up", url=database.url()).code == 0


# --- catalog build


@pytest.mark.slow
def test_built_and_checked(application: Application, server: Server) -> None:
    """Built, unchanged when built again, found true; no scratch database is left."""
    application.linear()
    first = build(application, server)
    assert first.code == 0, first.err
    assert (first.json["changed"], first.json["revisions"], first.json["ways"]) == (
        True,
        3,
        ["base"],
    )
    assert first.json["downgrades"] == {"none": 3}
    assert build(application, server).json["changed"] is False
    result = check(application, server)
    assert (result.code, result.json["findings"]) == (0, [])
    assert scratch_databases(server) == 0


@pytest.mark.provokes("catalogue-build-failed")
@pytest.mark.follows("catalogue-build-failed")
def test_a_revision_that_fails_on_the_scratch_server(
    application: Application, server: Server
) -> None:
    """Revision, file and line, PostgreSQL's words; nothing is written, nothing is left."""
    application.linear()
    application.revision("r4", "r3", "alter table nobody add column x int", message="Add x")
    result = build(application, server)
    assert (result.code, result.error) == (4, "catalogue-build-failed")
    text = told(result, "catalogue-build-failed")
    assert "Revision r4 (Add x) failed on the scratch server." in text
    assert "migrations/versions/r4.py:15" in text
    assert 'relation "nobody" does not exist (SQLSTATE 42P01)' in text
    assert "scratch database" in result.json["findings"][0]["database"]
    assert not (application.root / CATALOGUE).exists()
    assert scratch_databases(server) == 0
    assert next_of(result).startswith("correct the revision")
    application.revision("r4", "r3", "alter table people add column x int", message="Add x")
    built(application, server)


def test_a_history_that_begins_with_the_init_scripts(
    application: Application, server: Server
) -> None:
    """Where it can't be run from its base, it is replayed behind the init scripts."""
    application.revision("r1", None, "alter table people add column name text")
    application.revision("r2", "r1", "create index people_name on people (name)")
    application.write("sql/00_init.sql", "create table people (id int primary key, name text);\n")
    application.config('init = ["sql/00_init.sql"]\ninit_revision = "r1"\n')
    result = build(application, server)
    assert result.code == 0, result.err
    assert result.json["ways"] == ["init"]
    assert "doesn't run from its base (r1 fails: " in " ".join(result.err.split())


def test_why_the_history_does_not_run_from_its_base(
    application: Application, server: Server
) -> None:
    """The server's message, and not the statement's last line."""
    application.revision(
        "r1", None, body='op.execute("""alter table people add (\n  name text\n  ))""")'
    )
    application.write("sql/00_init.sql", "create table people (id int primary key, name text);\n")
    application.config('init = ["sql/00_init.sql"]\ninit_revision = "r1"\n')
    result = build(application, server)
    assert result.code == 0, result.err
    why = 'r1 fails: syntax error at or near "(" (SQLSTATE 42601))'
    assert why in " ".join(result.err.split())


@pytest.mark.parametrize("said", ["", 'init_revision = "r1"\n'], ids=["missing", "another"])
def test_init_scripts_with_a_version_row_of_their_own(
    application: Application, server: Server, said: str
) -> None:
    """The next step names their row, and never the command that needs to know it."""
    application.revision("r1", None, "alter table people add column name text")
    application.revision("r2", "r1", "create index people_name on people (name)")
    application.write(
        "sql/00_init.sql",
        "create table people (id int primary key, name text);\n"
        "create index people_name on people (name);\n"
        "create table alembic_version (version_num varchar(32) primary key);\n"
        "insert into alembic_version values ('r2');\n",
    )
    application.config(f'init = ["sql/00_init.sql"]\n{said}')
    code = "init-script-names-another-revision" if said else "init-revision-missing"
    for command in (("catalog", "build"), ("dump", "-o", "init.sql")):
        result = application.run(*command, "--json", "--server", server.url("postgres"))
        assert (result.code, result.error) == (4, code), result.out
        (finding,) = result.json["findings"]
        assert "version row r2" in finding["message"] + finding["next"]
        assert "surefoot catalog" not in finding["next"]
        assert "surefoot dump" not in finding["next"]


def test_an_evidence_probe_that_is_no_query(application: Application, server: Server) -> None:
    """It is executed where its revision has run, and reported with its file."""
    application.linear()
    probes = {
        "r4": "select not exists (select from people where name = ''; update pets)",
        "r5": "select not exists (select from people where name like 'a%' or name = ':x')",
        "r6": "select exists (select from nowhere)",
    }
    down = "r3"
    for id, probe in probes.items():
        application.revision(
            *(id, down, "update people set name = 'x'"), head=f'surefoot_evidence = "{probe}"'
        )
        down = id
    result = build(application, server)
    assert result.code == 0, result.err
    told = " ".join(result.err.split())
    assert "the evidence probe of r4 can't be executed" in told
    assert 'syntax error at or near ";"' in told
    assert "r4.py)" in told
    assert "probe of r5" not in told
    assert 'relation "nowhere" does not exist (SQLSTATE 42P01)' in told


@pytest.mark.provokes("extension-missing")
def test_an_extension_that_the_server_has_not(application: Application, server: Server) -> None:
    application.linear()
    application.revision("r4", "r3", "create extension no_such_extension")
    result = build(application, server)
    assert (result.code, result.error) == (4, "extension-missing")
    assert "needs the extension no_such_extension" in told(result, "extension-missing")
    assert "--server" in result.json["findings"][0]["next"]


@pytest.mark.provokes("scratch-server-unusable")
@pytest.mark.follows("scratch-server-unusable")
def test_a_role_that_may_make_no_database(application: Application, server: Server) -> None:
    application.linear()
    with psycopg.connect(server.conninfo(), autocommit=True) as connection:
        connection.execute("create role no_maker login password 'password'")
        try:
            url = f"postgresql://no_maker:password@{server.host}:{server.port}/postgres"
            result = application.run("catalog", "build", "--json", "--server", url)
            connection.execute("alter role no_maker createdb")  # what `next` says
            again = application.run("catalog", "build", "--no-downgrade", "--server", url)
        finally:
            connection.execute("drop role no_maker")
    assert again.code == 0, again.err
    assert (result.code, result.error) == (4, "scratch-server-unusable")
    assert "permission denied to create database" in told(result, "scratch-server-unusable")
    assert "CREATEDB" in result.json["findings"][0]["next"]


def test_a_superuser_in_the_scratch_database(application: Application, server: Server) -> None:
    """A monitor looks into every database. The role may not end its session, and waits for it."""
    application.linear()
    over, seen = threading.Event(), set[str]()

    def monitor() -> None:
        every = "select datname from pg_database where datname ~ '^surefoot_scratch'"
        with psycopg.connect(server.conninfo(), autocommit=True) as connection:
            while not over.wait(0.02):
                for (name,) in connection.execute(every).fetchall():
                    with (
                        contextlib.suppress(psycopg.Error),
                        psycopg.connect(server.conninfo(name)) as looking,
                    ):
                        looking.execute("select pg_sleep(0.5)")
                        seen.add(name)

    with psycopg.connect(server.conninfo(), autocommit=True) as connection:
        connection.execute("create role maker login createdb password 'password'")
        watching = threading.Thread(target=monitor)
        watching.start()
        try:
            url = f"postgresql://maker:password@{server.host}:{server.port}/postgres"
            result = application.run("catalog", "build", "--no-downgrade", "--server", url)
        finally:
            over.set()
            watching.join()
        assert result.code == 0, result.err
        assert seen
        assert scratch_databases(server) == 0, result.err
        connection.execute("drop role maker")


def test_no_server_at_all(application: Application) -> None:
    """Neither one of the system's nor the embedded one: it's told how to get one."""
    application.linear()
    program = (
        "import sys, surefoot.catalogue_build.scratch as scratch, surefoot.cli as cli\n"
        "scratch._system_directories = lambda: []\n"
        "scratch.has_embedded = lambda: False\n"
        "cli.group(['catalog', 'build'])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=application.root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 4, done.stderr
    assert "There is no PostgreSQL to replay the history on." in done.stderr
    assert "pip install 'surefoot[embedded]'" in " ".join(done.stderr.split())


@pytest.mark.provokes("catalogue-not-written")
@pytest.mark.follows("catalogue-not-written")
def test_a_place_that_cannot_be_written(application: Application, server: Server) -> None:
    application.linear()
    application.config('catalog = "alembic.ini/catalogue.txt"\n')
    result = build(application, server, "--no-downgrade")
    assert (result.code, result.error) == (2, "catalogue-not-written")
    assert "alembic.ini/catalogue.txt can't be written" in told(result, "catalogue-not-written")
    assert "catalog = " in next_of(result)
    application.config('catalog = "catalogue.txt"\n')
    assert build(application, server, "--no-downgrade").code == 0
    assert (application.root / "catalogue.txt").exists()


# --- reading it


@pytest.mark.provokes("catalogue-missing")
@pytest.mark.parametrize("arguments", [("show",), ("diff", "r1", "r2"), ("check",)])
@pytest.mark.follows("catalogue-missing")
def test_there_is_no_catalogue(
    application: Application, server: Server, database: Database, arguments: tuple[str, ...]
) -> None:
    """Told before anything is replayed."""
    application.linear()
    result = application.run("catalog", *arguments, "--json")
    assert (result.code, result.error) == (2, "catalogue-missing")
    assert f"There is no catalogue {CATALOGUE}." in told(result, "catalogue-missing")
    if arguments[0] == "check":  # once: `next` is the same
        run_next(next_of(result), database, application, scratch=server.url())
        assert check(application, server).code == 0


@pytest.mark.slow
@pytest.mark.provokes("catalogue-unreadable")
@pytest.mark.follows("catalogue-unreadable")
def test_a_catalogue_that_was_edited_or_merged_by_hand(
    application: Application, server: Server, database: Database
) -> None:
    """The line is named; what no sum vouches for isn't taken for the history's."""
    application.linear()
    file = built(application, server)
    text = file.read_text()
    damaged = {
        "a merge left conflict markers": text.replace("revision\tr2", "<<<<<<< HEAD\nrevision\tr2"),
        "was changed after it was written": text.replace(
            "public.pets.owner\tinteger", "public.pets.owner"
        ),
        "has no end": text[: text.rindex("sum\t")],
        "its first line isn't": "a catalogue\n",
    }
    last = None
    for words, changed in damaged.items():
        assert changed != text
        file.write_text(changed)
        last = application.run("catalog", "show", "--json")
        assert (last.code, last.error) == (2, "catalogue-unreadable"), words
        assert words in told(last, "catalogue-unreadable")
        assert f"{CATALOGUE}:" in last.json["findings"][0]["message"]
    assert last is not None
    run_next(next_of(last), database, application, scratch=server.url())
    assert application.run("catalog", "show").code == 0


@pytest.mark.provokes("revision-not-found")
@pytest.mark.follows("revision-not-found")
def test_a_revision_that_the_catalogue_does_not_have(
    application: Application, server: Server, database: Database
) -> None:
    """No such one, and more than one."""
    application.revision("aa11", None, "create table a (id int)", message="Make a")
    application.revision("aa22", "aa11", "create table b (id int)", message="Make b")
    built(application, server)
    result = application.run("catalog", "show", "bb", "--json")
    assert (result.code, result.error) == (2, "revision-not-found")
    assert told(result, "revision-not-found") == "There is no revision bb."
    result = application.run("catalog", "diff", "aa", "head", "--json")
    assert (result.code, result.error) == (2, "revision-not-found")
    text = told(result, "revision-not-found")
    assert text == "aa is more than one revision.\naa11  Make a\naa22  Make b"
    (listing,) = run_next(next_of(result), database, application).results
    assert "aa11" in listing.out
    assert application.run("catalog", "show", "aa1").code == 0


# --- catalog check


def test_a_comment_is_no_other_effect(application: Application, server: Server) -> None:
    """A revision that does the same, whatever its docstring says: the catalogue stays fresh."""
    application.linear()
    built(application, server)
    application.revision(
        "r2", "r1", "create table pets (id int primary key, owner int)", message="Now commented"
    )
    result = check(application, server, "--no-downgrade")
    assert (result.code, result.json["findings"]) == (0, []), result.err


@pytest.mark.slow
@pytest.mark.provokes("catalogue-stale")
@pytest.mark.follows("catalogue-stale")
def test_a_revision_that_the_catalogue_lacks(
    application: Application, server: Server, database: Database
) -> None:
    application.linear()
    built(application, server)
    application.revision("r4", "r3", "create table toys (id int)")
    result = check(application, server, "--no-downgrade")
    assert (result.code, result.error) == (3, "catalogue-stale")
    assert "revision r4 is not in it" in told(result, "catalogue-stale")
    assert result.json["findings"][0]["exit_code"] == 3
    run_next(next_of(result), database, application, scratch=server.url())
    assert check(application, server, "--no-downgrade").code == 0


@pytest.mark.slow
@pytest.mark.provokes("revision-edited")
@pytest.mark.follows("revision-edited")
def test_a_revision_that_does_something_else(
    application: Application, server: Server, database: Database
) -> None:
    """By its own text, or by what it imports."""
    application.linear()
    application.revision(
        "r4",
        "r3",
        body="import os\nop.execute(f\"create table toys ({os.environ.get('TOY', 'name')} text)\")",
    )
    built(application, server)
    result = check(application, server, "--no-downgrade", env={"TOY": "label"})
    assert (result.code, result.error) == (3, "revision-edited")
    text = told(result, "revision-edited")
    assert "r4.py is as it was: what it imports" in text
    assert "no longer: + column public.toys.name text" in text
    assert "now: + column public.toys.label text" in text

    application.revision("r2", "r1", "create table pets (id bigint primary key, owner int)")
    result = check(application, server, "--no-downgrade")
    assert result.code == 3
    text = told(result, "revision-edited")
    assert "r2.py was edited" in text
    assert "now: + column public.pets.id bigint not null" in text
    found = next(f for f in result.json["findings"] if f["code"] == "revision-edited")
    run_next(found["next"], database, application, scratch=server.url())
    assert check(application, server, "--no-downgrade").code == 0


@pytest.mark.provokes("revision-removed")
@pytest.mark.follows("revision-removed")
def test_a_revision_that_is_gone(application: Application, server: Server) -> None:
    application.linear()
    built(application, server)
    file = application.root / "migrations/versions/r3.py"
    text = file.read_text()
    file.unlink()
    result = check(application, server, "--no-downgrade")
    assert (result.code, result.error) == (3, "revision-removed")
    assert next_of(result).startswith("restore its file")
    file.write_text(text)
    assert check(application, server, "--no-downgrade").code == 0
    assert "Revision r3 (Revision r3) is no longer in the code." in told(result, "revision-removed")


@pytest.mark.slow
@pytest.mark.provokes("revision-reparented")
@pytest.mark.follows("revision-reparented")
def test_a_revision_that_was_put_elsewhere(application: Application, server: Server) -> None:
    """A new one slipped in below one that databases have run."""
    application.linear()
    built(application, server)
    application.revision("r0", "r1", "create table toys (id int)")
    application.revision("r2", "r0", "create table pets (id int primary key, owner int)")
    result = check(application, server, "--no-downgrade")
    assert result.code == 3
    text = told(result, "revision-reparented")
    assert "it came after r1" in text
    application.revision("r2", "r1", "create table pets (id int primary key, owner int)")
    application.revision("r0", "r3", "create table toys (id int)")  # at the end, as `next` says
    again = check(application, server, "--no-downgrade")
    assert (again.code, again.error) == (3, "catalogue-stale"), again.err
    assert "it comes after r0 now" in text


@pytest.mark.slow
@pytest.mark.provokes("several-heads")
@pytest.mark.follows("several-heads")
def test_more_heads_than_expected(application: Application, server: Server) -> None:
    """Two heads are refused by the check, unless the configuration says that there are two."""
    application.linear()
    application.revision("s3", "r2", "create table toys (id int)", message="Toys")
    built(application, server)
    result = check(application, server, "--no-downgrade")
    assert (result.code, result.error) == (3, "several-heads")
    assert "head: s3 (Toys)" in told(result, "several-heads")
    assert "heads = 2" in next_of(result)
    application.config("heads = 2\n")
    assert check(application, server, "--no-downgrade").code == 0
    application.config("")
    application.write("migrations/script.py.mako", REVISION_TEMPLATE)
    _alembic(application, "merge", "heads")
    built(application, server)
    assert check(application, server, "--no-downgrade").code == 0


@pytest.mark.slow
@pytest.mark.provokes("init-script-differs")
@pytest.mark.follows("init-script-differs")
def test_init_scripts_that_make_another_structure(application: Application, server: Server) -> None:
    application.linear()
    application.write(
        "sql/00_init.sql", "create table people (id int primary key, name varchar(80));\n"
    )
    application.config('init = ["sql/00_init.sql"]\ninit_revision = "r1"\n')
    built(application, server)
    result = check(application, server, "--no-downgrade")
    assert (result.code, result.error) == (3, "init-script-differs")
    text = told(result, "init-script-differs")
    assert "don't create the structure of revision r1" in text
    assert "the scripts: - column public.people.name text" in text
    assert "the scripts: + column public.people.name character varying(80)" in text
    application.write("sql/00_init.sql", "create table people (id int primary key, name text);\n")
    built(application, server)
    assert check(application, server, "--no-downgrade").code == 0


@pytest.mark.slow
@pytest.mark.provokes("revision-irreversible")
@pytest.mark.follows("revision-irreversible")
def test_a_way_back_is_required(application: Application, server: Server) -> None:
    """Of all revisions, of new ones, of those behind a release; what loses data is a way back."""
    application.revision("r1", None, "create table t (a int)", head='release = "v1"')
    application.revision(
        "r2", "r1", "create table u (a int)", downgrade="op.drop_table('u')", message="Add u"
    )
    build(application, server)
    result = check(application, server, "--require-downgrade")
    assert result.code == 3
    text = told(result, "revision-irreversible")
    assert "Revision r1 (Revision r1) has no working downgrade." in text
    assert "its downgrade: none (its downgrade() does nothing)" in text
    for value in ("all", "v2"):
        assert check(application, server, f"--require-downgrade={value}").code == (
            3 if value == "all" else 2
        )
    for value in ("new", "v1", "r1"):
        assert check(application, server, f"--require-downgrade={value}").code == 0
    application.revision(
        "r3", "r2", "create table v (a int)", downgrade="op.execute('alter table v drop a')"
    )
    for value in ("new", "v1"):
        result = check(application, server, f"--require-downgrade={value}")
        codes = [finding["code"] for finding in result.json["findings"]]
        assert codes == ["catalogue-stale", "revision-irreversible"]
        assert "left behind: + relation public.v table" in result.json["findings"][1]["seen"]
    assert check(application, server, "--require-downgrade", "--no-downgrade").code == 2
    # the downgrades are corrected
    application.revision(
        "r1",
        None,
        "create table t (a int)",
        head='release = "v1"',
        downgrade="op.execute('drop table t')",
    )
    application.revision(
        "r3", "r2", "create table v (a int)", downgrade="op.execute('drop table v')"
    )
    build(application, server)
    assert check(application, server, "--require-downgrade").code == 0


@pytest.mark.slow
@pytest.mark.provokes("downgrade-broken")
@pytest.mark.follows("downgrade-broken")
def test_a_downgrade_that_worked(application: Application, server: Server) -> None:
    """It gave exactly the structure below, and now leaves something."""
    application.linear()
    file = application.root / "migrations/versions/r2.py"
    without = file.read_text()
    assert without.count("def downgrade():\n    pass") == 1

    def downgrade(statement: str) -> None:
        body = f"def downgrade():\n    op.execute({statement!r})"
        file.write_text(without.replace("def downgrade():\n    pass", body))

    downgrade("drop table pets")
    result = build(application, server)
    assert result.json["downgrades"] == {"loses-data": 1, "none": 2}, result.err
    downgrade("alter table pets drop column owner")
    result = check(application, server)
    assert result.code == 3
    text = told(result, "downgrade-broken")
    assert "The downgrade of revision r2 no longer works." in text
    downgrade("drop table pets")
    again = check(application, server)
    assert again.code == 0, again.out
    assert "+ relation public.pets table" in text


def test_a_script_location_that_is_filled_in_later(
    application: Application, server: Server
) -> None:
    """The file is a template, as MLflow's is: there is no such directory to write into."""
    application.linear()
    application.write("alembic.ini", "[alembic]\nscript_location = {alembic_dir}\n")
    result = build(application, server)
    assert (result.code, result.error) == (4, "history-unreadable"), result.err
    assert "script_location is {alembic_dir}" in told(result, "history-unreadable")
    assert 'alembic = "…" in surefoot.toml' in next_of(result)
    application.config('alembic = "migrations"\n')
    assert built(application, server).is_file()
