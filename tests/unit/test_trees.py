"""What a revision does, as a hash: not its bytes, and with what it imports from the project."""

import ast
from pathlib import Path

import pytest

from surefoot.revision_source.trees import Trees, tree_hash

SOURCE = '''\
"""Add people."""
from app.names import TABLE

revision = "r1"

def upgrade():
    """Make the table."""
    op.execute(f"create table {TABLE} (id int)")  # people
'''


def trees(root: Path) -> Trees:
    return Trees(root, [str(root)])


def project(root: Path) -> Path:
    (root / "app").mkdir()
    (root / "app/__init__.py").write_text("")
    (root / "app/names.py").write_text("from . import more\nTABLE = 'people'\n")
    (root / "app/more.py").write_text("X = 1\n")
    (root / "app/other.py").write_text("Y = 1\n")
    file = root / "r1.py"
    file.write_text(SOURCE)
    return file


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("# people", "# everybody"),
        ('"""Make the table."""', '"""Make the table of people."""'),
        ('"""Add people."""\n', ""),
        ('"r1"', "'r1'"),
        ("\n\ndef", "\n\n\n\ndef"),
    ],
)
def test_the_same_whatever_it_looks_like(tmp_path: Path, old: str, new: str) -> None:
    file = project(tmp_path)
    before = trees(tmp_path).of(file)
    file.write_text(SOURCE.replace(old, new))
    assert trees(tmp_path).of(file) == before


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("r1.py", SOURCE.replace("(id int)", "(id bigint)")),
        ("app/names.py", "from . import more\nTABLE = 'persons'\n"),
        ("app/more.py", "X = 2\n"),
        ("app/__init__.py", "import os\n"),
        ("r1.py", SOURCE + "not python"),
    ],
)
def test_another_where_it_or_an_import_does_something_else(
    tmp_path: Path, name: str, text: str
) -> None:
    file = project(tmp_path)
    before = trees(tmp_path).of(file)[0]
    (tmp_path / name).write_text(text)
    assert trees(tmp_path).of(file)[0] != before


def test_only_what_is_imported_counts(tmp_path: Path) -> None:
    file = project(tmp_path)
    before = trees(tmp_path).of(file)
    assert [name for name, _ in before[1]] == ["app", "app.more", "app.names"]
    (tmp_path / "app/other.py").write_text("Y = 2\n")
    assert trees(tmp_path).of(file) == before


def test_a_docstring_that_is_used_counts() -> None:
    one, other = (f'def upgrade():\n    "{text}"\n' for text in "ab")
    assert tree_hash(ast.parse(one)) == tree_hash(ast.parse(other))
    assert tree_hash(ast.parse(one), documented=True) != tree_hash(
        ast.parse(other), documented=True
    )


@pytest.mark.parametrize(
    ("source", "known"),
    [
        ("x = f\"a{b!r:>{w}}c\" 'd' f'{e:}'", "d73c4d07d2b601c4"),
        ("def f(x, /, *, y=1): return x ** 2", "2640928add1726b6"),
        ("class A(B): x: int = 0xFF", "ddc03f839cf65c4e"),
    ],
)
def test_every_version_of_python_gives_the_same(source: str, known: str) -> None:
    """Written by 3.11; the other versions that the package claims must agree."""
    assert tree_hash(ast.parse(source))[:16] == known
