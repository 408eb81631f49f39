"""tools/prose.py finds what it should, where it should."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).parents[2] / "tools" / "prose.py"


@pytest.fixture(scope="module")
def prose() -> ModuleType:
    pytest.importorskip("proselint")
    spec = importlib.util.spec_from_file_location("prose", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.register()
    return module


def found(prose: ModuleType, text: str) -> list[tuple[int, str]]:
    return prose.findings("page.md", text)


def test_a_word_that_is_not_used_here(prose: ModuleType) -> None:
    """Across a line's end, too."""
    for text in ("One.\n\nIt is held against you.\n", "One.\n\nIt is held\nagainst you.\n"):
        ((line, what),) = found(prose, text)
        assert (line, "compared with" in what) == (3, True)


def test_what_proselint_knows(prose: ModuleType) -> None:
    """A rule of its own, an archaism."""
    assert [line for line, _ in found(prose, "One.\nVerily, peradventure.\n")] == [2, 2]


@pytest.mark.parametrize(
    "text",
    [
        "What it wrote stays.",
        "**What no list has** is named.",
        "So is each of these.",
        "A schema alone is none.",
        "It is to be copied.",
        "This is an own index.",
    ],
)
def test_a_construction_that_nobody_says(prose: ModuleType, text: str) -> None:
    assert [line for line, _ in found(prose, f"One.\n\n{text}\n")] == [3]


@pytest.mark.parametrize(
    "text",
    [
        "## What is in it",
        "What is in it?",
        "What to do if it fails.",
        "It stops if there\nis none.",
        "It says what it did.",
    ],
)
def test_a_construction_that_people_say(prose: ModuleType, text: str) -> None:
    assert found(prose, f"One.\n\n{text}\n") == []


def test_a_long_sentence(prose: ModuleType) -> None:
    words = "word " * prose.LONGEST
    assert found(prose, f"{words.strip()}.\n") == []
    assert [line for line, _ in found(prose, f"One.\n\nand {words.strip()}.\n")] == [3]
    assert found(prose, f"- {words}\n- {words}\n| {words} | {words} |\n") == []


def test_passive_verbs_in_a_pile(prose: ModuleType) -> None:
    text = "It is shown and was asked and is kept and are written and be dropped and was mixed."
    assert any("passive" in what for _, what in found(prose, text))


@pytest.mark.parametrize(
    "text",
    [
        "`held against`",
        "```\nIt is held against you.\n```",
        "<!-- held against -->",
        "<!-- kill: written by a command -->\nheld against\n<!-- kill: until here -->",
        "[a page](utilize.md)",
    ],
)
def test_code_comments_targets_and_figures_are_not_checked(prose: ModuleType, text: str) -> None:
    assert found(prose, f"One.\n\n{text}\n") == []
