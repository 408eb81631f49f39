"""A project is taken as Alembic takes it: where its history is, and what its env.py is given."""

import os
import sys
from pathlib import Path

import pytest

from surefoot.postgres.embedded import Server
from tests.quick import quick
from tests.support.database import Database
from tests.support.next_steps import next_of, run_next, steps_of
from tests.support.project import SYNC_ENV, Application
from tests.support.versions import alembic_from

AT_R3 = "nothing to do r3"
TOOL = "[tool.alembic]\nscript_location = '%(here)s/migrations'\n"


def with_downgrade(application: Application) -> None:
    """Three revisions, the last of which can be taken back; the second ends a release."""
    application.linear()
    application.revision(
        "r2", "r1", "create table pets (id int primary key, owner int)", head='release = "v1"'
    )
    application.revision(
        *("r3", "r2", "create index pets_owner on pets (owner)"),
        downgrade="op.execute('drop index pets_owner')",
    )


@pytest.fixture
def in_pyproject(application: Application) -> Application:
    """No alembic.ini; Alembic's configuration is in pyproject.toml."""
    (application.root / "alembic.ini").unlink()
    application.write("pyproject.toml", TOOL)
    with_downgrade(application)
    return application


@pytest.mark.slow
@alembic_from(1, 16)
def test_every_command_reads_pyproject(
    in_pyproject: Application, database: Database, server: Server
) -> None:
    """Without alembic.ini: the catalogue is beside env.py, and the next start is quick."""
    run, url = in_pyproject.run, database.url()
    built = run("catalog", "build", "--server", server.url())
    assert built.code == 0, built.err
    assert (in_pyproject.root / "migrations/surefoot-catalog.txt").is_file()
    assert run("plan", url=url).code == 0
    assert run("up", url=url).code == 0
    assert quick(in_pyproject, url) == AT_R3
    for command in (("status",), ("drift",), ("releases",), ("down", "--to", "r2", "--yes")):
        done = run(*command, url=url)
        assert done.code == 0, (command, done.err)
    assert database.query("select version_num from alembic_version") == [("r2",)]
    assert run("dump", "--server", server.url()).code == 0


@alembic_from(1, 16)
def test_a_change_of_pyproject_is_looked_at(in_pyproject: Application, database: Database) -> None:
    """Its version_locations are lists, as Alembic's are."""
    url = database.url()
    assert in_pyproject.run("up", url=url).code == 0
    assert quick(in_pyproject, url) == AT_R3
    in_pyproject.revision("r4", "r3", "create table four (id int)", directory="more")
    in_pyproject.write(
        "pyproject.toml",
        TOOL + 'version_locations = ["%(here)s/migrations/versions", "%(here)s/more"]\n'
        'prepend_sys_path = ["%(here)s/with space"]\n',
    )
    in_pyproject.write("with space/helper.py", "")
    in_pyproject.env("import helper\n" + SYNC_ENV)
    assert quick(in_pyproject, url) != AT_R3
    assert in_pyproject.run("up", url=url).code == 0
    assert database.query("select version_num from alembic_version") == [("r4",)]


@alembic_from(1, 16)
def test_a_pyproject_elsewhere(in_pyproject: Application, database: Database) -> None:
    """Named by the key, or beside the ini file that it belongs to."""
    (in_pyproject.root / "backend").mkdir()
    for name in ("pyproject.toml", "migrations"):
        (in_pyproject.root / name).rename(in_pyproject.root / "backend" / name)
    result = in_pyproject.run("up", "--json", url=database.url())
    assert result.error == "history-not-found"
    assert 'alembic = "backend/pyproject.toml"' in next_of(result)
    in_pyproject.config('alembic = "backend/pyproject.toml"\n')
    assert in_pyproject.run("up", url=database.url()).code == 0
    in_pyproject.write("backend/alembic.ini", "[alembic]\n")
    in_pyproject.config('alembic = "backend/alembic.ini"\n')
    assert in_pyproject.run("status", url=database.url()).code == 0


