"""What the README shows is what happens."""

import re
import shutil
from pathlib import Path

from tests.support.database import Database
from tests.support.masked import masked
from tests.support.project import Application

ROOT = Path(__file__).parents[2]


def test_the_account_in_the_readme(tmp_path: Path, database: Database) -> None:
    """The example's fresh install, line by line; "…" stands for lines that are left out."""
    shutil.copytree(ROOT / "examples" / "whisperengine", tmp_path / "example")
    application = Application.__new__(Application)
    application.root = tmp_path / "example"
    server = database.server
    environ = {
        "POSTGRES_HOST": server.host,
        "POSTGRES_PORT": str(server.port),
        "POSTGRES_USER": "postgres",
        "POSTGRES_PASSWORD": server.password,
        "POSTGRES_DB": database.name,
    }
    result = application.run("up", env=environ)
    assert result.code == 0, result.err
    account = masked(result.err, database).replace("app on db:5432", "postgres on db:5432")
    block = re.search(
        r"```console\n\$ surefoot up\n(.*?)```", (ROOT / "README.md").read_text(), re.S
    )
    assert block is not None
    position = 0
    for line in block[1].splitlines():
        if line.strip() != "…":
            found = account.find(line, position)
            assert found >= 0, f"{line!r} is not in\n{account}"
            position = found + len(line)


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
