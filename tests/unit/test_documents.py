"""The documents are true: keys, codes, states, JSON and commands are the code's.

What is made from the code and from the pages of errors, `make documents` writes.
"""

import ast
import dataclasses
import functools
import importlib.util
import os
import re
import tomllib
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import msgspec
import pytest

import surefoot
from surefoot.cli import group
from surefoot.cli.explain import words
from surefoot.errors import CODES, ErrorCode, ExitCode
from surefoot.model import answers
from surefoot.model.states import State
from surefoot.project.config import Config
from surefoot.report.text import HEADLINES

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PACKAGE = Path(surefoot.__file__).parent
PAGES = PACKAGE / "errors" / "pages"

# A page's headings: the error, then a section for each of the two readers who can do something.
HEADINGS = ["## What surefoot reports", "## The database"]
NOW = ["## Operator: what to do now", "## Maintainer: what to do now"]
PREVENT = "## Maintainer: how to prevent it"

LONGEST_CODE = 60  # characters within a line that `surefoot explain` leaves whole

_LEFT_OUT = {"node_modules", "site-packages", "build", "dist"}


def documents() -> list[Path]:
    """Every Markdown file of the project; hidden directories and what others made are left out."""
    found: list[Path] = []
    for directory, below, names in os.walk(ROOT):
        below[:] = [name for name in below if not name.startswith(".") and name not in _LEFT_OUT]
        found += [Path(directory, name) for name in names if name.endswith(".md")]
    return sorted(found)


def read(file: Path) -> str:
    return file.read_text(encoding="utf-8")


def table_rows(text: str, title: str) -> list[list[str]]:
    """The cells of every table whose first column has this title."""
    rows: list[list[str]] = []
    inside = False
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split(" | ")]
        if not line.startswith("|"):
            inside = False
        elif inside:
            if not line.startswith("|--"):
                rows.append(cells)
        else:
            inside = cells[0] == title
    return rows


# --- what is written from the code


def tool(name: str) -> types.ModuleType:
    """A script of tools/ as a module."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "tools" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


written = tool("documents")


@pytest.mark.parametrize("page", written.documents(), ids=lambda page: page.name)
def test_what_is_written_from_the_code_is_current(page: Path) -> None:
    """`make documents` writes it."""
    assert read(page) == written.documents()[page]


def test_every_group_of_codes_is_in_the_list_of_errors() -> None:
    """A code's exit code has a group."""
    assert set(written.GROUPS) == set(CODES.values())


# --- configuration


def described_keys() -> dict[str, str]:
    """The keys that have a section in a page of the configuration, each with the section's text."""
    found: dict[str, str] = {}
    for page in sorted((DOCS / "reference").glob("configuration-*.md")):
        parts = re.split(r"^### `(\w+)`\n", read(page), flags=re.M)
        sections = dict(zip(parts[1::2], parts[2::2], strict=True))
        assert not found.keys() & sections.keys()
        found |= sections
    return found


def test_every_key_of_the_configuration_is_described_and_no_other() -> None:
    """Each key once."""
    assert sorted(described_keys()) == sorted(Config.__struct_fields__)


@pytest.mark.parametrize("key", Config.__struct_fields__)
def test_a_keys_example_is_valid(key: str) -> None:
    """The example of each section is TOML that surefoot takes, and it sets that key."""
    import tomllib

    example = re.search(r"^```toml\n(.*?)^```", described_keys()[key], re.M | re.S)
    assert example is not None
    document = tomllib.loads(example[1])
    msgspec.convert(document, Config)
    assert key in document


@pytest.mark.parametrize("key", Config.__struct_fields__)
def test_a_keys_type_is_a_string_a_list_or_a_table_as_in_the_code(key: str) -> None:
    """The type's first word agrees with the code's."""
    said = described_keys()[key].strip().partition(" · ")[0].removeprefix("Type: ")
    hint: Any = typing.get_type_hints(Config)[key]
    either = typing.get_origin(hint) in (types.UnionType, typing.Union)
    kinds = typing.get_args(hint) if either else (hint,)
    kind = next(typing.get_origin(k) or k for k in kinds if k is not type(None))
    if kind is list:
        assert said.startswith("list of ")
    elif kind is dict:
        assert said.startswith("table of ")
    elif kind is bool:
        assert said == "boolean"
    elif kind is int:
        assert said == "number"
    elif isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        assert said == "table"
    elif kind is typing.Literal:
        assert re.findall(r'`"([\w-]+)"`', said) == list(typing.get_args(hint))
    else:
        assert kind is str
        assert not said.startswith(("list", "table", "number", "boolean"))


