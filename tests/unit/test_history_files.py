"""The quick reading of a history equals Alembic's own, or isn't given at all."""

from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

from surefoot.model.history import History, Revision
from surefoot.revision_source.history_files import IniFile, read_history
from tests.support.project import Application
from tests.support.versions import alembic_from


def quick(application: Application) -> History | None:
    ini = IniFile(application.root / "alembic.ini", "alembic", application.root)
    return read_history(ini)


def theirs(application: Application, monkeypatch: pytest.MonkeyPatch) -> ScriptDirectory:
    monkeypatch.chdir(application.root)
    return ScriptDirectory.from_config(Config("alembic.ini"))


def assert_equal(history: History | None, scripts: ScriptDirectory) -> None:
    assert history is not None
    walked = {
        script.revision: (
            script._versioned_down_revisions,
            tuple(script._resolved_dependencies),
        )
        for script in scripts.walk_revisions()
    }
    assert {r.id: (r.parents, r.depends_on) for r in history.revisions.values()} == walked
    assert set(history.heads) == set(scripts.get_heads())
    assert set(history.stored_heads) == set(scripts.revision_map._real_heads)


def test_branches_merges_and_dependencies(
    application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    application.revision("a1", None, labels=("expand",))
    application.revision("a2", "a1")
    application.revision("a3", "a1")
    application.revision("a4", ("a2", "a3"), message='With "quotes"')
    application.revision("b1", None, depends_on=("a2",))
    application.revision("b2", "b1", depends_on="a4")
    assert_equal(quick(application), theirs(application, monkeypatch))


def test_the_example(monkeypatch: pytest.MonkeyPatch) -> None:
    root = Path(__file__).parents[2] / "examples" / "whisperengine"
    monkeypatch.chdir(root)
    history = read_history(IniFile(root / "alembic.ini", "alembic", root))
    assert_equal(history, ScriptDirectory.from_config(Config("alembic.ini")))
    assert history is not None
    assert history.revisions["b06ced8ecd14"].release == "v1.0.24"
    assert history.revisions["9c23e4e81011"].message.startswith("Add personality traits")


@pytest.mark.parametrize(
    "text",
    [
        "revision: str = 'x'\ndown_revision: str | None = None\n",
        '"""Doc\n\nrevision = "in the docstring"\n"""\nrevision = "x"\ndown_revision = None\n',
        "revision = 'x'\r\ndown_revision = None\r\nbranch_labels = ('a', 'b')\r\n",
        "# a comment\n'''Doc'''\nrevision = 'x'  # mine\ndown_revision = None\ndepends_on = None\n",
    ],
)
def test_the_ways_people_write_it(
    application: Application, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    application.write("migrations/versions/x.py", text.encode())
    assert_equal(quick(application), theirs(application, monkeypatch))


@pytest.mark.parametrize(
    "text",
    [
        "PREFIX = 'x'\nrevision = PREFIX + '1'\ndown_revision = None\n",
        "revision = 'x'\ndown_revision = None\nrevision = 'y'\n",
        "revision = 'x'\ndown_revision = make()\n",
        "revision = 'x'\n",
        "print('no revision')\n",
        "TEXT = '''\nrevision = 'not this'\n'''\nrevision = 'x'\ndown_revision = None\n",
        "revision = 'x'\ndown_revision = 'not_there'\n",
    ],
)
def test_what_is_no_literal_is_left_to_alembic(application: Application, text: str) -> None:
    """A computed id, an id assigned twice, one inside a string: no answer rather than a guess."""
    application.write("migrations/versions/x.py", text)
    assert quick(application) is None


@pytest.mark.parametrize(
    ("extra", "directories"),
    [
        ("version_locations = one two", ["one", "two"]),
        ("version_locations = one, two", ["one", "two"]),
        pytest.param(
            "version_locations = %(here)s/one:two\nversion_path_separator = os",
            ["one", "two"],
            marks=alembic_from(1, 8),
        ),
        pytest.param(
            "version_locations =\n  one\n  two\npath_separator = newline",
            ["one", "two"],
            marks=alembic_from(1, 16),
        ),
    ],
)
def test_version_locations(
    application: Application, monkeypatch: pytest.MonkeyPatch, extra: str, directories: list[str]
) -> None:
    application.ini(extra)
    for number, directory in enumerate(directories):
        application.revision(
            f"r{number}", f"r{number - 1}" if number else None, directory=directory
        )
    assert_equal(quick(application), theirs(application, monkeypatch))


@alembic_from(1, 10)
def test_recursive_version_locations(
    application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    application.ini("recursive_version_locations = true")
    application.revision("r0", None)
    application.revision("r1", "r0", directory="migrations/versions/2026/11")
    application.write("migrations/versions/2026/__pycache__/r2.py", "nothing")
    assert_equal(quick(application), theirs(application, monkeypatch))


@pytest.mark.parametrize("extra", ["sourceless = true", "version_locations = gone"])
def test_unusual_layouts_are_left_to_alembic(application: Application, extra: str) -> None:
    application.ini(extra)
    application.linear()
    assert quick(application) is None


def _revision(id: str, *parents: str, depends_on: tuple[str, ...] = ()) -> Revision:
    return Revision(id, parents, depends_on, "", None, f"{id}.py")


def test_at_head_needs_every_head_and_nothing_else() -> None:
    revisions = [_revision("a"), _revision("b", "a"), _revision("c", "a")]
    history = History({r.id: r for r in revisions})
    assert history.at_head(["b", "c"])
    assert not history.at_head(["b"])
    assert not history.at_head(["a", "b", "c"])
    assert not history.at_head([])
    assert not history.at_head(["b", "c", None])
    assert history.overlapping(["a", "b"]) == (("a", "b"),)
    assert history.unknown(["b", None, "z"]) == ("NULL", "z")
