"""An application's modules that are named like the standard library's."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.database import Database
from tests.support.project import SYNC_ENV, Application, Result

SUREFOOT = Path(sys.executable).with_name("surefoot")
ALEMBIC = Path(sys.executable).with_name("alembic")
# Those that Python finds in its library's files; the others can't be shadowed.
NAMES = sorted(
    name
    for name in sys.stdlib_module_names
    if name not in sys.builtin_module_names and not name.startswith("__")
)
FIRST = "config = context.config\n"


def run(application: Application, program: Path, *arguments: str, **environ: str) -> Result:
    """As from a shell. `python -m` would have the directory on its path before surefoot begins."""
    done = subprocess.run(
        [str(program), *arguments],
        cwd=application.root,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **environ},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    return Result(done.returncode, done.stdout, done.stderr)


def shadowed(application: Application, text: str) -> None:
    """A module for each name that there is."""
    for name in NAMES:
        application.write(f"{name}.py", text)


@pytest.mark.slow
@pytest.mark.parametrize("text", ["", "raise RuntimeError(__name__)\n"], ids=["empty", "raising"])
def test_every_name_that_there_is(application: Application, database: Database, text: str) -> None:
    """Whatever surefoot does, it gets the standard library's, and so does what it depends on."""
    application.ini("prepend_sys_path = .")
    application.linear()
    application.write("seed.sql", "insert into pets values (1, 1);")
    application.config('seeds = ["seed.sql"]\n')
    shadowed(application, text)
    address = {"SUREFOOT_DATABASE_URL": database.url()}
    for command in ("catalog build", "status", "plan", "up", "up", "drift", "catalog check"):
        result = run(application, SUREFOOT, *command.split(), **address)
        wanted = (0, 3) if command == "status" else (0,)
        assert result.code in wanted, (command, result.err)
    assert database.query("select version_num from alembic_version") == [("r3",)]


OWN = {
    # one that Alembic hasn't loaded: the application's own
    "secrets": "API_KEY = 'own'\n",
    "sched": "NAME = 'own'\n",
    # one that it has: the standard library's, for the application, too
    "logging": "NAME = 'own'\n",
}
USES = """
import logging, sched, secrets
from logging.config import dictConfig
assert secrets.API_KEY == 'own'
assert sched.NAME == 'own'
assert logging.getLogger and not hasattr(logging, 'NAME')
import importlib
assert importlib.import_module('secrets') is secrets
"""


@pytest.mark.slow
@pytest.mark.parametrize("way", ["prepend_sys_path", "PYTHONPATH"])
def test_the_application_gets_its_own(
    application: Application, database: Database, way: str
) -> None:
    """As under Alembic's own command."""
    environ = {"PYTHONPATH": "."} if way == "PYTHONPATH" else {}
    url = f"sqlalchemy.url = {database.url('postgresql+psycopg')}"
    application.ini(f"prepend_sys_path = .\n{url}" if not environ else url)
    for name, text in OWN.items():
        if not (environ and name == "logging"):  # Alembic itself would fail by that
            application.write(f"{name}.py", text)
    application.env(SYNC_ENV.replace(FIRST, f"{FIRST}{USES}"))
    application.linear()
    alembic = run(application, ALEMBIC, "upgrade", "r2", **environ)
    assert alembic.code == 0, alembic.err
    application.write("queue.py", "NAME = 'own'\n")
    # better than under Alembic, whose driver would get that queue
    body = "import multiprocessing.queues, queue, secrets\nassert secrets.API_KEY == queue.NAME"
    application.revision("r4", "r3", body=body)
    result = run(application, SUREFOOT, "up", SUREFOOT_DATABASE_URL=database.url(), **environ)
    assert result.code == 0, result.err
    assert database.query("select version_num from alembic_version") == [("r4",)]


def test_a_root_that_alembic_would_not_look_in(
    application: Application, database: Database
) -> None:
    """Without prepend_sys_path, the standard library comes first, and other names are found."""
    application.ini(f"sqlalchemy.url = {database.url('postgresql+psycopg')}")
    application.write("secrets.py", OWN["secrets"])
    application.write("mine.py", "NAME = 'own'\n")
    uses = "import mine, secrets\nassert mine.NAME == 'own' and secrets.token_hex(4)"
    application.env(SYNC_ENV.replace(FIRST, f"{FIRST}{uses}\n"))
    application.linear()
    result = run(application, SUREFOOT, "up", SUREFOOT_DATABASE_URL=database.url())
    assert result.code == 0, result.err


def test_a_configuration_in_a_module_with_such_a_name(
    application: Application, database: Database
) -> None:
    """`alembic_config` names the application's module, whatever it's called."""
    application.config('alembic_config = "secrets:make"\n')
    application.ini("prepend_sys_path = .")
    application.write(
        "secrets.py",
        "from alembic.config import Config\n\n\ndef make():\n    config = Config('alembic.ini')\n"
        f"    config.set_main_option('sqlalchemy.url', '{database.url('postgresql+psycopg')}')\n"
        "    return config\n",
    )
    application.linear()
    result = run(application, SUREFOOT, "up", SUREFOOT_DATABASE_URL=database.url(), PYTHONPATH=".")
    assert result.code == 0, result.err