def test_the_names_that_hold_the_address_are_described() -> None:
    """Every environment variable that locate.py and names.py know is in configuration.md."""
    text = read(DOCS / "reference" / "configuration.md")
    known: set[str] = set()
    for module in ("project/locate.py", "model/target.py", "project/url_variables.py"):
        source = read(PACKAGE / module)
        known |= set(re.findall(r'"((?:PG|POSTGRES_|DATABASE_|SUREFOOT_DATABASE)[A-Z_]*)"', source))
    known -= {"POSTGRES_", "PG", "DATABASE_"}
    assert len(known) > 10
    assert {name for name in known if f"`{name}`" not in text} == set()


# --- exit-codes.md, json-….md


def test_every_exit_code_has_its_row() -> None:
    """Number and name, in order."""
    rows = table_rows(read(DOCS / "reference" / "exit-codes.md"), "exit code")
    assert [(row[0], row[1]) for row in rows] == [(str(int(c)), c.name) for c in ExitCode]


def emitted_keys() -> set[str]:
    """Every key that report/ and the commands put into an object, read from their source.

    The fields of model/answers.py, all of report/json.py, and elsewhere the functions named
    `…_json`.
    """
    kinds = [kind for kind in vars(answers).values() if dataclasses.is_dataclass(kind)]
    found = {field.name for kind in kinds for field in dataclasses.fields(kind)}
    rooms = ("report", "cli", "run/steps", "catalogue")
    for file in [file for room in rooms for file in (PACKAGE / room).glob("*.py")]:
        for node in ast.walk(ast.parse(read(file))):
            emits = False
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                emits = node.func.attr == "emit_json"
                if emits:
                    found |= {keyword.arg for keyword in node.keywords if keyword.arg}
            if emits or (
                isinstance(node, ast.FunctionDef)
                and (file.name == "json.py" or node.name.endswith("_json"))
            ):
                found.update(_literal_keys(node))
    return found


def _literal_keys(node: ast.AST) -> Iterator[str]:
    for inner in ast.walk(node):
        if isinstance(inner, ast.Dict):
            for key in inner.keys:
                if isinstance(key, ast.Constant):
                    yield str(key.value)


def json_pages() -> str:
    """The pages about JSON, as one text."""
    return "\n".join(read(page) for page in sorted((DOCS / "reference").glob("json-*.md")))


def test_every_json_key_is_described_and_no_other() -> None:
    """The keys in the tables of the pages are those that are emitted."""
    rows = table_rows(json_pages(), "key")
    assert {row[0].strip("`") for row in rows} == emitted_keys()


def every_command() -> set[str]:
    """Every command, those of a group with the group's name."""
    found: set[str] = set()
    for name in group.list_commands(None):  # type: ignore[arg-type]
        command = group.get_command(None, name)  # type: ignore[arg-type]
        below = command.commands if isinstance(command, click.Group) else None
        found |= {name} if below is None else {f"{name} {sub}" for sub in below}
    return found


def test_the_json_examples_are_json_and_hold_described_keys_only() -> None:
    """Every example parses; every command has one."""
    import json

    examples = re.findall(r"^```json\n(.*?)^```", json_pages(), re.M | re.S)
    known = emitted_keys()
    commands: set[str] = set()

    def check(value: Any, within: str = "") -> None:
        if isinstance(value, dict) and within not in ("tables", "ways", "changes", "downgrades"):
            assert set(value) <= known
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            if isinstance(inner, dict | list):
                check(inner, str(key))

    for example in examples:
        value = json.loads(example)
        check(value)
        commands.add(value["command"])
    assert commands == {*every_command(), "surefoot"}  # no command was recognised


# --- the error codes: pages, index, tests


def page(slug: str) -> str:
    file = PAGES / f"{slug}.md"
    return read(file) if file.is_file() else ""


def test_every_code_has_a_page_and_every_page_a_code() -> None:
    """They ship in the wheel, for `surefoot explain CODE`."""
    assert sorted(file.stem for file in PAGES.glob("*.md")) == sorted(CODES)


