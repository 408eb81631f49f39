"""A schema for each customer: each identified, verified, upgraded and reported for itself."""

from pathlib import Path

import pytest

from surefoot.postgres.embedded import Server
from tests.support.catalogues import with_catalogue
from tests.support.database import Database
from tests.support.project import Application
from tests.support.tenants import PLAIN, rows, seals, with_history, with_shared


@pytest.fixture
def application(tmp_path: Path, server: Server) -> Application:
    application = with_history(Application(tmp_path))
    application.config(PLAIN)
    with_catalogue(application, server)
    return application


def test_a_new_tenant_is_installed_and_is_at_head(
    application: Application, database: Database
) -> None:
    url = database.url()
    status = application.run("status", "--tenant", "acme", "--json", url=url)
    assert status.code == 3, status.err
    done = application.run("up", "--tenant", "acme", url=url)
    assert done.code == 0, done.err
    assert rows(database, "acme") == ["t5"]
    before = seals(database)
    done = application.run("up", "--tenant", "bolt", url=url)
    assert done.code == 0, done.err
    assert rows(database, "bolt") == ["t5"]
    assert seals(database)["acme"] == before["acme"]
    status = application.run("status", "--tenant", "bolt", url=url)
    assert status.code == 0, status.out + status.err
    assert "acme" not in status.out
