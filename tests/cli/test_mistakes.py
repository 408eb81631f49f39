"""Mistakes on the command line: what is wrong, and the command to type instead."""

import json
import os

import pytest

from surefoot.cli.mistakes import ALEMBIC
from tests import starts
from tests.support.database import Database
from tests.support.next_steps import next_of, run_next, steps_of
from tests.support.project import Application


@pytest.mark.provokes("command-line-invalid")
@pytest.mark.follows("command-line-invalid")
@pytest.mark.parametrize(
    ("typed", "instead"),
    [
        (["upgrade", "head"], "surefoot up"),
        (["current"], "surefoot status"),
        (["up", "head"], "surefoot up"),
        (["up", "-m", "true"], "surefoot up -m --json -- true"),
        (["sttaus"], "surefoot --help"),
        (["-x", "a=b", "upgrade", "head"], "surefoot up -x a=b"),
        (["-x", "a=b", "plan"], "surefoot plan -x a=b --json"),
    ],
)
def test_what_is_to_be_typed_instead_works(
    application: Application, database: Database, typed: list[str], instead: str
) -> None:
    """A mistake has a code, an object and a next step like every other error."""
    application.linear()
    assert application.run("up", url=database.url()).code == 0
    words = [*typed, "--json"] if "-m" not in typed else ["up", "-m", "--json", "true"]
    result = application.run(*words, url=database.url())
    assert (result.code, result.error) == (2, "command-line-invalid")
    assert result.json["exit_code"] == 2
    assert steps_of(next_of(result)).lines == (instead,)
    if "-m" in typed:
        return
    run_next(next_of(result), database, application)


def test_stamp_leads_to_adopt(application: Application, database: Database) -> None:
    """With the revision that was named."""
    application.linear()
    application.alembic("upgrade", "r2", url=database.url())
    database.execute("drop table alembic_version")
    result = application.run("stamp", "r2", "--json", url=database.url())
    assert steps_of(next_of(result)).lines == ("surefoot adopt r2",)


@pytest.mark.parametrize("verb", ALEMBIC)
def test_every_verb_of_alembics_names_the_command_to_type(
    application: Application, verb: str
) -> None:
    result = application.run(verb)
    assert result.code == 2
    assert result.out == ""
    assert f"surefoot can't begin: {verb} is a command of Alembic, not of surefoot" in result.err
    for command in ALEMBIC[verb].commands:
        assert f"\n              {command}" in result.err


@pytest.mark.parametrize(
    ("words", "command"),
    [
        (["--json"], "surefoot"),
        (["nothing-like-it", "--json"], "surefoot"),
        (["status", "--frobnicate", "--json"], "status"),
        (["catalog", "shwo", "--json"], "catalog"),
        (["catalog", "show", "--facts", "--json"], "catalog show"),
        (["down", "--json"], "down"),
    ],
)
def test_a_mistake_is_an_object_too(
    application: Application, words: list[str], command: str
) -> None:
    result = application.run(*words)
    assert (result.code, result.error) == (2, "command-line-invalid")
    assert result.json["command"] == command
    assert result.err.startswith("surefoot can't begin: ")


def test_json_of_the_command_to_start_is_its_own(application: Application) -> None:
    result = application.run("up", "--frobnicate", "--", "true", "--json")
    assert (result.code, result.out) == (2, "")


def test_a_mistake_with_a_control_character_is_escaped(application: Application) -> None:
    result = application.run("\x1b[31mred")
    assert result.code == 2
    assert "\x1b" not in result.err


# The signal comes exactly while the command's file is loaded; Python's own handler is in force.
_WHILE_LOADING = """
import importlib, signal
import surefoot.cli
importlib.import_module = lambda name: signal.raise_signal(signal.SIGINT)
surefoot.cli.main(['status', '--json'])
"""


def test_ctrl_c_before_the_command_has_begun(application: Application) -> None:
    """It has an account like every other end."""
    done = starts.run("-c", _WHILE_LOADING, cwd=application.root)
    assert done.returncode == 5, done.stderr
    (finding,) = json.loads(done.stdout)["findings"]
    assert finding["code"] == "interrupted"
    assert "surefoot" in done.stderr
    assert "Traceback" not in done.stderr


# A fault behind the application's code, where a child process does the work.
_FAULTY = """
import surefoot.cli, surefoot.workflows.up as workflow
workflow._act = lambda *_: 1 / 0
surefoot.cli.main(['up'])
"""


def test_a_bug_is_not_taken_for_the_application_s_end(
    application: Application, database: Database
) -> None:
    application.linear()
    environ = {**os.environ, "SUREFOOT_DATABASE_URL": database.url()}
    done = starts.run("-c", _FAULTY, cwd=application.root, env=environ)
    assert done.returncode == 1, done.stderr
    assert "surefoot has a bug: please report" in done.stderr
    assert "ZeroDivisionError" in done.stderr
    assert "application's code ended" not in done.stderr