def test_an_alembic_that_is_too_old_for_pyproject(
    in_pyproject: Application, database: Database
) -> None:
    """The version is the installed package's, as its metadata has it."""
    in_pyproject.write(
        "older/alembic-1.15.2.dist-info/METADATA", "Name: alembic\nVersion: 1.15.2\n"
    )
    older = {"PYTHONPATH": str(in_pyproject.root / "older")}
    result = in_pyproject.run("up", "--json", url=database.url(), env=older)
    assert (result.code, result.error) == (2, "history-not-found")
    assert "Alembic 1.15.2" in str(result.json["findings"][0]["seen"])
    assert steps_of(next_of(result)).lines == ("pip install 'alembic>=1.16'",)
    in_pyproject.write("alembic.ini", "[alembic]\nscript_location = migrations\n")
    assert in_pyproject.run("up", url=database.url(), env=older).code == 0


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("[tool.alembic]\nscript_location = 5\n", "script_location can't be 5: expected a string"),
        (TOOL + "version_locations = 'a b'\n", "version_locations can't be 'a b': expected a list"),
        ("[tool.alembic]\nscript_location = '%(there)s/m'\n", "only %(here)s is filled in"),
        ("[tool]\nalembic = 'x'\n", "tool.alembic is not a table"),
        ("[tool.alembic\n", "at line 1"),
    ],
)
def test_a_pyproject_that_alembic_could_not_use(
    in_pyproject: Application, database: Database, text: str, seen: str
) -> None:
    in_pyproject.write("pyproject.toml", text)
    result = in_pyproject.run("up", "--json", url=database.url())
    assert (result.code, result.error) == (2, "history-not-found")
    (finding,) = result.json["findings"]
    assert "pyproject.toml" in finding["message"]
    assert seen in str(finding["seen"])


def test_several_histories_are_listed_and_none_is_taken(
    application: Application, database: Database
) -> None:
    application.linear()
    for place in ("billing", "shop"):
        application.write(f"{place}/alembic.ini", "[alembic]\nscript_location = migrations\n")
    (application.root / "alembic.ini").unlink()
    result = application.run("up", "--json", url=database.url())
    assert (result.code, result.error) == (2, "history-not-found")
    for place in ("billing", "shop"):
        assert f'alembic = "{place}/alembic.ini"' in next_of(result)
    made = application.run("init", "--json")
    assert made.json["alembic"] is None
    assert "billing/alembic.ini, shop/alembic.ini" in made.json["to_fill_in"][0]
    assert application.run("up", "--json", url=database.url()).error == "history-not-found"
    application.config('alembic = "shop/alembic.ini"\n')
    assert application.run("up", url=database.url()).code == 0


def test_several_histories_in_one_file(application: Application, database: Database) -> None:
    application.linear()
    application.write("billing/env.py", "")
    for text in ("", "[alembic]\nfile_template = x\n"):
        application.write(
            "alembic.ini",
            text + "[billing]\nscript_location = billing\n[shop]\nscript_location = migrations\n",
        )
        result = application.run("up", "--json", url=database.url())
        assert (result.code, result.error) == (2, "history-not-found")
        assert 'alembic_section = "shop"' in next_of(result)
    made = application.run("init", "--json")
    assert "alembic.ini [billing], alembic.ini [shop]" in made.json["to_fill_in"][0]
    application.config('alembic_section = "shop"\n')
    assert application.run("up", url=database.url()).code == 0


FLASK_ENV = "from flask import current_app\n"


def test_flask_migrates_ini_leads_to_flask_app(
    application: Application, database: Database
) -> None:
    """Whether or not the key names it; and `init` says so, too."""
    application.write("migrations/alembic.ini", "[alembic]\n# file_template = x\n")
    application.env(FLASK_ENV + SYNC_ENV)
    (application.root / "alembic.ini").unlink()
    application.write("shop/app.py", "def create_app():\n    pass\n")
    unnamed = application.run("up", "--json", url=database.url())
    application.config('alembic = "migrations/alembic.ini"\n')
    named = application.run("up", "--json", url=database.url())
    for result in (unnamed, named):
        assert (result.code, result.error) == (2, "history-not-found")
        assert 'flask_app = "shop.app:create_app"' in next_of(result)
    made = application.run("init", "--force", "--json")
    assert any("flask_app" in line for line in made.json["to_fill_in"])
    text = (application.root / "surefoot.toml").read_text()
    assert '# flask_app = "shop.app:create_app"' in text


