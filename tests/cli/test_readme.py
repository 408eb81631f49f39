"""What the README shows is what happens."""

import re
import shutil
import sys
from pathlib import Path

import pytest

from surefoot.postgres.embedded import embedded_bin
from tests.support.database import Database
from tests.support.example import HEAD, Example
from tests.support.masked import masked

ROOT = Path(__file__).parents[2]


def _example(tmp_path: Path, database: Database) -> Example:
    return Example(tmp_path / "example", database)


def _is_shown(command: str, account: str) -> None:
    """The README's block has lines of this account, in order; "…" stands for others."""
    pattern = rf"```console\n\$ {re.escape(command)}\n(.*?)```"
    block = re.search(pattern, (ROOT / "README.md").read_text(), re.S)
    assert block is not None
    position = 0
    for line in block[1].splitlines():
        if line.strip() != "…":
            found = account.find(line, position)
            assert found >= 0, f"{line!r} is not in\n{account}"
            position = found + len(line)


def test_the_account_in_the_readme(tmp_path: Path, database: Database) -> None:
    """The example's fresh install, line by line."""
    example = _example(tmp_path, database)
    result = example.run("up", env=example.variables())
    assert result.code == 0, result.err
    account = masked(result.err, database).replace("app on db:5432", "postgres on db:5432")
    _is_shown("surefoot up", account)


@pytest.mark.slow
def test_the_way_from_the_refusal_in_the_readme(tmp_path: Path, database: Database) -> None:
    """What the block's last line says leads to the application."""
    example = _example(tmp_path, database)
    example.load_init_script(embedded_bin())
    example.plain_alembic("stamp", HEAD)
    start = ("up", "--", sys.executable, "-c", "print('the application')")
    refused = example.surefoot(*start)
    assert (refused.code, refused.out) == (4, "")
    (word,) = re.findall(r"SUREFOOT_APPROVE=(\S+)", refused.err)
    shown = re.findall(r"SUREFOOT_APPROVE=(\S+)", (ROOT / "README.md").read_text())
    _is_shown("docker compose logs app", refused.err.replace(word, shown[0]))
    assert re.fullmatch(r"adopt-[0-9a-f]{16}", shown[0])
    approved = example.run(*start, env={**example.variables(), "SUREFOOT_APPROVE": word})
    assert (approved.code, approved.out) == (0, "the application\n"), approved.err


def test_the_excerpt_of_a_catalogue() -> None:
    """The block that docs/guides/catalogue.md shows is in the example's catalogue, line by line."""
    made = (ROOT / "examples" / "whisperengine" / "alembic" / "surefoot-catalog.txt").read_text()
    page = (ROOT / "docs" / "guides" / "catalogue.md").read_text()
    block = re.search(r"^```\n(revision\t.*?)^```", page, re.M | re.S)
    assert block is not None
    pattern = re.escape(block[1]).replace("…", "[0-9a-f]+")
    assert re.search(rf"^{pattern}$", made, re.M)


def test_the_commands_of_the_readme_are_targets_and_commands() -> None:
    readme = (ROOT / "README.md").read_text()
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"^make (\w+)", readme, re.M):
        assert f"\n{target}:" in makefile
    assert "make test" in (ROOT / ".ci" / "run").read_text()


def test_the_changelog_takes_up_its_fragments(tmp_path: Path) -> None:
    """Each fragment becomes a line below its kind, and is gone."""
    import datetime
    import runpy

    (tmp_path / "changelog.d").mkdir()
    shutil.copy(ROOT / "CHANGELOG.md", tmp_path / "CHANGELOG.md")
    (tmp_path / "changelog.d" / "a.fixed.md").write_text("Mended\na thing.\n")
    collect = runpy.run_path(str(ROOT / "changelog.d" / "collect.py"))["collect"]
    collect("9.9.9", tmp_path, datetime.date(2027, 1, 2))
    text = (tmp_path / "CHANGELOG.md").read_text()
    assert "## 9.9.9 (2027-01-02)\n\n### Fixed\n\n- Mended a thing.\n" in text
    assert not list((tmp_path / "changelog.d").glob("*.md"))
