"""`surefoot explain`, and what a shell completes."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import pytest

from surefoot.cli.explain import page_text, words
from surefoot.errors import CODES
from surefoot.errors.pages import page
from surefoot.model.states import State
from surefoot.project.config import Config
from surefoot.report.markdown import rendered
from surefoot.report.terminal import Terminal
from tests.support.database import Database
from tests.support.project import Application

DOCS = Path(__file__).parents[2] / "docs"
_FENCED = re.compile(r"^ *```.*?\n(.*?)^ *```", re.M | re.S)


def explained(*arguments: str) -> str:
    command = [sys.executable, "-m", "surefoot", "explain", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_every_kind_of_word_is_known() -> None:
    known = set(words())
    assert known >= set(CODES)
    assert known >= {state.value for state in State}
    assert known >= set(Config.__struct_fields__)
    assert known >= {file.stem for file in DOCS.rglob("*.md")}
    assert known >= {"up", "history", "catalog", "catalog build", "completion"}


def test_the_list_has_every_word_and_a_number_those_of_an_exit_code() -> None:
    """With what each code means, nothing wider than 80 columns."""
    listed = explained()
    assert set(re.findall(r"^- ([a-z-]+) \(exit code", listed, re.M)) == set(CODES)
    assert max(map(len, listed.splitlines())) <= 80
    rest = " ".join(listed.partition("# States of a database")[2].split())
    for word in set(words()) - set(CODES):
        assert re.search(rf"\b{word}\b", rest), word
    busy = set(re.findall(r"^- ([a-z-]+) \(exit code 7\)", explained("7"), re.M))
    assert busy == {code for code, number in CODES.items() if number == 7}
    assert explained("--states") == explained("states")


@pytest.mark.parametrize(
    ("word", "said"),
    [
        (["unknown-revision"], ["# unknown-revision", "# The state unknown-revision"]),
        (["at-head"], ["# The state at-head", "- `up`: nothing"]),
        (["catalog", "check"], ["# The command catalog check", "--require-downgrade"]),
        (["backup"], ["# The command backup", "# The key backup", "before-upgrade"]),
        (["glossary"], ["# Glossary"]),
        (["SUREFOOT_LOCK_TIMEOUT"], ["# The key lock_timeout"]),
        (["SUREFOOT_APPROVE"], ["SUREFOOT_APPROVE=", "Approve without a shell"]),
        (["SUREFOOT_DATABASE_URL"], ["SUREFOOT_DATABASE_URL"]),
        (["SUREFOOT_SERVE"], ["SUREFOOT_SERVE", "/livez"]),
    ],
)
def test_a_word_is_explained_as_all_that_it_means(word: list[str], said: list[str]) -> None:
    text = explained(*word)
    assert all(one in text for one in said), text


@pytest.fixture
def window() -> Iterator[TextIO]:
    """A terminal to write to."""
    master, slave = os.openpty()
    with open(slave, "w", encoding="utf-8") as stream:
        yield stream
    os.close(master)


@pytest.mark.parametrize("no_color", ["", "1"])
@pytest.mark.parametrize(("columns", "width"), [(80, 80), (120, 100)])
def test_every_word_fits_the_terminal(
    window: TextIO, monkeypatch: pytest.MonkeyPatch, columns: int, width: int, no_color: str
) -> None:
    """No raw table or link. Only a line of a sample may be wider, if it is wider itself."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("NO_COLOR", no_color)
    terminal = Terminal(window)
    known = words()
    styled = False
    for word in known:
        text = page_text(word)
        samples = {" ".join(one.split()) for one in "".join(_FENCED.findall(text)).splitlines()}
        for line in rendered(text, terminal, known.__contains__):
            written = terminal.rendered(line)
            shown = re.sub(r"\x1b\[[\d;]*m", "", written)
            styled = styled or written != shown
            if " ".join(shown.split()) in samples:
                continue
            assert len(shown) <= width, f"{word}: {shown}"
            assert not re.search(r"^\||\]\(|\*\*", shown), f"{word}: {shown}"
    assert styled is not bool(no_color)


def test_a_sample_is_indented_as_far_as_it_fits() -> None:
    """Output of 80 columns isn't broken by a terminal of 80; a command is never broken."""
    assert laid_out(40, f"```\n{'x' * 38}\n  y\n```") == f"  {'x' * 38}\n    y"
    assert laid_out(40, f"```\n{'x' * 40}\n{'z' * 50}\n```") == f"{'x' * 40}\n{'z' * 50}"
    assert laid_out(40, "```\nx\n```") == "    x"


def test_nothing_of_a_page_is_lost() -> None:
    """The words of every page are there, in order, after it was laid out."""
    terminal = Terminal(sys.stdout)

    def plain(text: str) -> list[str]:
        return re.findall(r"\w+", text)

    for code in CODES:
        text = page(code)
        if "](" in text or "|---" in text:
            continue
        text = re.sub(r"^ *```.*$", "", text, flags=re.M)
        assert plain("\n".join(rendered(page(code), terminal, lambda _: False))) == plain(text), (
            code
        )


TABLE = """\
| key | type | meaning |
|---|---|---|
| `first` | string | a text that is rather long, so that it has to be wrapped in its own column |
| `second` | list | see [the states](states.md), [`there`](x.txt), [a site](https://example.org) |
"""


def laid_out(width: int, text: str = TABLE) -> str:
    terminal = Terminal(sys.stdout)
    terminal.width = width
    return "\n".join(rendered(text, terminal, lambda word: word == "states"))


