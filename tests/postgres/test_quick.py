"""The quick look: which histories it works for, what makes it decline, and that it is never laxer
than the thorough look. `tests/postgres/test_marks.py` asks both for each thing that a mark names.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from surefoot.decision.facts import VersionTableName
from surefoot.look.database import observe_database
from surefoot.postgres.embedded import Server
from tests import starts
from tests.postgres.test_application_side import FLASK_APP
from tests.postgres.test_trust import ALL, FUNCTION, JOURNALS, stranger
from tests.quick import quick
from tests.support.database import Database
from tests.support.planted import ROLE, Planted
from tests.support.project import SYNC_ENV, Application

__all__ = ["stranger"]  # a fixture

NOTHING = "nothing to do r3"


@pytest.fixture
def at_head(application: Application, database: Database) -> Application:
    """An application at head, with a seed script and a configuration."""
    application.linear()
    application.write("seed.sql", "insert into people values (1, 'a') on conflict do nothing;")
    application.config('seeds = ["seed.sql"]\n')
    assert application.run("up", url=database.url()).code == 0
    assert quick(application, database.url()) == NOTHING
    return application


def test_what_it_says_is_what_the_thorough_look_says(
    at_head: Application, database: Database
) -> None:
    """The same line, with the same warnings."""
    database.execute("create index extra on people (name)")
    catalogue = ("catalog", "build", "--no-downgrade", "--server", database.server.url())
    assert at_head.run(*catalogue).code == 0
    thorough = at_head.run("up", url=database.url())
    assert quick(at_head, database.url()) == NOTHING
    settled = at_head.run("up", url=database.url())
    assert "warning" in settled.err
    assert (settled.code, settled.out, settled.err) == (0, "", thorough.err)


UNUSUAL = {
    "a tuple over several lines, with comments": (
        "revision = 'r4'\ndown_revision = (\n    'r3',  # the last one\n)\n"
    ),
    "an id that is computed": "revision = 'r' + '4'\ndown_revision = 'r3'\n",
    "an id that is assigned twice": "revision = 'x'\nrevision = 'r4'\ndown_revision = 'r3'\n",
    "a docstring behind an import": (
        "import os\n'''\nrevision = 'no'\n'''\nrevision = 'r4'\ndown_revision = 'r3'\n"
    ),
}


@pytest.mark.parametrize("how", UNUSUAL)
def test_however_a_revision_is_written(
    application: Application, database: Database, how: str
) -> None:
    application.linear()
    text = f"{UNUSUAL[how]}\ndef upgrade():\n    pass\n"
    application.write("migrations/versions/r4.py", text)
    assert application.run("up", url=database.url()).code == 0
    assert quick(application, database.url()) == "nothing to do r4"


def test_several_heads(application: Application, database: Database) -> None:
    application.linear()
    application.revision("other", None, "create table other (id int)")
    application.config("heads = 2\n")
    assert application.run("up", url=database.url()).code == 0
    assert quick(application, database.url()) == "nothing to do other r3"


def test_a_configuration_of_the_applications_own(
    application: Application, database: Database
) -> None:
    """A callable, which imports a module, and reads another ini file."""
    application.linear()
    (application.root / "alembic.ini").rename(application.root / "hidden.cfg")
    application.write(
        "my_app/made.py",
        "import os\nfrom alembic.config import Config\nimport my_app.more\n"
        "def make():\n"
        "    config = Config('hidden.cfg')\n"
        "    config.set_main_option('sqlalchemy.url', os.environ['DATABASE_URL'])\n"
        "    return config\n",
    )
    application.write("my_app/more.py", "")
    application.config('alembic_config = "my_app.made:make"\n')
    url = database.url("postgresql+psycopg")
    for change in ("nothing", "hidden.cfg", "my_app/more.py"):
        if change != "nothing":
            assert quick(application, url) == NOTHING
            with (application.root / change).open("a") as file:
                file.write("# changed\n")
            assert quick(application, url) != NOTHING
        assert application.run("up", url=url).code == 0
    assert quick(application, url) == NOTHING


def test_an_application_of_flask(application: Application, database: Database) -> None:
    import shutil

    (application.root / "alembic.ini").unlink()
    shutil.rmtree(application.root / "migrations")
    application.write("shop.py", FLASK_APP)
    url = database.url("postgresql+psycopg")
    subprocess.run(
        [sys.executable, "-m", "flask", "--app", "shop:create_app", "db", "init"],
        cwd=application.root,
        env={"DATABASE_URL": url, "PATH": "/usr/bin:/bin"},
        check=True,
        capture_output=True,
    )
    application.linear()
    application.config('flask_app = "shop:create_app"\n')
    assert application.run("up", url=url).code == 0
    assert quick(application, url) == NOTHING
    application.write("shop.py", f"{FLASK_APP}\n# changed\n")
    assert quick(application, url) != NOTHING


def test_an_address_that_only_the_ini_file_has(
    application: Application, database: Database
) -> None:
    application.linear()
    application.ini(f"sqlalchemy.url = {database.url('postgresql+psycopg')}")
    assert application.run("up").code == 0
    assert quick(application, "") == NOTHING


def test_a_version_table_that_the_configuration_names(
    application: Application, database: Database
) -> None:
    application.linear()
    application.env(SYNC_ENV, "version_table='mine'")
    assert application.run("up", url=database.url()).code == 0
    assert quick(application, database.url()) != NOTHING
    status = application.run("status", url=database.url())
    assert 'write version_table = "mine"' in " ".join(status.out.split())
    application.config('version_table = "mine"\n')
    assert application.run("up", url=database.url()).code == 0
    assert quick(application, database.url()) == NOTHING


def _appended(path: str) -> Callable[[Application, Database], object]:
    def change(application: Application, database: Database) -> None:
        with (application.root / path).open("a") as file:
            file.write("\n--" if path.endswith(".sql") else "\n#")

    return change


CHANGES: dict[str, Callable[[Application, Database], object]] = {
    "a revision": _appended("migrations/versions/r2.py"),
    "env.py": _appended("migrations/env.py"),
    "alembic.ini": _appended("alembic.ini"),
    "the configuration": _appended("surefoot.toml"),
    "the seed script": _appended("seed.sql"),
    "a new revision": lambda a, d: a.revision("r4", "r3", "create table four (id int)"),
    "a revision less": lambda a, d: next((a.root / "migrations/versions").glob("r3*")).unlink(),
    "a catalogue": lambda a, d: a.write("migrations/surefoot-catalog.txt", "x"),
    "another configuration": lambda a, d: (
        (a.root / "surefoot.toml").unlink(),
        a.write("pyproject.toml", '[tool.surefoot]\nseeds = ["seed.sql"]\n'),
    ),
    "a table": lambda a, d: d.execute("create table notes (id int)"),
    "a table less": lambda a, d: d.execute("drop table pets"),
    "the version row": lambda a, d: d.execute("update alembic_version set version_num = 'r2'"),
    "no version row": lambda a, d: d.execute("delete from alembic_version"),
    "another version row": lambda a, d: d.execute("insert into alembic_version values ('r9')"),
    "no version table": lambda a, d: d.execute("drop table alembic_version"),
    "no mark": lambda a, d: d.execute("delete from surefoot.journal where step = 'unchecked'"),
    "no journal": lambda a, d: d.execute("drop schema surefoot cascade"),
    "a mark that was copied": lambda a, d: d.execute("update surefoot.journal set run = run"),
    "a mark of an older build": lambda a, d: d.execute(
        "update surefoot.journal set evidence = jsonb_set((evidence::jsonb - 'manifest'),"
        " '{transaction}', to_jsonb((pg_current_xact_id()::text::int8 & 4294967295)::text))::text"
        " where step = 'unchecked'"
    ),
    "a revision was begun since": lambda a, d: d.execute(
        "insert into surefoot.journal (run, history, step, name, parents, direction, milliseconds,"
        " host, surefoot) values ('x', 'public.alembic_version', 'begun', 'r4', 'r3', 'up', 0,"
        " 'x', 'x')"
    ),
    "another release's seed script has run": lambda a, d: d.execute(
        "insert into surefoot.journal (run, history, step, name, hash, parents, direction,"
        " milliseconds, host, surefoot) values ('x', 'public.alembic_version', 'seed', 'seed.sql',"
        " 'x', '', 'up', 0, 'x', 'x')"
    ),
}


@pytest.mark.parametrize("what", CHANGES)
def test_what_has_changed_is_looked_at(at_head: Application, database: Database, what: str) -> None:
    CHANGES[what](at_head, database)
    assert not quick(at_head, database.url()).startswith("nothing")


def test_a_database_that_was_restored(
    at_head: Application, database: Database, other_database: Database, client_bin: Path
) -> None:
    subprocess.run(
        [client_bin / "psql", "-qX", "-d", other_database.conninfo],
        input=database.dump(),
        text=True,
        check=True,
        capture_output=True,
    )
    assert quick(at_head, other_database.url()) != NOTHING


WANDERING = {
    "a search path": "connection.exec_driver_sql('set search_path = public')",
    "a schema of the environment": "schema = __import__('os').environ.get('TENANT_SCHEMA')",
}


@pytest.mark.parametrize("what", WANDERING)
def test_an_env_py_that_depends_on_the_environment(
    application: Application, database: Database, what: str
) -> None:
    """It's asked at each start, one mark is written, and `status` says why."""
    application.env(
        SYNC_ENV.replace(
            "    context.configure(",
            f"    {WANDERING[what]}\n    connection.commit()\n    context.configure(",
        )
    )
    application.linear()
    for _ in range(3):
        assert application.run("up", url=database.url()).code == 0
        assert quick(application, database.url()) != NOTHING
    ((marks,),) = database.query("select count(*) from surefoot.journal where step = 'unchecked'")
    assert marks == 1
    text = " ".join(application.run("status", url=database.url()).out.split())
    assert "not quick because env.py chooses a schema, a table or a location" in text


