"""What is in the way of an init script, and what the check finds: each told with its code."""

import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from surefoot.postgres.embedded import Server, embedded_bin
from tests.support.database import Database
from tests.support.next_steps import arrives, next_of, run_next
from tests.support.project import Application, Result

SCRIPT = "sql/00_init.sql"


def dump(application: Application, server: Server, *options: str) -> Result:
    """`surefoot dump` into the script's file, on the tests' own server."""
    (application.root / "sql").mkdir(exist_ok=True)
    return application.run("dump", "--json", "--server", server.url(), "-o", SCRIPT, *options)


def told(result: Result, code: str) -> str:
    """The message and the lines of the finding that has this code."""
    (finding,) = (f for f in result.json["findings"] if f["code"] == code)
    assert finding["next"]
    return "\n".join((finding["message"], *finding["seen"]))


@pytest.mark.provokes("dump-failed")
def test_a_revision_that_fails(application: Application, server: Server) -> None:
    """Revision, place, PostgreSQL's words; the file that was there stays; nothing is left over."""
    application.linear()
    application.revision("r4", "r3", "alter table nobody add column x int", message="Add x")
    application.write(SCRIPT, "-- as it was\n")
    result = dump(application, server)
    assert (result.code, result.error) == (4, "dump-failed")
    text = told(result, "dump-failed")
    assert "Revision r4 (Add x) failed on the scratch server." in text
    assert 'relation "nobody" does not exist (SQLSTATE 42P01)' in text
    assert (application.root / SCRIPT).read_text() == "-- as it was\n"
    assert dump(application, server, "--revision", "r3").code == 0
    with psycopg.connect(server.conninfo()) as connection:
        rows = connection.execute("select datname from pg_database where datname ~ 'surefoot'")
        assert rows.fetchall() == []


@pytest.mark.provokes("dump-failed")
@pytest.mark.follows("dump-failed")
def test_a_revision_below_the_init_scripts(application: Application, server: Server) -> None:
    """Where the history begins with them, what is before them can't be had."""
    application.revision("r1", None, "alter table people add column name text")
    application.revision("r2", "r1", "alter table people add column age int")
    application.write("sql/begin.sql", "create table people (id int, name text, age int);\n")
    application.config('init = ["sql/begin.sql"]\ninit_revision = "r2"\n')
    result = dump(application, server, "--revision", "r1")
    assert (result.code, result.error) == (4, "dump-failed")
    text = told(result, "dump-failed")
    assert "The init scripts stand for r2, which r1 doesn't include." in text
    assert "--revision REV" in next_of(result)
    assert dump(application, server, "--revision", "r2").code == 0


def test_from_init_without_scripts(application: Application, server: Server) -> None:
    application.linear()
    result = dump(application, server, "--from-init")
    assert (result.code, result.error) == (4, "dump-failed")
    assert "There are no init scripts to begin with." in told(result, "dump-failed")


@pytest.mark.provokes("revision-not-found")
def test_a_revision_that_the_code_does_not_have(application: Application, server: Server) -> None:
    application.linear()
    result = dump(application, server, "--revision", "v9")
    assert (result.code, result.error) == (2, "revision-not-found")
    assert told(result, "revision-not-found") == "There is no revision v9."
    result = dump(application, server, "--revision", "r")
    assert "r is more than one revision." in told(result, "revision-not-found")


@pytest.mark.provokes("init-script-not-written")
@pytest.mark.follows("init-script-not-written")
def test_a_place_that_cannot_be_written(application: Application, server: Server) -> None:
    """Told before anything is replayed."""
    application.linear()
    result = application.run(
        "dump", "--json", "--server", server.url(), "-o", "no/such/directory/init.sql"
    )
    assert (result.code, result.error) == (2, "init-script-not-written")
    assert "there is no directory no/such/directory" in told(result, "init-script-not-written")
    assert "replaying" not in result.err
    assert next_of(result).startswith("make the directory")
    (application.root / "no/such/directory").mkdir(parents=True)
    again = ("dump", "--server", server.url(), "-o", "no/such/directory/init.sql")
    assert application.run(*again).code == 0


@pytest.mark.provokes("init-script-outdated")
@pytest.mark.follows("init-script-outdated")
def test_a_script_that_is_behind(
    application: Application, server: Server, database: Database
) -> None:
    """Edited by hand, made of an older history, or never made by surefoot at all."""
    application.linear()
    assert dump(application, server).code == 0
    file = application.root / SCRIPT
    fresh = file.read_text()
    file.write_text(fresh.replace("    owner integer\n", "    owner bigint\n"))
    result = dump(application, server, "--check")
    assert (result.code, result.error) == (3, "init-script-outdated")
    text = told(result, "init-script-outdated")
    assert "in the file:     owner bigint" in text
    assert "fresh:     owner integer" in text
    file.write_text("create table people (id int);\n")
    result = dump(application, server, "--check")
    assert (result.code, result.error) == (3, "init-script-outdated")
    assert f"{SCRIPT} has no header" in told(result, "init-script-outdated")
    run_next(next_of(result), database, application, scratch=server.url())
    assert dump(application, server, "--check").code == 0


