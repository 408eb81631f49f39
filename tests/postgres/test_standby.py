"""A hot standby, which can only be read: at head an application may start on it."""

import pytest

from tests.support.project import Application
from tests.support.servers import MakeServer
from tests.support.standby import PSYCOPG, Pair


@pytest.fixture
def pair(own_server: MakeServer) -> Pair:
    return Pair(own_server)


@pytest.mark.slow
def test_a_standby_at_head_and_behind(application: Application, pair: Pair) -> None:
    """Nothing to do: exit 0, and the command is started. Something to do: it's for the primary."""
    application.linear()
    assert pair.run(application, pair.primary, "up").code == 0
    pair.follow()
    assert pair.run(application, pair.standby, "status").code == 0
    assert pair.run(application, pair.standby, "plan").code == 0
    started = pair.run(application, pair.standby, "up", "--", "echo", "started")
    assert (started.code, started.out) == (0, "started\n"), started.err
    assert "nothing to do" in started.err

    pair.hold()
    application.revision("r4", "r3", "create table more (id int)")
    assert pair.run(application, pair.primary, "up").code == 0
    # the standby lags: it's behind, which is no error
    status = pair.run(application, pair.standby, "status", "--json")
    assert (status.code, status.json["state"]) == (3, "behind"), status.err
    result = pair.run(application, pair.standby, "up", "--json")
    assert (result.code, result.error) == (4, "database-read-only"), result.err
    (finding,) = result.json["findings"]
    assert "is a standby" in finding["message"]
    assert "primary" in finding["next"]
    pair.follow()
    assert pair.run(application, pair.standby, "up").code == 0


def test_a_standby_that_surefoot_has_never_seen(application: Application, pair: Pair) -> None:
    """Plain Alembic has brought it to head: it's looked at thoroughly, and nothing is written."""
    application.linear()
    assert pair.run(application, pair.standby, "status").code == 3
    application.alembic("upgrade", "head", url=pair.primary.database.url(PSYCOPG))
    pair.follow()
    for command in ("status", "plan", "up"):
        result = pair.run(application, pair.standby, command)
        assert result.code == 0, result.err


def test_a_revision_that_is_half_way_on_the_primary(application: Application, pair: Pair) -> None:
    """It commits by itself in the middle, and the standby shows that: it's behind, and no more."""
    application.linear()
    body = (
        "op.execute('create table more (id int)')\n"
        "with op.get_context().autocommit_block():\n"
        "    op.execute('create index concurrently on more (id)')\n"
        "op.execute('select 1/0')"
    )
    application.revision("r4", "r3", body=body)
    assert pair.run(application, pair.primary, "up").code == 6
    pair.follow()
    assert pair.run(application, pair.primary, "status").code == 4
    status = pair.run(application, pair.standby, "status", "--json")
    assert (status.code, status.json["state"]) == (3, "behind"), status.err
    result = pair.run(application, pair.standby, "up", "--json")
    assert (result.code, result.error) == (4, "database-read-only"), result.err
    assert "r4 has begun on the primary" in "\n".join(result.json["findings"][0]["seen"])


def test_a_standby_that_is_promoted(application: Application, pair: Pair) -> None:
    """Refused as a standby; as a primary it's migrated."""
    application.linear()
    assert pair.run(application, pair.standby, "up").code == 4
    pair.standby.database.execute("select pg_promote()")
    assert pair.run(application, pair.standby, "up").code == 0


def test_an_address_that_asks_for_a_primary(application: Application, pair: Pair) -> None:
    """libpq finds it among several; where there is only a standby, one waits for a primary."""
    application.linear()
    application.config('wait = "500ms"\n')
    ports = [pair.standby.server.port, pair.primary.server.port]
    password = pair.primary.server.password
    wanted = "target_session_attrs=read-write"
    alone = f"postgresql+psycopg://postgres:{password}@127.0.0.1:{ports[0]}/postgres?{wanted}"
    result = application.run("up", "--json", url=alone)
    assert (result.code, result.error) == (7, "server-not-ready"), result.err
    assert "target_session_attrs" in result.json["findings"][0]["message"]
    both = f"127.0.0.1:{ports[0]},127.0.0.1:{ports[1]}"
    result = application.run(
        "up", "--json", url=f"postgresql://postgres:{password}@{both}/postgres?{wanted}"
    )
    assert result.code == 0, result.err
    assert pair.primary.database.tables() != []
