"""Each command, cut off at each statement: a finding every time, and never a traceback."""

import pytest

from surefoot.certify.proxy import Stop, between
from surefoot.postgres.embedded import Server
from tests.support.database import Database
from tests.support.project import Application
from tests.support.proxy import cut_at
from tests.support.refusals import with_catalogue

COMMANDS = {
    "status": ("status",),
    "plan": ("plan",),
    "up": ("up", "--json"),
    "drift": ("drift",),
    "adopt": ("adopt", "r2", "--yes"),
    "repair": ("repair", "r2", "--yes"),
    "down": ("down", "--to", "r1", "--yes"),
    "cleanup": ("cleanup", "--yes"),
    "backup": ("backup",),
    "backups": ("backups",),
    "history": ("history",),
}


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_no_statement_ends_in_a_traceback(
    application: Application, server: Server, database: Database, command: str
) -> None:
    """The database may be where it was, or at the command's end: the exit code says which."""
    application.revision("r1", None, "create table people (id int primary key)")
    application.revision(
        "r2",
        "r1",
        "create table pets (id int primary key)",
        downgrade="op.execute('drop table pets')",
    )
    with_catalogue(application, server)
    assert application.run("up", url=database.url()).code == 0
    words = COMMANDS[command]
    with between(database.server.port, None) as proxy:
        url = database.url().replace(str(database.server.port), str(proxy.port))
        undisturbed = application.run(*words, url=url)
        number = len(proxy.log)
    assert undisturbed.code in (0, 4), undisturbed.err
    wrong: list[str] = []
    for at in range(1, number + 1):
        if command == "down":
            assert application.run("up", url=database.url()).code == 0
        with cut_at(database.server.port, Stop(at, "before")) as proxy:
            url = database.url().replace(str(database.server.port), str(proxy.port))
            done = application.run(*words, url=url)
        if done.code == 1 or "Traceback" in done.err:
            wrong.append(f"{at}: {done.code} {done.err}")
    assert wrong == []
