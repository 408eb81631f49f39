"""Behind an entrypoint `surefoot up --`, a command that is surefoot itself is run, without `up`."""

import os
import sys
from pathlib import Path

import pytest

from tests.quick import quick
from tests.support.database import Database
from tests.support.project import Application, Result

SCRIPT = str(Path(sys.executable).with_name("surefoot"))
REFUSED = "create table alembic_version (version_num varchar(32)); create table stranger (id int)"

ITSELF = {
    "by its name": ("surefoot",),
    "by its path": (SCRIPT,),
    "by a path with a detour": (f"{Path(SCRIPT).parent}/../{Path(SCRIPT).parent.name}/surefoot",),
    "as a module": ("python", "-m", "surefoot"),
    "as a module of this Python": (sys.executable, "-m", "surefoot"),
    "behind the entrypoint's own entrypoint": ("surefoot", "up", "--", "surefoot"),
}


def behind(
    application: Application, database: Database, *command: str, options: tuple[str, ...] = ()
) -> Result:
    return application.run("up", *options, "--", *command, url=database.url())


@pytest.mark.parametrize("how", ITSELF)
def test_it_is_run_where_up_refuses(application: Application, database: Database, how: str) -> None:
    application.linear()
    database.execute(REFUSED)
    assert behind(application, database, "true").code == 4
    result = behind(application, database, *ITSELF[how], "status", "--json")
    assert result.json["command"] == "status"


def test_it_is_run_where_the_start_is_quick(application: Application, database: Database) -> None:
    application.linear()
    assert application.run("up", url=database.url()).code == 0
    assert quick(application, database.url()).startswith("nothing to do")
    result = behind(application, database, "surefoot", "plan", "--json")
    assert result.json["command"] == "plan"
    assert "nothing to do" not in result.err


def test_options_of_up_are_no_obstacle(application: Application, database: Database) -> None:
    """Those that say where things are hold for the command, unless it has its own."""
    application.linear()
    application.write("other.toml", 'wait = "7s"\n')
    options = ("--wait", "30", "--config=other.toml", "--database-url", database.url())
    result = application.run("up", *options, "--", "surefoot", "status", "--json")
    assert result.json["settings"] == [{"key": "wait", "value": "7s", "source": "other.toml"}]
    own = ("--config", "nowhere.toml")
    result = application.run("up", *options, "--", "surefoot", "status", *own, "--json")
    assert result.error == "config-not-found"


@pytest.mark.slow
def test_another_program_of_that_name_is_none(application: Application, database: Database) -> None:
    """A path must lead to this program: a file that is only called so is a command like others."""
    application.linear()
    other = application.write("bin/surefoot", "#!/bin/sh\necho other\n")
    other.chmod(0o755)
    assert behind(application, database, str(other)).out == "other\n"
    database.execute("update alembic_version set version_num = 'nonsense'")
    assert behind(application, database, str(other)).code == 4
    assert os.access(other, os.X_OK)
