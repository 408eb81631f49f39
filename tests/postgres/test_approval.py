"""A plan is approved by its word in the environment: that plan, in that database, once."""

import re
from pathlib import Path

import pytest

from surefoot.postgres.embedded import Server
from tests.support import catalogues
from tests.support.backups import dumps, sidecar
from tests.support.database import Database
from tests.support.going_down import R1, R2, R3, mood, shop, text, up
from tests.support.next_steps import arrives
from tests.support.project import Application, Result

__all__ = ["shop"]  # the fixture

VARIABLE = "SUREFOOT_APPROVE"
DRIVER = "postgresql+psycopg"


def words(result: Result) -> list[str]:
    """The words that were printed to be copied, in their order."""
    return re.findall(rf"^ +{VARIABLE}=(\S+)$", result.out + result.err, re.M)


def word(result: Result) -> str:
    (found,) = words(result)
    return found


def start(application: Application, database: Database, *command: str, **env: str) -> Result:
    return application.run(*command, url=database.url(), env=env)


def lying(shop: Application, database: Database, says: str = R3, stands: str = R1) -> None:
    """The structure is that of an older revision than the version row says."""
    shop.alembic("upgrade", stands, url=database.url(DRIVER))
    database.execute(f"update alembic_version set version_num = '{says}'")


def steps(database: Database) -> list[tuple[str, str]]:
    return database.query(
        "select step, name from surefoot.journal where step not in ('reached') order by id"
    )


def test_up_carries_out_what_was_approved_and_goes_on(
    shop: Application, database: Database
) -> None:
    """The word of a refused start leads to head in the next one; the journal has it. Left set,
    it does nothing, says so, and costs the quick start nothing.
    """
    lying(shop, database)
    refused = start(shop, database, "up")
    assert refused.code == 4
    approved = word(refused)
    assert f"what {approved} approves: adopt revision {R1}, instead of '{R3}'" in text(refused)
    before = database.dump()
    assert word(start(shop, database, "up")) == approved, "the same plan, another word"
    assert word(start(shop, database, "status")) == approved
    assert word(start(shop, database, "plan")) == approved
    assert database.dump() == before

    done = start(shop, database, "up", SUREFOOT_APPROVE=approved)
    assert done.code == 0, done.err
    assert database.query("select version_num from alembic_version") == [(R3,)]
    assert steps(database)[:2] == [("approved", approved), ("adopt", R1)]

    after = database.dump()
    for _ in range(2):
        left = start(shop, database, "up", SUREFOOT_APPROVE=approved)
        assert left.code == 0
        assert text(left).count(f"{VARIABLE} is set, but approves nothing now: remove it") == 1
    assert database.dump() == after


def test_a_backup_is_taken_before_the_upgrade_that_follows(
    shop: Application, database: Database
) -> None:
    """What was approved changes only the version row; the revisions after it change data."""
    lying(shop, database)
    given = {"SUREFOOT_BACKUP": "before-upgrade"}
    approved = word(start(shop, database, "up", **given))
    done = start(shop, database, "up", SUREFOOT_APPROVE=approved, **given)
    assert done.code == 0, done.err
    (file,) = dumps(shop)
    assert sidecar(file)["upgrade"] == "succeeded"
    assert sidecar(file)["contents"]["version_rows"] == [R1], sidecar(file)


def test_the_command_itself_takes_the_word(shop: Application, database: Database) -> None:
    lying(shop, database)
    command = ("adopt", R1)
    asked = start(shop, database, *command)
    assert asked.code == 2
    assert word(asked) == word(start(shop, database, "up"))
    done = start(shop, database, *command, SUREFOOT_APPROVE=word(asked))
    assert done.code == 0, done.err
    assert steps(database) == [("approved", word(asked)), ("adopt", R1)]


@pytest.mark.provokes("approval-outdated")
def test_what_was_approved_is_not_what_would_be_done(shop: Application, database: Database) -> None:
    """Another structure by then: another plan, and nothing is done. Both commands say so."""
    lying(shop, database, stands=R1)
    old = word(start(shop, database, "up"))
    database.execute(
        "alter table customers add phone text; create index customers_phone on customers (phone)"
    )
    before = database.dump()
    for command in (("up",), ("adopt", R2)):
        refused = start(shop, database, *command, SUREFOOT_APPROVE=old)
        assert refused.code == 4
        assert "explain approval-outdated" in refused.err
        assert set(words(refused)) == {word(start(shop, database, "up"))}
        assert old not in words(refused)
    assert database.dump() == before