def unfenced(text: str) -> str:
    """The text without its fenced blocks."""
    return re.sub(r"^ *```.*?^ *```\n?", "", text, flags=re.M | re.S)


@pytest.mark.parametrize("slug", sorted(CODES))
def test_a_page_has_the_fixed_form(slug: ErrorCode) -> None:
    """`# slug`, the condition with its exit code, then the headings in order, each with a text."""
    lines = page(slug).splitlines()
    assert lines[:2] == [f"# {slug}", ""]
    headings = [line for line in unfenced(page(slug)).splitlines() if line.startswith("#")][1:]
    assert set(headings) & set(NOW), "nobody is told what to do"
    assert headings == [
        *HEADINGS,
        *(title for title in (*NOW, PREVENT) if title in headings),
    ]
    condition = page(slug).partition("\n## ")[0]
    assert condition.endswith(f"\n\nExit code {int(CODES[slug])}.\n")
    for text in re.split(r"^## .*$", page(slug), flags=re.M)[1:]:
        assert text.strip(), "a heading with nothing below it"


@pytest.mark.parametrize("slug", sorted(CODES))
def test_commands_of_a_page_can_be_copied(slug: str) -> None:
    """Code within a line is never broken, neither in the file nor on a terminal of 80 columns."""
    for paragraph in unfenced(page(slug)).split("\n\n"):
        for code in re.findall(r"`([^`]+)`", paragraph):
            assert "\n" not in code, code
            assert len(code) <= LONGEST_CODE, f"belongs in a block of its own: {code}"


def printed(slug: str) -> str:
    """The message that the page's first sample shows: what is printed before what was seen."""
    block = re.search(r"^```\w*\n(.*?)^```", page(slug), re.M | re.S)
    message = re.search(r"^surefoot .*?(?=\n\n|\nseen |\Z)", block[1] if block else "", re.M | re.S)
    return message[0].rstrip() if message else ""


def in_short(slug: str) -> list[str]:
    """The first three things to do, a sentence each."""
    section = next(filter(None, (page(slug).partition(f"{title}\n")[2] for title in NOW)))
    section = re.split(r"^## ", section, maxsplit=1, flags=re.M)[0]
    # a command of one line belongs to the sentence that introduces it; longer blocks don't
    section = re.sub(r":\n\n *```\w+\n *([^\n]+)\n *```\n", r": `\1`.\n", section)
    items = re.split(r"^(?:\d+\.|-) ", unfenced(section), flags=re.M)
    texts = [" ".join(item.split()) for item in items if item.strip()]
    # a point within code ends nothing
    sentences = [re.match(r"(?:`[^`]*`|[^`])*?[.?](?=\s|$)", text) for text in texts]
    return [found[0] if found else text for found, text in zip(sentences, texts, strict=True)][:3]


@pytest.mark.parametrize("slug", sorted(CODES))
def test_a_page_has_a_sample_and_something_to_do(slug: ErrorCode) -> None:
    """A sample with the message as it begins for that exit code, and something to do."""
    assert printed(slug).startswith(HEADLINES[CODES[slug]])
    assert all(len(text) > 10 for text in in_short(slug))
    assert in_short(slug)


def test_the_guide_knows_how_messages_begin() -> None:
    """But for a bug, which has no code."""
    rows = table_rows(read(DOCS / "guides" / "refused.md"), "the message begins with")
    expected = {(f"*{HEADLINES[code]}*", str(int(code))) for code in set(CODES.values())}
    assert {(row[0], row[1]) for row in rows} == expected


@pytest.mark.parametrize("page", sorted(DOCS.rglob("*.md")), ids=lambda page: page.name)
def test_a_page_is_no_longer_than_a_person_reads(page: Path) -> None:
    """What was printed isn't counted. Its name is its own: `surefoot explain NAME` prints it."""
    text = re.sub(r"^```.*?^```\n", "", read(page), flags=re.M | re.S)
    assert len(text.splitlines()) <= 200
    assert [other for other in DOCS.rglob("*.md") if other.stem == page.stem] == [page]


