"""Text of others on its way to a terminal, a log or JSON: every character there is."""

import io
import json
import sys
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from surefoot.errors import ExitCode, Finding
from surefoot.errors.printable import escaped, is_printable, printable
from surefoot.report import json as report_json
from surefoot.report.terminal import Terminal, columns, wrapped
from surefoot.report.text import finding_lines

EVERY = [chr(code) for code in range(sys.maxunicode + 1)]
# What moves the cursor, ends a line, turns the direction, can't be seen, or means nothing (yet).
STEERING = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
LETTERS = [
    *("naïve", "Žluťoučký kůň", "Ελληνικά", "база данных", "עברית", "العربية", "數據庫", "データ"),
    *("e\u0301", "क्षत्रिय", "👩‍👩‍👧‍👦", "❤️‍🔥", "👍🏽", "🇩🇪", "می‌خواهم", "क्‍ष", "«été»\u00a0!"),
    "\U0001f3f4\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f",  # Scotland's flag
]


class Screen(io.StringIO):
    """A terminal that keeps what was written to it."""

    encoding = "utf-8"  # type: ignore[assignment]

    def isatty(self) -> bool:
        return True


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Screen:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    return Screen()


def test_every_character() -> None:
    """Whatever steers is escaped, in ASCII; everything else stays as it is."""
    for char in EVERY:
        shown = printable(f"a{char}b")
        if unicodedata.category(char) in STEERING:
            assert shown.isascii(), hex(ord(char))
            assert shown.startswith("a\\"), hex(ord(char))
            assert shown.isprintable(), hex(ord(char))
        else:
            assert shown == f"a{char}b", hex(ord(char))


def test_what_is_escaped_can_be_told_apart() -> None:
    shown = [printable(char) for char in EVERY]
    assert len(set(shown)) == len(EVERY)


@pytest.mark.parametrize("text", LETTERS)
def test_letters_and_emoji_of_every_script_stay(text: str) -> None:
    assert printable(text) == text
    assert is_printable(text)


@settings(deadline=None)
@given(st.text(st.characters(), max_size=40))
def test_any_text(text: str) -> None:
    shown = printable(text)
    assert printable(shown) == shown
    joiners = {"\u200c", "\u200d"}
    assert not [c for c in shown if unicodedata.category(c) in STEERING and c not in joiners]
    assert json.loads(escaped(json.dumps(text, ensure_ascii=False))) == text


def test_json_of_every_character() -> None:
    """The value is the very one, and no character that steers stands for itself."""
    for start in range(0, len(EVERY), 4096):
        text = "-".join(EVERY[start : start + 4096])  # two surrogates side by side would be one
        line = report_json.encode("status", ExitCode.DONE, found=text)
        assert json.loads(line)["found"] == text
        assert not [c for c in line if unicodedata.category(c) in STEERING]


def test_no_character_leaves_the_line(screen: Screen) -> None:
    """Through the line itself, at a terminal with colour."""
    terminal = Terminal(screen)
    for start in range(0, len(EVERY), 512):
        terminal.line("".join(EVERY[start : start + 512]))
    written = screen.getvalue()
    assert written.count("\n") == len(EVERY) // 512
    assert not [c for c in written.replace("\n", "") if unicodedata.category(c) in STEERING]


def test_only_surefoot_sets_styles(screen: Screen) -> None:
    terminal = Terminal(screen)
    terminal.line(terminal.paint("\x1b[31mred\x1b[0m", "green") + " \x1b[2J")
    assert screen.getvalue() == "\x1b[32m\\x1b[31mred\\x1b[0m\x1b[0m \\x1b[2J\n"


@settings(deadline=None)
@given(st.text(st.characters(), min_size=1, max_size=200), st.integers(40, 100))
def test_a_finding_forges_no_line(text: str, width: int) -> None:
    """What begins in the first column is surefoot's own, wherever the text stands."""
    terminal = Terminal(io.StringIO())
    terminal.width = width
    finding = Finding("look-failed", f"M {text}", (f"S {text}",), f"D {text}", f"N {text}")
    own = ("surefoot refuses: M", "seen ", "database ", "next ", "more ", "  ")
    for line in finding_lines(terminal, finding):
        assert not line or line.startswith(own)
        assert "\n" not in terminal.rendered(line)


@settings(deadline=None)
@given(st.text(st.characters(), max_size=120), st.integers(10, 100))
def test_cut_to_columns(text: str, width: int) -> None:
    shown = Terminal(io.StringIO()).cut(text, width)
    assert columns(shown) <= width
    assert is_printable(shown) or shown.endswith(("…", "..."))


def test_wide_and_combining_characters() -> None:
    assert (columns("abc"), columns("數據"), columns("e\u0301")) == (3, 4, 1)


def test_lines_are_measured_after_escaping() -> None:
    assert all(len(line) <= 40 for line in wrapped("\x1b\x9b\u202e" * 30, 40))