@pytest.mark.provokes("application-environment-failed")
@pytest.mark.follows("application-environment-failed")
def test_a_flask_application_without_flask_migrate_is_told(
    application: Application, database: Database
) -> None:
    (application.root / "shop").mkdir()
    application.write("shop/__init__.py", "")
    application.write("shop/app.py", "import flask\napp = flask.Flask('shop')\nnone = dict\n")
    for name, kind in (("app", "Flask"), ("none", "dict")):
        application.config(f'flask_app = "shop.app:{name}"\n')
        result = application.run("up", "--json", url=database.url())
        assert (result.code, result.error) == (4, "application-environment-failed"), result.err
        assert result.json["findings"][0]["seen"] == [f"it is a {kind}"]
    assert "name its ini file instead: alembic" in next_of(result)
    application.env("from shop.app import app\napp.app_context().push()\n" + FLASK_ENV + SYNC_ENV)
    application.linear()
    application.config('alembic = "alembic.ini"\n')
    arrived = application.run("up", url=database.url())
    assert arrived.code == 0, arrived.err


@pytest.fixture
def package(application: Application, tmp_path: Path) -> dict[str, str]:
    """The history is in a package that is installed elsewhere; the environment that finds it."""
    with_downgrade(application)
    place = tmp_path / "installed"
    (place / "billing").mkdir(parents=True)
    (place / "billing" / "__init__.py").write_text("")
    (application.root / "migrations").rename(place / "billing" / "migrations")
    (application.root / "alembic.ini").unlink()
    # before the checkout that is tested, if a variable names it
    return {"PYTHONPATH": os.pathsep.join([str(place), os.environ.get("PYTHONPATH", "")])}


@pytest.mark.slow
def test_a_history_in_an_installed_package(
    application: Application, database: Database, package: dict[str, str], server: Server
) -> None:
    """Written by `init`; the catalogue is the project's, and the next start is quick."""
    made = application.run("init", "--package", "billing", "--json", env=package)
    assert made.json["alembic"] == "billing:migrations"
    assert made.json["to_fill_in"] == []
    url = database.url()
    built = application.run("catalog", "build", "--server", server.url(), env=package)
    assert built.code == 0, built.err
    assert (application.root / "surefoot-catalog.txt").is_file()
    assert application.run("up", url=url, env=package).code == 0
    assert "nothing to do" in application.run("up", url=url, env=package).err
    assert "v1" in application.run("releases", env=package).out
    assert application.run("down", "--to", "r2", "--yes", url=url, env=package).code == 0


@pytest.mark.slow
def test_flask_migrates_history_in_a_package(
    application: Application, package: dict[str, str], tmp_path: Path
) -> None:
    """`init` asks for the application, as it does for a project's own history."""
    place = tmp_path / "installed" / "billing"
    (place / "migrations" / "env.py").write_text(FLASK_ENV + SYNC_ENV)
    (place / "migrations" / "alembic.ini").write_text("[alembic]\n# file_template = x\n")
    (place / "app.py").write_text("def create_app():\n    pass\n")
    made = application.run("init", "--package", "billing", "--json", env=package)
    assert made.json["alembic"] == "billing:migrations/alembic.ini"
    assert "flask_app: env.py uses" in made.json["to_fill_in"][0]
    text = (application.root / "surefoot.toml").read_text()
    assert '# flask_app = "billing.app:create_app"' in text


TEMPLATE = "[alembic]\nscript_location = {alembic_dir}\nsqlalchemy.url = {db_url}\n"


def test_init_names_the_directory_where_no_ini_file_leads_to_it(
    application: Application, database: Database
) -> None:
    """Nor do one that the application fills in and one without a script directory."""
    application.linear()
    (application.root / "alembic.ini").unlink()
    for text in (None, TEMPLATE, "[alembic]\n", "[loggers]\nkeys = root\n"):
        if text is not None:
            application.write("etc/alembic.ini", text)
        made = application.run("init", "--force", "--json")
        assert (made.json["alembic"], made.json["to_fill_in"]) == ("migrations", []), text
    (application.root / "surefoot.toml").unlink()
    unnamed = application.run("up", "--json", url=database.url())
    assert (unnamed.code, unnamed.error) == (2, "history-not-found")
    assert 'alembic = "migrations"' in next_of(unnamed)
    application.config('alembic = "migrations"\n')
    assert application.run("up", url=database.url()).code == 0