def test_a_module_of_the_applications_that_depends_on_the_environment(
    application: Application, database: Database
) -> None:
    """A schema that another module chooses leads elsewhere just as well."""
    application.write(
        "places.py",
        "import os\n\n\ndef place(connection):\n"
        "    schema = os.environ.get('TENANT_SCHEMA', 'public')\n"
        "    connection.exec_driver_sql('set search_' + 'path = ' + schema)\n"
        "    connection.commit()\n",
    )
    application.env(
        SYNC_ENV.replace(
            "    context.configure(",
            "    import sys\n    sys.path.insert(0, '.')\n    import places\n"
            "    places.place(connection)\n    context.configure(",
        )
    )
    application.linear()
    assert application.run("up", url=database.url()).code == 0
    assert quick(application, database.url()) != NOTHING
    text = " ".join(application.run("status", url=database.url()).out.split())
    assert "not quick because places.py may choose a schema when it runs" in text


@pytest.mark.slow
def test_after_going_back(application: Application, database: Database, server: Server) -> None:
    """The end of `down` is seen and marked, and it isn't this code's head."""
    application.linear()
    application.revision(
        "r4", "r3", "create table four (id int)", downgrade="op.drop_table('four')"
    )
    assert application.run("catalog", "build", "--server", server.url()).code == 0
    assert application.run("up", url=database.url()).code == 0
    assert application.run("down", "--to", "r3", "--yes", url=database.url()).code == 0
    assert not quick(application, database.url()).startswith("nothing")