@pytest.mark.provokes("script-not-found")
@pytest.mark.follows("script-not-found")
def test_the_check_of_a_script_that_there_is_not(
    application: Application, server: Server, database: Database
) -> None:
    application.linear()
    result = dump(application, server, "--check")
    assert (result.code, result.error) == (2, "script-not-found")
    run_next(next_of(result), database, application, scratch=server.url())
    assert dump(application, server, "--check").code == 0


@pytest.mark.provokes("init-script-header-invalid")
@pytest.mark.parametrize("command", ["up", "status", "plan"])
@pytest.mark.follows("init-script-header-invalid")
def test_a_header_that_a_merge_has_spoilt(
    application: Application, server: Server, database: Database, command: str
) -> None:
    """File and line; nothing is installed."""
    application.linear()
    assert dump(application, server).code == 0
    application.config(f'init = ["{SCRIPT}"]\ninit_revision = "r3"\n')
    file = application.root / SCRIPT
    file.write_text(file.read_text().replace("-- revision: r3", "<<<<<<< HEAD\n-- revision: r3"))
    result = application.run(command, "--json", url=database.url())
    assert (result.code, result.error) == (4, "init-script-header-invalid")
    assert f"{SCRIPT}:3: " in told(result, "init-script-header-invalid")
    assert database.tables() == []
    if command == "up":
        arrives(application, database, result, scratch=server.url())


def with_pg_dump(application: Application, server: Server, program: str) -> Result:
    """`surefoot dump` where the only pg_dump is this program on the PATH."""
    directory = application.root / "programs"
    file = application.write("programs/pg_dump", program)
    file.chmod(0o755)
    code = (
        "import surefoot.postgres.programs as programs, surefoot.cli as cli\n"
        "programs.has_embedded = lambda: False\n"
        f"cli.group(['dump', '--json', '-o', 'init.sql', '--server', {server.url()!r}])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=application.root,
        env={**os.environ, "PATH": str(directory)},
        capture_output=True,
        text=True,
        check=False,
    )
    return Result(done.returncode, done.stdout, done.stderr)


@pytest.mark.provokes("pg-dump-missing")
@pytest.mark.follows("pg-dump-missing")
def test_a_pg_dump_that_is_older_than_the_server(application: Application, server: Server) -> None:
    """Told before anything is replayed, with what was found."""
    application.linear()
    result = with_pg_dump(
        application, server, "#!/bin/sh\necho 'pg_dump (PostgreSQL) 9.6.24 (Debian)'\n"
    )
    assert (result.code, result.error) == (2, "pg-dump-missing"), result.err
    assert "programs/pg_dump: pg_dump (PostgreSQL) 9.6.24" in told(result, "pg-dump-missing")
    assert "surefoot[embedded]" in result.json["findings"][0]["next"]
    assert dump(application, server).code == 0  # with the embedded one


def test_the_password_is_in_no_list_of_processes(application: Application, server: Server) -> None:
    """pg_dump gets it through its environment; what it was called with is written down here."""
    application.linear()
    arguments = application.root / "arguments"
    result = with_pg_dump(
        application,
        server,
        f'#!/bin/sh\necho "$@" >> {arguments}\nexec {embedded_bin() / "pg_dump"} "$@"\n',
    )
    assert result.code == 0, result.err
    said = arguments.read_text()
    assert "surefoot_scratch_" in said
    assert server.password not in said
    assert server.password not in (application.root / "init.sql").read_text() + result.err


def test_a_pg_dump_that_fails(application: Application, server: Server) -> None:
    """Its own words, and no half of a script."""
    application.linear()
    result = with_pg_dump(
        application,
        server,
        '#!/bin/sh\n[ "$1" = --version ] && echo "pg_dump (PostgreSQL) 99.1" && exit\n'
        'echo "half of it"\necho "pg_dump: error: out of paper" >&2\nexit 1\n',
    )
    assert (result.code, result.error) == (4, "dump-failed"), result.err
    assert "out of paper" in told(result, "dump-failed")
    assert not (application.root / "init.sql").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--check",), "-o FILE"),
        (("--json",), "-o FILE"),
    ],
)
def test_options_that_need_a_file(
    application: Application, options: tuple[str, ...], words: str
) -> None:
    result = application.run("dump", *options)
    assert result.code == 2
    assert words in " ".join(result.err.split())


def test_a_moment_that_is_none(application: Application) -> None:
    result = application.run("dump", env={"SOURCE_DATE_EPOCH": "yesterday"})
    assert result.code == 2
    assert "SOURCE_DATE_EPOCH" in result.err


def test_it_leaves_no_file_beside(application: Application, server: Server) -> None:
    application.linear()
    assert dump(application, server).code == 0
    assert [file.name for file in Path(application.root, "sql").iterdir()] == ["00_init.sql"]
