"""While somebody is asked, the database may change: then nothing that was shown is done."""

import os
import pty
import subprocess
from pathlib import Path

import msgspec
import pytest

from surefoot.decision.decide import NothingToDo
from surefoot.decision.facts import Code, DatabaseState, Facts, ServerInfo, VersionTableName
from surefoot.model.history import History
from surefoot.model.states import State
from surefoot.postgres.embedded import Server
from surefoot.workflows.job import Looked
from tests import starts
from tests.support.database import Database
from tests.support.going_down import R2, R3, mood, shop, up
from tests.support.project import Application

__all__ = ["shop"]  # the fixture


def asked(root: Path, url: str, *command: str, meanwhile: str, database: Database) -> str:
    """Start the command at a terminal; once it asks, do that, and answer yes. What it said."""
    master, slave = pty.openpty()
    try:
        process = starts.start(
            *("-m", "surefoot", *command, "--database-url", url),
            cwd=root,
            stdin=slave,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert process.stderr is not None
        said = ""
        while "[y/N]" not in said:
            letter = process.stderr.read(1)
            assert letter, said
            said += letter
        if meanwhile:
            database.execute(meanwhile)
        os.write(master, b"y\n")
        said += process.stderr.read()
        return f"{said}\nexit {process.wait(timeout=60)}"
    finally:
        os.close(slave)
        os.close(master)


@pytest.mark.parametrize("meanwhile", ["", "create table just_made (id int)"])
@pytest.mark.parametrize("command", ["adopt", f"down --to {R2}", "cleanup"])
def test_what_changes_while_it_asks(
    shop: Application, database: Database, server: Server, command: str, meanwhile: str
) -> None:
    """Refused under the lock, with everything as it was; without a change, it is done."""
    if command == "cleanup":
        mood(shop, server)
    up(shop, database)
    if command == "cleanup":
        done = shop.run("down", "--to", R3, "--yes", url=database.url())
        assert done.code == 0, done.err
    if command == "adopt":
        database.execute("drop table alembic_version; drop schema surefoot cascade")
    before = database.dump()
    said = asked(
        shop.root, database.url(), *command.split(), meanwhile=meanwhile, database=database
    )
    if not meanwhile:
        assert said.endswith("exit 0"), said
        assert database.dump() != before
        return
    assert said.endswith("exit 4"), said
    assert "surefoot explain plan-outdated" in said
    database.execute("drop table just_made")
    assert database.dump() == before


def test_two_looks_are_the_same_in_all_that_the_plan_rests_on() -> None:
    server = ServerInfo(180000, "18", "shop", "app", "today", "public")
    seen = DatabaseState(server, VersionTableName("alembic_version", None))
    facts = Facts(Code(History({})), seen)
    decision = NothingToDo(State.EMPTY)
    one = Looked(facts, decision, beside=("left",))
    assert one.same(Looked(facts, decision, beside=("left",)))
    assert not one.same(Looked(facts, decision, beside=("left", "right")))
    other = msgspec.structs.replace(facts, was_empty=True)
    assert not one.same(Looked(other, decision, beside=("left",)))