PLANTED = {
    "another's journal": "drop schema surefoot cascade",
    "another's schema": f"alter schema surefoot owner to {ROLE}",
    "another owns the journal": f"alter table surefoot.journal owner to {ROLE}",
    "another owns the version table": f"alter table alembic_version owner to {ROLE}",
    "another may write the journal": f"grant insert on surefoot.journal to {ROLE}",
    "everybody may write the journal": "grant update on surefoot.journal to public",
    "another's trigger": f"grant usage on schema surefoot to {ROLE};"
    f"grant trigger on surefoot.journal to {ROLE}",
}


@pytest.mark.parametrize("what", PLANTED)
def test_what_is_not_plainly_trusted(
    at_head: Application, database: Database, stranger: Planted, what: str
) -> None:
    database.execute(PLANTED[what])
    if "cascade" in PLANTED[what]:
        stranger.plant(FUNCTION, JOURNALS["an honest table"] + ALL)
    if "trigger" in what:
        stranger.plant(
            FUNCTION,
            "create trigger t before insert on surefoot.journal for each row"
            " execute function mallory.trigger()",
        )
    assert quick(at_head, database.url()) != NOTHING
    assert stranger.hits() == []


@pytest.mark.parametrize("what", JOURNALS)
def test_it_trusts_nothing_that_the_thorough_look_distrusts(
    at_head: Application, database: Database, stranger: Planted, what: str
) -> None:
    """Every journal of test_trust.py that a stranger has planted, given a trusted owner or not."""
    database.execute("drop schema surefoot cascade")
    stranger.plant(FUNCTION)
    stranger.plant(JOURNALS[what] + ALL)
    for statement in ("", "alter schema surefoot owner to postgres"):
        database.execute(statement)
        with database.connect() as connection:
            seen = observe_database(connection, VersionTableName(), lenient=True)
        said = quick(at_head, database.url())
        assert not said.startswith("nothing")
        if seen.distrusted and "journal" in what:
            assert "trusted" in said
    assert stranger.hits() == []