def test_the_index_has_every_page() -> None:
    """The site takes its order from there."""
    linked = set(re.findall(r"\]\(([^)#]+\.md)\)", read(DOCS / "index.md")))
    pages = {page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md")} - {"index.md"}
    assert linked == pages


def test_the_pictures_are_drawn_from_their_sources() -> None:
    """`make pictures` draws them; and that of the states has all of them."""
    pictures = tool("pictures")
    sources = sorted((DOCS / "pictures").glob("*.dot"))
    assert len(sources) == len(list((DOCS / "pictures").glob("*.svg"))) >= 4
    for source in sources:
        assert read(source.with_suffix(".svg")).startswith(pictures.mark(read(source)))
    shown = read(DOCS / "pictures" / "states.dot")
    assert [state.value for state in State if state.value not in shown] == []


STEP_FAILED = re.compile(r"Revision \S+ \(.*\) failed.*")  # put together of several texts


@functools.cache
def messages() -> tuple[set[str], list[re.Pattern[str]]]:
    """The texts of the code that may be messages: those without gaps, patterns for the others."""
    texts: set[str] = set()
    for file in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(read(file))):
            if isinstance(node, ast.JoinedStr):
                parts = (p.value if isinstance(p, ast.Constant) else "\0" for p in node.values)
                texts.add("".join(map(str, parts)).rstrip("."))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                texts.add(re.sub(r"\{\w*\}", "\0", node.value).rstrip("."))
    with_gaps = [text.split("\0") for text in texts if "\0" in text]
    with_gaps = [parts for parts in with_gaps if len("".join(parts)) > 11]  # says something itself
    return texts, [re.compile(".*?".join(map(re.escape, parts))) for parts in with_gaps]


@pytest.mark.parametrize("slug", sorted(CODES.keys() - {"script-failed"}))  # PostgreSQL's words
def test_the_messages_that_a_page_shows_are_the_codes(slug: str) -> None:
    """A message that is reworded is reworded on its page, too."""
    blocks = "\n".join(re.findall(r"^```\n(.*?)^```", page(slug), re.M | re.S))
    shown = re.findall(r"^surefoot [a-z' ]+: (.*?)(?=\n\n|\Z)", blocks, re.M | re.S)
    assert shown
    plain, patterns = messages()
    for message in (" ".join(text.split()).rstrip(".") for text in shown):
        after_its_file = re.sub(r"^\S*[./]\S*(?::\d+:)? ", "", message)
        assert {message, after_its_file} & plain or any(
            one.fullmatch(message) or one.fullmatch(after_its_file)
            for one in (*patterns, STEP_FAILED)
        ), message


def marked(marker: str) -> set[str]:
    """The codes that some test is marked with, read from the tests' text."""
    found: set[str] = set()
    for file in (ROOT / "tests").rglob("*.py"):
        found |= set(re.findall(rf"""mark\.{marker}\(\s*["']([^"']+)["']""", read(file)))
    return found


def test_every_code_is_provoked_by_a_test() -> None:
    """A code that no test meets may never be reached, or not say what it should."""
    assert sorted(CODES.keys() - marked("provokes")) == []


# The codes whose next step no test can carry out, each with the reason.
NOT_FOLLOWED: dict[str, str] = {
    "extension-missing": "It takes a server whose packages have more than the tests' own servers.",
    "server-too-old": "It takes a PostgreSQL older than 13, which no package brings along.",
}


def test_every_next_step_is_followed_by_a_test() -> None:
    """Otherwise nobody knows whether what surefoot tells people to do suffices."""
    assert sorted(CODES.keys() - marked("follows") - NOT_FOLLOWED.keys()) == []


def test_a_next_step_that_is_followed_is_not_excused() -> None:
    assert sorted(NOT_FOLLOWED.keys() & marked("follows")) == []
    assert all(reason.endswith(".") for reason in NOT_FOLLOWED.values())


@pytest.mark.parametrize("marker", ["provokes", "follows"])
def test_no_test_is_marked_with_a_code_that_there_is_not(marker: str) -> None:
    assert sorted((marked(marker) | NOT_FOLLOWED.keys()) - CODES.keys()) == []


# --- every document


@pytest.mark.parametrize("file", documents(), ids=lambda file: str(file.relative_to(ROOT)))
def test_relative_links_lead_somewhere(file: Path) -> None:
    """Files exist; an anchor is a heading of the file that it's in."""
    text = re.sub(r"^ *```.*?^ *```", "", read(file), flags=re.M | re.S)
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = file.parent / path if path else file
        assert target.exists(), link
        if anchor:
            titles = re.findall(r"^#+ (.*)$", read(target), re.M)
            slugs = {re.sub(r"[^\w\- ]", "", t.lower()).strip().replace(" ", "-") for t in titles}
            assert anchor in slugs, link