@pytest.mark.follows("approval-outdated")
def test_the_new_word_suffices(shop: Application, database: Database) -> None:
    lying(shop, database)
    refused = shop.run("up", "--json", url=database.url(), env={VARIABLE: "adopt-0123456789abcdef"})
    finding, _ = refused.json["findings"]
    assert finding["code"] == "approval-outdated"
    name, _, value = finding["next"].splitlines()[-1].strip().partition("=")
    done = start(shop, database, "up", **{name: value})
    assert done.code == 0, done.err


def test_another_database_has_another_word(
    shop: Application, database: Database, other_database: Database
) -> None:
    for one in (database, other_database):
        lying(shop, one)
    theirs = word(start(shop, other_database, "up"))
    assert theirs != word(start(shop, database, "up"))
    assert start(shop, database, "up", SUREFOOT_APPROVE=theirs).code == 4


def test_once(shop: Application, database: Database) -> None:
    """The same lie told again has another word, although the plan is the same."""
    lying(shop, database)
    first = word(start(shop, database, "up"))
    assert start(shop, database, "adopt", R1, SUREFOOT_APPROVE=first).code == 0
    database.execute(f"update alembic_version set version_num = '{R3}'")
    again = start(shop, database, "up", SUREFOOT_APPROVE=first)
    assert again.code == 4
    assert first not in words(again)


def test_one_of_several_ways(shop: Application, database: Database, server: Server) -> None:
    """Two revisions have this structure: each way out has a word of its own."""
    shop.revision(R3[:-1] + "9", R3, "update customers set name = name")
    catalogues.with_catalogue(shop, server)
    shop.alembic("upgrade", R3, url=database.url(DRIVER))
    database.execute("drop table alembic_version")
    refused = start(shop, database, "up")
    assert refused.code == 4
    assert len(words(refused)) == 2
    for way, revision in zip(words(refused), (R3, R3[:-1] + "9"), strict=True):
        assert f"what {way} approves: adopt revision {revision}" in text(refused)
    done = start(shop, database, "up", SUREFOOT_APPROVE=words(refused)[1])
    assert done.code == 0, done.err
    assert ("revision", R3[:-1] + "9") not in steps(database)


def test_repair_through_up(shop: Application, database: Database) -> None:
    shop.alembic("upgrade", R2, url=database.url(DRIVER))
    database.execute(f"update alembic_version set version_num = '{R2[:8]}'")
    refused = shop.run("up", "--json", url=database.url())
    assert refused.error == "version-table-corrupted"
    arrives(shop, database, refused, only=VARIABLE)


def test_down_and_what_it_loses(shop: Application, database: Database) -> None:
    """A loss is approved by its own word; the command that was refused takes it."""
    up(shop, database)
    database.execute("insert into customers values (1); insert into orders values (1, 1)")
    command = ("down", "--to", R2)
    refused = start(shop, database, *command)
    assert refused.code == 4
    loses = word(refused)
    assert loses.startswith("down-accept-")
    done = start(shop, database, *command, SUREFOOT_APPROVE=loses)
    assert done.code == 0, done.err
    assert ("approved", loses) in steps(database)


@pytest.mark.slow
def test_more_rows_than_were_approved(
    shop: Application, database: Database, server: Server
) -> None:
    """What a cleanup drops is counted, and the number is a part of what is approved. Once it is
    carried out, the same objects are approved anew.
    """
    mood(shop, server)
    up(shop, database)
    assert start(shop, database, "down", "--to", R3, "--yes").code == 0
    asked = start(shop, database, "cleanup")
    assert asked.code == 2
    done = start(shop, database, "cleanup", SUREFOOT_APPROVE=word(asked))
    assert done.code == 0, done.err
    up(shop, database)
    assert start(shop, database, "down", "--to", R3, "--yes").code == 0
    again = start(shop, database, "cleanup", SUREFOOT_APPROVE=word(asked))
    assert again.code == 4
    assert word(asked) not in words(again)


@pytest.mark.slow
def test_an_older_image_goes_back(
    shop: Application, database: Database, tmp_path: Path, server: Server
) -> None:
    """The way out of an older image's refusal is to go back; approved, the same start arrives."""
    from tests.support.going_down import older

    shop.revision(
        "e6f1029a4b7d",
        R3,
        "alter table customers drop column name",
        downgrade=("op.execute('alter table customers add name text')"),
    )
    catalogues.with_catalogue(shop, server)
    up(shop, database)
    image = older(shop, tmp_path / "older", "e6f1029a4b7d", server=server)
    refused = start(image, database, "up")
    assert refused.code == 4, refused.err
    ways = [one for one in words(refused) if one.startswith("down-")]
    assert len(ways) == 1, refused.err
    done = start(image, database, "up", SUREFOOT_APPROVE=ways[0])
    assert done.code == 0, done.err
    assert database.query("select version_num from alembic_version") == [(R3,)]