def test_init_names_an_ini_file_that_leads_nowhere_if_there_is_nothing_else(
    application: Application,
) -> None:
    application.write("alembic.ini", TEMPLATE)
    assert application.run("init", "--json").json["alembic"] == "alembic.ini"


@pytest.mark.slow
def test_a_script_location_in_a_package(
    application: Application, database: Database, package: dict[str, str]
) -> None:
    application.write("alembic.ini", "[alembic]\nscript_location = billing:migrations\n")
    for command in ("plan", "up", "status"):
        done = application.run(command, url=database.url(), env=package)
        assert done.code == 0, (command, done.err)


def test_a_package_without_a_history(application: Application) -> None:
    for name in ("json", "no_such_package"):
        result = application.run("init", "--package", name, "--json")
        assert (result.code, result.error) == (2, "history-not-found")
        assert name in result.json["findings"][0]["message"]


TENANT = """\
from alembic import context as asked
tenant = asked.get_x_argument(as_dictionary=True)["tenant"]
if tenant == "absent":
    raise RuntimeError("no such tenant")
"""


@pytest.mark.slow
@pytest.mark.follows("application-environment-failed")
def test_arguments_reach_env_py(
    application: Application, database: Database, server: Server
) -> None:
    """Wherever env.py runs: by -x, by the key, and -x counts more."""
    application.env(TENANT + SYNC_ENV)
    with_downgrade(application)
    url = database.url()
    lacking = application.run("up", "--json", url=url)
    assert (lacking.code, lacking.error) == (4, "application-environment-failed")
    assert "-x tenant=VALUE" in next_of(lacking)
    assert 'x_arguments = ["tenant=VALUE"]' in next_of(lacking)
    given = ("-x", "tenant=t1")
    built = application.run("catalog", "build", *given, "--server", server.url())
    assert built.code == 0, built.err
    for command in ("plan", "up", "status", "drift"):
        done = application.run(command, *given, url=url)
        assert done.code == 0, (command, done.err)
    assert application.run("down", "--to", "r2", "--yes", *given, url=url).code == 0
    assert application.run("dump", *given, "--server", server.url()).code == 0
    database.execute("update alembic_version set version_num = 'r1'")
    refused = application.run("up", "--json", *given, url=url)
    assert "surefoot adopt -x tenant=t1 r2" in steps_of(next_of(refused)).lines
    run_next(next_of(refused), database, application)
    assert database.query("select version_num from alembic_version") == [("r2",)]
    database.execute("update alembic_version set version_num = 'nowhere'")
    assert application.run("repair", "--yes", *given, url=url).code == 0
    application.config('x_arguments = ["tenant=absent"]\n')
    assert application.run("up", url=url).code == 4
    assert application.run("up", *given, url=url).code == 0


