"""docs/evidence/performance.md: each table says when it was measured, and of which code."""

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).parents[2] / "bench" / "page.py"
PAGE = """\
<!-- measured one: `python bench/one.py` at {commit} on 2026-01-02
code: code.py
{kept}-->
| a |
|---|
| 1 |
<!-- end of one -->
"""


@pytest.fixture
def page(tmp_path: Path) -> ModuleType:
    """The script, in a repository of its own with one file of code."""
    spec = importlib.util.spec_from_file_location("page_of_figures", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # its dataclass looks there
    spec.loader.exec_module(module)
    module.ROOT = tmp_path  # type: ignore[attr-defined]
    module.PAGES = [tmp_path / "page.md"]  # type: ignore[attr-defined]
    return module


def _git(root: Path, *arguments: str) -> str:
    own = ["-c", "user.name=test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=no"]
    return subprocess.run(
        ["git", "-C", str(root), *own, *arguments], check=True, capture_output=True, text=True
    ).stdout.strip()


def _commit(root: Path, code: str) -> str:
    (root / "code.py").write_text(code)
    if not (root / ".git").exists():
        _git(root, "init", "--quiet")
    _git(root, "add", "code.py")
    _git(root, "commit", "--quiet", "--message", code)
    return _git(root, "rev-parse", "--short=12", "HEAD")


def test_a_table_is_older_than_its_code(page: ModuleType, tmp_path: Path) -> None:
    measured = _commit(tmp_path, "one")
    page.PAGES[0].write_text(PAGE.format(commit=measured, kept=""))
    assert page.main() == 0
    (tmp_path / "code.py").write_text("two")
    assert page.main() == 1, "not committed either"
    _commit(tmp_path, "two")
    assert page.main() == 1
    page.PAGES[0].write_text(PAGE.format(commit=measured, kept="kept: it takes a day\n"))
    assert page.main() == 0


def test_a_table_that_is_written_anew(page: ModuleType, tmp_path: Path) -> None:
    measured = _commit(tmp_path, "one")
    page.PAGES[0].write_text(PAGE.format(commit=measured, kept="kept: it takes a day\n"))
    now = _commit(tmp_path, "two")
    page.put("one", ["| a |", "|---|", "| 2 |"], "python bench/two.py")
    (block,) = page.blocks(page.PAGES[0].read_text())
    assert (block.commit, block.kept, block.command) == (now, None, "python bench/two.py")
    assert "| 2 |" in block.text
    assert page.main() == 0
    (tmp_path / "code.py").write_text("three")
    page.put("one", ["| a |", "|---|", "| 3 |"], "python bench/two.py")
    assert "| 3 |" not in page.PAGES[0].read_text(), "its code isn't committed"


def test_a_table_without_a_comment(page: ModuleType, tmp_path: Path) -> None:
    _commit(tmp_path, "one")
    page.PAGES[0].write_text("| a |\n|---|\n| 1 |\n")
    assert page.main() == 1


def test_without_a_history(
    page: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As in an sdist: said, and no failure."""
    page.PAGES[0].write_text(PAGE.format(commit="0123456789ab", kept=""))
    assert page.main() == 0
    assert "no git history" in capsys.readouterr().out


def test_each_table_of_the_page_has_its_place() -> None:
    text = (SCRIPT.parents[1] / "docs" / "evidence" / "performance.md").read_text(encoding="utf-8")
    assert text.count("<!-- measured ") == text.count("<!-- end of ") == text.count("\n|---")