def test_a_locked_version_table_is_not_waited_for(at_head: Application, database: Database) -> None:
    with database.connect() as other, other.transaction():
        other.execute("lock table alembic_version")
        assert "a statement failed" in quick(at_head, database.url())


@pytest.mark.parametrize("impl", ["", "binary", "c", "python", "nonsense"])
def test_the_libpq_that_psycopg_would_use(
    at_head: Application, database: Database, impl: str
) -> None:
    """`nonsense` is for psycopg to report; where the system has no libpq, the ordinary way goes."""
    said = quick(at_head, database.url(), PSYCOPG_IMPL=impl)
    if impl in ("", "binary"):
        assert said == NOTHING
    elif said != NOTHING:
        assert said.startswith(("Unsettled", "Unseen", "OSError"))


# --- the whole start


def start(
    application: Application, url: str, *arguments: str
) -> "subprocess.CompletedProcess[str]":
    """As a process that has imported nothing; only quick starts end without psycopg."""
    return starts.run(
        *("-X", "importtime", "-m", "surefoot", "up", *arguments),
        cwd=application.root,
        env={**os.environ, "SUREFOOT_DATABASE_URL": url, "HERE": "kept"},
        real=True,
    )


def test_the_command_takes_its_place(at_head: Application, database: Database) -> None:
    """With its environment, its streams, its process id, and signals as they were."""
    at_head.write("run.sh", "#!/bin/sh\necho $HERE $1; trap '' TERM; exit 7\n").chmod(0o755)
    done = start(at_head, database.url(), "--", "./run.sh", "--config")
    assert (done.returncode, done.stdout) == (7, "kept --config\n")
    assert "at head (r3), nothing to do" in done.stderr
    assert "psycopg" not in done.stderr
    done = start(
        at_head,
        database.url(),
        "--",
        "python",
        "-c",
        "import signal; print(signal.pthread_sigmask(0, []), *map(signal.getsignal, (15, 13)))",
    )
    assert done.stdout.startswith("set() "), done.stdout + done.stderr


