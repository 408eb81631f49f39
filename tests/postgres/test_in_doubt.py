"""The connection is cut at COMMIT: what became of it is found out by looking."""

import pytest

from tests.support.database import Database
from tests.support.project import Application
from tests.support.proxy import proxy

# what precedes the COMMIT in question: the last revision's row in the journal
LAST = "'r3', 'r2'"


def _url(database: Database, port: int) -> str:
    return database.url("postgresql+psycopg2").replace(f":{database.server.port}/", f":{port}/")


def _application(application: Application) -> None:
    """psycopg2 writes parameters into the statement, so that the proxy sees them."""
    application.config('wait = "3s"\n')
    application.linear()


def test_cut_before_commit_reaches_the_server(application: Application, database: Database) -> None:
    _application(application)
    with proxy(database.server.port, LAST, "COMMIT") as between:
        result = application.run("up", "--json", url=_url(database, between.port))
        assert between.cuts == 1
    assert (result.code, result.error) == (5, "connection-lost"), result.err
    assert "Rolled back, verified. No step was committed." in result.json["findings"][0]["database"]
    assert "when it was to be committed" in result.json["findings"][0]["message"]
    assert database.tables() == []


@pytest.mark.provokes("connection-lost-at-commit")
@pytest.mark.follows("connection-lost-at-commit")
def test_cut_after_the_server_has_committed(application: Application, database: Database) -> None:
    """The client never hears of it, and yet the report says that it is done."""
    _application(application)
    with proxy(database.server.port, LAST, "COMMIT", after=True) as between:
        result = application.run("up", "--json", url=_url(database, between.port))
        assert between.cuts == 1
    assert result.error == "connection-lost-at-commit", result.err
    assert "was committed all the same, verified" in result.json["findings"][0]["database"]
    assert result.json["current"] == ["r3"]
    assert "nothing to do" in application.run("up", url=database.url()).err


@pytest.mark.slow
def test_a_server_that_does_not_come_back_is_in_doubt(
    application: Application, database: Database
) -> None:
    """Nobody can be asked: exit 6, and no claim either way."""
    _application(application)
    with proxy(database.server.port, LAST, "COMMIT", after=True, stay_down=True) as between:
        result = application.run("up", "--json", url=_url(database, between.port))
    assert (result.code, result.error) == (6, "connection-lost-at-commit"), result.err
    assert result.json["findings"][0]["database"].startswith("Unknown")
    assert result.json["current"] is None


def test_a_connection_lost_while_looking(application: Application, database: Database) -> None:
    """Before anything was begun: said in one message, and nothing is changed."""
    _application(application)
    with proxy(database.server.port, "pg_postmaster", "COMMIT") as between:
        result = application.run("up", "--json", url=_url(database, between.port))
        assert between.cuts == 1
    assert (result.code, result.error) == (7, "server-unreachable")
    assert database.tables() == []


def test_the_applications_connection_lost_before_its_first_revision(
    application: Application, database: Database
) -> None:
    """Where its settings are asked for: told as what it is, and nothing is changed."""
    _application(application)
    asked = "client_connection_check_interval"
    with proxy(database.server.port, asked, asked) as between:
        result = application.run("up", "--json", url=_url(database, between.port))
        assert between.cuts == 1
    assert result.code in (4, 5), result.err
    assert database.tables() == []