def test_a_table_is_laid_out_in_columns() -> None:
    assert laid_out(60) == (
        "key       type    meaning\n"
        "------------------------------------------------------------\n"
        "`first`   string  a text that is rather long, so that it has\n"
        "                  to be wrapped in its own column\n"
        "\n"
        "`second`  list    see the states\n"
        "                  (`surefoot explain states`), `there`, a\n"
        "                  site <https://example.org>"
    )


def test_a_table_that_does_not_fit_is_a_list() -> None:
    assert laid_out(40).splitlines()[:5] == [
        "`first`",
        "  type: string",
        "  meaning: a text that is rather long,",
        "    so that it has to be wrapped in its",
        "    own column",
    ]


def test_a_command_is_never_broken() -> None:
    text = "word " * 11 + "and then `surefoot catalog check` again"
    assert "`surefoot catalog check`" in laid_out(80, text)


# --- completion


def completed(application: Application, *words: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-m", "surefoot"],
        env={
            **os.environ,
            "_SUREFOOT_COMPLETE": "bash_complete",
            "COMP_WORDS": " ".join(("surefoot", *words)),
            "COMP_CWORD": str(len(words)),
        },
        cwd=application.root,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    return [line.partition(",")[2] for line in done.stdout.splitlines() if line]


@pytest.fixture
def released(application: Application) -> Application:
    application.revision("3f2a", None, head='release = "v1.0"')
    application.revision("3f4b", "3f2a")
    application.revision("8c1d", "3f4b", head='release = "v1.1"')
    return application


def test_words_to_explain_are_completed(application: Application) -> None:
    assert completed(application, "explain", "at-") == ["at-head"]
    assert set(completed(application, "explain", "backup_k")) == {"backup_keep", "backup_keep_days"}
    assert "backup-failed" in completed(application, "explain", "backup-f")
    assert completed(application, "explain", "catalog", "ch") == ["check"]
    assert completed(application, "explain", "fleet", "") == ["up", "status", "plan", "manifest"]


@pytest.mark.parametrize(
    "command",
    [
        ["adopt"],
        ["repair"],
        ["down", "--to"],
        ["catalog", "show"],
        ["catalog", "diff"],
        ["catalog", "check", "--require-downgrade"],
        ["catalog", "learn", "--as"],
        ["dump", "--revision"],
    ],
)
def test_revisions_are_completed(released: Application, command: list[str]) -> None:
    assert completed(released, *command, "3f") == ["3f2a", "3f4b"]
    assert completed(released, *command, "v1") == ["v1.0", "v1.1"]


def test_releases_are_completed(released: Application) -> None:
    assert completed(released, "releases", "--from", "v") == ["v1.0", "v1.1"]
    assert completed(released, "releases", "--to", "8") == ["8c1d"]


def test_backups_are_completed(released: Application, database: Database) -> None:
    assert released.run("up", url=database.url()).code == 0
    assert released.run("backup", url=database.url()).code == 0
    (dump,) = (released.root / "backups").glob("*.dump")
    assert completed(released, "restore", dump.name[:3]) == [dump.name]


# How each shell is asked to complete a line, and how its output ends.
_BASH = """
eval "$(surefoot completion bash)"
COMP_WORDS=(surefoot {words})
COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
_surefoot_completion surefoot
printf '%s\n' "${{COMPREPLY[@]}}"
"""
_FISH = """
surefoot completion fish | source
complete --do-complete "surefoot {words}"
"""
# The line editor does what a person's Tab does; the widget after it prints the line.
_ZSH = """
zmodload zsh/zpty
zpty shell zsh -fi
zpty -w shell 'autoload -U compinit; compinit -u -D; eval "$(surefoot completion zsh)"'
zpty -w shell 'show() {{ print -r -- "[[$BUFFER]]"; exit }}; zle -N show; bindkey "^X" show'
zpty -w shell 'print rea""dy'
zpty -r shell said '*ready*'
zpty -w -n shell $'surefoot {words}\\t\\C-x'
zpty -r shell said '*\\]\\]*'
print -r -- "$said"
"""


@pytest.mark.parametrize(
    ("words", "whole"),
    [
        ("explain at-h", "at-head"),
        ("adopt 8", "8c1d"),
        ("catalog show 8", "8c1d"),
        ("explain catalog ch", "check"),
    ],
)
@pytest.mark.parametrize("shell", ["bash", "fish", "zsh"])
def test_the_shells_themselves_complete(
    released: Application, shell: str, words: str, whole: str
) -> None:
    """As far as the machine has them: `surefoot completion SHELL` is what they read."""
    if shutil.which(shell) is None:
        pytest.skip(f"there is no {shell}")
    script = {"bash": _BASH, "fish": _FISH, "zsh": _ZSH}[shell].format(words=words)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        [shell, "-c", script],
        cwd=released.root,
        env={**os.environ, "PATH": path, "HOME": str(released.root), "TERM": "dumb"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert whole in re.findall(r"[\w.-]+", done.stdout.rpartition("[[")[2]), done


def test_where_there_is_nothing_to_complete(application: Application) -> None:
    """Nothing is printed into the shell's line."""
    (application.root / "alembic.ini").unlink()
    assert completed(application, "adopt", "3f") == []
    application.config("nonsense = ")
    assert completed(application, "catalog", "show", "3f") == []
    assert completed(application, "restore", "x") == ["x"]