DECLINED = {
    "a command that isn't there": (("--", "nothing-is-called-so"), 2),
    "an unknown option": (("--nonsense",), 2),
    "JSON": (("--json",), 0),
    "help": (("--help",), 0),
    "a configuration that isn't there": (("--config", "nowhere.toml"), 2),
    "an address that is not valid": (("--database-url", "nonsense"), 2),
}


@pytest.mark.parametrize("what", DECLINED)
def test_whatever_else_is_asked_goes_the_ordinary_way(
    at_head: Application, database: Database, what: str
) -> None:
    arguments, code = DECLINED[what]
    done = start(at_head, database.url(), *arguments)
    assert done.returncode == code, done.stderr
    assert "msgspec" in done.stderr  # imported


def test_a_signal_that_comes_meanwhile_is_not_lost(
    at_head: Application, database: Database
) -> None:
    """It is held back for the ordinary way, which gives its account of it."""
    text = (
        "import os, sys, signal, surefoot.quick as quick\n"
        "look = quick.settled\n"
        "def signalled(*given, **more):\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "    return look(*given, **more)\n"
        "quick.settled = signalled\n"
        "sys.argv = ['surefoot', 'up', '--', 'touch', 'started']\n"
        "from surefoot.__main__ import run\nrun()\n"
    )
    done = starts.run(
        *("-c", text),
        cwd=at_head.root,
        env={**os.environ, "SUREFOOT_DATABASE_URL": database.url()},
        real=True,
    )
    assert done.returncode not in (0, -signal.SIGTERM), done.stderr
    assert "A signal ended the run" in done.stderr
    assert "nothing to do" not in done.stderr
    assert not (at_head.root / "started").exists()


def test_variables_that_set_keys_are_what_the_mark_rests_on(
    at_head: Application, database: Database
) -> None:
    """Set or changed: each time the next start looks thoroughly, and then again none does. What is
    no key, and what has the value of a former look, changes nothing.
    """
    for env in ({"SUREFOOT_WAIT": "5s"}, {"SUREFOOT_WAIT": "6s"}):
        assert (
            quick(at_head, database.url(), **env)
            == "Unseen: no earlier run has verified exactly this"
        )
        assert at_head.run("up", url=database.url(), env=env).code == 0
        assert quick(at_head, database.url(), **env) == NOTHING
        again = {**env, "SUREFOOT_APPROVE": "adopt-1", "SUREFOOT_HEADS": ""}
        assert quick(at_head, database.url(), **again) == NOTHING
    assert quick(at_head, database.url()) == NOTHING


def test_a_variable_that_names_another_version_table(
    at_head: Application, database: Database
) -> None:
    """The quick look goes by the variable, as the thorough one does: never by the file alone."""
    database.execute(
        "create table other (version_num varchar(32)); insert into other values ('r1')"
    )
    found = quick(at_head, database.url(), SUREFOOT_VERSION_TABLE="other")
    assert found.startswith("Unseen")
    at_head.config('seeds = ["seed.sql"]\nversion_table = "other"\n')
    env = {"SUREFOOT_VERSION_TABLE": "alembic_version"}
    assert at_head.run("up", url=database.url(), env=env).code == 0
    assert quick(at_head, database.url(), **env) == NOTHING
    assert quick(at_head, database.url()).startswith("Unseen")


def test_a_mistyped_variable_is_told_at_each_start(
    at_head: Application, database: Database
) -> None:
    env = {"SUREFOOT_VERSION_TABEL": "other"}
    for _ in range(2):
        result = at_head.run("up", url=database.url(), env=env)
        assert result.code == 0
        assert "did you mean SUREFOOT_VERSION_TABLE?" in " ".join(result.err.split())
    status = at_head.run("status", "--json", url=database.url(), env=env)
    assert "SUREFOOT_VERSION_TABEL" in status.json["structure"]["verified"]["not_quick"]
