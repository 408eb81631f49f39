"""What the example's README says may be tried, tried."""

from pathlib import Path

import pytest

from surefoot.postgres.embedded import Server
from tests.support.database import Database
from tests.support.example import Example


@pytest.fixture
def example(tmp_path: Path, database: Database, client_bin: Path) -> Example:
    """The example, and a database of v1.0.6 that nobody ever stamped."""
    example = Example(tmp_path / "whisperengine", database)
    example.load_init_script(client_bin)
    return example


@pytest.mark.slow
def test_its_catalogue_is_what_its_code_does(example: Example, server: Server) -> None:
    done = example.run("catalog", "check", "--server", server.url(), timeout=120)
    assert done.code == 0, done.err


def test_an_old_installation(example: Example) -> None:
    done = example.surefoot("up")
    assert done.code == 0, done.err
    assert "916 facts match revision 20251011_baseline_v106" in done.err
    assert "15 revisions applied" in done.err


def test_a_lost_version_row(example: Example) -> None:
    assert example.surefoot("up").code == 0
    example.database.execute("delete from alembic_version")
    status = example.surefoot("status", "--json").json
    assert status["structure"]["chosen"] == ["0d5e92b7c386"]


def test_a_table_in_the_way(example: Example) -> None:
    example.plain_alembic("stamp", "20251011_baseline_v106")
    example.plain_alembic("upgrade", "b06ced8ecd14")
    example.database.execute("create table personality_traits (id int)")
    refused = example.surefoot("up", "--json")
    assert refused.code == 4
    assert any("personality_traits" in line for line in refused.json["findings"][0]["seen"])


def test_a_stamp_that_lies(example: Example) -> None:
    example.plain_alembic("stamp", "heads")
    assert example.surefoot("up", "--json").error == "structure-contradicts-revision"
    assert example.surefoot("adopt", "--yes").code == 0
    assert "15 revisions applied" in example.surefoot("up").err


def test_a_table_that_somebody_changed(example: Example) -> None:
    """Refused by the structure; without a catalogue, or surefoot, the backfill itself asks."""
    example.plain_alembic("stamp", "20251011_baseline_v106")
    example.plain_alembic("upgrade", "9c23e4e81011")
    example.database.execute(
        "alter table personality_traits drop constraint personality_traits_once"
    )
    assert example.surefoot("up", "--json").error == "structure-contradicts-revision"
    failed = example.without_surefoot("-m", "alembic", "upgrade", "heads")
    assert failed.code != 0
    said = " ".join((failed.out + failed.err).split())
    assert "no unique index or constraint on exactly (character_id, trait_name)" in said
    assert "Traceback" not in said
    (example.root / "alembic" / "surefoot-catalog.txt").unlink()
    result = example.surefoot("up", "--json")
    assert (result.code, result.error) == (5, "requirement-not-met")
    assert example.database.query("select count(*) from personality_traits") == [(0,)]


def test_a_revision_that_changes_data_only(example: Example) -> None:
    example.plain_alembic("stamp", "20251011_baseline_v106")
    example.plain_alembic("upgrade", "c64001afbd46")
    example.database.execute("delete from alembic_version")
    refused = example.surefoot("up", "--json")
    assert refused.error == "ambiguous-revision"
    seen = " ".join(refused.json["findings"][0]["seen"])
    assert "9c23e4e81011" in seen
    assert "c64001afbd46" in seen