def test_other_arguments_are_looked_at(application: Application, database: Database) -> None:
    """A mark rests on the arguments that its run was given."""
    application.env(TENANT + SYNC_ENV)
    application.linear()
    url = database.url()
    script = (
        "import os, sys\nfrom surefoot.quick import settled\n"
        "print(settled(None, None, os.environ, os.getcwd(), tuple(sys.argv[1:])).rows)"
    )
    assert application.run("up", "-x", "tenant=t1", url=url).code == 0

    def is_settled(*arguments: str) -> bool:
        import os
        import subprocess

        done = subprocess.run(
            [sys.executable, "-c", script, *arguments],
            cwd=application.root,
            env={**os.environ, "SUREFOOT_DATABASE_URL": url},
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode == 0

    assert is_settled("tenant=t1")
    assert not is_settled()
    assert not is_settled("tenant=t2")
    assert application.run("up", "-x", "tenant=absent", url=url).code == 4
    assert "nothing to do" in application.run("up", "-x", "tenant=t1", url=url).err


def test_commands_are_shown_with_the_arguments(
    application: Application, database: Database
) -> None:
    """And without what is secret in them."""
    application.env(TENANT + SYNC_ENV)
    application.linear()
    database.execute("create table people (id int primary key, name text)")
    given = ("-x", "tenant=it's", "-x", "api_token=t0ken-of-mine")
    result = application.run("up", "--json", *given, url=database.url())
    assert result.error == "unversioned-database"
    assert "-x 'tenant=it'\"'\"'s' -x api_token=***" in next_of(result)
    assert "t0ken-of-mine" not in result.out + result.err


def test_an_argument_that_is_taken_from_the_list(
    application: Application, database: Database
) -> None:
    """Nobody can tell which one was missed; what may help is said."""
    application.env(
        "from alembic import context as asked\ntenant = asked.get_x_argument()[0]\n" + SYNC_ENV
    )
    application.linear()
    result = application.run("up", "--json", url=database.url())
    assert result.error == "application-environment-failed"
    assert "-x NAME=VALUE" in next_of(result)
    assert application.run("up", "-x", "t1", url=database.url()).code == 0


SPLIT = """\
import os
from alembic import context
from sqlalchemy import URL, create_engine

parts = [os.environ[f"SHOP_{name}"] for name in ("USER", "SECRET", "SERVER", "PORT", "NAME")]
url = URL.create("postgresql+psycopg", *parts[:3], int(parts[3]), parts[4])
with create_engine(url).connect() as connection:
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()
"""
NAMES = """\
[url_variables]
SHOP_SERVER = "host"
SHOP_PORT = "port"
SHOP_USER = "user"
SHOP_SECRET = "password"
SHOP_NAME = "dbname"
"""


def test_an_address_in_variables_of_its_own(application: Application, database: Database) -> None:
    """Read from them, and written to them where the address comes from elsewhere."""
    application.env(SPLIT)
    application.config(NAMES)
    application.linear()
    assert application.run("plan", url=database.url()).code == 0
    server = database.server
    environ = {
        "SHOP_SERVER": server.host,
        "SHOP_PORT": str(server.port),
        "SHOP_USER": "postgres",
        "SHOP_SECRET": server.password,
        "SHOP_NAME": database.name,
    }
    assert application.run("up", env=environ).code == 0
    again = application.run("up", env=environ)
    assert "nothing to do" in again.err
    status = application.run("status", env=environ)
    told = " ".join(status.out.split())
    assert "url_variables: SHOP_SERVER, SHOP_PORT, SHOP_USER, SHOP_SECRET, SHOP_NAME" in told
    assert server.password not in status.out + status.err + again.err


def test_the_variable_that_alembic_reads(
    application: Application, server: Server, database: Database
) -> None:
    """ALEMBIC_CONFIG, for every command, and for the quick look; the key `alembic` counts more."""
    with_downgrade(application)
    application.write("alembic.ini", "[alembic]\nscript_location = nowhere\n")
    text = "[alembic]\nscript_location = %(here)s/../migrations\n"
    application.write("deploy/production.ini", text)
    named = {"ALEMBIC_CONFIG": "deploy/production.ini"}
    url = database.url()
    built = application.run("catalog", "build", "--server", server.url(), env=named)
    assert built.code == 0, built.err
    assert application.run("plan", url=url).code != 0
    ended = application.run("up", "--json", url=url, env=named)
    assert (ended.code, ended.json["current"]) == (0, ["r3"]), ended.err
    assert "nothing to do" in application.run("up", url=url, env=named).err
    assert application.run("drift", url=url, env=named).code == 0

    application.config('alembic = "alembic.ini"\n')
    assert application.run("plan", url=url, env=named).code != 0


def test_the_variable_names_a_file_that_is_missing(
    application: Application, database: Database
) -> None:
    with_downgrade(application)
    named = {"ALEMBIC_CONFIG": "missing.ini"}
    result = application.run("plan", "--json", url=database.url(), env=named)
    assert result.error == "history-not-found"
    assert "ALEMBIC_CONFIG names that file" in str(result.json["findings"][0]["seen"])
    assert "unset it" in next_of(result)
    assert application.run("plan", url=database.url()).code == 0