def spoken_commands(text: str) -> Iterator[str]:
    """The word after `surefoot` wherever a command line is written out."""
    flat = " ".join(text.split())
    yield from re.findall(r"`surefoot ([a-z-]+)", flat)
    yield from re.findall(r'"surefoot", "([a-z-]+)"', flat)
    for kind, block in re.findall(r"^ *```(sh|console)\n(.*?)^ *```", text, re.M | re.S):
        prompt = r"\$ " if kind == "console" else r"(?:\$ )?"
        yield from re.findall(rf"^\s*{prompt}surefoot ([a-z-]+)", block, re.M)
        yield from re.findall(r"\$\(surefoot ([a-z-]+)", block)


@pytest.mark.parametrize("file", documents(), ids=lambda file: str(file.relative_to(ROOT)))
def test_commands_that_are_named_exist(file: Path) -> None:
    """No document tells a person to type what there isn't."""
    known = set(group.list_commands(None))  # type: ignore[arg-type]
    said = {word for word in spoken_commands(read(file)) if not word.startswith("--")}
    assert said <= known


@pytest.mark.parametrize("file", documents(), ids=lambda file: str(file.relative_to(ROOT)))
def test_codes_that_are_named_exist(file: Path) -> None:
    """`surefoot explain SLUG` is typed as it's written."""
    said = re.findall(r"surefoot explain ([a-z][a-z-]+)", " ".join(read(file).split()))
    assert set(said) <= {*words()}


FORBIDDEN = (
    r"(?<![\w.])/(?:root|home|Users)/",  # somebody's machine
    r"\bTODO\b|\bFIXME\b|\bTBD\b|lorem ipsum",
    r"(?i)\bblazing|\bseamless|\beffortless|\brevolution|\bworld-class|\bgame.chang",
)


@pytest.mark.parametrize("file", documents(), ids=lambda file: str(file.relative_to(ROOT)))
def test_no_document_holds_what_does_not_belong_there(file: Path) -> None:
    """Paths of one machine, unfinished places, salesman's words."""
    found = [match[0] for pattern in FORBIDDEN for match in re.finditer(pattern, read(file))]
    assert found == []


def test_a_password_in_an_address_is_never_a_real_one() -> None:
    """Every URL with a password in the documents has the word itself, or a placeholder."""
    for file in documents():
        for password in re.findall(r"postgres\w*(?:\+\w+)?://[^:@/\s`]+:([^@\s`]+)@", read(file)):
            assert password in {"password", "PASSWORD", "…", "***", "secret"}, file


def test_histories_are_those_of_the_corpora() -> None:
    """Every case is in the table, at the version that is pinned."""
    table = read(DOCS / "evidence" / "histories.md")
    for case in sorted((ROOT / "tests" / "corpora").glob("*/case.toml")):
        pinned = re.search(r'packages = \["([\w-]+)(?:\[\w+\])?==([\w.]+)"', read(case))
        assert pinned is not None, case
        name, version = pinned.groups()
        assert f"| {name} {version}" in table, case.parent.name


def test_rolled_back_releases_are_those_of_the_corpora() -> None:
    """Every older release is in the table, on the database of the one that is pinned."""
    table = read(DOCS / "evidence" / "rolled-back.md")
    for file in sorted((ROOT / "tests" / "corpora").glob("*/case.toml")):
        case = tomllib.loads(read(file))
        name, _, newest = case["packages"][0].partition("==")
        for version in case.get("rolled_back", {}).get("older", ()):
            assert f"| {name} {version} | {newest} |" in table, file.parent.name


def test_ways_back_are_those_of_the_corpora() -> None:
    """Each history that was gone back over is a case's, at the version that is pinned."""
    pinned = {
        tomllib.loads(read(file))["packages"][0].replace("==", " ")
        for file in (ROOT / "tests" / "corpora").glob("*/case.toml")
    }
    rows = table_rows(read(DOCS / "evidence" / "way-back.md"), "history")
    assert {row[0] for row in rows} <= pinned
    counted = [row for row in rows if len(row) > 4]
    assert len(counted) >= 5
    for row in counted:
        assert int(row[1]) == sum(int(number or 0) for number in row[2:8]), row[0]
