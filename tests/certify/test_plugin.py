"""`pytest --surefoot`: certify's cases as tests, and databases at any release."""

import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from surefoot.postgres.embedded import Server, embedded_bin
from tests.certify.grounds import GROUNDS, Place
from tests.certify.others import ENV, environment_of
from tests.certify.planted import BUGS
from tests.certify.project import clean
from tests.support.catalogues import with_catalogue
from tests.support.project import Application

# A test of the application's own, which upgrades a database of an old release.
TEST = """\
import asyncio

import psycopg
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool


def columns(database):
    with psycopg.connect(database.conninfo) as connection:
        return [name for (name,) in connection.execute(
            "select attname from pg_attribute where attrelid = 'people'::regclass and attnum > 0"
            " order by attnum")]


def test_old(surefoot_database):
    assert columns(surefoot_database("v1")) == ["id", "name", "mood"]


def test_head(surefoot_database):
    assert columns(surefoot_database())[-1] == "initial"


def test_asynchronous(surefoot_database):
    engine = create_async_engine(
        surefoot_database("v1").url("postgresql+asyncpg"), poolclass=NullPool
    )

    async def number():
        async with engine.begin() as connection:
            await connection.execute(text("insert into people (name) values ('Ada')"))
            return await connection.scalar(text("select count(*) from people"))

    assert asyncio.run(number()) == 1


def test_a_users(surefoot_database):
    one, other = surefoot_database("v2", seed=7), surefoot_database("v2", seed=7)
    assert one.name != other.name
    assert columns(one) == columns(other)
"""


@pytest.fixture
def application(tmp_path: Path, server: Server) -> Application:
    made = clean(tmp_path / "application")
    with_catalogue(made, server)
    return made


def _pytest(
    application: Application,
    server: Server,
    *words: str,
    python: str | Path = sys.executable,
    **more: str,
) -> str:
    """Run pytest in the application's directory, with more variables; what it printed."""
    options = ["-p", "no:cacheprovider", "-q", "--surefoot-server", server.url()]
    environ = {**os.environ, "PYTEST_ADDOPTS": "", **more}
    done = subprocess.run(
        [python, "-m", "pytest", *options, *words],
        cwd=application.root,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr


@pytest.mark.slow
def test_cases_are_items_that_k_chooses_among(application: Application, server: Server) -> None:
    """A case passes or fails with its name, and without --surefoot there are none."""
    said = _pytest(application, server, "--collect-only")
    assert "no tests" in said
    said = _pytest(application, server, "--surefoot", "-vv", "-k", "v2 and again")
    assert "surefoot/v2@base/none/again PASSED" in said
    assert "surefoot/v2@base/generated/again PASSED" in said
    assert "2 passed" in said


@pytest.mark.slow
def test_a_planted_bug_fails_with_its_case(application: Application, server: Server) -> None:
    BUGS["sequence-behind"].plant(Place(GROUNDS["small"], application))
    with_catalogue(application, server)
    said = _pytest(application, server, "--surefoot", "-k", "v2 and none and upgrade")
    assert "sequences_are_ahead: people_id_seq is at" in said
    assert "again: surefoot certify --case v2@base/none/upgrade" in said
    assert "Traceback" not in said


@pytest.mark.slow
def test_a_test_has_a_database_at_any_release(application: Application, server: Server) -> None:
    application.write("test_application.py", TEST)
    assert "4 passed" in _pytest(application, server, "test_application.py")


@pytest.mark.slow
def test_pytest_alembic_has_an_empty_database_for_each_test(
    application: Application, server: Server
) -> None:
    """Its own tests run on PostgreSQL, with an env.py as its documentation has it."""
    application.write("migrations/env.py", ENV)
    application.write("models.py", "from sqlalchemy import MetaData\nmetadata = MetaData()\n")
    application.write("tests/conftest.py", "")
    words = ["--surefoot", "--test-alembic", "-k", "single_head or up_down", "tests"]
    python = environment_of("pytest-alembic", "binary") / "bin" / "python"
    more = {
        "PYTHONPATH": str(application.root),
        "PATH": f"{embedded_bin()}:{os.environ['PATH']}",  # its pg_dump
    }
    said = _pytest(application, server, *words, python=python, **more)
    assert "2 passed" in said
    databases = "select count(*) from pg_database where datname like 'surefoot_certify%'"
    with psycopg.connect(server.conninfo()) as connection:
        assert connection.execute(databases).fetchone() == (0,)


@pytest.mark.slow
def test_without_a_catalogue_it_says_what_to_type(tmp_path: Path, server: Server) -> None:
    application = clean(tmp_path / "application")
    said = _pytest(application, server, "--surefoot")
    assert "surefoot catalog build" in said
    assert "Traceback" not in said


def test_without_its_option_the_plugin_loads_nothing() -> None:
    """pytest loads it in every run."""
    program = (
        "import pytest, sys; import surefoot.pytest_plugin;"
        "print(*(name for name in sys.modules if name.startswith('surefoot')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["surefoot", "surefoot.pytest_plugin"]
