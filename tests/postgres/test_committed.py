""" "Committed" is reported when the server has said so, and never before."""

import re

import pytest

from tests.support.database import Database
from tests.support.project import ASYNC_ENV, SYNC_ENV, Application

_LOCK = "connection.exec_driver_sql('select pg_advisory_xact_lock(42)')"
_CONFIGURE = "    context.configure("
_BEGIN = "    with context.begin_transaction():\n        context.run_migrations()\n"
TEMPLATES = {"sync": SYNC_ENV, "async": ASYNC_ENV}


def with_statement(template: str, *behind: str) -> str:
    """With a statement before context.configure(), and these lines after it."""
    lines = "".join(f"    {line}\n" for line in (_LOCK, *behind))
    return template.replace(_CONFIGURE, f"{lines}{_CONFIGURE}")


NEVER = {
    "a statement before configure": with_statement(SYNC_ENV),
    "the same, async": with_statement(ASYNC_ENV),
    "no begin_transaction": SYNC_ENV.replace(
        _BEGIN,
        "    connection.exec_driver_sql('select 1')\n    context.run_migrations()\n",
    ),
    "an outer transaction that is rolled back": SYNC_ENV.replace(
        _CONFIGURE, f"    outer = connection.begin()\n{_CONFIGURE}"
    )
    + "    outer.rollback()\n",
    "a connection that is kept": with_statement(SYNC_ENV)
    .replace("pg_advisory_xact_lock(42)", "1")  # the first run of env.py keeps its connection, too
    .replace(
        "with connectable.connect() as connection:",
        "import builtins\nbuiltins.kept = connection = connectable.connect()\nif True:",
    ),
}


@pytest.mark.provokes("env-never-commits")
@pytest.mark.parametrize("each", ["", "transaction_per_migration=True"])
@pytest.mark.parametrize("how", NEVER)
def test_an_env_that_never_commits(
    application: Application, database: Database, how: str, each: str
) -> None:
    if each and how == "no begin_transaction":
        pytest.skip("Alembic commits each revision there")
    application.env(NEVER[how], each)
    application.linear()
    result = application.run("up", "--json", url=database.url())
    assert (result.code, result.error) == (5, "env-never-commits"), result.err
    (finding,) = result.json["findings"]
    assert finding["database"].startswith("Rolled back, verified. No step was committed.")
    assert "not committed: r1, r2, r3" in finding["seen"]
    assert "committed" not in result.err.partition("surefoot stopped")[0], result.err
    assert "✓" not in result.err
    assert database.tables() == []


@pytest.mark.parametrize("template", TEMPLATES)
@pytest.mark.follows("env-never-commits")
def test_what_next_says_of_a_statement_before_configure(
    application: Application, database: Database, template: str
) -> None:
    """The statement is named, with its line; the line that `next` names is put after it."""
    application.env(with_statement(TEMPLATES[template]))
    application.linear()
    result = application.run("up", "--json", url=database.url())
    (finding,) = result.json["findings"]
    seen = " ".join(finding["seen"])
    assert "select pg_advisory_xact_lock(42)" in seen
    place = re.search(r"migrations/env\.py:(\d+): select", seen)
    assert place is not None, seen
    file = application.root / "migrations" / "env.py"
    lines = file.read_text().splitlines()
    number = int(place[1])
    assert _LOCK in lines[number - 1]
    assert "put a line connection.commit() between that statement and" in finding["next"]
    lines.insert(number, "    connection.commit()")
    application.write("migrations/env.py", "\n".join(lines) + "\n")
    again = application.run("up", url=database.url())
    assert again.code == 0, again.err
    assert "3 revisions, in one transaction" in again.err


COMMITS = {
    "one transaction": (SYNC_ENV, ""),
    "each": (SYNC_ENV, "transaction_per_migration=True"),
    "async": (ASYNC_ENV, ""),
    "async, each": (ASYNC_ENV, "transaction_per_migration=True"),
    "without transactional DDL": (SYNC_ENV, "transactional_ddl=False"),
    "AUTOCOMMIT": (
        SYNC_ENV.replace(
            "with connectable.connect() as connection:",
            "with connectable.connect().execution_options(isolation_level='AUTOCOMMIT')"
            " as connection:",
        ),
        "",
    ),
    "env.py's own transaction": (
        SYNC_ENV.replace("connectable.connect()", "connectable.begin()"),
        "",
    ),
    "env.py commits at its end": (with_statement(SYNC_ENV) + "    connection.commit()\n", ""),
}


@pytest.mark.parametrize("how", COMMITS)
def test_an_env_that_commits(application: Application, database: Database, how: str) -> None:
    application.env(*COMMITS[how])
    application.linear()
    result = application.run("up", url=database.url())
    assert result.code == 0, result.err
    each = "each" in how
    assert ("✓ r3" in result.err) == each
    assert ("✓ 3 revisions, in " in result.err) == (not each)
    assert application.run("up", "--json", url=database.url()).json["state"] == "at-head"


@pytest.mark.slow
def test_the_way_back_is_committed_when_the_server_says_so(
    application: Application, database: Database
) -> None:
    application.linear()
    application.revision("r4", "r3", "create table more ()", downgrade="op.drop_table('more')")
    assert application.run("catalog", "build").code == 0
    assert application.run("up", url=database.url()).code == 0
    application.env(with_statement(SYNC_ENV))
    back = ("down", "--to", "r3", "--yes", "--accept-data-loss")
    result = application.run(*back, "--json", url=database.url())
    assert (result.code, result.error) == (5, "env-never-commits"), result.err
    assert "✓" not in result.err
    assert "public.more" in database.tables()
    application.env(with_statement(SYNC_ENV, "connection.commit()"))
    result = application.run(*back, url=database.url())
    assert result.code == 0, result.err
    assert "1 revision undone, in one transaction" in result.err
