"""The tutorial, carried out: every file, every command, every line that is printed."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "start" / "tutorial.md"
ELSEWHERE = "<!-- the tests have their own environment -->"
_BLOCK = re.compile(r"^(?P<before>[^\n]*)\n\n?```(?P<kind>\w+)\n(?P<text>.*?)^```", re.M | re.S)
_REPLAYING = re.compile(r"^surefoot: replaying on .*?(?=^  [✓·])", re.M | re.S)


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Path]:
    """An empty directory for the project; its server's data is removed at the end."""
    root = tmp_path / "shop"
    root.mkdir()
    yield root
    if os.geteuid() == 0:  # as cli/console.py names it
        digest = hashlib.sha256(str(root).encode()).hexdigest()[:8]
        shutil.rmtree(f"/var/lib/surefoot/shop-{digest}", ignore_errors=True)


def typed(command: str, root: Path) -> str:
    """What a shell in the project prints."""
    names = ("PG", "POSTGRES_", "DATABASE_", "SUREFOOT_")
    environ = {name: value for name, value in os.environ.items() if not name.startswith(names)}
    environ |= {
        "PATH": f"{Path(sys.executable).parent}:{environ['PATH']}",
        "XDG_DATA_HOME": str(root.parent / "data"),
        "LANG": "C.UTF-8",
        "COLUMNS": "80",
    }
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=root,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        timeout=120,
    )
    return done.stdout


def masked(text: str) -> str:
    """Without ports, times, versions and the machine's own servers."""
    text = re.sub(r"127\.0\.0\.1:\d{5}", "127.0.0.1:55432", text)
    text = re.sub(r"PostgreSQL \d+\.\d+", "PostgreSQL 18.6", text)
    text = _REPLAYING.sub("surefoot: replaying on the embedded PostgreSQL\n", text)
    # a column of times, aligned on the right: as wide however long it took
    text = re.sub(
        r"(?<=  )\d+(\.\d+) s$",
        lambda found: re.sub(r"\d", "0", f"0{found[1]} s").rjust(len(found[0])),
        text,
        flags=re.M,
    )
    text = re.sub(r"\d+\.\d s", "0.0 s", text)
    words = r"\b((?:adopt|down)(?:-[a-z]+)*-)[0-9a-f]{16}\b"
    text = re.sub(words, r"\g<1>5f0c9d1e7a3b2846", text)
    return re.sub(r"^(?:container|pod) .*\n(?: {10}.*\n)*", "", text, flags=re.M)


def carried_out(page: str, root: Path) -> str:
    """The page, with what each of its commands really prints."""

    def block(found: re.Match[str]) -> str:
        before, kind, text = found["before"], found["kind"], found["text"]
        if before == ELSEWHERE:
            return found[0]
        if kind == "python":
            (name,) = re.findall(r"`([\w/.]+\.py)`", before)
            (root / name).write_text(text, encoding="utf-8")
            return found[0]
        if kind == "sh":
            typed(text, root)
            return found[0]
        assert kind == "console"
        printed = ""
        for command in re.findall(r"^\$ (.*)$", text, re.M):
            printed += f"$ {command}\n{masked(typed(command, root))}"
        return found[0].replace(text, printed)

    return _BLOCK.sub(block, page)


@pytest.mark.slow
def test_the_tutorial(project: Path) -> None:
    """Written anew, as the golden sessions are, by UPDATE_SESSIONS=1."""
    page = PAGE.read_text(encoding="utf-8")
    found = carried_out(page, project)
    if os.environ.get("UPDATE_SESSIONS"):
        PAGE.write_text(found, encoding="utf-8")
    else:
        assert found == page
